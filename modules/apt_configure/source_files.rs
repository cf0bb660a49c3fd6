//! The entries of `sources`, each a step: its key, and its file or what add-apt-repository(1) makes.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`add_apt_sources`).

use std::collections::BTreeMap;
use std::path::{Component, Path};

use contract::effect::{Effect, ToolSpec};
use contract::module::Context;
use contract::place::Place;
use contract::plan::{Problem, Step};
use contract::template::Variables;
use contract::yaml::Placed;

use crate::files;
use crate::pattern::Pattern;

use super::keyring::Keyring;
use super::suites::is_deb822;
use super::text;
use super::wanted::Source;

const DIRECTORY: &str = "/etc/apt/sources.list.d";

/// What is planned of the entries so far.
pub(super) struct SourceFiles<'a> {
    ctx: &'a Context<'a>,
    variables: &'a Variables,
    repositories: Option<&'a Pattern>,
    /// What files hold by then, as several entries may be for one.
    texts: BTreeMap<String, String>,
    /// Whether anything is not so yet.
    pub(super) changes: bool,
}

impl<'a> SourceFiles<'a> {
    pub(super) fn new(
        ctx: &'a Context<'a>,
        variables: &'a Variables,
        repositories: Option<&'a Pattern>,
    ) -> Self {
        Self {
            ctx,
            variables,
            repositories,
            texts: BTreeMap::new(),
            changes: false,
        }
    }

    /// What an entry comes to.
    pub(super) fn step(&mut self, entry: &Source) -> Result<Step, Problem> {
        let path = entry.path.as_str();
        let name = path.strip_prefix("apt.").unwrap_or(path);
        let mut step = Step::new(name, []);
        let mut variables = self.variables.clone();
        let mut is_so = true;
        if let Some(key) = &entry.key {
            let source = entry.source.as_ref();
            let is_named =
                source.is_some_and(|source| text::names(source).any(|name| name == "KEY_FILE"));
            let keyring = Keyring::of(key, &entry.filename, is_named, path, self.ctx)?;
            variables = variables.text("KEY_FILE", &keyring.path);
            is_so &= keyring.is_so;
            step.effects.extend(keyring.effects);
        }
        if let Some(source) = &entry.source {
            let key = |why: String| problem(&source.place, format!("{path}.source: {why}"));
            let rendered = text::rendered(source, &variables, self.ctx).map_err(key)?;
            let is_repository = self
                .repositories
                .is_some_and(|pattern| pattern.is_in(&rendered));
            is_so &= match is_repository {
                true => self.repository(&rendered, &mut step).map_err(key)?,
                false => self.file(entry, &rendered, &mut step)?,
            };
        }
        self.changes |= !is_so;
        Ok(step)
    }

    /// What a repository's name stands for is found out by the tool alone, so that it is noted that
    /// it did.
    fn repository(&self, name: &str, step: &mut Step) -> Result<bool, String> {
        if text::has_password(name) {
            return Err("a password would be seen by everybody: write it as a line".to_owned());
        }
        if name.starts_with('-') {
            return Err("that would be an option of add-apt-repository".to_owned());
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let label: String = name.chars().map(plain).collect();
        let noted = self.ctx.instance_dir.join("apt-repositories").join(label);
        let is_so = files::exists(self.ctx.probe, &noted);
        let argv = ["add-apt-repository", "--no-update", name];
        let tool = ToolSpec::new(format!("repository {name}"), argv);
        step.effects.push(Effect::tool(tool.creates(&noted)));
        step.effects.push(Effect::file(noted, format!("{name}\n")));
        Ok(is_so)
    }

    fn file(&mut self, entry: &Source, source: &str, step: &mut Step) -> Result<bool, Problem> {
        let is_paragraphs = is_deb822(source);
        let path = file_path(&entry.filename, is_paragraphs).ok_or_else(|| {
            let message = format!(
                "{}.filename: expected the name of a file, or an absolute path",
                entry.path
            );
            problem(&entry.filename.place, message)
        })?;
        let before = self.texts.get(&path).cloned();
        let before = before.or_else(|| files::text(self.ctx.probe, &path));
        let mut text = before.clone().filter(|_| entry.appends).unwrap_or_default();
        let new = format!("{}\n", source.strip_suffix('\n').unwrap_or(source));
        // A source that is there is not written a second time.
        if !format!("\n{text}").contains(&format!("\n{new}")) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            if !text.is_empty() && is_paragraphs {
                text.push('\n');
            }
            text.push_str(&new);
        }
        step.effects.push(text::file(&path, &text));
        let is_so = before.as_ref() == Some(&text);
        self.texts.insert(path, text);
        Ok(is_so)
    }
}

fn problem(place: &Place, message: String) -> Problem {
    Problem::error(Some(place.clone()), message)
}

/// Where a source goes: apt reads files there by their endings.
fn file_path(name: &Placed<String>, is_paragraphs: bool) -> Option<String> {
    let (right, wrong) = match is_paragraphs {
        true => (".sources", ".list"),
        false => (".list", "/"),
    };
    let name = name.strip_suffix(wrong).unwrap_or(name);
    let name = name.strip_suffix(right).unwrap_or(name);
    let path = Path::new(DIRECTORY).join(format!("{name}{right}"));
    let is_plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    let is_path = path.components().all(is_plain) && !name.contains(|c: char| c.is_control());
    (is_path && !name.is_empty()).then(|| path.to_str().map(ToOwned::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_goes_where_apt_finds_its_kind() {
        #[rustfmt::skip]
        let table = [
            ("docker",              false, Some("/etc/apt/sources.list.d/docker.list")),
            ("docker.list",         false, Some("/etc/apt/sources.list.d/docker.list")),
            ("docker",              true,  Some("/etc/apt/sources.list.d/docker.sources")),
            ("docker.list",         true,  Some("/etc/apt/sources.list.d/docker.sources")),
            ("docker.sources",      true,  Some("/etc/apt/sources.list.d/docker.sources")),
            ("/etc/apt/other.list", false, Some("/etc/apt/other.list")),
            ("../other",            false, None),
            ("a\nb",                false, None),
            ("",                    false, None),
        ];
        for (name, is_paragraphs, wanted) in table {
            let name = Placed::new(name.to_owned(), Place::whole("test"));
            assert_eq!(
                file_path(&name, is_paragraphs).as_deref(),
                wanted,
                "{name:?}"
            );
        }
    }
}
