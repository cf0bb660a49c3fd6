//! What a part is: by its declared type, or by how it begins.

use contract::user_data::PartKind;

use super::params;
use crate::settings::Parameters;

/// How a text begins, longest first where one begins another. Source: cloud-init,
/// `cloudinit/handlers/__init__.py`, `INCLUSION_TYPES_MAP`.
const PREFIXES: [(&str, &str); 9] = [
    ("#cloud-config-archive", "text/cloud-config-archive"),
    ("#cloud-config-jsonp", "text/cloud-config-jsonp"),
    ("#cloud-config", "text/cloud-config"),
    ("#cloud-boothook", "text/cloud-boothook"),
    ("#include-once", "text/x-include-once-url"),
    ("#include", "text/x-include-url"),
    ("#part-handler", "text/part-handler"),
    ("## template: jinja", "text/jinja2"),
    ("#!", "text/x-shellscript"),
];

/// Types that everybody knows and firstlight does not handle.
const UNSUPPORTED: [(&str, &str); 11] = [
    ("text/cloud-config-archive", "cloud-config-archive"),
    ("text/cloud-config-jsonp", "cloud-config-jsonp"),
    ("text/cloud-boothook", "cloud-boothook"),
    ("text/x-include-once-url", "include-once"),
    ("text/x-include-url", "include"),
    ("text/part-handler", "part-handler"),
    ("text/jinja2", "jinja template"),
    ("text/x-shellscript-per-boot", "per-boot script"),
    ("text/x-shellscript-per-instance", "per-instance script"),
    ("text/x-shellscript-per-once", "per-once script"),
    ("message/rfc822", "message/rfc822"),
];

/// Only these declared types are doubted.
const SNIFFED: [&str; 3] = ["text/plain", "text/x-not-multipart", "text/x-shellscript"];

pub(super) fn kind(declared: Option<&str>, body: &[u8], parameters: &Parameters) -> PartKind {
    let declared = declared.unwrap_or("text/x-not-multipart");
    if !SNIFFED.contains(&declared) {
        return of_type(declared);
    }
    let Ok(text) = std::str::from_utf8(body) else {
        return of_type(declared);
    };
    if let Some(found) = sniff(text) {
        return of_type(found);
    }
    if declared != "text/x-shellscript" && params::looks_like(text, parameters) {
        return PartKind::Parameters;
    }
    of_type(declared)
}

fn sniff(text: &str) -> Option<&'static str> {
    let start: String = text
        .trim_start()
        .chars()
        .take(32)
        .collect::<String>()
        .to_lowercase();
    PREFIXES
        .iter()
        .find(|(prefix, _)| start.starts_with(prefix))
        .map(|(_, mime)| *mime)
}

fn of_type(mime: &str) -> PartKind {
    match mime {
        "text/cloud-config" => PartKind::CloudConfig,
        "text/x-shellscript" => PartKind::Script,
        mime => match UNSUPPORTED.iter().find(|(known, _)| *known == mime) {
            Some((_, format)) => PartKind::Unsupported(format),
            None => PartKind::Unknown(mime.to_owned()),
        },
    }
}

/// The content type of a part; parameters have none of their own.
pub(crate) fn mime_of(kind: &PartKind) -> &str {
    match kind {
        PartKind::CloudConfig => "text/cloud-config",
        PartKind::Script => "text/x-shellscript",
        PartKind::Parameters => "text/plain",
        PartKind::Unsupported(format) => UNSUPPORTED
            .iter()
            .find(|(_, known)| known == format)
            .map_or(format, |(mime, _)| mime),
        PartKind::Unknown(mime) => mime,
    }
}
