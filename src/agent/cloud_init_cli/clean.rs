//! `cloud-init clean`
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/clean.py`, `cloudinit/subp.py` (`runparts`).

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::effect::{Effect, Mode};
use contract::file::{Content, FileSpec, Owner};
use contract::machine::{Machine as _, Probe};
use system::Host;

use crate::cli::table;
use crate::cloud_init;
use crate::session::Session;

/// Forget every instance, so that the next boot is a first boot.
///
/// Removes what cloud-init and firstlight keep about instances, and runs /etc/cloud/clean.d.
/// `firstlight clean --help` says what else an image needs.
#[derive(Debug, clap::Args)]
pub(super) struct Clean {
    /// Remove the logs.
    #[arg(short, long)]
    logs: bool,
    /// Let the machine get a new machine-id at its next boot (machine-id(5)).
    #[arg(long)]
    machine_id: bool,
    /// Reboot when all is removed.
    #[arg(short, long)]
    reboot: bool,
    /// Remove the seed, /var/lib/cloud/seed, too.
    #[arg(short, long)]
    seed: bool,
    /// Remove configuration that cloud-init or firstlight wrote.
    #[arg(short, long, value_enum, num_args = 1.., value_name = "WHAT")]
    configs: Vec<Configs>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Configs {
    All,
    #[value(name = "ssh_config")]
    SshConfig,
    Network,
}

const SCRIPTS: &str = "/etc/cloud/clean.d";
const MACHINE_ID: &str = "/etc/machine-id";

/// Where logs are, and how their names begin; what logrotate(8) made of them as well.
const LOGS: (&str, [&str; 3]) = (
    "/var/log",
    [
        "cloud-init.log",
        "cloud-init-output.log",
        "firstlight-output.log",
    ],
);

/// Directories of what configures networks, and how names in them begin and end.
const NETWORK: [(&str, &str, &str); 6] = [
    ("/etc/netplan", "50-cloud-init.yaml", ""),
    ("/etc/NetworkManager/conf.d", "99-cloud-init.conf", ""),
    (
        "/etc/NetworkManager/conf.d",
        "30-cloud-init-ip6-addr-gen-mode.conf",
        "",
    ),
    (
        "/etc/NetworkManager/system-connections",
        "cloud-init-",
        ".nmconnection",
    ),
    ("/etc/systemd/network", "10-cloud-init-", ".network"),
    ("/etc/network/interfaces.d", "50-cloud-init", ""),
];

const SSH: [(&str, &str, &str); 1] = [("/etc/ssh/sshd_config.d", "50-cloud-init.conf", "")];

impl Clean {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let session = Session::open(&super::this_machine())?;
        let host = &session.host;
        if !host.is_privileged() {
            bail!("only root can do that");
        }
        let lock = session.try_lock()?;
        let wants = |what| self.configs.contains(&Configs::All) || self.configs.contains(&what);
        if wants(Configs::Network) {
            remove_named(host, &NETWORK)?;
        }
        if wants(Configs::SshConfig) {
            remove_named(host, &SSH)?;
        }
        cloud_init::clean(host, self.seed)?;
        if lock.is_some() {
            system::remove_state(host)?;
        } else {
            remove_under_a_boot(host)?;
        }
        let failed = run_scripts(host)?;
        if self.logs {
            let (dir, names) = LOGS;
            remove_named(host, &names.map(|name| (dir, name, "")))?;
        }
        if self.machine_id {
            new_machine_id(host)?;
        }
        if !failed.is_empty() {
            bail!("in {SCRIPTS} failed: {}", failed.join(", "));
        }
        if self.reboot {
            let code = system::pass_on("shutdown".as_ref(), &["-r".into(), "now".into()]);
            if code != 0 {
                bail!("`shutdown -r now` ended with exit code {code}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn remove(host: &Host, path: &Path) -> anyhow::Result<()> {
    system::remove(host, path).with_context(|| format!("cannot remove {}", path.display()))?;
    Ok(())
}

/// Scripts of user data clean, too, before an image is made of their machine. This boot's own lock and
/// report stay, which are gone with it.
fn remove_under_a_boot(host: &Host) -> anyhow::Result<()> {
    table::complain("warning: a boot is at work: it will record what ends after this");
    let all = system::state(host)?.into_iter();
    let mut lasting = all.filter(|path| !path.starts_with("/run"));
    lasting.try_for_each(|path| remove(host, &path))
}

fn remove_named(host: &Host, all: &[(&str, &str, &str)]) -> anyhow::Result<()> {
    for (dir, begin, end) in all {
        let names = host.list(Path::new(dir))?.unwrap_or_default();
        for name in names
            .iter()
            .filter(|name| name.starts_with(begin) && name.ends_with(end))
        {
            remove(host, &Path::new(dir).join(name))?;
        }
    }
    Ok(())
}

/// Runs what the image lets run when it is cleaned, in the order of its names; tells what failed.
fn run_scripts(host: &Host) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    for name in host.list(Path::new(SCRIPTS))?.unwrap_or_default() {
        let script: PathBuf = Path::new(SCRIPTS).join(&name);
        if !host.is_executable(&script)? {
            table::complain(&format!("warning: {} cannot be executed", script.display()));
        } else if system::pass_on(script.as_os_str(), &[]) != 0 {
            failed.push(name);
        }
    }
    Ok(failed)
}

/// Source: machine-id(5), "Initialization".
fn new_machine_id(host: &Host) -> anyhow::Result<()> {
    let is_systemd = host.kind(Path::new("/run/systemd/system"))?.is_some();
    let effect = if is_systemd {
        Effect::File(FileSpec {
            at: MACHINE_ID.into(),
            content: Content::Plain(b"uninitialized\n".to_vec()),
            mode: Mode::new(0o444),
            owner: Owner::Root,
        })
    } else {
        Effect::Absent {
            at: MACHINE_ID.into(),
        }
    };
    host.apply(&effect)?;
    Ok(())
}
