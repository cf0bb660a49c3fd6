//! A repository of packages as a section of an INI file: for yum, dnf and zypper.
//!
//! Source: cloud-init, `cloudinit/config/cc_yum_add_repo.py` and `cc_zypper_add_repo.py`;
//! dnf.conf(5), zypper(8).

use std::path::{Path, PathBuf};

use contract::effect::Effect;
use contract::machine::Probe;
use contract::place::Place;
use contract::plan::{Problem, Step};
use contract::schema::Shape;
use contract::secret::is_secret_name;
use contract::yaml::{Kind, Mapping, Value};

use crate::fields::{self, wrong};
use crate::hidden;

/// What an option may be.
pub(crate) const OPTION: Shape = Shape::OneOf(&[Shape::Scalar, Shape::List(&Shape::Scalar)]);

/// A file's name has 255 bytes at most (NAME_MAX), of which `.repo` takes some.
const MAX_ID: usize = 200;

/// A repository.
pub(crate) struct Repository {
    /// The name of its section.
    pub(crate) id: String,
    /// Where it is written.
    pub(crate) place: Place,
    /// Its options, each with the lines of its value.
    pub(crate) options: Vec<(String, Vec<String>)>,
}

impl Repository {
    /// The options of a mapping but `id`. One that cannot be written down costs itself alone.
    pub(crate) fn read(
        id: String,
        map: &Mapping,
        path: &str,
        place: &Place,
        told: &mut Vec<Problem>,
    ) -> Self {
        let mut own = Self {
            id,
            place: place.clone(),
            options: Vec::new(),
        };
        for (key, value) in fields::sorted(map) {
            let written = key.to_text().unwrap_or_default();
            let name = written.trim().to_ascii_lowercase().replace('-', "_");
            if written == "id" || value.is_null() {
                continue;
            }
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
            if name.is_empty() || !name.chars().all(is_plain) {
                let message = format!("{path}: that is no name of an option");
                told.push(Problem::error(Some(key.place.clone()), message));
                continue;
            }
            match lines(value) {
                Some(lines) => own.set(name, lines),
                None => {
                    let path = format!("{path}.{name}");
                    told.push(wrong(&path, value, "a string, or a list of them"));
                }
            }
        }
        own
    }

    /// Whether it has an option.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(own, _)| own == name)
    }

    /// Sets an option, at its place if it is there.
    pub(crate) fn set(&mut self, name: String, lines: Vec<String>) {
        match self.options.iter_mut().find(|(own, _)| *own == name) {
            Some((_, old)) => *old = lines,
            None => self.options.push((name, lines)),
        }
    }

    /// The file that describes it in `directory`, unless there is one.
    pub(crate) fn file(
        &self,
        directory: &Path,
        name: &str,
        probe: &dyn Probe,
    ) -> Result<Option<Step>, Problem> {
        let path = directory.join(format!("{name}.repo"));
        let text = self.text();
        match probe.read(&path) {
            Ok(None) => Ok(Some(Step::new(name, [self.effect(path, text)]))),
            Ok(Some(old)) if old == text.as_bytes() => Ok(None),
            Ok(Some(_)) | Err(_) => {
                let message = format!("{} is there already and stays as it is", path.display());
                Err(Problem::notice(Some(self.place.clone()), message))
            }
        }
    }

    fn text(&self) -> String {
        let mut text = format!("[{}]\n", self.id);
        for (name, lines) in &self.options {
            text.push_str(&format!("{name} = {}\n", lines.join("\n\t")));
        }
        text
    }

    fn effect(&self, path: PathBuf, text: String) -> Effect {
        let is_secret = |(name, lines): &(String, Vec<String>)| {
            is_secret_name(name) || lines.iter().any(|line| hidden::has_password(line))
        };
        hidden::file(path, text, self.options.iter().any(is_secret))
    }
}

/// Checks the name that a repository goes by, which is also that of its file and its section.
pub(crate) fn id(key: &Value, path: &str) -> Result<String, Problem> {
    let id = key.to_text().unwrap_or_default();
    let is_odd = |c: char| c.is_control() || matches!(c, '/' | '[' | ']');
    if !id.trim().is_empty() && id.len() <= MAX_ID && !id.starts_with('.') && !id.contains(is_odd) {
        return Ok(id);
    }
    let message = format!("{path}: that is no name of a repository");
    let hint = "letters, digits, `-`, `_` and `.` are always good";
    Err(Problem::error(Some(key.place.clone()), message).hint(hint))
}

/// A directory that a configuration names.
pub(crate) fn directory(
    given: Option<&Value>,
    key: &str,
    default: &str,
) -> Result<PathBuf, Problem> {
    let Some(given) = given.filter(|value| !value.is_null()) else {
        return Ok(PathBuf::from(default));
    };
    let path = given.as_str().map(Path::new);
    let path = path.filter(|path| path.is_absolute());
    path.map(Path::to_owned).ok_or_else(|| {
        let message = format!("{key}: expected the absolute path of a directory");
        Problem::error(Some(given.place.clone()), message)
    })
}

/// The lines of a value; `None` if it is neither text nor a list of it.
fn lines(value: &Value) -> Option<Vec<String>> {
    match &value.kind {
        Kind::Bool(on) => Some(vec![u8::from(*on).to_string()]),
        Kind::List(values) => {
            let each: Option<Vec<Vec<String>>> = values.iter().map(lines).collect();
            each.map(|each| each.concat())
        }
        _ => {
            let text = value.to_text()?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            Some(lines.map(ToOwned::to_owned).collect())
        }
    }
}
