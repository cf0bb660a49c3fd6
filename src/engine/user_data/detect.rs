//! What a part is: by its declared type, or by how it begins.

use contract::user_data::PartKind;

use super::params;
use crate::settings::Parameters;

/// The type of user data that is no message. Source of the name: cloud-init,
/// `cloudinit/handlers/__init__.py`.
pub(super) const NOT_MULTIPART: &str = "text/x-not-multipart";

/// How a text begins, longest first where one begins another. Source: cloud-init,
/// `cloudinit/handlers/__init__.py`, `INCLUSION_TYPES_MAP`.
const PREFIXES: [(&str, Type); 12] = [
    ("#cloud-config-archive", Type::Archive),
    ("#cloud-config-jsonp", Type::Part(PartKind::JsonPatch)),
    ("#cloud-config", Type::Part(PartKind::CloudConfig)),
    ("#cloud-boothook", Type::Part(PartKind::BootHook)),
    ("#include-once", Type::Include),
    ("#include", Type::Include),
    ("#part-handler", Type::Part(PartKind::HANDLER)),
    ("## template: jinja", Type::Part(PartKind::Jinja)),
    ("#!", Type::Part(PartKind::Script)),
    ("text/x-shellscript-per-boot", Type::Part(PartKind::PerBoot)),
    (
        "text/x-shellscript-per-instance",
        Type::Part(PartKind::PerInstance),
    ),
    ("text/x-shellscript-per-once", Type::Part(PartKind::PerOnce)),
];

/// More of a text is not looked at.
const LONGEST: usize = 32;

/// What a leaf is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    /// A part.
    Part(PartKind),
    /// Other parts, as a list.
    Archive,
    /// Addresses of other user data.
    Include,
}

/// Only a type that says nothing is doubted, and that of scripts, because many mailers and tools
/// give it to everything.
pub(super) fn of(declared: &str, body: &[u8], parameters: &Parameters) -> Type {
    if !matches!(
        declared,
        "text/plain" | NOT_MULTIPART | "text/x-shellscript"
    ) {
        return of_type(declared);
    }
    if let Some(found) = sniff(body) {
        return found;
    }
    if declared != "text/x-shellscript"
        && let Ok(text) = std::str::from_utf8(body)
        && params::looks_like(text, parameters)
    {
        return Type::Part(PartKind::Parameters);
    }
    of_type(declared)
}

/// The type of a text that begins as user data of one part does; `None` of any other. Source of the
/// names: cloud-init, `cloudinit/handlers/__init__.py`, `INCLUSION_TYPES_MAP`.
#[must_use]
pub fn type_by_beginning(body: &[u8]) -> Option<String> {
    Some(match sniff(body)? {
        Type::Part(kind) => kind.mime().to_owned(),
        Type::Archive => "text/cloud-config-archive".to_owned(),
        Type::Include => "text/x-include-url".to_owned(),
    })
}

/// What begins like this, letters in any case and white space before it.
pub(super) fn sniff(body: &[u8]) -> Option<Type> {
    let text = String::from_utf8_lossy(trimmed(body)?);
    let start = text.trim_start_matches(is_space).to_lowercase();
    let found = PREFIXES
        .iter()
        .find(|(prefix, _)| start.starts_with(prefix));
    found.map(|(_, kind)| kind.clone())
}

/// What Python's `str.lstrip()` takes away.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&letter)
}

/// So much of a text, without the white space before it, as can tell what it is.
fn trimmed(body: &[u8]) -> Option<&[u8]> {
    let space = |byte: &u8| is_space(char::from(*byte)) && byte.is_ascii();
    let blank = body.iter().take_while(|byte| space(byte)).count();
    let rest = body.get(blank..)?;
    Some(rest.get(..4 * LONGEST).unwrap_or(rest))
}

fn of_type(mime: &str) -> Type {
    let kind = match mime {
        "text/cloud-config-archive" => return Type::Archive,
        "text/x-include-url" | "text/x-include-once-url" => return Type::Include,
        "text/cloud-config" => PartKind::CloudConfig,
        "text/cloud-config-jsonp" => PartKind::JsonPatch,
        "text/cloud-boothook" => PartKind::BootHook,
        "text/jinja2" => PartKind::Jinja,
        "text/x-shellscript" => PartKind::Script,
        "text/x-shellscript-per-boot" => PartKind::PerBoot,
        "text/x-shellscript-per-instance" => PartKind::PerInstance,
        "text/x-shellscript-per-once" => PartKind::PerOnce,
        "text/part-handler" => PartKind::HANDLER,
        "message/rfc822" => PartKind::Unsupported("message/rfc822"),
        other => PartKind::Unknown(other.to_owned()),
    };
    Type::Part(kind)
}

/// What an item of an archive is whose type is given, or how it begins. Other archives and
/// includes are not unfolded there. Source: cloud-init, `cloudinit/user_data.py`,
/// `_explode_archive`.
pub(super) fn of_item(declared: Option<&str>, body: &[u8]) -> PartKind {
    let found = match declared {
        Some(mime) => of_type(mime),
        None => sniff(body).unwrap_or(Type::Part(PartKind::CloudConfig)),
    };
    match found {
        Type::Part(kind) => kind,
        Type::Archive => PartKind::Unsupported("text/cloud-config-archive"),
        Type::Include => PartKind::Unsupported("text/x-include-url"),
    }
}
