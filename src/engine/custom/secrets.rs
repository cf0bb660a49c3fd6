//! What is secret of a section: the values of keys that are declared so or are called so.

use contract::base64;
use contract::schema::{Key, Shape};
use contract::secret::{REDACTED, Secret, is_secret_name};
use contract::yaml::{Kind, Value};

/// Shorter ones are no secret, and would be found everywhere, in bytes.
const MIN_LENGTH: usize = 4;

/// The texts in `section` that nobody else shall see, the longest first.
pub(super) fn of(section: &Value, keys: &[Key]) -> Vec<Secret<String>> {
    let mut found = Vec::new();
    walk(section, Some(keys), None, false, &mut found);
    found.sort_by_key(|text: &Secret<String>| std::cmp::Reverse(text.expose().len()));
    found
}

/// `fields`: those of the mapping that it is; `shape`: what else it is.
fn walk(
    value: &Value,
    fields: Option<&[Key]>,
    shape: Option<&Shape>,
    is_secret: bool,
    found: &mut Vec<Secret<String>>,
) {
    match &value.kind {
        Kind::Map(map) => {
            for (key, value) in map.iter() {
                let name = key.to_text().unwrap_or_default();
                let fields = fields.or_else(|| fields_of(shape?));
                let known = fields.and_then(|all| all.iter().find(|key| key.name == name));
                let inner = match (known, shape) {
                    (Some(key), _) => Some(&key.shape),
                    (None, Some(Shape::Named(of))) => Some(*of),
                    (None, _) => None,
                };
                let is_secret =
                    is_secret || is_secret_name(&name) || known.is_some_and(|key| key.is_secret);
                walk(value, None, inner, is_secret, found);
            }
        }
        Kind::List(list) => {
            let inner = match shape {
                Some(Shape::List(of)) => Some(*of),
                _ => None,
            };
            for value in list {
                walk(value, None, inner, is_secret, found);
            }
        }
        // `False` stands in too many texts.
        Kind::Null | Kind::Bool(_) => {}
        _ if is_secret => {
            // Bytes are base64 in the question, and text or not once the program has decoded them.
            let (text, in_question) = match &value.kind {
                Kind::Bytes(bytes) => {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    (text, Some(base64::encode(bytes)))
                }
                _ => (value.to_text().unwrap_or_default(), None),
            };
            // Of a key in PEM form each line is one.
            let lines = text.lines().filter(|_| text.contains('\n'));
            let all = lines.chain([text.as_str()]).chain(in_question.as_deref());
            let secret = all.filter(|text| text.len() >= MIN_LENGTH);
            found.extend(secret.map(|text| Secret::new(text.to_owned())));
        }
        _ => {}
    }
}

const fn fields_of(shape: &Shape) -> Option<&'static [Key]> {
    shape.fields()
}

/// Whether one of them is in a text.
pub(super) fn is_in(text: &str, secrets: &[Secret<String>]) -> bool {
    secrets.iter().any(|secret| text.contains(secret.expose()))
}

/// A text without them.
pub(super) fn blotted(text: &str, secrets: &[Secret<String>]) -> String {
    let blot = |text: String, secret: &Secret<String>| text.replace(secret.expose(), REDACTED);
    secrets.iter().fold(text.to_owned(), blot)
}
