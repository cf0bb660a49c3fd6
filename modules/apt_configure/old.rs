//! The keys of before 22.1, each of which was a top-level one.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`convert_to_v3_apt_format`).

use contract::plan::Problem;
use contract::yaml::{Kind, Mapping, Value};

/// Where an old key went.
pub(super) enum New {
    /// To a key of `apt`.
    Key(&'static str),
    /// To a key of an only entry of `primary`, for all architectures.
    Mirror(&'static str),
}

impl New {
    fn written(&self) -> String {
        match self {
            Self::Key(key) => format!("apt: {{{key}: ...}}"),
            Self::Mirror(key) => format!("apt: {{primary: [{{arches: [default], {key}: ...}}]}}"),
        }
    }
}

/// An old key that is given.
pub(super) struct Old<'a> {
    pub(super) name: &'static str,
    pub(super) new: New,
    pub(super) value: &'a Value,
}

/// Tells that old keys beside `apt` have no effect.
pub(super) fn told_beside_apt(old: &[Old<'_>], problems: &mut Vec<Problem>) {
    for key in old {
        let message = format!("{}: it has no effect beside `apt`", key.name);
        let problem = Problem::warning(Some(key.value.place.clone()), message);
        problems.push(problem.hint(format!("write `{}`", key.new.written())));
    }
}

/// The mapping `apt` that the old keys come to.
pub(super) fn as_apt(old: &[Old<'_>], problems: &mut Vec<Problem>) -> Mapping {
    let mut apt = Mapping::new();
    let mut mirror = Mapping::new();
    for Old { name, new, value } in old {
        let message = format!("`{name}` is an old key");
        let problem = Problem::notice(Some(value.place.clone()), message);
        problems.push(problem.hint(format!("write `{}`", new.written())));
        let (to, key) = match new {
            New::Key(key) => (&mut apt, key),
            New::Mirror(key) => (&mut mirror, key),
        };
        to.insert(text(key, value), (*value).clone());
    }
    if let Some(Old { value, .. }) = old.first().filter(|_| !mirror.is_empty()) {
        let arches = Kind::List(vec![text("default", value)]);
        mirror.insert(text("arches", value), at(arches, value));
        let mirrors = Kind::List(vec![at(Kind::Map(mirror), value)]);
        apt.insert(text("primary", value), at(mirrors, value));
    }
    apt
}

fn text(word: &str, near: &Value) -> Value {
    at(Kind::String(word.to_owned()), near)
}

fn at(kind: Kind, near: &Value) -> Value {
    Value::new(kind, near.place.clone())
}
