//! Who may do what as whom: the files of sudo and doas.
//! Source: cloud-init, `cloudinit/distros/__init__.py` (`write_sudo_rules`, `write_doas_rules`).

use std::path::Path;

use contract::effect::{BlockSpec, Effect, Mode, Text};
use contract::machine::Probe;
use contract::name::UserName;

const SUDOERS_DIR: &str = "/etc/sudoers.d";
/// Tools and people know the file by this name.
pub(super) const SUDOERS: &str = "/etc/sudoers.d/90-cloud-init-users";
const DOAS: &str = "/etc/doas.conf";
const HEAD: &str = "# Created by firstlight, from the users of the configuration\n";

/// Options of a doas rule that stand for themselves.
const DOAS_OPTIONS: &[&str] = &["nolog", "nopass", "persist", "keepenv"];

/// The user's rules among those that sudo reads, in a file that visudo(8) finds good.
pub(super) fn sudo(user: &UserName, rules: &[String], probe: &dyn Probe) -> Vec<Effect> {
    let directory = Effect::directory(SUDOERS_DIR, Mode::new(0o750));
    let lines: String = rules
        .iter()
        .map(|rule| format!("{user} {rule}\n"))
        .collect();
    let block = BlockSpec {
        what: format!("sudo rules of {user}"),
        at: SUDOERS.into(),
        text: Text::Added {
            text: format!("\n# User rules for {user}\n{lines}"),
            head: HEAD.to_owned(),
        },
        mode: Mode::new(0o440),
        check: Some(["visudo", "-c", "-f", "-"].map(str::to_owned).into()),
    };
    let effects = std::iter::once(directory).chain(include(probe));
    effects.chain([Effect::Block(Box::new(block))]).collect()
}

/// A line that makes sudo read the directory, if none does.
fn include(probe: &dyn Probe) -> Option<Effect> {
    let own = Path::new("/etc/sudoers");
    // What may not be read is not changed either.
    let now = probe.read(own).ok()?;
    let head = match &now {
        Some(_) => Vec::new(),
        None => probe
            .read(Path::new("/usr/etc/sudoers"))
            .ok()?
            .unwrap_or_default(),
    };
    let text = String::from_utf8_lossy(now.as_deref().unwrap_or(&head)).into_owned();
    if text.lines().any(includes) {
        return None;
    }
    let line = format!("# Added by firstlight\n#includedir {SUDOERS_DIR}\n");
    Some(Effect::Block(Box::new(BlockSpec {
        what: format!("include of {SUDOERS_DIR}"),
        at: own.into(),
        text: Text::Added {
            text: format!("\n{line}"),
            head: text,
        },
        mode: Mode::new(0o440),
        check: None,
    })))
}

/// `#includedir` is no comment, and `@includedir` its newer spelling (sudoers(5)).
fn includes(line: &str) -> bool {
    let line = line.trim();
    let rest = line
        .strip_prefix(['#', '@'])
        .and_then(|line| line.strip_prefix("includedir"));
    rest.is_some_and(|dir| {
        dir.starts_with(char::is_whitespace) && Path::new(dir.trim()) == Path::new(SUDOERS_DIR)
    })
}

/// The user's rules among those of doas.conf(5); `None` if one of them is none, or another user's.
pub(super) fn doas(user: &UserName, rules: &[String]) -> Option<Effect> {
    if !rules.iter().all(|rule| is_doas_rule(user.as_str(), rule)) {
        return None;
    }
    let lines: String = rules.iter().map(|rule| format!("{rule}\n")).collect();
    Some(Effect::Block(Box::new(BlockSpec {
        what: format!("doas rules of {user}"),
        at: DOAS.into(),
        text: Text::Added {
            text: format!("\n# User rules for {user}\n{lines}"),
            head: HEAD.to_owned(),
        },
        mode: Mode::new(0o440),
        check: None,
    })))
}

/// `permit|deny [option...] USER [as TARGET] [cmd COMMAND [args ...]]`.
fn is_doas_rule(user: &str, rule: &str) -> bool {
    if rule.contains('\n') {
        return false;
    }
    let mut rest = rule
        .strip_prefix("permit")
        .or_else(|| rule.strip_prefix("deny"));
    loop {
        let Some((word, more)) = rest.and_then(word) else {
            return false;
        };
        if word == "setenv" {
            rest = more
                .trim_start()
                .strip_prefix('{')
                .and_then(|list| Some(list.split_once('}')?.1));
        } else if DOAS_OPTIONS.contains(&word) {
            rest = Some(more);
        } else {
            return word == user && is_doas_tail(more);
        }
    }
}

fn is_doas_tail(rest: &str) -> bool {
    let mut words = rest.split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => true,
        (Some("as"), Some(target)) if target.bytes().all(is_name_byte) => match words.next() {
            None => true,
            Some("cmd") => words.next().is_some() && matches!(words.next(), None | Some("args")),
            Some(_) => false,
        },
        (Some("cmd"), Some(_)) => matches!(words.next(), None | Some("args")),
        _ => false,
    }
}

/// The first word behind white space, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let trimmed = text.trim_start();
    if trimmed.len() == text.len() || trimmed.is_empty() {
        return None;
    }
    let end = trimmed.find(char::is_whitespace).unwrap_or(trimmed.len());
    trimmed.split_at_checked(end)
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doas_rule_is_about_its_own_user() {
        #[rustfmt::skip]
        let table = [
            ("permit nopass web",                                true),
            ("permit web",                                       true),
            ("deny web",                                         true),
            ("permit persist setenv { A=b PATH } web as root",   true),
            ("permit nopass web as root cmd apk args update -q", true),
            ("permit web cmd reboot",                            true),
            ("permit nopass eve",                                false),
            ("permit nopass",                                    false),
            ("allow web",                                        false),
            ("permitweb",                                        false),
            ("permit web for all",                               false),
            ("permit web as",                                    false),
            ("permit web\npermit eve",                           false),
        ];
        for (rule, good) in table {
            assert_eq!(is_doas_rule("web", rule), good, "{rule}");
        }
    }

    #[test]
    fn an_include_is_known_in_all_its_spellings() {
        #[rustfmt::skip]
        let table = [
            ("#includedir /etc/sudoers.d",    true),
            ("@includedir /etc/sudoers.d/",   true),
            ("  #includedir\t/etc/sudoers.d", true),
            ("# includedir /etc/sudoers.d",   false),
            ("#includedir /etc/other.d",      false),
            ("includedir /etc/sudoers.d",     false),
        ];
        for (line, good) in table {
            assert_eq!(includes(line), good, "{line}");
        }
    }
}
