//! Regular expressions as somebody writes them for cloud-init, where Python reads them: characters,
//! sets, groups, alternatives, repetitions, anchors. Looking around and back-references are refused.
//!
//! All threads go over the text together, so that no pattern takes more than its size times the text's.
//!
//! Source: the module `re` of Python's library.

use std::iter::Peekable;
use std::str::Chars;

/// The most instructions that a pattern may come to.
const LIMIT: usize = 2000;
/// How deep groups may be in each other.
const DEPTH: usize = 20;

/// A regular expression that was understood.
#[derive(Debug, Clone)]
pub(crate) struct Pattern(Vec<Step>);

/// An instruction. Distances are counted from itself.
#[derive(Debug, Clone)]
enum Step {
    One(Set),
    Split(isize, isize),
    Jump(isize),
    Start,
    End,
    Edge(bool),
}

/// Which characters: some of these, or none of them.
#[derive(Debug, Clone, Default)]
struct Set {
    is_negated: bool,
    items: Vec<Item>,
}

#[derive(Debug, Clone)]
enum Item {
    Range(char, char),
    Class(char),
}

impl Set {
    fn of(item: Item) -> Self {
        Self {
            is_negated: false,
            items: vec![item],
        }
    }

    fn holds(&self, c: char) -> bool {
        let is_it = |item: &Item| match item {
            Item::Range(from, to) => (*from..=*to).contains(&c),
            Item::Class(class) => is_of(*class, c),
        };
        self.items.iter().any(is_it) != self.is_negated
    }
}

fn is_of(class: char, c: char) -> bool {
    match class {
        'w' => is_word(c),
        'W' => !is_word(c),
        'd' => c.is_numeric(),
        'D' => !c.is_numeric(),
        's' => c.is_whitespace(),
        _ => !c.is_whitespace(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it, or not understood here.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader {
            rest: text.chars().peekable(),
            depth: 0,
        };
        let steps = reader.alternatives()?;
        match reader.rest.next() {
            None => Ok(Self(steps)),
            Some(_) => Err("a `)` too many".to_owned()),
        }
    }

    /// Whether it is found anywhere in a text.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let mut threads: Vec<usize> = Vec::new();
        let mut before = None;
        let mut chars = text.chars();
        loop {
            let here = chars.clone().next();
            threads.push(0);
            let reached = self.reached(&threads, before, here, chars.as_str() == "\n");
            if reached.contains(&self.0.len()) {
                return true;
            }
            let Some(c) = chars.next() else {
                return false;
            };
            let goes_on = |at: &usize| match self.0.get(*at) {
                Some(Step::One(set)) if set.holds(c) => Some(at + 1),
                _ => None,
            };
            threads = reached.iter().filter_map(goes_on).collect();
            before = Some(c);
        }
    }

    /// Where all threads wait for a character, each place once; the end of the steps is a match.
    fn reached(
        &self,
        threads: &[usize],
        before: Option<char>,
        here: Option<char>,
        is_last_line_end: bool,
    ) -> Vec<usize> {
        let mut seen = vec![false; self.0.len() + 1];
        let mut open: Vec<usize> = threads.to_vec();
        let mut reached = Vec::new();
        while let Some(at) = open.pop() {
            match seen.get_mut(at) {
                Some(mark) if !*mark => *mark = true,
                _ => continue,
            }
            let to = |distance: isize| at.checked_add_signed(distance);
            match self.0.get(at) {
                Some(Step::Split(a, b)) => open.extend([to(*a), to(*b)].into_iter().flatten()),
                Some(Step::Jump(distance)) => open.extend(to(*distance)),
                Some(Step::Start) => open.extend(before.is_none().then_some(at + 1)),
                Some(Step::End) => {
                    let is_end = here.is_none() || is_last_line_end;
                    open.extend(is_end.then_some(at + 1));
                }
                Some(Step::Edge(wanted)) => {
                    let is_edge = before.is_some_and(is_word) != here.is_some_and(is_word);
                    open.extend((is_edge == *wanted).then_some(at + 1));
                }
                Some(Step::One(_)) | None => reached.push(at),
            }
        }
        reached
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    depth: usize,
}

type Steps = Result<Vec<Step>, String>;

impl Reader<'_> {
    fn alternatives(&mut self) -> Steps {
        let mut steps = self.sequence()?;
        while self.rest.next_if_eq(&'|').is_some() {
            let other = self.sequence()?;
            let mut both = vec![Step::Split(1, distance(steps.len() + 2)?)];
            both.append(&mut steps);
            both.push(Step::Jump(distance(other.len() + 1)?));
            both.extend(other);
            steps = both;
        }
        Ok(steps)
    }

    fn sequence(&mut self) -> Steps {
        let mut steps = Vec::new();
        while let Some(c) = self.rest.next_if(|c| !matches!(c, '|' | ')')) {
            let one = self.one(c)?;
            steps.extend(self.repeated(one)?);
            if steps.len() > LIMIT {
                return Err("it is too large".to_owned());
            }
        }
        Ok(steps)
    }

    fn one(&mut self, c: char) -> Steps {
        Ok(match c {
            '^' => vec![Step::Start],
            '$' => vec![Step::End],
            '.' => vec![Step::One(Set {
                is_negated: true,
                items: vec![Item::Range('\n', '\n')],
            })],
            '(' => return self.group(),
            '[' => vec![Step::One(self.set()?)],
            '\\' => vec![self.escaped()?],
            '*' | '+' | '?' => return Err(format!("nothing stands before `{c}`")),
            c => vec![Step::One(Set::of(Item::Range(c, c)))],
        })
    }

    fn group(&mut self) -> Steps {
        if self.rest.next_if_eq(&'?').is_some() && self.rest.next_if_eq(&':').is_none() {
            return Err("of the groups `(?...)` only `(?:...)` is known here".to_owned());
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err("its groups are too deep in each other".to_owned());
        }
        let steps = self.alternatives()?;
        self.depth -= 1;
        match self.rest.next() {
            Some(')') => Ok(steps),
            _ => Err("a `(` without `)`".to_owned()),
        }
    }

    fn escaped(&mut self) -> Result<Step, String> {
        Ok(match self.rest.next() {
            Some('A') => Step::Start,
            Some('Z') => Step::End,
            Some('b') => Step::Edge(true),
            Some('B') => Step::Edge(false),
            Some(c) => Step::One(Set::of(item(c)?)),
            None => return Err("a `\\` at the end".to_owned()),
        })
    }

    fn set(&mut self) -> Result<Set, String> {
        let mut set = Set {
            is_negated: self.rest.next_if_eq(&'^').is_some(),
            items: Vec::new(),
        };
        // In the first place a bracket stands for itself.
        while set.items.is_empty() || self.rest.next_if_eq(&']').is_none() {
            let from = self.member()?;
            let mut ahead = self.rest.clone();
            let is_range = ahead.next() == Some('-') && ahead.next().is_some_and(|c| c != ']');
            let item = match from {
                Item::Range(from, _) if is_range => {
                    self.rest.next();
                    match self.member()? {
                        Item::Range(to, _) if from <= to => Item::Range(from, to),
                        _ => return Err("a range in `[...]` that is none".to_owned()),
                    }
                }
                item => item,
            };
            set.items.push(item);
        }
        Ok(set)
    }

    fn member(&mut self) -> Result<Item, String> {
        let endless = || "a `[` without `]`".to_owned();
        match self.rest.next().ok_or_else(endless)? {
            '\\' => item(self.rest.next().ok_or_else(endless)?),
            c => Ok(Item::Range(c, c)),
        }
    }

    fn repeated(&mut self, one: Vec<Step>) -> Steps {
        let Some((least, most)) = self.counts() else {
            return Ok(one);
        };
        // A lazy one finds the same texts.
        self.rest.next_if_eq(&'?');
        if self.counts().is_some() {
            return Err("one repetition behind another".to_owned());
        }
        repeat(&one, least, most)
    }

    /// How often what stands before it may come; a brace that says no numbers stands for itself.
    fn counts(&mut self) -> Option<(usize, Option<usize>)> {
        let mut ahead = self.rest.clone();
        let counts = match ahead.next()? {
            '*' => (0, None),
            '+' => (1, None),
            '?' => (0, Some(1)),
            '{' => {
                let mut inner = String::new();
                loop {
                    match ahead.next()? {
                        '}' => break,
                        c => inner.push(c),
                    }
                }
                let (least, most) = inner.split_once(',').unwrap_or((&inner, &inner));
                let most = match most {
                    "" => None,
                    most => Some(most.parse().ok()?),
                };
                match least {
                    "" if inner.len() > 1 => (0, most),
                    least => (least.parse().ok()?, most),
                }
            }
            _ => return None,
        };
        self.rest = ahead;
        Some(counts)
    }
}

fn repeat(one: &[Step], least: usize, most: Option<usize>) -> Steps {
    let times = most.unwrap_or(least).max(least);
    if times.saturating_mul(one.len() + 1) > LIMIT {
        return Err("it is too large".to_owned());
    }
    let mut steps = Vec::new();
    for _ in 0..least {
        steps.extend_from_slice(one);
    }
    match most {
        Some(most) => {
            for _ in least..most {
                steps.push(Step::Split(1, distance(one.len() + 1)?));
                steps.extend_from_slice(one);
            }
        }
        None => {
            steps.push(Step::Split(1, distance(one.len() + 2)?));
            steps.extend_from_slice(one);
            steps.push(Step::Jump(-distance(one.len() + 1)?));
        }
    }
    Ok(steps)
}

/// What a letter behind a backslash stands for.
fn item(c: char) -> Result<Item, String> {
    Ok(match c {
        'w' | 'W' | 'd' | 'D' | 's' | 'S' => Item::Class(c),
        't' => Item::Range('\t', '\t'),
        'n' => Item::Range('\n', '\n'),
        'r' => Item::Range('\r', '\r'),
        c if c.is_ascii_alphanumeric() => return Err(format!("`\\{c}` is not known here")),
        c => Item::Range(c, c),
    })
}

fn distance(steps: usize) -> Result<isize, String> {
    isize::try_from(steps).map_err(|_| "it is too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_finds_what_python_finds() {
        #[rustfmt::skip]
        let table: [(&str, &[&str], &[&str]); 19] = [
            (r"^[\w-]+:\w",          &["ppa:a/b", "cloud-archive:x", "p:1"],   &["deb http://x", "deb [a=b] http://x", ":a", "ppa: x"]),
            (r"^(ppa|cloud-archive):", &["ppa:x", "cloud-archive:x"],          &["xppa:y", "deb ppa:y"]),
            ("ppa",                    &["a ppa:x"],                           &["PPA", ""]),
            ("a*b",                    &["b", "xaab"],                         &["a", ""]),
            ("^a+$",                   &["a", "aaa", "a\n"],                   &["", "ab", "a\nb"]),
            ("^a?b$",                  &["b", "ab"],                           &["aab"]),
            ("^a{2}$",                 &["aa"],                                &["a", "aaa"]),
            ("^a{1,2}$",               &["a", "aa"],                           &["aaa", ""]),
            ("^a{2,}$",                &["aa", "aaaa"],                        &["a"]),
            ("^a{,1}b$",               &["b", "ab"],                           &["aab"]),
            ("^a{x}$",                 &["a{x}"],                              &["a"]),
            ("^(?:ab)+?c|d$",          &["ababc", "xd"],                       &["ab", "dx"]),
            ("^[^:]+:[]a]$",           &["ppa:]", "x:a"],                      &["a:b", ":a"]),
            (r"^[a\]-]$",              &["a", "]", "-"],                       &["b", "a]"]),
            (r"^\S+\s\d\.\D$",        &["ab 1.x"],                            &["ab 1.2", "a b 1.x"]),
            (r"\bppa\b",               &["a ppa:x", "ppa"],                    &["appa", "ppax"]),
            ("^.$",                    &["a", "ä"],                            &["", "\n", "ab"]),
            ("(a|b|)c",                &["c", "ac", "bc"],                     &["a"]),
            ("(a*)*b",                 &["b", "aaab"],                         &["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]),
        ];
        for (pattern, found, missed) in table {
            let read = Pattern::read(pattern).unwrap();
            for text in found {
                assert!(read.is_in(text), "{pattern} in {text:?}");
            }
            for text in missed {
                assert!(!read.is_in(text), "{pattern} in {text:?}");
            }
        }
    }

    #[test]
    fn what_is_wrong_or_not_known_is_named() {
        #[rustfmt::skip]
        let table = [
            ("(a",          "a `(` without `)`"),
            ("a)",          "a `)` too many"),
            ("[a",          "a `[` without `]`"),
            ("[b-a]",       "a range in `[...]` that is none"),
            ("*a",          "nothing stands before `*`"),
            ("a**",         "one repetition behind another"),
            ("a\\",         "a `\\` at the end"),
            (r"(a)\1",      r"`\1` is not known here"),
            ("(?=a)",       "of the groups `(?...)` only `(?:...)` is known here"),
            ("a{3000}",     "it is too large"),
            ("(((a{40}){40}){40})", "it is too large"),
        ];
        for (pattern, why) in table {
            assert_eq!(Pattern::read(pattern).unwrap_err(), why, "{pattern}");
        }
        let deep = "(".repeat(100);
        let why = Pattern::read(&deep).unwrap_err();
        assert_eq!(why, "its groups are too deep in each other");
    }
}
