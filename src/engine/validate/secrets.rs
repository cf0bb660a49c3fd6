//! What looks like a secret where others can read it, such as in user data, which every process on
//! the instance can.
//!
//! It goes by well-known forms and by the names that values stand under, and would rather miss one
//! than cry wolf. Source of the risk: EC2 User Guide, "Instance metadata and user data", which warns
//! that user data is not protected.

use contract::place::Place;
use contract::plan::Problem;
use contract::secret::{REDACTED, values_of_secret_names};

/// More of one text is not looked at, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// More in one text are not told.
const MAX_FINDS: usize = 50;

/// How many lines an access key's id and its secret may be apart.
const NEIGHBOURS: usize = 3;

/// The beginnings of tokens, how many characters follow at least, and what they are.
const TOKENS: [(&str, usize, &str); 14] = [
    ("ghp_", 30, "a GitHub token"),
    ("gho_", 30, "a GitHub token"),
    ("ghs_", 30, "a GitHub token"),
    ("ghu_", 30, "a GitHub token"),
    ("ghr_", 30, "a GitHub token"),
    ("github_pat_", 30, "a GitHub token"),
    ("glpat-", 20, "a GitLab token"),
    ("xoxb-", 20, "a Slack token"),
    ("xoxp-", 20, "a Slack token"),
    ("xoxa-", 20, "a Slack token"),
    ("AIza", 35, "a Google API key"),
    ("sk_live_", 16, "a Stripe key"),
    ("hvs.", 24, "a Vault token"),
    ("npm_", 36, "an npm token"),
];

/// Shorter ones are words such as `none`, in characters.
const MIN_VALUE: usize = 6;

/// Something that looks like a secret. It knows where and never what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Find {
    /// Where it begins.
    pub place: Place,
    /// What it looks like: `a private key`.
    pub what: &'static str,
    /// How many lines it goes over, 1 at least.
    pub lines: u32,
}

/// What a text is part of, which decides who can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// User data itself.
    UserData,
    /// What user data includes from elsewhere.
    Included,
    /// An image's configuration.
    Image,
}

impl Find {
    /// The find as something worth knowing, with who can read it.
    #[must_use]
    pub fn notice(&self, within: Within) -> Problem {
        let message = format!("what looks like {} stands here", self.what);
        let readers = match within {
            Within::UserData => "every process on the instance can read user data",
            Within::Included => "whoever gets at that address has it",
            Within::Image => "whoever launches the image, or gets a copy of it, has it",
        };
        let hint =
            format!("{readers}: let the instance fetch it with its role, and change this one");
        Problem::notice(Some(self.place.clone()), message).hint(hint)
    }
}

/// What looks like a secret in a text of `source` that begins at its line `first_line`.
#[must_use]
pub fn lint(text: &[u8], source: &str, first_line: u32) -> Vec<Find> {
    let text = String::from_utf8_lossy(text.get(..MAX_TEXT).unwrap_or(text));
    let lines: Vec<&str> = text.lines().collect();
    let mut finds = Vec::new();
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        if finds.len() >= MAX_FINDS {
            break;
        }
        let rest = lines.get(index..).unwrap_or_default();
        let around = lines
            .get(index.saturating_sub(NEIGHBOURS)..)
            .unwrap_or_default();
        let (found, length) = match private_key(rest) {
            Some((column, length)) => (Some((column, "a private key")), length),
            None => (in_line(line, around), 1),
        };
        if let Some((offset, what)) = found {
            let column = line
                .get(..offset)
                .map_or(0, |before| before.chars().count());
            let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let at = first_line.max(1).saturating_add(number(index));
            finds.push(Find {
                place: Place::new(source, at, number(column).saturating_add(1)),
                what,
                lines: number(length),
            });
        }
        index += length;
    }
    finds
}

/// Where a PEM block (RFC 7468) or an age key begins in the first line, and how many lines it has.
fn private_key(lines: &[&str]) -> Option<(usize, usize)> {
    let first = lines.first()?;
    if let Some(at) = first.find("AGE-SECRET-KEY-1") {
        return Some((at, 1));
    }
    let at = first.find("-----BEGIN ")?;
    if !first.get(at..)?.contains("PRIVATE KEY") {
        return None;
    }
    let end = lines.iter().position(|line| line.contains("-----END "));
    Some((at, end.map_or(lines.len(), |end| end + 1)))
}

/// Where in the line the first secret begins, in bytes, and what it looks like.
fn in_line(line: &str, around: &[&str]) -> Option<(usize, &'static str)> {
    let finders = [
        token(line),
        aws_secret(line, around),
        in_address(line),
        named(line),
    ];
    finders.into_iter().flatten().min_by_key(|(at, _)| *at)
}

fn token(line: &str) -> Option<(usize, &'static str)> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    runs(line, is_inner).find_map(|(at, word)| {
        let known = TOKENS.iter().find(|(prefix, rest, _)| {
            let after = word.strip_prefix(prefix);
            after.is_some_and(|after| after.len() >= *rest)
        });
        let jwt = || {
            let mut parts = word.split('.');
            let json =
                |part: Option<&str>| part.is_some_and(|p| p.starts_with("eyJ") && p.len() > 10);
            json(parts.next()) && json(parts.next())
        };
        match known {
            Some((_, _, what)) => Some((at, *what)),
            None => jwt().then_some((at, "a JSON Web Token")),
        }
    })
}

/// A secret access key, which is 40 characters of base64, near the id of one.
fn aws_secret(line: &str, around: &[&str]) -> Option<(usize, &'static str)> {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
    let secret = runs(line, is_inner).find(|(_, word)| {
        word.len() == 40
            && word.contains(|c: char| c.is_ascii_uppercase())
            && word.contains(|c: char| c.is_ascii_lowercase())
    });
    let (at, _) = secret?;
    let is_id = |word: &str| {
        (word.starts_with("AKIA") || word.starts_with("ASIA"))
            && word.len() == 20
            && !word.ends_with("EXAMPLE")
    };
    let near = around.iter().take(2 * NEIGHBOURS + 1);
    let mut words = near.flat_map(|line| runs(line, |c: char| c.is_ascii_alphanumeric()));
    words
        .any(|(_, word)| is_id(word))
        .then_some((at, "an AWS secret access key"))
}

/// `https://name:password@host`
fn in_address(line: &str) -> Option<(usize, &'static str)> {
    let at = line.find("://")? + 3;
    let authority = line.get(at..)?.split(['/', ' ', '"', '\'']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    (is_literal(password) && password.chars().count() >= 3)
        .then_some((at + name.len() + 1, "a password in an address"))
}

/// `password: ...`, `API_KEY=...`
fn named(line: &str) -> Option<(usize, &'static str)> {
    let mut found = values_of_secret_names(line).filter(|(_, value)| {
        let is_long = value.chars().count() >= MIN_VALUE;
        is_long && is_literal(value)
    });
    found.next().map(|(at, _)| (at, "a password or token"))
}

/// Where the first value stands that is secret by its name, whatever it is.
fn value_of_secret_name(line: &str) -> Option<usize> {
    let mut values = values_of_secret_names(line);
    values
        .find(|(_, value)| !value.is_empty())
        .map(|(at, _)| at)
}

/// Whether it is the value itself: not a hash, a variable, a placeholder, a path or an address.
fn is_literal(value: &str) -> bool {
    let stands_for_another = [
        '$', '{', '[', '<', '!', '*', '&', '|', '>', '/', '%', '(', '`', '~',
    ];
    let words = ["random", "changeme", "redacted", "required", "optional"];
    !value.starts_with(stands_for_another)
        && !value.contains("://")
        && !value.starts_with("arn:")
        && !words.contains(&value.to_ascii_lowercase().as_str())
}

/// The longest pieces of such characters, and where they begin, in bytes.
fn runs(line: &str, is_inner: impl Fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let tail = line.get(rest..)?;
        let start = rest + tail.find(&is_inner)?;
        let tail = line.get(start..)?;
        let length = tail.find(|c| !is_inner(c)).unwrap_or(tail.len());
        rest = start + length;
        Some((start, tail.get(..length)?))
    })
}

/// A line for a person to see: cut off where a secret begins, `None` if it is one as a whole.
#[must_use]
pub fn redacted(line: &str, source: &str, number: u32, finds: &[Find]) -> Option<String> {
    let mut end = value_of_secret_name(line).unwrap_or(line.len());
    for find in finds.iter().filter(|find| &*find.place.source == source) {
        let first = find.place.line;
        if (first..first.saturating_add(find.lines)).contains(&number) {
            if number > first {
                return None;
            }
            let column = usize::try_from(find.place.column).unwrap_or(1);
            let start = line.char_indices().nth(column.saturating_sub(1));
            end = end.min(start.map_or(line.len(), |(at, _)| at));
        }
    }
    let shown = line.get(..end)?;
    Some(if end < line.len() {
        format!("{shown}{REDACTED}")
    } else {
        shown.to_owned()
    })
}
