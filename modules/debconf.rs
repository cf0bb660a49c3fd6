//! Answers to the questions that packages ask when they are configured: debconf(7).

use contract::effect::{Effect, ToolSpec};
use contract::machine::Probe;
use contract::secret::Secret;

use crate::files;

/// Where debconf keeps what was answered; passwords stand apart (debconf.conf(5)).
const BOOKS: [&str; 2] = [
    "/var/cache/debconf/config.dat",
    "/var/cache/debconf/passwords.dat",
];

/// One line of debconf-set-selections(1).
struct Selection<'a> {
    owner: &'a str,
    question: &'a str,
    kind: &'a str,
    value: &'a str,
}

/// That debconf holds these answers; `None` if its books have all of them. They may be secret, and
/// go to debconf-set-selections(1) on its standard input.
pub(crate) fn answers(what: &str, text: &str, probe: &dyn Probe) -> Option<Effect> {
    let books = BOOKS.map(|path| files::text(probe, path).unwrap_or_default());
    let is_so = |one: &Selection<'_>| books.iter().any(|book| holds(book, one));
    // A line that is none is for the tool to tell.
    let all_so = lines(text).all(|line| selection(&line).is_some_and(|one| is_so(&one)));
    if all_so {
        return None;
    }
    let mut input = text.to_owned();
    if !input.ends_with('\n') {
        input.push('\n');
    }
    let stdin = Secret::new(input.into_bytes());
    let tool = ToolSpec::new(what, ["debconf-set-selections"]).stdin(stdin);
    Some(Effect::tool(tool))
}

/// The packages that these answers are for and that are installed already: they have asked before.
/// Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`apply_debconf_selections`).
pub(crate) fn installed(text: &str, probe: &dyn Probe) -> Vec<String> {
    let status = files::text(probe, "/var/lib/dpkg/status").unwrap_or_default();
    let is_there = |paragraph: &&str| {
        field(paragraph, "Status").is_some_and(|status| status.ends_with(" ok installed"))
    };
    let there = status.split("\n\n").filter(is_there);
    let there: Vec<&str> = there
        .filter_map(|paragraph| field(paragraph, "Package"))
        .collect();
    let all = lines(text);
    let owners = all.filter_map(|line| Some(selection(&line)?.owner.to_owned()));
    let mut names: Vec<String> = owners
        .filter(|name| there.contains(&name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Lines without comments and empty ones; one that ends with a backslash goes on in the next.
fn lines(text: &str) -> impl Iterator<Item = String> {
    let whole = text.replace("\\\n", "");
    let lines: Vec<String> = whole
        .lines()
        .map(|line| line.trim_start().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    lines.into_iter()
}

/// Owner, question and type stand between any white space, and the value is what is behind one.
fn selection(line: &str) -> Option<Selection<'_>> {
    let (owner, rest) = line.split_once(char::is_whitespace)?;
    let (question, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (kind, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    Some(Selection {
        owner,
        question,
        kind,
        value,
    })
}

/// Whether a book has an answer. Its entries are paragraphs of `Field: value` lines.
fn holds(book: &str, one: &Selection<'_>) -> bool {
    // `seen` is no value but a mark; it is cheap to set again.
    if one.kind == "seen" {
        return false;
    }
    let entry = book.split("\n\n").find(|entry| {
        let name = field(entry, "Name");
        name == Some(one.question)
    });
    entry.is_some_and(|entry| {
        let owners = field(entry, "Owners").unwrap_or_default();
        let is_owner = owners.split(", ").any(|owner| owner == one.owner);
        let flags = field(entry, "Flags").unwrap_or_default();
        let is_seen = flags.split(", ").any(|flag| flag == "seen");
        is_owner && is_seen && field(entry, "Value").unwrap_or_default() == one.value
    })
}

fn field<'a>(entry: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = entry.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.strip_prefix(' ').unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    const BOOK: &str = "\
Name: debconf/priority
Template: debconf/priority
Value: low
Owners: d-i, debconf
Flags: seen

Name: grub-pc/install_devices
Template: grub-pc/install_devices
Value:
Owners: grub-pc
Flags: seen

Name: unseen/question
Template: unseen/question
Value: yes
Owners: unseen

";

    #[test]
    fn debconf_is_told_unless_its_books_have_the_answer() {
        let machine = FakeMachine::with(&[(BOOKS[0], BOOK)]);
        #[rustfmt::skip]
        let table = [
            ("debconf debconf/priority select low",                             false),
            ("# a comment\n\n debconf  debconf/priority\tselect low\n",         false),
            ("debconf debconf/priority select  low",                            true),
            ("grub-pc grub-pc/install_devices string ",                         false),
            ("grub-pc grub-pc/install_devices string",                          false),
            ("debconf debconf/priority \\\nselect low",                         false),
            ("debconf debconf/priority select high",                            true),
            ("other debconf/priority select low",                               true),
            ("unseen unseen/question string yes",                               true),
            ("debconf debconf/priority seen true",                              true),
            ("debconf debconf/frontend select dialog",                          true),
            ("debconf debconf/priority select low\ndebconf nosuch/q string x",  true),
            ("nonsense",                                                        true),
        ];
        for (text, is_told) in table {
            let effect = answers("answers", text, &machine);
            assert_eq!(effect.is_some(), is_told, "{text}");
        }
    }

    #[test]
    fn answers_go_to_the_tool_on_its_standard_input() {
        let text = "mysql-server mysql-server/root_password password hunter2";
        let effect = answers("answers of mysql", text, &FakeMachine::default()).unwrap();
        assert!(!format!("{effect} {effect:?}").contains("hunter2"));
        let Effect::Tool(tool) = effect else {
            panic!("{effect}");
        };
        assert_eq!(tool.argv, ["debconf-set-selections"]);
        assert_eq!(tool.stdin.expose(), format!("{text}\n").as_bytes());
    }
}
