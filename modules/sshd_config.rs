//! What is added to sshd's configuration.
//!
//! Source: cloud-init, `cloudinit/ssh_util.py` (`append_ssh_config`).

use std::path::Path;

use contract::effect::{Content, Effect, FileSpec, Mode, Owner};
use contract::machine::Probe;

/// sshd's configuration.
const MAIN: &str = "/etc/ssh/sshd_config";
/// Where its own file includes others.
const INCLUDES: &str = "Include /etc/ssh/sshd_config.d/*.conf";
/// What is added there.
const OURS: &str = "/etc/ssh/sshd_config.d/50-cloud-init.conf";

/// sshd's configuration with these lines in it.
pub(crate) fn with(lines: &str, probe: &dyn Probe) -> Effect {
    let read = |path: &str| {
        let bytes = probe.read(Path::new(path)).ok().flatten();
        String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
    };
    let main = read(MAIN);
    let includes = main.lines().any(|line| line.starts_with(INCLUDES));
    let path = if includes { OURS } else { MAIN };
    let mut text = if includes { read(OURS) } else { main };
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
    Effect::File(FileSpec {
        at: path.into(),
        content: Content::Plain(text.into_bytes()),
        mode: Mode::PRIVATE,
        owner: Owner::Root,
    })
}
