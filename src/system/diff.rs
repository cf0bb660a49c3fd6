//! What would change in a file, as diff(1) shows it.

use std::path::Path;

use contract::secret::lines_without_secrets;
use similar::ChangeTag;
use similar::algorithms::{Capture, Replace, myers};
use similar::udiff::UnifiedHunkHeader;

/// Larger content is told by its size alone.
const LIMIT: usize = 64 * 1024;

/// Lines that are shown around a change.
const CONTEXT: usize = 3;

/// The lines of a unified diff, without what is secret by its name, be it old or new; `old` is `None` where there is no file.
pub(crate) fn diff(path: &Path, old: Option<&[u8]>, new: &[u8]) -> Vec<String> {
    let before = old.unwrap_or_default();
    let (Ok(a), Ok(b)) = (std::str::from_utf8(before), std::str::from_utf8(new)) else {
        return vec![format!("binary, {} bytes", new.len())];
    };
    if a.len().max(b.len()) > LIMIT {
        return vec![format!("{} bytes -> {} bytes", a.len(), b.len())];
    }
    let name = path.display();
    let from = match old {
        Some(_) => format!("--- {name}"),
        None => "--- /dev/null".to_owned(),
    };
    let mut lines = vec![from, format!("+++ {name}")];
    let [a, b] = [a, b].map(|text| Vec::from_iter(text.split_inclusive('\n')));
    let shown = [&a, &b].map(|lines| {
        let lines = lines.iter().map(|line| line.trim_end_matches(['\r', '\n']));
        Vec::from_iter(lines_without_secrets(lines))
    });
    // Not by way of `TextDiff`, which brings all algorithms along: 4 % of the program.
    let mut found = Replace::new(Capture::new());
    let Ok(()) = myers::diff(&mut found, &a, 0..a.len(), &b, 0..b.len());
    for hunk in found.into_inner().into_grouped_ops(CONTEXT) {
        lines.push(UnifiedHunkHeader::new(&hunk).to_string());
        for change in hunk.iter().flat_map(|op| op.iter_changes(&a, &b)) {
            let [old, new] = &shown;
            let (sign, side, index) = match change.tag() {
                ChangeTag::Equal => (' ', old, change.old_index()),
                ChangeTag::Delete => ('-', old, change.old_index()),
                ChangeTag::Insert => ('+', new, change.new_index()),
            };
            let line = index.and_then(|index| side.get(index));
            lines.push(format!("{sign}{}", line.map_or("", |line| line)));
            if !change.value().ends_with('\n') {
                lines.push("\\ No newline at end of file".to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_around_a_change_is_not_shown() {
        let old = "[agent]\nhttp_proxy_password = hunter2\nserver = a\n";
        let lines = diff(
            Path::new("/f"),
            Some(old.as_bytes()),
            b"[agent]\nserver = b\n",
        );
        assert!(!lines.concat().contains("hunter2"), "{lines:?}");
        assert!(
            lines
                .iter()
                .any(|line| line == "-http_proxy_password = \u{2039}secret\u{203a}")
        );
    }

    #[test]
    fn a_private_key_around_a_change_is_not_shown() {
        let key =
            "-----BEGIN PRIVATE KEY-----\nMIIa\nMIIb\nMIIc\nMIId\n-----END PRIVATE KEY-----\n";
        let (old, new) = (format!("{key}a\n"), format!("{key}b\n"));
        let lines = diff(Path::new("/f"), Some(old.as_bytes()), new.as_bytes());
        assert!(!lines.concat().contains("MII"), "{lines:?}");
        assert_eq!(
            lines.iter().filter(|line| line.contains("secret")).count(),
            2
        );
    }

    #[test]
    fn a_change_is_shown_with_the_lines_around_it() {
        let numbers =
            |range: std::ops::Range<u32>| -> String { range.map(|n| format!("{n}\n")).collect() };
        let table: [(Option<&str>, String, &[&str]); 4] = [
            (
                None,
                "a\n".into(),
                &["--- /dev/null", "+++ /f", "@@ -0,0 +1 @@", "+a"],
            ),
            (
                Some("a\nb\n"),
                "a\nc".into(),
                &[
                    "--- /f",
                    "+++ /f",
                    "@@ -1,2 +1,2 @@",
                    " a",
                    "-b",
                    "+c",
                    "\\ No newline at end of file",
                ],
            ),
            (
                Some(&numbers(0..10)),
                numbers(0..5) + "x\n" + &numbers(5..10),
                &[
                    "--- /f",
                    "+++ /f",
                    "@@ -3,6 +3,7 @@",
                    " 2",
                    " 3",
                    " 4",
                    "+x",
                    " 5",
                    " 6",
                    " 7",
                ],
            ),
            (
                Some("a\n"),
                "b".repeat(LIMIT + 1),
                &["2 bytes -> 65537 bytes"],
            ),
        ];
        for (old, new, lines) in table {
            let found = diff(Path::new("/f"), old.map(str::as_bytes), new.as_bytes());
            assert_eq!(found, lines);
        }
        assert_eq!(diff(Path::new("/f"), None, b"\xff"), ["binary, 1 bytes"]);
    }
}
