//! `firstlight clean`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use contract::effect::{Effect, Mode};
use contract::file::{Content, FileSpec, Owner};
use contract::machine::{Machine as _, Probe as _};
use system::RunLock;

use super::table;
use crate::cloud_init;
use crate::seal::{self, Instance, MACHINE_ID, Seal};
use crate::session::{Session, Target};

/// Forget every instance: the next boot is a first boot.
///
/// Removes /var/lib/firstlight, but for a seed of the image, and /run/firstlight; where the image says
/// `cloud_init_compat`, also /var/lib/cloud but for its seed, as cloud-init does. What was changed
/// elsewhere on the machine stays as it is.
#[derive(Debug, clap::Args)]
pub(super) struct Clean {
    /// Also remove what an image must not take along: cloud-init's state, keys that open the door,
    /// host keys, logs, the machine id, random seeds, DHCP leases and shell histories. To be the
    /// last step of an image's build.
    #[arg(long)]
    seal: bool,
    /// Show what --seal would remove, and remove nothing.
    #[arg(long, requires = "seal")]
    dry_run: bool,
}

impl Clean {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<ExitCode> {
        if self.seal {
            return seal(target, self.dry_run);
        }
        let session = Session::open(target)?;
        let _lock = session.lock()?;
        let mut removed = forget(&session)?;
        if session.settings.cloud_init_compat {
            removed += show(&cloud_init::clean(&session.host, false)?);
        }
        Ok(told(removed))
    }
}

/// Removes what is kept of instances, and tells how much that was.
fn forget(session: &Session) -> anyhow::Result<usize> {
    let run = Path::new("/run/firstlight");
    let inside = session.host.list(run).ok().flatten().unwrap_or_default();
    // Where there was nothing, this run itself has made it, for its lock.
    let is_own = |path: &PathBuf| path == run && inside == ["lock"];
    let mut removed = system::remove_state(&session.host)?;
    removed.retain(|path| !is_own(path));
    Ok(show(&removed))
}

/// Says what was removed, and how much that was.
fn show(removed: &[PathBuf]) -> usize {
    for path in removed {
        table::line(&format!("removed: {}", path.display()));
    }
    removed.len()
}

fn told(removed: usize) -> ExitCode {
    if removed == 0 {
        table::line("there was nothing to remove");
    }
    ExitCode::SUCCESS
}

fn seal(target: &Target, dry: bool) -> anyhow::Result<ExitCode> {
    let mut session = if dry {
        Session::look(target)?
    } else {
        Session::open(target)?
    };
    anyhow::ensure!(
        session.host.is_privileged() || !session.host.is_live() || dry,
        "only root can do that"
    );
    // Whoever waited from a script of user data would wait for ever.
    let lock = if dry {
        None
    } else {
        RunLock::acquire(&session.host, false).context("cannot take the run lock")?
    };
    anyhow::ensure!(
        dry || lock.is_some(),
        "a boot is at work, whose records would be made anew: wait for `firstlight status --wait`; a script of user data cannot do that"
    );
    let known = match session.recall() {
        Ok(known) => known,
        Err(error) => {
            // Then the image alone says whose keys go.
            table::complain(&format!("warning: {error:#}"));
            None
        }
    };
    let instance = Instance {
        config: known
            .as_ref()
            .map_or(&session.image.config, |known| &known.prepared.config),
        metadata: known.as_ref().map(|known| &known.metadata),
    };
    let plan = seal::look(&session.host, &instance);
    if dry {
        for path in &plan.goes {
            table::line(&format!("would be removed: {}", path.display()));
        }
        for path in system::state(&session.host)? {
            table::line(&format!("would be removed: {}", path.display()));
        }
        if plan.has_machine_id {
            table::line(&format!("would be emptied: {MACHINE_ID}"));
        }
        left(&plan);
        return Ok(ExitCode::SUCCESS);
    }
    perform(&session, &plan)
}

/// What could not be removed costs itself; our own books go last, so that another try knows what
/// this one knew.
fn perform(session: &Session, plan: &Seal) -> anyhow::Result<ExitCode> {
    let host = &session.host;
    let mut failed = false;
    let mut removed = 0;
    for path in &plan.goes {
        match system::remove(host, path) {
            Ok(true) => {
                removed += 1;
                table::line(&format!("removed: {}", path.display()));
            }
            Ok(false) => {}
            Err(error) => {
                failed = true;
                table::complain(&format!("error: cannot remove {}: {error}", path.display()));
            }
        }
    }
    if plan.has_machine_id {
        match host.apply(&no_machine_id()) {
            Ok(_) => {
                removed += 1;
                table::line(&format!("emptied: {MACHINE_ID}"));
            }
            Err(error) => {
                failed = true;
                let why = contract::error::chain(&error);
                table::complain(&format!("error: {why}"));
            }
        }
    }
    left(plan);
    anyhow::ensure!(
        !failed,
        "this is not sealed yet: mend that, and seal it again"
    );
    removed += forget(session)?;
    host.settle()?;
    Ok(told(removed))
}

fn left(plan: &Seal) {
    for what in &plan.stays {
        table::line(&format!("left as it is: {what}"));
    }
}

/// Empty, an id is made at the next boot; `uninitialized` would also make it a first boot for
/// systemd, which then enables units by its presets again. Source: machine-id(5).
fn no_machine_id() -> Effect {
    Effect::File(FileSpec {
        at: MACHINE_ID.into(),
        content: Content::Plain(Vec::new()),
        mode: Mode::new(0o444),
        owner: Owner::Root,
    })
}
