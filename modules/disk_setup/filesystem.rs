//! File systems as `fs_setup` describes them, one entry each.
//!
//! Source: cloud-init, `cloudinit/config/cc_disk_setup.py` (`mkfs`, `find_device_node`).

use std::time::Duration;

use contract::effect::{Effect, Program, ToolSpec};
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Value};

use super::view::{Node, View};
use crate::disk::Unclear;
use crate::disk::names::shown;
use crate::disk::signature::Signature;
use crate::fields::wrong;
use crate::{distribution, script, switch};

/// A file system of many terabytes takes minutes.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// An entry of `fs_setup`.
pub(super) struct Wanted<'v> {
    pub(super) path: String,
    entry: &'v Value,
    /// The name of its device, without the number of a partition.
    pub(super) device: &'v str,
    label: String,
    kind: Option<String>,
    /// What makes it, if somebody says so.
    command: Option<&'v Value>,
    options: Vec<String>,
    overwrite: bool,
    replaces: Option<String>,
    part: Where,
}

/// Where on its device a file system shall be.
enum Where {
    /// On the device itself.
    Whole,
    /// On the partition of this number.
    Part(usize),
    /// On the first that holds it or is free. `by_label`: one of another label is another one.
    First { by_label: bool },
}

/// A file system that is to be made.
pub(super) struct Made {
    /// What makes it.
    pub(super) effect: Effect,
    /// Where: `xvdb1`.
    pub(super) on: String,
    /// What is there then.
    pub(super) holds: Signature,
}

impl<'v> Wanted<'v> {
    /// Reads an entry, whatever disks there are.
    pub(super) fn read(
        entry: &'v Value,
        path: &str,
        odd: &mut Vec<Problem>,
    ) -> Result<Self, Problem> {
        if entry.as_map().is_none() {
            return Err(wrong(path, entry, "a mapping"));
        }
        let field = |name: &str| entry.get(name).filter(|value| !value.is_null());
        let Some(device) = field("device") else {
            let message = format!("{path}: expected a `device`");
            return Err(Problem::error(Some(entry.place.clone()), message));
        };
        let name = device.as_str().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            let path = format!("{path}.device");
            wrong(&path, device, "the name of a disk or a partition")
        })?;
        // `ephemeral0.1` is its first partition.
        let (device, number) = match name.rsplit_once('.') {
            Some((device, number)) => (device, Some(number)),
            None => (name, None),
        };
        let text = |name: &str| match field(name) {
            None => Ok(None),
            Some(value) => {
                let expected = || wrong(&format!("{path}.{name}"), value, "a string");
                value.to_text().map(Some).ok_or_else(expected)
            }
        };
        let kind = text("filesystem")?.filter(|kind| !kind.is_empty());
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if kind.as_deref().is_some_and(|kind| {
            !kind.starts_with(char::is_alphanumeric) || !kind.chars().all(is_name)
        }) {
            let value = field("filesystem").unwrap_or(entry);
            return Err(wrong(
                &format!("{path}.filesystem"),
                value,
                "the name of a file system, such as `ext4`",
            ));
        }
        let command =
            field("cmd").filter(|value| value.as_str() != Some("") && value.as_list() != Some(&[]));
        if kind.is_none() && command.is_none() {
            let message =
                format!("{path}: without `filesystem` or `cmd` nobody knows what to make");
            return Err(Problem::error(Some(entry.place.clone()), message));
        }
        let label = text("label")?.unwrap_or_default();
        if label.contains('\0') {
            return Err(wrong(&format!("{path}.label"), entry, "a string"));
        }
        let key = format!("{path}.overwrite");
        let overwrite = switch::or(false, &key, field("overwrite"), odd);
        let options = match field("extra_opts") {
            None => Vec::new(),
            Some(value) => options(value)
                .ok_or_else(|| wrong(&format!("{path}.extra_opts"), value, "a list of strings"))?,
        };
        let replaces = field("replace_fs").filter(|value| value.as_bool() != Some(false));
        let given = field("partition");
        let part = match number {
            Some(number) => part(Some(number), entry, path)?,
            None => {
                let text = given.map(|value| value.to_text().unwrap_or_default());
                part(text.as_deref(), given.unwrap_or(entry), path)?
            }
        };
        Ok(Self {
            path: path.to_owned(),
            entry,
            device,
            label,
            kind,
            command,
            options,
            overwrite,
            replaces: replaces.and_then(Value::to_text),
            part,
        })
    }

    /// The same on the partition of this number, if `device` names one that is about to be made.
    pub(super) fn on_part(self, part: Option<usize>) -> Result<Self, Problem> {
        match (part, &self.part) {
            (None, _) => Ok(self),
            (Some(_), Where::Part(number)) => {
                let device = shown(self.device);
                Err(self.problem("partition", format!("{device} has no partition {number}")))
            }
            (Some(number), _) => Ok(Self {
                part: Where::Part(number),
                ..self
            }),
        }
    }

    /// What brings it about on a disk or partition that looks like this; `None` if it is so.
    pub(super) fn plan(&self, view: &View<'_>) -> Result<Option<Made>, Problem> {
        match &self.part {
            Where::Whole => self.on(&view.whole().map_err(|it| self.unclear(&it))?, false),
            Where::Part(number) => match view.part(*number).map_err(|it| self.unclear(&it))? {
                Some(node) => self.on(&node, false),
                None => {
                    let name = view.part_name(*number);
                    Err(self.problem("partition", format!("there is no partition /dev/{name}")))
                }
            },
            Where::First { by_label } => self.first(view, *by_label),
        }
    }

    /// The first that holds it already, that holds what it replaces, or that holds nothing.
    fn first(&self, view: &View<'_>, by_label: bool) -> Result<Option<Made>, Problem> {
        let mut is_used = false;
        let nodes = view.nodes().map_err(|it| self.unclear(&it))?;
        for node in &nodes {
            let Some(holds) = &node.holds else {
                if node.is_part {
                    return self.on(node, false);
                }
                continue;
            };
            if !by_label && Some(&holds.kind) == self.replaces.as_ref() {
                return self.on(node, true);
            }
            if Some(&holds.kind) == self.kind.as_ref() && (!by_label || holds.label == self.label) {
                return Ok(None);
            }
            is_used = true;
        }
        if let Some(whole) = nodes.first().filter(|_| !is_used) {
            return self.on(whole, false);
        }
        let message = format!("{}: nothing is free on /dev/{}", self.path, view.name());
        let place = self.place("device").clone();
        Err(Problem::warning(Some(place), message).of_machine())
    }

    /// The file system on one disk or partition. What is there already is not lost by mistake, as it
    /// is with cloud-init, which asks for no `overwrite` where somebody names a partition or `none`.
    fn on(&self, node: &Node<'_>, replaces: bool) -> Result<Option<Made>, Problem> {
        let is_it = |node: &Node<'_>| {
            let holds = node.holds.as_ref();
            holds.is_some_and(|holds| {
                Some(&holds.kind) == self.kind.as_ref() && holds.label == self.label
            })
        };
        let name = &node.name;
        let may_overwrite = self.overwrite && self.command.is_none();
        if is_it(node) && !may_overwrite {
            return Ok(None);
        }
        if let Some(user) = &node.user {
            let message = format!("/dev/{name} stays as it is, for {user}");
            return Err(self.problem("device", message));
        }
        if !(self.overwrite || replaces) {
            if node.has_parts {
                let hint = "say with `partition` which one it is, or take the table away with `disk_setup`, `layout: remove`";
                let message = format!("/dev/{name} has partitions, and stays as it is");
                return Err(self.problem("device", message).hint(hint));
            }
            if let Some(holds) = &node.holds {
                let holds = match holds.label.as_str() {
                    "" => holds.kind.clone(),
                    label => format!("{} `{}`", holds.kind, shown(label)),
                };
                let message = format!("/dev/{name} holds {holds} already, and stays as it is");
                return Err(self
                    .problem("device", message)
                    .hint("say `overwrite: true` if that may be lost"));
            }
        }
        Ok(Some(Made {
            effect: self.make(node)?,
            on: node.name.clone(),
            holds: Signature {
                kind: self.kind.clone().unwrap_or_else(|| "something".to_owned()),
                label: self.label.clone(),
            },
        }))
    }

    fn make(&self, node: &Node<'_>) -> Result<Effect, Problem> {
        let device = format!("/dev/{}", node.name);
        if let Some(command) = self.command {
            let path = format!("{}.cmd", self.path);
            let program = program(command, &|name| match name {
                "label" => Some(self.label.clone()),
                "filesystem" => Some(self.kind.clone().unwrap_or_else(|| "None".to_owned())),
                "device" => Some(device.clone()),
                _ => None,
            });
            let wanted = "a command line with %(label)s, %(filesystem)s and %(device)s in it";
            let program = program.ok_or_else(|| wrong(&path, command, wanted))?;
            return Ok(Effect::Run(script::command(&path, program)));
        }
        let kind = self.kind.as_deref().unwrap_or_default();
        let names = [format!("mkfs.{kind}"), format!("mk{kind}")];
        let tool = names
            .iter()
            .find(|name| distribution::has_program(node.probe, name));
        let Some(tool) = tool else {
            let message = format!("the image has no mkfs.{kind}");
            return Err(self
                .problem("filesystem", message)
                .hint("install the tools of that file system in the image"));
        };
        let mut argv = vec![tool.clone()];
        if !self.label.is_empty() {
            argv.extend(["-L".to_owned(), self.label.clone()]);
        }
        if self.overwrite || !node.is_part {
            argv.extend(force(kind).map(ToOwned::to_owned));
        }
        argv.extend(self.options.iter().cloned());
        argv.push(device.clone());
        let mut spec = ToolSpec::new(format!("{kind} on {device}"), argv);
        spec.timeout = TIMEOUT;
        Ok(Effect::tool(spec))
    }

    fn unclear(&self, unclear: &Unclear) -> Problem {
        unclear.problem(&self.path, self.place("device"))
    }

    /// Something about the machine, which is not as this field wants it.
    fn problem(&self, field: &str, message: String) -> Problem {
        let message = format!("{}: {message}", self.path);
        Problem::error(Some(self.place(field).clone()), message).of_machine()
    }

    /// Where a field of the entry stands, or else the device, as a partition may be a part of its name.
    pub(super) fn place(&self, field: &str) -> &Place {
        let value = self.entry.get(field).or_else(|| self.entry.get("device"));
        &value.unwrap_or(self.entry).place
    }
}

fn part(text: Option<&str>, at: &Value, path: &str) -> Result<Where, Problem> {
    let word = text.unwrap_or("any").trim();
    match word.to_ascii_lowercase().as_str() {
        "any" => Ok(Where::First { by_label: false }),
        "auto" => Ok(Where::First { by_label: true }),
        "none" | "" => Ok(Where::Whole),
        digits => {
            let number = digits
                .parse()
                .ok()
                .filter(|number| (1..=256).contains(number));
            let wanted = "`auto`, `any`, `none` or the number of a partition";
            let expected = || wrong(&format!("{path}.partition"), at, wanted);
            number.map(Where::Part).ok_or_else(expected)
        }
    }
}

/// Words for mkfs(8).
fn options(given: &Value) -> Option<Vec<String>> {
    match &given.kind {
        Kind::List(words) => words.iter().map(Value::to_text).collect(),
        Kind::String(words) => Some(words.split_whitespace().map(ToOwned::to_owned).collect()),
        _ => None,
    }
}

/// What makes a tool go on where it would rather ask.
fn force(kind: &str) -> Option<&'static str> {
    match kind {
        "btrfs" | "xfs" | "reiserfs" | "swap" => Some("-f"),
        kind if kind.contains("ext") => Some("-F"),
        _ => None,
    }
}

/// A command with what Python's `%` puts into it; `None` if that cannot be done.
fn program(command: &Value, value: &dyn Fn(&str) -> Option<String>) -> Option<Program> {
    let fill = |text: &str| filled(text, value);
    match &command.kind {
        Kind::String(line) => fill(line).map(Program::Shell),
        Kind::List(words) => {
            let words = words.iter().map(|word| fill(&word.to_text()?));
            words.collect::<Option<Vec<_>>>().map(Program::Argv)
        }
        _ => None,
    }
}

fn filled(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let mut pieces = text.split('%');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            // `%%`
            filled.push('%');
            filled += pieces.next()?;
            continue;
        }
        let (name, rest) = piece.strip_prefix('(')?.split_once(')')?;
        filled += &value(name)?;
        filled += rest.strip_prefix('s')?;
    }
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_filled_as_python_fills_it() {
        let value = |name: &str| (name == "device").then(|| "/dev/xvdb".to_owned());
        #[rustfmt::skip]
        let table = [
            ("mkfs %(device)s -m 1",   Some("mkfs /dev/xvdb -m 1")),
            ("%(device)s%(device)s",   Some("/dev/xvdb/dev/xvdb")),
            ("df %%x %(device)s",      Some("df %x /dev/xvdb")),
            ("echo 100%%",             Some("echo 100%")),
            ("%%(device)s",            Some("%(device)s")),
            ("echo",                   Some("echo")),
            ("date +%s",               None),
            ("%(size)s",               None),
            ("%(device)d",             None),
            ("100%",                   None),
        ];
        for (text, wanted) in table {
            assert_eq!(filled(text, &value).as_deref(), wanted, "{text}");
        }
    }
}
