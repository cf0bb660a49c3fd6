//! Entries of `mounts`, and what they become in /etc/fstab.

use std::path::Path;

use contract::machine::Probe;
use contract::plan::Problem;
use contract::yaml::{Kind, Value};

use super::fstab::{Fstab, MARK, escaped, has_secret};
use super::source::Sources;
use crate::fields::wrong;
use crate::files;

/// More entries than this are a mistake.
const ENTRIES_MAX: usize = 512;
/// The fields of a line (fstab(5)), and where some of them stand.
const FIELDS: usize = 6;
const POINT: usize = 1;
const KIND: usize = 2;
const OPTIONS: usize = 3;

/// A line in the making.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What is mounted.
    pub(super) source: String,
    /// All fields but the first; a mount point that is `None` leaves the device out.
    rest: Vec<Option<String>>,
}

impl Entry {
    /// As it stands in /etc/fstab.
    pub(super) fn line(&self) -> String {
        let mut line = escaped(&self.source);
        for (index, field) in self.rest.iter().enumerate() {
            let field = field.as_deref().unwrap_or_default();
            line.push('\t');
            line += &match index + 1 {
                POINT => escaped(field),
                OPTIONS => format!("{field},{MARK}"),
                _ => field.to_owned(),
            };
        }
        line
    }

    /// The directory that it is mounted on, if it is one.
    pub(super) fn directory(&self) -> Option<String> {
        let point = self.field(POINT)?;
        let path = point.trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        point.starts_with('/').then(|| path.replace("\\040", " "))
    }

    pub(super) fn is_swap(&self) -> bool {
        self.field(KIND) == Some("swap")
    }

    /// Whether `mount -a` is expected to mount it: not `noauto`, and not a device that is missing and
    /// may be.
    pub(super) fn is_wanted_now(&self, probe: &dyn Probe) -> bool {
        let has = |name: &str| {
            let options = self.field(OPTIONS).unwrap_or_default();
            options.split(',').any(|option| option == name)
        };
        let is_missing = self.source.starts_with("/dev/")
            && matches!(probe.kind(Path::new(&self.source)), Ok(None));
        !(has("noauto") || is_missing && has("nofail"))
    }

    fn field(&self, at: usize) -> Option<&str> {
        self.rest.get(at.checked_sub(1)?)?.as_deref()
    }
}

/// What fields hold that an entry leaves out.
pub(super) struct Defaults {
    fields: Vec<Option<String>>,
    options: String,
}

impl Defaults {
    /// `mount_default_fields`; a field that it does not say is cloud-init's own.
    pub(super) fn read(
        given: Option<&Value>,
        probe: &dyn Probe,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let options = match uses_systemd(probe) {
            true => "defaults,nofail,x-systemd.after=firstlight.service,_netdev",
            false => "defaults,nobootwait",
        };
        let text = |text: &str| Some(text.to_owned());
        let own = vec![
            None,
            None,
            text("auto"),
            text(options),
            text("0"),
            text("2"),
        ];
        let mut fields = match given.map(|given| (given, fields(given, "mount_default_fields"))) {
            None => own.clone(),
            Some((_, Ok(fields))) => fields,
            Some((_, Err(problem))) => {
                problems.push(problem);
                own.clone()
            }
        };
        fields.extend(own.into_iter().skip(fields.len()));
        Self {
            fields,
            options: options.to_owned(),
        }
    }

    /// The entry of what the metadata calls `name`.
    pub(super) fn told(&self, name: &str, source: String) -> Entry {
        let fields: [&str; FIELDS - 1] = match name {
            "swap" => ["none", "swap", "sw", "0", "0"],
            _ => ["/mnt", "auto", &self.options, "0", "2"],
        };
        let rest = fields
            .iter()
            .map(|field| Some((*field).to_owned()))
            .collect();
        Entry { source, rest }
    }
}

/// The entries of `mounts`; one that is none costs itself alone.
pub(super) fn all(
    given: &Value,
    defaults: &Defaults,
    sources: &Sources<'_>,
    table: &Fstab,
    problems: &mut Vec<Problem>,
) -> Vec<Entry> {
    let Some(list) = given.as_list() else {
        problems.push(wrong("mounts", given, "a list of lists"));
        return Vec::new();
    };
    let mut entries = Vec::new();
    for (index, value) in list.iter().take(ENTRIES_MAX).enumerate() {
        let path = format!("mounts[{index}]");
        match entry(value, &path, defaults, sources, table, problems) {
            Ok(entry) => entries.push(entry),
            Err(problem) => problems.push(problem),
        }
    }
    entries
}

fn entry(
    value: &Value,
    path: &str,
    defaults: &Defaults,
    sources: &Sources<'_>,
    table: &Fstab,
    problems: &mut Vec<Problem>,
) -> Result<Entry, Problem> {
    let mut given = fields(value, path)?.into_iter();
    let first = value.as_list().and_then(|list| list.first());
    let place = &first.unwrap_or(value).place;
    let expected = || wrong(path, value, "a list that begins with a device");
    let name = given
        .next()
        .flatten()
        .filter(|name| !name.is_empty())
        .ok_or_else(expected)?;
    let source = sources.of(&name).unwrap_or_else(|unknown| {
        problems.push(unknown.problem(path, &name, place));
        None
    });
    let source = source.filter(|source| !table.has(source)).unwrap_or(name);
    let mut rest: Vec<Option<String>> = given.collect();
    let own = defaults.fields.get(1..).unwrap_or_default();
    for (field, own) in rest.iter_mut().zip(own) {
        if field.is_none() {
            field.clone_from(own);
        }
    }
    rest.extend(own.iter().skip(rest.len()).cloned());
    if let Some(Some(options)) = rest.get_mut(OPTIONS - 1) {
        let words: Vec<&str> = options.split(',').map(str::trim).collect();
        *options = words.join(",");
    }
    let is_odd = |(index, field): (usize, &Option<String>)| {
        let text = field.as_deref().unwrap_or_default();
        let is_path = index + 1 == POINT;
        let is_blank = |c: char| c.is_whitespace() && !(is_path && c == ' ');
        text.contains(is_blank) || text.contains(char::is_control)
    };
    // Such a line would be read with its fields one place too far to the left, or be a comment.
    let is_left_out = matches!(rest.first(), Some(None));
    let empty = rest
        .iter()
        .position(|field| field.as_deref().unwrap_or_default().is_empty());
    if let Some(empty) = empty.filter(|_| !is_left_out) {
        let message = format!(
            "{path}: field {} is empty, which /etc/fstab cannot hold",
            empty + 2
        );
        return Err(Problem::error(Some(value.place.clone()), message));
    }
    if source.starts_with('#') {
        let message = format!("{path}: a device cannot begin with `#`, which makes a comment");
        return Err(Problem::error(Some(value.place.clone()), message));
    }
    if rest.iter().enumerate().any(is_odd) || source.contains(char::is_control) {
        let message = format!("{path}: a field has a blank in it, which /etc/fstab cannot hold");
        return Err(Problem::error(Some(value.place.clone()), message));
    }
    let entry = Entry { source, rest };
    if has_secret(&entry.line()) {
        let message =
            format!("{path}: everybody can read the password, for it stands in /etc/fstab");
        let problem = Problem::notice(Some(value.place.clone()), message);
        let hint = "for cifs write it to a file of mode 0600 and give `credentials=FILE`";
        problems.push(problem.hint(hint));
    }
    Ok(entry)
}

/// The fields of a line, as Python's `str()` writes them.
fn fields(given: &Value, path: &str) -> Result<Vec<Option<String>>, Problem> {
    let wanted = "a list of strings";
    let list = given.as_list().ok_or_else(|| wrong(path, given, wanted))?;
    let field = |(index, field): (usize, &Value)| match &field.kind {
        Kind::Null => Ok(None),
        _ => {
            let text = field.to_text().map(Some);
            text.ok_or_else(|| wrong(&format!("{path}[{index}]"), field, "a string"))
        }
    };
    list.iter().enumerate().map(field).collect()
}

/// Without devices that have no mount point, and what is said of them before.
pub(super) fn with_mount_points(entries: Vec<Entry>) -> Vec<Entry> {
    let mut left: Vec<String> = Vec::new();
    let mut kept = Vec::new();
    for entry in entries.into_iter().rev() {
        if entry.field(POINT).is_none() || left.contains(&entry.source) {
            left.push(entry.source);
        } else {
            kept.push(entry);
        }
    }
    kept.reverse();
    kept
}

/// Whether the machine is one that systemd starts, or will start.
pub(super) fn uses_systemd(probe: &dyn Probe) -> bool {
    let marks = [
        "/run/systemd/system",
        "/usr/lib/systemd/systemd",
        "/lib/systemd/systemd",
    ];
    let is_there = |path: &str| files::exists(probe, path);
    marks.into_iter().any(is_there)
}
