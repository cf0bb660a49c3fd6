//! Texts that sources are made from: variables filled in, and credentials kept from view.

use contract::effect::{Content, Effect, FileSpec, Mode, Owner};
use contract::module::Context;
use contract::secret::Secret;
use contract::template::Variables;

use crate::hidden;

/// A template with these variables.
///
/// # Errors
/// What is wrong with it: a variable, too, that nobody knows.
pub(super) fn rendered(
    text: &str,
    variables: &Variables,
    ctx: &Context<'_>,
) -> Result<String, String> {
    let first = text.lines().next().unwrap_or_default();
    let is_plain = !(first.starts_with("##") && first.contains("template:"));
    let is_known = |name: &str| variables.as_map().contains_key(name);
    match names(text).find(|name| is_plain && !is_known(name)) {
        // It may be a piece of the password.
        Some(_) if has_password(text) => {
            return Err("it names a variable that there is not".to_owned());
        }
        Some(name) => return Err(format!("there is no `${name}`")),
        None => {}
    }
    (ctx.render)(text, variables)
}

/// What stands behind dollars, in braces or not. apt's own `$(ARCH)` is none of it.
pub(super) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|behind| {
        if let Some(inner) = behind.strip_prefix('{') {
            return Some(inner.split_once('}')?.0);
        }
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let name = behind.get(..end.unwrap_or(behind.len()))?;
        (!name.is_empty()).then_some(name)
    })
}

/// Whether a source names more than its own key.
pub(super) fn needs_variables(text: &str) -> bool {
    text.contains("{{") || names(text).any(|name| name != "KEY_FILE")
}

/// Whether an address in it may hold a password, which plans shall not show.
pub(super) fn has_password(text: &str) -> bool {
    text.lines().any(hidden::has_password)
}

/// A file of apt's, which everybody may read, as apt itself does for everybody.
pub(super) fn file(path: &str, text: &str) -> Effect {
    let bytes = text.as_bytes().to_vec();
    Effect::File(FileSpec {
        at: path.into(),
        content: match has_password(text) {
            true => Content::Secret(Secret::new(bytes)),
            false => Content::Plain(bytes),
        },
        mode: Mode::PUBLIC,
        owner: Owner::Root,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_seen() {
        #[rustfmt::skip]
        let table = [
            ("deb https://me:pw@a.example.com/x y z",                 true),
            ("Acquire::http::Proxy \"http://me:pw@10.0.0.1:3128\";",  true),
            ("deb https://a.example.com/x y\ndeb https://me:p/w@b/x y", true),
            ("deb https://token@a.example.com/x y z",                 true),
            ("deb https://a.example.com:8080/x y z\n# by me@b",       false),
            ("no address at a@b:c",                                   false),
        ];
        for (text, wanted) in table {
            assert_eq!(has_password(text), wanted, "{text}");
        }
    }

    #[test]
    fn names_stand_behind_dollars() {
        let text = "$MIRROR/${RELEASE}-$x_1 $(ARCH) $ $$";
        let found: Vec<&str> = names(text).collect();
        assert_eq!(found, ["MIRROR", "RELEASE", "x_1"]);
    }
}
