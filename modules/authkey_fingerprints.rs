//! The keys with which one may log in, on the console, as a table.
//!
//! Source: cloud-init, `cloudinit/config/cc_ssh_authkey_fingerprints.py`, `simpletable.py` and
//! `ssh_util.py`.

use std::path::Path;

use contract::effect::Effect;
use contract::machine::{Account, FileKind, Probe};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::sshd;
use contract::yaml::Value;
use serde::Deserialize;

use crate::accounts::{Wishes, keys};
use crate::switch;
use contract::public_key::Hash;

const KEYS: &[Key] = &[
    Key::new(
        "no_ssh_fingerprints",
        Shape::Switch,
        "whether the keys with which one may log in are kept from the console",
    )
    .or("false"),
    Key::new(
        "authkey_hash",
        Shape::Word(&["sha224", "sha256", "sha384", "sha512"]),
        "the hash by which a key is shown",
    )
    .or("sha256"),
    keys::USERS,
    keys::OLD_USER,
    keys::SYSTEM_INFO,
];

/// Before every line on the console.
const PREFIX: &str = "ci-info: ";

/// The types that are shown. Source: cloud-init, `cloudinit/ssh_util.py` (`VALID_KEY_TYPES`).
const TYPES: [&str; 19] = [
    "rsa",
    "ecdsa",
    "ed25519",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "ssh-ed25519",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-rsa",
    "ssh-xmss-cert-v01@openssh.com",
    "ssh-xmss@openssh.com",
];

/// Shows the keys.
pub(crate) struct AuthkeyFingerprints;

/// Which keys, and how.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    no_ssh_fingerprints: Option<Value>,
    authkey_hash: Option<Value>,
    users: Option<Value>,
    user: Option<Value>,
    system_info: Option<Value>,
}

impl Module for AuthkeyFingerprints {
    const FACTS: Facts = Facts {
        name: "ssh_authkey_fingerprints",
        summary: "show on the console which keys may log in",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/authkey_fingerprints.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let silent = want.no_ssh_fingerprints.as_ref();
        if switch::or(false, "no_ssh_fingerprints", silent, told) {
            return plan;
        }
        let hash = hash(want.authkey_hash.as_ref(), told);
        let wishes = Wishes {
            users: want.users.as_ref(),
            user: want.user.as_ref(),
            system_info: want.system_info.as_ref(),
        };
        // Whoever is written badly or could not be made is told of by users_groups.
        for user in wishes.accounts(ctx.probe).list {
            let says = |key: &str| user.keys.get(key).and_then(switch::read) == Some(true);
            if says("no_create_home") || says("system") {
                continue;
            }
            if let Ok(Some(account)) = ctx.probe.user(&user.name) {
                let text = table(&account, hash, ctx.probe);
                plan.push(Step::new(user.name, [Effect::Console { text }]));
            }
        }
        plan
    }
}

/// What is used, and its name.
fn hash(given: Option<&Value>, told: &mut Vec<Problem>) -> (&'static str, Hash) {
    let default = ("sha256", Hash::Sha256);
    let Some(given) = given.filter(|given| !given.is_null()) else {
        return default;
    };
    let known = |(name, _): &&(&str, Hash)| given.as_str() == Some(*name);
    Hash::ALL.iter().find(known).copied().unwrap_or_else(|| {
        let names = Hash::ALL.map(|(name, _)| name).join("`, `");
        let message = format!("authkey_hash: expected one of `{names}`");
        let problem = Problem::warning(Some(given.place.clone()), message);
        told.push(problem.hint("keys are shown by their sha256"));
        default
    })
}

/// The lines about one user.
fn table(account: &Account, (name, hash): (&str, Hash), probe: &dyn Probe) -> String {
    let files = sshd::authorized_keys_files(probe, account);
    let is_there = |path: &&std::path::PathBuf| is_plain(probe, path);
    let path = files.iter().find(is_there).or(files.last());
    let bytes = path
        .filter(is_there)
        .and_then(|path| probe.read(path).ok().flatten());
    let text = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let user = &account.name;
    if text.is_empty() {
        return format!("{PREFIX}no authorized SSH keys fingerprints found for user {user}.\n");
    }
    let head = [
        "Keytype",
        &format!("Fingerprint ({name})"),
        "Options",
        "Comment",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(text.lines().filter_map(|line| row(line, hash)));
    let lines = lines(&rows);
    let width = lines.first().map_or(0, |line| line.chars().count());
    let path = path.map(|path| path.display().to_string());
    let title = format!(
        "Authorized keys from {} for user {user}",
        path.unwrap_or_default()
    );
    let all = std::iter::once(centred(&title, '+', width, false)).chain(lines);
    all.map(|line| format!("{PREFIX}{line}\n")).collect()
}

/// Whether a file and its directory are there, and no links: its user chose them.
fn is_plain(probe: &dyn Probe, path: &Path) -> bool {
    let kind = |path: &Path| probe.kind(path).ok().flatten();
    kind(path) == Some(FileKind::File) && path.parent().and_then(kind) == Some(FileKind::Directory)
}

/// The cells about one line; `None` if it holds no key that is shown.
fn row(line: &str, hash: Hash) -> Option<[String; 4]> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (options, (kind, body, comment)) = match key(line) {
        Some(key) => ("", key),
        None => {
            let (options, rest) = line.split_at(end_of_options(line));
            (options, key(rest.trim_start())?)
        }
    };
    let or = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
    let fingerprint = match contract::base64::decode(body) {
        Some(bytes) => hexadecimal(&hash.of(&bytes)),
        None => "?".to_owned(),
    };
    Some([kind.to_owned(), fingerprint, or(options), or(comment)])
}

/// Type, base64 body and comment.
fn key(text: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = text.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (body, comment) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_known = TYPES.contains(&kind) && !body.is_empty();
    is_known.then_some((kind, body, comment.trim_start()))
}

/// Where the options of a line end: at the first blank outside of quotes.
fn end_of_options(line: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            ' ' | '\t' if !is_quoted => return at,
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = c == '\\';
    }
    line.len()
}

/// `0a:1b:...`
fn hexadecimal(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(":")
}

/// A table with lines around it, of which the first row is the head.
fn lines(rows: &[[String; 4]]) -> Vec<String> {
    let mut widths = [0; 4];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = format!("+{}+", widths.map(|width| "-".repeat(width + 2)).join("+"));
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| centred(cell, ' ', width + 2, true))
            .collect();
        format!("|{}|", cells.join("|"))
    };
    let mut lines = vec![rule.clone()];
    for (number, row) in rows.iter().enumerate() {
        lines.push(line(row));
        if number == 0 {
            lines.push(rule.clone());
        }
    }
    lines.push(rule);
    lines
}

/// Text in the middle of a width. Where it cannot be, Python's `str.center` leans to the left in an
/// odd width (`by_method`), and its format `^` always to the left.
fn centred(text: &str, fill: char, width: usize, by_method: bool) -> String {
    let room = width.saturating_sub(text.chars().count());
    let more = if by_method { room & width & 1 } else { 0 };
    let before = room / 2 + more;
    let fill = |n: usize| fill.to_string().repeat(n);
    format!("{}{text}{}", fill(before), fill(room - before))
}

#[cfg(test)]
mod tests;
