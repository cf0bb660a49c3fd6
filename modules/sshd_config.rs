//! sshd's configuration (sshd_config(5)), changed as cloud-init changes it.
//!
//! Source: cloud-init, `cloudinit/ssh_util.py` (`update_ssh_config`, `append_ssh_config`).

use std::path::Path;

use contract::effect::{BlockSpec, Effect, Mode, Text};
use contract::machine::Probe;
use contract::sshd;

const MAIN: &str = "/etc/ssh/sshd_config";
/// Read by sshd where the main file says so, as the packages of most distributions do.
const DROP_IN: &str = "/etc/ssh/sshd_config.d/50-cloud-init.conf";

/// sshd's configuration with these lines in it.
pub(crate) fn with(lines: &str, probe: &dyn Probe) -> Effect {
    let file = File::read(probe).unwrap_or_default();
    let mut text = file.text.clone();
    for line in lines.lines() {
        if text.lines().any(|own| own == line) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
    }
    file.effect("lines", text)
}

/// sshd's configuration with this option set so; `None` if it is, or cannot be seen.
pub(crate) fn set(option: &str, value: &str, probe: &dyn Probe) -> Option<Effect> {
    let file = File::read(probe)?;
    let text = changed(&file.text, option, value)?;
    Some(file.effect(&format!("{option} {value}"), text))
}

/// The file that is changed.
#[derive(Default)]
struct File {
    is_drop_in: bool,
    text: String,
}

impl File {
    fn read(probe: &dyn Probe) -> Option<Self> {
        let read = |path: &Path| {
            let bytes = probe.read(path).ok()?.unwrap_or_default();
            Some(String::from_utf8_lossy(&bytes).into_owned())
        };
        // What a package brings in /usr is not changed; sshd reads it no more beside a file of ours.
        let main = read(sshd::config(probe))?;
        let is_drop_in = main.lines().any(includes);
        let text = match is_drop_in {
            true => read(Path::new(DROP_IN))?,
            false => main,
        };
        Some(Self { is_drop_in, text })
    }

    fn effect(&self, what: &str, text: String) -> Effect {
        Effect::Block(Box::new(BlockSpec {
            what: what.to_owned(),
            at: if self.is_drop_in { DROP_IN } else { MAIN }.into(),
            text: Text::All(text),
            mode: if self.is_drop_in {
                Mode::PRIVATE
            } else {
                Mode::PUBLIC
            },
            check: None,
        }))
    }
}

/// Only in this spelling, and at the beginning of its line.
fn includes(line: &str) -> bool {
    line.starts_with("Include /etc/ssh/sshd_config.d/*.conf")
}

/// The file's lines with the option at each place where it stands, or else at the end; `None` if
/// that is what they are.
///
/// As with cloud-init, other lines lose the white space around them, and those that are neither a
/// comment nor an option with its value are dropped.
fn changed(old: &str, option: &str, value: &str) -> Option<String> {
    let (mut found, mut differs) = (false, false);
    let mut lines: Vec<String> = Vec::new();
    for line in old.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            lines.push(line.to_owned());
            continue;
        }
        let pair = line
            .split_once(char::is_whitespace)
            .or_else(|| line.split_once('='));
        let Some((key, now)) = pair.map(|(key, now)| (key, now.trim_start())) else {
            continue;
        };
        let is_it = key.eq_ignore_ascii_case(option);
        found |= is_it;
        differs |= is_it && now != value;
        lines.push(format!("{key} {}", if is_it { value } else { now }));
    }
    if found && !differs {
        return None;
    }
    if !found {
        lines.push(format!("{option} {value}"));
    }
    Some(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use contract::testing::FakeMachine;

    use super::*;

    #[test]
    fn the_packages_own_file_in_usr_goes_on_to_count() {
        const VENDOR: &str = "/usr/etc/ssh/sshd_config";
        let included = "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n";
        #[rustfmt::skip]
        let table = [
            // what is there                             where it is written, and what
            (vec![(VENDOR, included)],                   DROP_IN, "PasswordAuthentication yes\n"),
            (vec![(VENDOR, "UsePAM yes\n")],             MAIN,    "UsePAM yes\nPasswordAuthentication yes\n"),
            (vec![(VENDOR, included), (MAIN, "Port 1\n")], MAIN,  "Port 1\nPasswordAuthentication yes\n"),
            (vec![],                                     MAIN,    "PasswordAuthentication yes\n"),
        ];
        for (files, path, text) in table {
            let machine = FakeMachine::with(&files);
            let effect = set("PasswordAuthentication", "yes", &machine);
            let Some(Effect::Block(block)) = effect else {
                panic!("{files:?}");
            };
            assert_eq!(block.at, Path::new(path), "{files:?}");
            let Text::All(written) = block.text else {
                panic!("{files:?}");
            };
            assert_eq!(written, text, "{files:?}");
        }
    }

    #[test]
    fn an_option_is_changed_where_it_stands_or_added_at_the_end() {
        #[rustfmt::skip]
        let table = [
            ("",                                       Some("PasswordAuthentication yes\n")),
            ("# PasswordAuthentication no\nPort 22\n", Some("# PasswordAuthentication no\nPort 22\nPasswordAuthentication yes\n")),
            ("passwordauthentication no\nPort 22\n",   Some("passwordauthentication yes\nPort 22\n")),
            ("PasswordAuthentication=no\n",            Some("PasswordAuthentication yes\n")),
            ("PasswordAuthentication  no\n\nMatch all\n  PasswordAuthentication yes\n",
                                                       Some("PasswordAuthentication yes\n\nMatch all\nPasswordAuthentication yes\n")),
            ("PasswordAuthentication yes\nnonsense\n", None),
            ("nonsense\n",                             Some("PasswordAuthentication yes\n")),
        ];
        for (old, new) in table {
            let found = changed(old, "PasswordAuthentication", "yes");
            assert_eq!(found.as_deref(), new, "{old}");
        }
    }
}
