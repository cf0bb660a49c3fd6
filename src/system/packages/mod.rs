//! Packages, by whatever installs them on this distribution.
//!
//! Source: cloud-init, `cloudinit/config/cc_package_update_upgrade_install.py` and
//! `cloudinit/distros/package_management/`. What is installed already is left alone here, and no
//! repository is asked about it.

mod apt;
mod attempt;
mod command;
mod installed;
mod locks;
mod outcome;
mod rpm;
mod snap;

use std::sync::atomic::Ordering;

use contract::effect::{Package, PackageJob, PackageManager, PackagesSpec};
use contract::error::{EffectError, chain};
use contract::machine::{Change, NotDone, Probe};
use contract::secret::without_passwords;

use crate::host::Host;
use crate::tools;

use attempt::attempt;
use command::{Job, Tool};
use outcome::Outcome;

/// Brings about what a spec says of packages.
pub(crate) fn apply(host: &Host, spec: &PackagesSpec) -> Result<Change, EffectError> {
    let tool = command::tool(&spec.manager, host);
    if let Some(why) = missing(host, host, &tool) {
        return Ok(Change::NotDone(why));
    }
    let name = spec.manager.name();
    match (&spec.job, &tool) {
        (PackageJob::InstallFirst { packages, update }, _) => {
            first(host, &spec.manager, packages, *update)
        }
        (PackageJob::Update, _) => {
            let note = update(host, name, &tool)?;
            Ok(Change::Made { note })
        }
        (PackageJob::Upgrade, Tool::Snap) => snap::refresh(host),
        (PackageJob::Upgrade, _) => {
            let note = attempt(host, name, &command::argv(&tool, Job::Upgrade))?;
            Ok(Change::Made { note })
        }
        (PackageJob::Install { packages, .. }, Tool::Snap) => {
            let packages: Vec<&Package> = packages.iter().collect();
            let mut outcome = Outcome::default();
            snap::install(host, &packages, &mut outcome)?;
            outcome.change()
        }
        (
            PackageJob::Install {
                packages,
                update,
                or_snap,
            },
            _,
        ) => {
            let install = Install {
                host,
                manager: &spec.manager,
                tool,
                update: *update,
                or_snap,
            };
            install.run(packages)
        }
    }
}

/// Fetches the lists. What the whole run needs of them is known then.
fn update(host: &Host, name: &'static str, tool: &Tool) -> Result<Option<String>, EffectError> {
    let note = attempt(host, name, &command::argv(tool, Job::Update))?;
    host.has_lists.fetch_or(note.is_none(), Ordering::Relaxed);
    Ok(note)
}

/// Tries one package after the other. The error is that of the last one.
fn first(
    host: &Host,
    manager: &PackageManager,
    packages: &[Package],
    update: bool,
) -> Result<Change, EffectError> {
    let books = installed::of(manager, host).map_err(unreadable)?;
    let is_so = |one: &Package| books.as_ref().is_some_and(|all| installed::is_so(all, one));
    let mut tried = Ok(Change::AlreadySo);
    if packages.iter().any(is_so) {
        return tried;
    }
    for (index, package) in packages.iter().enumerate() {
        let job = PackageJob::Install {
            packages: vec![package.clone()],
            update: update && index == 0,
            or_snap: Vec::new(),
        };
        let manager = manager.clone();
        tried = apply(host, &PackagesSpec { manager, job });
        if !matches!(tried, Err(EffectError::Packages { .. })) {
            break;
        }
    }
    tried
}

/// What a spec would change.
pub(crate) fn preview(
    host: &Host,
    probe: &dyn Probe,
    spec: &PackagesSpec,
) -> Result<Change, EffectError> {
    let tool = command::tool(&spec.manager, probe);
    if let Some(why) = missing(host, probe, &tool) {
        return Ok(Change::NotDone(why));
    }
    let would_run = |job| {
        let line = command::argv(&tool, job).join(" ");
        format!("`{}` would be run", without_passwords(&line))
    };
    let diff = match &spec.job {
        PackageJob::Update => vec![would_run(Job::Update)],
        PackageJob::Upgrade => vec![would_run(Job::Upgrade)],
        PackageJob::InstallFirst { packages, .. } => {
            let books = installed::of(&spec.manager, probe).map_err(unreadable)?;
            let is_so = |one: &Package| {
                let books = books.as_ref();
                books.is_some_and(|all| installed::is_so(all, one))
            };
            if packages.iter().any(is_so) {
                return Ok(Change::AlreadySo);
            }
            let names: Vec<String> = packages.iter().map(ToString::to_string).collect();
            vec![format!("{} would be installed", names.join(" or "))]
        }
        PackageJob::Install { packages, .. } => {
            let books = installed::of(&spec.manager, probe).map_err(unreadable)?;
            let is_so = |package: &Package| match &books {
                Some(books) => installed::is_so(books, package),
                None => false,
            };
            let wanted: Vec<&Package> = packages.iter().filter(|one| !is_so(one)).collect();
            if wanted.is_empty() {
                return Ok(Change::AlreadySo);
            }
            match books {
                Some(_) => {
                    let lines = wanted.iter().map(|one| format!("{one} would be installed"));
                    lines.collect()
                }
                None => vec![would_run(Job::Install(&wanted))],
            }
        }
    };
    Ok(Change::WouldMake { diff })
}

fn missing(host: &Host, probe: &dyn Probe, tool: &Tool) -> Option<NotDone> {
    let argv = command::argv(tool, Job::Update);
    tools::missing(host, probe, argv.first().map_or("", String::as_str))
}

fn unreadable(source: std::io::Error) -> EffectError {
    EffectError::System {
        what: "read which packages are installed",
        source,
    }
}

/// One installation.
struct Install<'a> {
    host: &'a Host,
    manager: &'a PackageManager,
    tool: Tool,
    update: bool,
    or_snap: &'a [Package],
}

impl Install<'_> {
    fn run(&self, packages: &[Package]) -> Result<Change, EffectError> {
        let before = self.books()?;
        let is_so = |package: &&Package| {
            let books = before.as_ref();
            books.is_some_and(|books| installed::is_so(books, package))
        };
        let wanted: Vec<&Package> = packages.iter().filter(|one| !is_so(one)).collect();
        if wanted.is_empty() {
            return Ok(Change::AlreadySo);
        }
        let mut outcome = Outcome::default();
        let name = self.manager.name();
        if self.update && !self.host.has_lists.load(Ordering::Relaxed) {
            // What the lists of before know can be installed nevertheless.
            outcome.stale = match update(self.host, name, &self.tool) {
                Err(error @ EffectError::EndedByShutdown { .. }) => return Err(error),
                Err(error) => Some(chain(&error)),
                Ok(note) => note,
            };
        }
        let (known, unknown) = match &self.tool {
            Tool::Apt { .. } => {
                let names = apt::names(self.host)?;
                let is_known = |one: &&&Package| names.contains(installed::base(&one.name));
                wanted.iter().partition(is_known)
            }
            _ => (wanted, Vec::new()),
        };
        if !known.is_empty() {
            let argv = command::argv(&self.tool, Job::Install(&known));
            match attempt(self.host, name, &argv) {
                Err(error @ EffectError::EndedByShutdown { .. }) => return Err(error),
                Err(error) => outcome.errors.push(error),
                Ok(_) => {}
            }
        }
        self.note(&known, &mut outcome)?;
        let may_be = |one: &&&Package| self.or_snap.contains(one);
        let (snaps, unknown): (Vec<&Package>, Vec<&Package>) = unknown.iter().partition(may_be);
        snap::install(self.host, &snaps, &mut outcome)?;
        let names = unknown.iter().map(|one| one.name.clone());
        outcome.unknown.extend(names);
        outcome.change()
    }

    /// What became of each package.
    fn note(&self, packages: &[&Package], outcome: &mut Outcome) -> Result<(), EffectError> {
        let books = match self.tool {
            Tool::Dnf | Tool::Yum | Tool::Zypper | Tool::Transactional => {
                rpm::installed(self.host, packages)
            }
            _ => self.books()?.unwrap_or_default(),
        };
        for package in packages {
            let now = installed::version(&books, package);
            match now {
                Some(version) => {
                    let base = installed::base(&package.name);
                    outcome.installed.push(format!("{base} {version}"));
                }
                None if outcome.errors.is_empty() => outcome.installed.push(package.to_string()),
                None => outcome.failed.push(package.to_string()),
            }
        }
        Ok(())
    }

    fn books(&self) -> Result<Option<installed::Installed>, EffectError> {
        installed::of(self.manager, self.host).map_err(unreadable)
    }
}
