//! Packages: fresh lists, newest versions, what shall be installed, and a reboot if that needs one.
//!
//! Source: cloud-init, `cloudinit/config/cc_package_update_upgrade_install.py` and
//! `cloudinit/distros/package_management/apt.py`.

use contract::effect::{
    AptCommand, Effect, Package, PackageJob, PackageManager, PackagesSpec, PowerAction,
    PowerCondition, PowerSpec,
};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::place::Place;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::fields::wrong;
use crate::{hidden, switch};

const NAME: &str = "package_update_upgrade_install";

/// What packages leave behind that need a reboot.
const REBOOT_FILES: &[&str] = &["/var/run/reboot-required", "/run/reboot-needed"];

/// Source: cloud-init, `cloudinit/distros/package_management/apt.py` (`APT_GET_COMMAND`).
const APT_GET: [&str; 5] = [
    "apt-get",
    "--option=Dpkg::Options::=--force-confold",
    "--option=Dpkg::options::=--force-unsafe-io",
    "--assume-yes",
    "--quiet",
];

const PACKAGE: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Scalar)]);

const KEYS: &[Key] = &[
    Key::new(
        "packages",
        Shape::OneOf(&[
            Shape::List(&Shape::OneOf(&[
                Shape::Text,
                Shape::List(&Shape::Scalar),
                Shape::Map(&[
                    Key::new("apt", Shape::List(&PACKAGE), "packages for apt alone"),
                    Key::new("snap", Shape::List(&PACKAGE), "snaps"),
                ]),
            ])),
            Shape::Text,
        ]),
        "what shall be installed: names, or [name, version]",
    ),
    Key::new(
        "package_update",
        Shape::Switch,
        "fetch the lists of packages first",
    )
    .or("false")
    .once_called(&["apt_update"]),
    Key::new(
        "package_upgrade",
        Shape::Switch,
        "upgrade what is installed",
    )
    .or("false")
    .once_called(&["apt_upgrade"]),
    Key::new(
        "package_reboot_if_required",
        Shape::Switch,
        "reboot before what follows, if a package that was installed or upgraded needs it",
    )
    .or("false")
    .once_called(&["apt_reboot_if_required"]),
];

/// Updates, upgrades and installs packages.
pub(crate) struct Packages;

/// The keys, each read by itself: one that is wrong costs itself alone.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    packages: Option<Value>,
    package_update: Option<Value>,
    package_upgrade: Option<Value>,
    package_reboot_if_required: Option<Value>,
    apt_update: Option<Value>,
    apt_upgrade: Option<Value>,
    apt_reboot_if_required: Option<Value>,
}

impl Module for Packages {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "update, upgrade and install packages",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/packages.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let mut is_on = |values: [(&str, &Option<Value>); 2]| {
            let told = &mut plan.problems;
            let said = values.map(|(key, value)| switch::or(false, key, value.as_ref(), told));
            said.contains(&true)
        };
        let upgrade = is_on([
            ("package_upgrade", &want.package_upgrade),
            ("apt_upgrade", &want.apt_upgrade),
        ]);
        let update = is_on([
            ("package_update", &want.package_update),
            ("apt_update", &want.apt_update),
        ]);
        let reboot = is_on([
            (
                "package_reboot_if_required",
                &want.package_reboot_if_required,
            ),
            ("apt_reboot_if_required", &want.apt_reboot_if_required),
        ]);
        let mut entries = Entries::default();
        if let Some(packages) = &want.packages {
            entries.read(packages);
        }
        plan.problems.append(&mut entries.problems);
        if !(update || upgrade || entries.is_any()) {
            return plan;
        }
        let Some(here) = Here::of(ctx) else {
            let message = format!("{NAME}: no package manager of this distribution is known");
            plan.problems.push(Problem::error(None, message));
            return plan;
        };
        here.plan(&mut plan, update || upgrade, upgrade, entries);
        if reboot && !plan.steps.is_empty() {
            plan.push(Step::new(
                "reboot",
                [Effect::Power(Box::new(reboot_spec()))],
            ));
        }
        plan
    }
}

/// The rest of the run is done after it, at the next boot.
fn reboot_spec() -> PowerSpec {
    PowerSpec {
        asked_by: NAME,
        action: PowerAction::Reboot,
        argv: vec!["/sbin/reboot".to_owned()],
        condition: PowerCondition::AnyFile(REBOOT_FILES),
        ends_run: true,
    }
}

/// That packages are installed, for a module that needs them; `None` where nobody is known who
/// could.
#[must_use]
pub fn needed(names: &[&str], ctx: &Context<'_>) -> Option<Effect> {
    let here = Here::of(ctx)?;
    let packages = names.iter().map(|name| named(name));
    let job = here.install(packages.collect(), true);
    Some(effect(here.manager, job))
}

/// That these packages are installed, or, of those of which a manager may not know each, the first
/// that it knows. A distribution whose manager is not known is a problem of whoever needs them.
pub(crate) fn wanted(
    who: &str,
    packages: Vec<Package>,
    is_first: bool,
    ctx: &Context<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Effect> {
    let Some(here) = Here::of(ctx) else {
        let message = format!("{who}: no package manager of this distribution is known");
        problems.push(Problem::error(None, message));
        return None;
    };
    let job = match here.install(packages, true) {
        PackageJob::Install {
            packages, update, ..
        } if is_first => PackageJob::InstallFirst { packages, update },
        job => job,
    };
    Some(effect(here.manager, job))
}

/// That the lists of packages are those of now.
pub(crate) fn fresh_lists(ctx: &Context<'_>) -> Option<Effect> {
    Some(effect(Here::of(ctx)?.manager, PackageJob::Update))
}

/// What installs packages on this distribution, and how.
struct Here {
    manager: PackageManager,
    family: Family,
    is_amazon: bool,
    /// Whether snaps are part of the distribution, and snap(8) is there.
    has_snaps: bool,
}

impl Here {
    fn of(ctx: &Context<'_>) -> Option<Self> {
        let family = distribution::family(ctx.probe);
        let manager = match family {
            Family::Debian => PackageManager::Apt(apt(ctx)),
            Family::RedHat => PackageManager::Dnf,
            Family::Suse => PackageManager::Zypper,
            Family::Alpine => PackageManager::Apk,
            Family::Arch => PackageManager::Pacman,
            Family::Other => return None,
        };
        let id = distribution::id(ctx.probe);
        Some(Self {
            manager,
            family,
            is_amazon: id == "amzn",
            has_snaps: id == "ubuntu" && distribution::has_program(ctx.probe, "snap"),
        })
    }

    fn plan(&self, plan: &mut Plan, update: bool, upgrade: bool, entries: Entries) {
        // Amazon Linux's lists are those of its release, and nobody updates them.
        if update && !self.is_amazon {
            let job = effect(self.manager.clone(), PackageJob::Update);
            plan.push(Step::new("update", [job]));
        }
        if upgrade {
            let job = effect(self.manager.clone(), PackageJob::Upgrade);
            plan.push(Step::new("upgrade", [job]));
            if self.has_snaps {
                let job = effect(PackageManager::Snap, PackageJob::Upgrade);
                plan.push(Step::new("upgrade-snaps", [job]));
            }
        }
        let mut packages = entries.any;
        let may_be_snaps = match self.has_snaps {
            true => packages.clone(),
            false => Vec::new(),
        };
        for (place, package) in entries.apt {
            if self.family == Family::Debian {
                add(&mut packages, package);
                continue;
            }
            let message = format!(
                "packages: `{}` is for apt, and this distribution has none",
                package.name
            );
            let problem = Problem::error(Some(place), message);
            plan.problems.push(problem);
        }
        if !packages.is_empty() {
            let mut job = self.install(packages, !update);
            if let PackageJob::Install { or_snap, .. } = &mut job {
                *or_snap = may_be_snaps;
            }
            plan.push(Step::new("install", [effect(self.manager.clone(), job)]));
        }
        if !entries.snap.is_empty() {
            let job = PackageJob::Install {
                packages: entries.snap,
                update: false,
                or_snap: Vec::new(),
            };
            let snaps = effect(PackageManager::Snap, job);
            plan.push(Step::new("install-snaps", [snaps]));
        }
    }

    /// dnf(8) and zypper(8) look for themselves whether their lists are old.
    fn install(&self, packages: Vec<Package>, update: bool) -> PackageJob {
        let has_lists = matches!(self.family, Family::Debian | Family::Alpine | Family::Arch);
        PackageJob::Install {
            packages,
            update: update && has_lists,
            or_snap: Vec::new(),
        }
    }
}

fn effect(manager: PackageManager, job: PackageJob) -> Effect {
    Effect::Packages(Box::new(PackagesSpec { manager, job }))
}

/// What `packages` lists.
#[derive(Default)]
struct Entries {
    any: Vec<Package>,
    apt: Vec<(Place, Package)>,
    snap: Vec<Package>,
    problems: Vec<Problem>,
}

impl Entries {
    const fn is_any(&self) -> bool {
        !(self.any.is_empty() && self.apt.is_empty() && self.snap.is_empty())
    }

    fn read(&mut self, packages: &Value) {
        match &packages.kind {
            Kind::List(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    self.entry(entry, &format!("packages[{index}]"));
                }
            }
            Kind::String(_) => self.entry(packages, "packages"),
            _ => self.problems.push(wrong("packages", packages, "a list")),
        }
    }

    fn entry(&mut self, entry: &Value, path: &str) {
        let Some(managers) = entry.as_map() else {
            match package(entry, path) {
                Ok(package) => add(&mut self.any, package),
                Err(problem) => self.problems.push(problem),
            }
            return;
        };
        for (key, list) in managers.iter() {
            let manager = key.as_str().unwrap_or("?");
            let path = format!("{path}.{manager}");
            if !matches!(manager, "apt" | "snap") {
                let message = format!("{path}: no such package manager");
                let problem = Problem::error(Some(key.place.clone()), message);
                self.problems.push(problem.hint("write `apt` or `snap`"));
                continue;
            }
            let Some(list) = list.as_list() else {
                self.problems.push(wrong(&path, list, "a list"));
                continue;
            };
            for (index, entry) in list.iter().enumerate() {
                match package(entry, &format!("{path}[{index}]")) {
                    Ok(package) if manager == "snap" => add(&mut self.snap, package),
                    Ok(package) => self.apt.push((entry.place.clone(), package)),
                    Err(problem) => self.problems.push(problem),
                }
            }
        }
    }
}

fn add(packages: &mut Vec<Package>, package: Package) {
    if !packages.contains(&package) {
        packages.push(package);
    }
}

/// A name, `name=version`, or a list of both.
pub(crate) fn package(entry: &Value, path: &str) -> Result<Package, Problem> {
    let expected = || wrong(path, entry, "a name, or a list of name and version");
    let text = |value: &Value| value.to_text().ok_or_else(expected);
    let (name, version) = match &entry.kind {
        // An address or a path may have a `=`.
        Kind::String(name) => match name.split_once('=') {
            Some((name, version)) if !name.contains('/') => {
                (name.to_owned(), Some(version.to_owned()))
            }
            _ => (name.clone(), None),
        },
        Kind::List(words) => match words.as_slice() {
            [name] => (text(name)?, None),
            [name, version] if version.is_null() => (text(name)?, None),
            [name, version] => (text(name)?, Some(text(version)?)),
            _ => return Err(expected()),
        },
        _ => return Err(expected()),
    };
    let version = version.filter(|version| !version.is_empty());
    if hidden::has_secret(&name) {
        let message = format!("{path}: everybody would see the password or token in it");
        let hint = "fetch it with `write_files` and `source`, and give the path of that file here";
        return Err(Problem::error(Some(entry.place.clone()), message).hint(hint));
    }
    let is_version = version.as_ref().is_none_or(|text| !text.contains(is_odd));
    if is_name(&name) && is_version {
        return Ok(Package { name, version });
    }
    let message = format!("{path}: that is no name of a package");
    Err(Problem::error(Some(entry.place.clone()), message))
}

/// A package of whatever version.
pub(crate) fn named(name: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: None,
    }
}

/// Package managers would take anything else for an option, or for several names.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(is_odd)
}

fn is_odd(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// How apt-get is called: as the image says, or as cloud-init does.
fn apt(ctx: &Context<'_>) -> AptCommand {
    let system = ctx.config.get("system_info");
    let field = |name: &str| system?.get(name).filter(|value| !value.is_null());
    let words = |value: &Value| -> Option<Vec<String>> {
        match &value.kind {
            Kind::List(words) => words.iter().map(Value::to_text).collect(),
            _ => Some(vec![value.as_str()?.to_owned()]),
        }
    };
    let command = field("apt_get_command").and_then(words);
    let command = command.filter(|words| !words.is_empty());
    let command = command.unwrap_or_else(|| APT_GET.map(ToOwned::to_owned).into());
    let wrapper = field("apt_get_wrapper");
    let asked = wrapper.and_then(|wrapper| wrapper.get("enabled"));
    let with = wrapper.and_then(|wrapper| wrapper.get("command"));
    let with = with.and_then(words);
    let with = with.unwrap_or_else(|| vec!["eatmydata".to_owned()]);
    let is_there = || {
        let first = with.first().map(String::as_str);
        first.is_some_and(|name| distribution::has_program(ctx.probe, name))
    };
    // `auto`, which it is by default, is neither.
    let is_wrapped = asked.and_then(switch::read).unwrap_or_else(is_there);
    let upgrade = field("apt_get_upgrade_subcommand").and_then(Value::as_str);
    AptCommand {
        argv: match is_wrapped {
            true => with.into_iter().chain(command).collect(),
            false => command,
        },
        upgrade: upgrade.unwrap_or("dist-upgrade").to_owned(),
    }
}

#[cfg(test)]
mod tests;
