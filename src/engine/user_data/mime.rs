//! MIME messages (RFC 2045 to 2049): their leaves in order.

use mail_parser::{Encoding, MessageParser, MessagePart, MimeHeaders, PartType};

use super::Leaf;

/// Where cloud-init looks for the header that makes a message of a text.
const HEAD: usize = 4096;

/// The leaves of a message; anything else is one leaf.
pub(super) fn leaves(bytes: Vec<u8>) -> Vec<Leaf> {
    if is_message(&bytes)
        && let Some(message) = MessageParser::default().parse(&bytes)
    {
        let leaves = message.parts.iter().filter(|part| !part.is_multipart());
        return leaves.map(|part| leaf(part, &bytes)).collect();
    }
    vec![Leaf {
        declared: None,
        filename: None,
        launch_index: None,
        merge_type: None,
        first_line: 1,
        body: bytes,
    }]
}

fn is_message(bytes: &[u8]) -> bool {
    let head = bytes.get(..HEAD).unwrap_or(bytes).to_ascii_lowercase();
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let name = first.split(|byte| *byte == b':').next().unwrap_or_default();
    let is_header =
        name.len() < first.len() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_header && head.windows(13).any(|window| window == b"mime-version:")
}

fn leaf(part: &MessagePart<'_>, whole: &[u8]) -> Leaf {
    let declared = part.content_type().map(|kind| {
        let subtype = kind.subtype().unwrap_or_default();
        format!("{}/{subtype}", kind.ctype()).to_lowercase()
    });
    let header = part
        .headers
        .iter()
        .find(|header| header.name.as_str().eq_ignore_ascii_case("launch-index"));
    let before = usize::try_from(part.offset_body)
        .ok()
        .and_then(|offset| whole.get(..offset));
    let lines = before.map_or(0, |text| text.iter().filter(|byte| **byte == b'\n').count());
    let plain = matches!(part.encoding, Encoding::None);
    Leaf {
        declared: match part.body {
            PartType::Message(_) => Some("message/rfc822".to_owned()),
            _ => declared,
        },
        filename: part.attachment_name().map(str::to_owned),
        launch_index: header.and_then(|header| Some(header.value.as_text()?.trim().to_owned())),
        merge_type: merge_type(part),
        first_line: if plain {
            u32::try_from(lines + 1).unwrap_or(1)
        } else {
            1
        },
        body: part.contents().to_vec(),
    }
}

/// The first of two headers that is given and not empty.
fn merge_type(part: &MessagePart<'_>) -> Option<String> {
    let value = |name: &str| {
        let header = part.headers.iter().find(|header| header.name() == name)?;
        Some(header.value.as_text()?.trim().to_owned()).filter(|text| !text.is_empty())
    };
    value("Merge-Type").or_else(|| value("X-Merge-Type"))
}
