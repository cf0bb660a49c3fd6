//! A list of commands as one script of the shell.
//!
//! Source: cloud-init, `cloudinit/util.py` (`shellify`).

use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Value};

/// The first line of each such script.
pub(crate) const HEAD: &str = "#!/bin/sh\n";

/// One command of a list, as a line or several of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Without the line end behind it.
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// One script of all items, byte for byte cloud-init's.
///
/// # Errors
/// See [`items`].
pub(crate) fn shellify(key: &str, list: &Value) -> Result<String, Problem> {
    items(key, list).map(|items| script(&items))
}

/// The script of these items.
pub(crate) fn script(items: &[Item]) -> String {
    let lines = items.iter().map(|item| format!("{}\n", item.text));
    std::iter::once(HEAD.to_owned()).chain(lines).collect()
}

/// The items of a list: a text is a line as it is, a list is a line of quoted words, nothing is left
/// out.
///
/// # Errors
/// One item that is neither spoils all of it, as in cloud-init.
pub(crate) fn items(key: &str, list: &Value) -> Result<Vec<Item>, Problem> {
    let wrong = |value: &Value, what: &str| {
        let message = format!(
            "{key}: expected {what}, found {}; nothing of {key} is run",
            value.kind.name()
        );
        Problem::error(Some(value.place.clone()), message)
    };
    let Some(list) = list.as_list() else {
        return Err(wrong(list, "a list of commands"));
    };
    let mut items = Vec::new();
    for item in list {
        let text = match &item.kind {
            Kind::String(line) => line.clone(),
            Kind::List(words) => {
                let quoted = |word: &Value| {
                    let text = match &word.kind {
                        // Python's `str()` of it.
                        Kind::Null => Some("None".to_owned()),
                        _ => word.to_text(),
                    };
                    let text = text.ok_or_else(|| wrong(word, "a word"))?;
                    Ok(quote(&text))
                };
                let words: Result<Vec<String>, Problem> = words.iter().map(quoted).collect();
                words?.join(" ")
            }
            Kind::Null => continue,
            _ => return Err(wrong(item, "a line or a list of words")),
        };
        items.push(Item {
            text,
            place: item.place.clone(),
        });
    }
    Ok(items)
}

/// In single quotes, whatever is in it.
pub(crate) fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn a_list_of_commands_is_one_script_of_the_shell() {
        #[rustfmt::skip]
        let table = [
            ("x: [ls -l, echo $HOME]",                     "#!/bin/sh\nls -l\necho $HOME\n"),
            ("x: [[echo, \"it's\", 3, true, 1.5]]",        "#!/bin/sh\n'echo' 'it'\\''s' '3' 'True' '1.5'\n"),
            ("x: [[echo, null]]",                          "#!/bin/sh\n'echo' 'None'\n"),
            ("x: [null, ls, []]",                          "#!/bin/sh\nls\n\n"),
            ("x: [\"a\\nb\\n\"]",                          "#!/bin/sh\na\nb\n\n"),
            ("x: []",                                      "#!/bin/sh\n"),
        ];
        for (text, script) in table {
            let config = config(text);
            let made = shellify("x", config.get("x").unwrap());
            assert_eq!(made.unwrap(), script, "{text}");
        }
    }
}
