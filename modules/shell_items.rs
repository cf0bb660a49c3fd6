//! A script of items with a mark before each and behind the last, so that what becomes of each item is
//! known.

use std::fmt::Write;
use std::path::Path;

use crate::shell_lexer::is_closed;
use crate::shell_script::{HEAD, Item, quote};

/// A script with marks.
pub(crate) struct Marked {
    /// What runs.
    pub(crate) text: String,
    /// Each item in a function of its own, for the shell to find fault with.
    pub(crate) check: String,
    /// Whether no item sends the script's own output elsewhere.
    pub(crate) keeps_output: bool,
}

/// What would see the marks: it counts lines, or looks at the last command or at the script itself.
const SEES: &[&str] = &[
    "LINENO",
    "PIPESTATUS",
    "BASH",
    "FUNCNAME",
    "$_",
    "${_",
    "$0",
    "${0",
    "echo()",
];

/// Commands that may, now or later.
const MAY_SEE: &[&str] = &[
    ".", "source", "eval", "trap", "alias", "ulimit", "times", "coproc",
];

/// Options of `set -o` that change nothing about marks.
const OPTIONS: &[&str] = &["errexit", "nounset", "xtrace", "pipefail"];

/// The script with marks, which come to the file `marks`.
///
/// # Errors
/// The index of an item that leaves something open for the next, or, unless the script ends at the
/// first that fails (`strict`), would behave otherwise with marks.
pub(crate) fn marked(items: &[Item], marks: &Path, strict: bool) -> Result<Marked, usize> {
    let is_fit = |item: &Item| is_closed(&item.text) && (strict || is_blind(&item.text));
    if let Some(at) = items.iter().position(|item| !is_fit(item)) {
        return Err(at);
    }
    let mut script = Marked {
        text: HEAD.to_owned(),
        check: String::new(),
        keeps_output: !items
            .iter()
            .any(|item| words(&item.text).any(|word| word == "exec")),
    };
    let file = quote(&marks.display().to_string());
    for (number, item) in items.iter().enumerate() {
        // On the item's own first line, so that the shell's messages name the same lines.
        let mark = mark(number, &file, strict);
        let _ = writeln!(script.text, "{mark} {}", item.text);
        let _ = writeln!(script.check, "f() {{\n:\n{}\n}}", item.text);
    }
    let _ = writeln!(script.text, "{}", mark(items.len(), &file, strict));
    Ok(script)
}

/// Notes the exit code so far, the uptime and how far standard output is, in a subshell: nothing of
/// it stays but `$?`. What `&&` follows does not end a script with `set -e`; the braces hide it from
/// `set -x`.
fn mark(number: usize, file: &str, strict: bool) -> String {
    let then = match strict {
        true => "|| exit",
        false => "&& :",
    };
    format!(
        "{{ ( set -- \"$?\"; read -r _fl_t _ </proc/uptime; read -r _fl_p </proc/self/fdinfo/1; \
         echo \"{number} $1 ${{_fl_t-}} ${{_fl_p-}}\" >>{file}; exit \"$1\" ) {then}; }} 2>/dev/null;"
    )
}

/// Whether nothing in it could see marks.
fn is_blind(text: &str) -> bool {
    let mut words = words(text).peekable();
    while let Some(word) = words.next() {
        if MAY_SEE.contains(&word) {
            return false;
        }
        if word != "set" {
            continue;
        }
        while let Some(option) = words.next_if(|word| word.starts_with(['-', '+'])) {
            let letters = option.trim_start_matches(['-', '+']);
            let is_known = letters.chars().all(|letter| "euxo".contains(letter));
            let name = letters.ends_with('o').then(|| words.next()).flatten();
            if !is_known || name.is_some_and(|name| !OPTIONS.contains(&name)) {
                return false;
            }
        }
    }
    !SEES.iter().any(|sees| text.contains(sees))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c.is_whitespace() || ";&|{}()`\\'\"".contains(c);
    text.split(between).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use contract::place::Place;

    use super::*;

    fn items(texts: &[&str]) -> Vec<Item> {
        let item = |text: &&str| Item {
            text: (*text).to_owned(),
            place: Place::whole("test"),
        };
        texts.iter().map(item).collect()
    }

    #[test]
    fn a_script_has_marks_only_where_nothing_could_see_them() {
        #[rustfmt::skip]
        let table: [(&[&str], Option<usize>); 17] = [
            (&["ls", "echo 'a b'"],                 None),
            (&["set -eux", "set +x"],               None),
            (&["set -euo pipefail -x"],             None),
            (&["set -o xtrace"],                    None),
            (&["set -o verbose"],                   Some(0)),
            (&["curl --verbose http://h/ | sh"],    None),
            (&["systemctl enable --now x.service"], None),
            (&["echo 'a", "b'"],                    Some(0)),
            (&["ls", "cat <<E", "E"],               Some(1)),
            (&["set -v"],                           Some(0)),
            (&["ls", "echo $LINENO"],               Some(1)),
            (&["trap 'echo bye' EXIT"],             Some(0)),
            (&[". /etc/os-release"],                Some(0)),
            (&["cd /tmp; . ./x"],                   Some(0)),
            (&["echo $0"],                          Some(0)),
            (&["eval $x"],                          Some(0)),
            (&[],                                   None),
        ];
        let marks = Path::new("/marks");
        for (texts, unfit) in table {
            let made = marked(&items(texts), marks, false).err();
            assert_eq!(made, unfit, "{texts:?}");
        }
        let strict = marked(&items(&["trap x EXIT", ". /y"]), marks, true);
        assert!(strict.is_ok(), "a strict script may see them");
    }

    #[test]
    fn the_lines_of_the_script_keep_their_numbers() {
        let items = items(&["a\nb", "", "c"]);
        let made = marked(&items, Path::new("/marks"), false).unwrap_or_else(|_| panic!());
        let ends: Vec<&str> = made
            .text
            .lines()
            .map(|line| line.rsplit(';').next().unwrap())
            .collect();
        assert_eq!(ends, ["#!/bin/sh", " a", "b", " ", " c", ""]);
        assert!(made.keeps_output);
    }
}
