//! Who calls Ansible, and with what around.

use std::path::Path;

use contract::effect::{CommandSpec, Program};
use contract::machine::Probe;

use crate::distribution;
use crate::script;

/// Debian and its like let pip(1) install for the whole system only when they are told to; older
/// versions of pip know nothing of that.
const PIP: (&str, &str) = ("PIP_BREAK_SYSTEM_PACKAGES", "1");

/// Somebody who calls it.
pub(super) struct Caller {
    /// `None` is root.
    pub(super) user: Option<String>,
    /// The file of Ansible's own configuration.
    pub(super) config: Option<String>,
    /// Whether it was installed by pip(1), whose programs of a user are in ~/.local/bin.
    pub(super) is_from_pip: bool,
}

impl Caller {
    /// Whether Ansible is where pip(1) would install it.
    pub(super) fn has_ansible(&self, probe: &dyn Probe) -> bool {
        let Some(user) = &self.user else {
            return distribution::has_program(probe, "ansible-pull");
        };
        let account = probe.user(user).ok().flatten();
        account.is_some_and(|account| {
            let path = Path::new(&account.home).join(".local/bin/ansible-pull");
            probe.is_executable(&path).unwrap_or(false)
        })
    }

    /// pip(1) installs something.
    pub(super) fn pip(&self, what: &[&str]) -> CommandSpec {
        let mut argv = vec!["python3", "-m", "pip", "install"];
        argv.extend(self.user.as_ref().map(|_| "--user"));
        argv.extend(what);
        let label = format!("pip install {}", what.join(" "));
        let argv = argv.into_iter().map(ToOwned::to_owned).collect();
        self.spec(&label, argv, None, &[PIP])
    }

    /// A command, in a directory if one is given. What it says may be secret, and is not shown.
    pub(super) fn command(&self, label: &str, argv: Vec<String>, dir: Option<&str>) -> CommandSpec {
        let config = self.config.as_deref();
        let env = config.map(|config| ("ANSIBLE_CONFIG", config));
        self.spec(label, argv, dir, env.as_slice())
    }

    /// Source: cloud-init, `do_as` of `cloudinit/distros/__init__.py`: a login of the user, but for
    /// the path, which is that of the boot.
    fn spec(
        &self,
        label: &str,
        argv: Vec<String>,
        dir: Option<&str>,
        env: &[(&str, &str)],
    ) -> CommandSpec {
        let Some(user) = &self.user else {
            let home = std::iter::once(("HOME", "/root"));
            let env = home.chain(env.iter().copied());
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
            return CommandSpec {
                env: env.collect(),
                ..script::command(label, Program::Argv(in_directory(argv, dir)))
            };
        };
        let mut line = String::new();
        if let Some(dir) = dir {
            line.push_str(&format!("cd {} && ", quoted_path(dir)));
        }
        line.push_str("env PATH=");
        line.push_str(match self.is_from_pip {
            true => r#""$HOME/.local/bin:$PATH""#,
            false => r#""$PATH""#,
        });
        for (name, value) in env {
            line.push_str(&format!(" {name}={}", quoted(value)));
        }
        for word in &argv {
            line.push(' ');
            line.push_str(&quoted(word));
        }
        let argv = ["su", "-", user, "-c", &line].map(ToOwned::to_owned);
        script::command(label, Program::Argv(argv.into()))
    }
}

/// Children begin in `/`.
fn in_directory(argv: Vec<String>, dir: Option<&str>) -> Vec<String> {
    let Some(dir) = dir else { return argv };
    let line = r#"cd "$1" && shift && exec "$@""#;
    let before = ["sh", "-c", line, "sh", dir].map(ToOwned::to_owned);
    before.into_iter().chain(argv).collect()
}

/// A word that the shell takes as it is.
fn quoted(word: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:=,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// As [`quoted`], but for `~/` before it, which is the user's home.
fn quoted_path(path: &str) -> String {
    match path.strip_prefix("~/") {
        Some(rest) => format!("~/{}", quoted(rest)),
        None => quoted(path),
    }
}
