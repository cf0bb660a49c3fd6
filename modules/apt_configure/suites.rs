//! Suites that are left out of a text of sources, in either of its forms (sources.list(5)).
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`disable_suites`).

/// What `disable_suites` may say for short.
const SHORT: &[(&str, &str)] = &[
    ("updates", "-updates"),
    ("backports", "-backports"),
    ("security", "-security"),
    ("proposed", "-proposed"),
    ("release", ""),
];

const LINE_MARK: &str = "# suite disabled by firstlight: ";
const FIELD_MARK: &str = "# left out by firstlight (disable_suites): ";
const ENTRY_MARK: &str = "# disabled by firstlight: ";

/// Whether a text is in paragraphs of fields, and not in lines of one source each.
pub(super) fn is_deb822(text: &str) -> bool {
    let starts = |heads: &[&str]| {
        text.lines()
            .any(|line| heads.iter().any(|head| line.starts_with(head)))
    };
    !starts(&["deb ", "deb-src "]) && starts(&["Types: ", "Suites: ", "Components: ", "URIs: "])
}

/// The text without these suites: what names them becomes a comment.
pub(super) fn without(disabled: &[String], text: &str, release: &str) -> String {
    if disabled.is_empty() {
        return text.to_owned();
    }
    let full = |suite: &String| {
        let short = SHORT.iter().find(|(short, _)| short == suite);
        match short {
            Some((_, end)) => format!("{release}{end}"),
            None => suite
                .replace("${RELEASE}", release)
                .replace("$RELEASE", release),
        }
    };
    let disabled: Vec<String> = disabled.iter().map(full).collect();
    match is_deb822(text) {
        true => of_paragraphs(&disabled, text),
        false => text
            .split_inclusive('\n')
            .map(|line| of_line(&disabled, line))
            .collect(),
    }
}

/// The suite stands behind the address, and options in brackets may stand before that.
fn of_line(disabled: &[String], line: &str) -> String {
    let mut words = line.split_whitespace();
    let kind = words.next().unwrap_or("#");
    let mut word = words.next();
    if word.is_some_and(|word| word.starts_with('[')) {
        while word.is_some_and(|word| !word.ends_with(']')) {
            word = words.next();
        }
        words.next();
    }
    let is_disabled = words
        .next()
        .is_some_and(|suite| disabled.iter().any(|own| own == suite));
    match is_disabled && !kind.starts_with('#') {
        true => format!("{LINE_MARK}{line}"),
        false => line.to_owned(),
    }
}

fn of_paragraphs(disabled: &[String], text: &str) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for line in text.lines() {
        let is_outside = paragraph.is_empty() && line.starts_with('#');
        if is_outside || line.trim().is_empty() {
            out.push_str(&of_paragraph(disabled, &paragraph));
            paragraph.clear();
            out.push_str(line);
            out.push('\n');
        } else {
            paragraph.push(line);
        }
    }
    out.push_str(&of_paragraph(disabled, &paragraph));
    out
}

/// A paragraph that has no suite left becomes a comment as a whole.
fn of_paragraph(disabled: &[String], lines: &[&str]) -> String {
    let mut out = String::new();
    let mut has_suites = false;
    for line in lines {
        let Some(suites) = line.strip_prefix("Suites:") else {
            out.push_str(&format!("{line}\n"));
            continue;
        };
        let all: Vec<&str> = suites.split_whitespace().collect();
        let is_kept = |suite: &&str| !disabled.iter().any(|own| own == suite);
        let kept: Vec<&str> = all.iter().copied().filter(is_kept).collect();
        has_suites |= !kept.is_empty();
        if kept == all {
            out.push_str(&format!("{line}\n"));
        } else {
            out.push_str(&format!("{FIELD_MARK}{line}\nSuites: {}\n", kept.join(" ")));
        }
    }
    if has_suites || lines.is_empty() {
        return out;
    }
    let mut out = "## This entry has no suite left (disable_suites).\n".to_owned();
    for line in lines {
        out.push_str(&format!("{ENTRY_MARK}{line}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_disabled_suites_become_comments() {
        let text = "# deb http://a trixie-updates main\n\
                    deb http://a trixie main\n\
                    deb [ arch=amd64 k=v ] http://a trixie-updates main\n\
                    deb-src [arch=amd64] http://a trixie-updates main\n\
                    deb http://a my/suite main\n\
                    nonsense\n";
        let disabled = ["updates".to_owned(), "my/suite".to_owned()];
        let found = without(&disabled, text, "trixie");
        assert_eq!(
            found,
            "# deb http://a trixie-updates main\n\
             deb http://a trixie main\n\
             # suite disabled by firstlight: deb [ arch=amd64 k=v ] http://a trixie-updates main\n\
             # suite disabled by firstlight: deb-src [arch=amd64] http://a trixie-updates main\n\
             # suite disabled by firstlight: deb http://a my/suite main\n\
             nonsense\n"
        );
        assert_eq!(without(&[], text, "trixie"), text);
    }

    #[test]
    fn suites_leave_their_field_and_a_paragraph_without_any_becomes_a_comment() {
        let text = "## top\n\
                    Types: deb\n\
                    Suites: noble noble-updates noble-backports\n\
                    # inside\n\
                    URIs: http://a\n\
                    \n\
                    Types: deb\n\
                    Suites: noble-security\n";
        let disabled = ["$RELEASE-backports", "security"].map(ToOwned::to_owned);
        assert_eq!(
            without(&disabled, text, "noble"),
            "## top\n\
             Types: deb\n\
             # left out by firstlight (disable_suites): Suites: noble noble-updates noble-backports\n\
             Suites: noble noble-updates\n\
             # inside\n\
             URIs: http://a\n\
             \n\
             ## This entry has no suite left (disable_suites).\n\
             # disabled by firstlight: Types: deb\n\
             # disabled by firstlight: Suites: noble-security\n"
        );
    }

    #[test]
    fn a_text_is_taken_for_what_its_lines_begin_with() {
        #[rustfmt::skip]
        let table = [
            ("Types: deb\nURIs: x\n",      true),
            ("# a\nSuites: noble\n",       true),
            ("deb http://a b c\n",         false),
            ("deb-src http://a b\nTypes: deb\n", false),
            ("",                           false),
        ];
        for (text, wanted) in table {
            assert_eq!(is_deb822(text), wanted, "{text:?}");
        }
    }
}
