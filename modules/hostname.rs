//! The host name: set once for an instance, followed at later boots unless an admin changed it.
//!
//! Source: cloud-init, `cloudinit/config/cc_set_hostname.py`, `cc_update_hostname.py` and
//! `cloudinit/util.py` (`get_hostname_fqdn`) and `cloudinit/distros/` (`update_hostname`).

use std::net::Ipv4Addr;

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::Hostname;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Placed, Switch, Text};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::files;

#[cfg(test)]
mod tests;

const ETC_HOSTNAME: &str = "/etc/hostname";

/// What firstlight wrote to /etc/hostname last: another text there is an admin's.
const PREVIOUS: &str = "/var/lib/firstlight/previous-hostname";

/// The longest name that Linux takes (`HOST_NAME_MAX`, hostname(7)).
const LONGEST: usize = 64;

const KEYS: &[Key] = &[
    Key::new(
        "hostname",
        Shape::Scalar,
        "the machine's name; with a dot in it, the full one",
    ),
    Key::new("fqdn", Shape::Scalar, "the machine's full name"),
    Key::new(
        "prefer_fqdn_over_hostname",
        Shape::Switch,
        "whether the full name is the host name; by default with Red Hat's family",
    ),
    Key::new(
        "preserve_hostname",
        Shape::Switch,
        "leave the machine's name alone",
    )
    .or("false"),
    Key::new(
        "create_hostname_file",
        Shape::Switch,
        "make /etc/hostname if it is not there",
    )
    .or("true"),
];

/// The keys that say what this machine is called.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    hostname: Option<Placed<Text>>,
    fqdn: Option<Placed<Text>>,
    prefer_fqdn_over_hostname: Option<Switch>,
    preserve_hostname: Option<Switch>,
    create_hostname_file: Option<Switch>,
}

/// A host name and a full one, which may be the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) short: String,
    pub(crate) full: String,
}

impl Names {
    fn of(full: &Hostname) -> Self {
        Self {
            short: full.short().to_owned(),
            full: full.to_string(),
        }
    }
}

impl Wanted {
    /// `fqdn` wins; a `hostname` with a dot is full; beside one without a dot the full name is the
    /// cloud's, and without either both are.
    pub(crate) fn names(&self, ctx: &Context<'_>) -> Result<Option<Names>, Problem> {
        let checked = |given: &Placed<Text>, key: &str| {
            given.value.0.parse::<Hostname>().map_err(|error| {
                Problem::error(Some(given.place.clone()), format!("{key}: {error}"))
            })
        };
        let hostname = self.hostname.as_ref();
        let hostname = hostname.map(|name| checked(name, "hostname")).transpose()?;
        let cloud = || ctx.instance.local_hostname.as_ref().map(from_cloud);
        Ok(match (&self.fqdn, hostname) {
            (Some(fqdn), hostname) => {
                let mut names = Names::of(&checked(fqdn, "fqdn")?);
                if let Some(hostname) = hostname {
                    names.short = hostname.into();
                }
                Some(names)
            }
            (None, Some(name)) if name.domain().is_some() => Some(Names::of(&name)),
            (None, Some(name)) => Some(Names {
                full: cloud().unwrap_or_else(|| name.clone()).into(),
                short: name.into(),
            }),
            (None, None) => tagged(ctx)
                .ok()
                .flatten()
                .or_else(cloud)
                .as_ref()
                .map(Names::of),
        })
    }

    /// The name to set, and what is odd about it.
    ///
    /// Source of the default: cloud-init, `cloudinit/distros/rhel.py` (`prefer_fqdn`).
    fn name(
        &self,
        ctx: &Context<'_>,
        told: &mut Vec<Problem>,
    ) -> Result<Option<Hostname>, Problem> {
        if self.preserve_hostname.is_some_and(|switch| switch.0) {
            return Ok(None);
        }
        let Some(names) = self.names(ctx)? else {
            return Ok(None);
        };
        if let (None, None, Err(problem)) = (&self.fqdn, &self.hostname, tagged(ctx)) {
            told.push(problem);
        }
        let default = || distribution::family(ctx.probe) == Family::RedHat;
        let is_full = self
            .prefer_fqdn_over_hostname
            .map_or_else(default, |switch| switch.0);
        if is_full && names.full.len() > LONGEST {
            let place = self.fqdn.as_ref().or(self.hostname.as_ref());
            let message =
                format!("the full name is longer than {LONGEST} bytes; the short one is set");
            told.push(Problem::warning(
                place.map(|name| name.place.clone()),
                message,
            ));
            return Ok(names.short.parse().ok());
        }
        if let (true, None, Some(given)) = (is_full, &self.fqdn, &self.hostname)
            && given.value.0 != names.short_of_full()
        {
            let message =
                "hostname: a full name is preferred here, and the full name is the cloud's";
            let hint = "give `fqdn` as well, or `prefer_fqdn_over_hostname: false`";
            let problem = Problem::warning(Some(given.place.clone()), message);
            told.push(problem.hint(hint));
        }
        let name = if is_full { names.full } else { names.short };
        Ok(name.parse().ok())
    }

    /// Whether /etc/hostname is to be written. hostnamectl(1), with which cloud-init sets the name on
    /// Red Hat's and SUSE's, leaves it alone unless it may be made; elsewhere one that is there is
    /// kept right.
    fn writes_file(&self, ctx: &Context<'_>) -> bool {
        let is_there = || files::exists(ctx.probe, ETC_HOSTNAME);
        let family = || distribution::family(ctx.probe);
        let by_hostnamectl = || matches!(family(), Family::RedHat | Family::Suse);
        self.create_hostname_file.is_none_or(|switch| switch.0) || (is_there() && !by_hostnamectl())
    }

    /// What makes `name` the machine's, in the kernel and, if that may be, in its file.
    fn set(&self, name: &Hostname, ctx: &Context<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.writes_file(ctx) {
            let old = files::text(ctx.probe, ETC_HOSTNAME).unwrap_or_default();
            effects.push(Effect::file(ETC_HOSTNAME, with_name(&old, name)));
        }
        effects.push(Effect::Hostname(name.clone()));
        effects
    }
}

impl Names {
    fn short_of_full(&self) -> &str {
        self.full.split('.').next().unwrap_or(&self.full)
    }
}

/// An IPv4 address is no name: `10.0.0.1` becomes `ip-10-0-0-1`.
fn from_cloud(name: &Hostname) -> Hostname {
    let address = name.as_str().parse::<Ipv4Addr>().ok();
    let made = address.and_then(|ip| {
        format!("ip-{}", ip.to_string().replace('.', "-"))
            .parse()
            .ok()
    });
    made.unwrap_or_else(|| name.clone())
}

/// The name in the instance's tag that the image names, where the metadata has tags; a tag that is no
/// name is a problem, and the cloud's name counts.
fn tagged(ctx: &Context<'_>) -> Result<Option<Hostname>, Problem> {
    let from = ctx.config.get("firstlight");
    let from = from.and_then(|section| section.get("hostname_from"));
    let Some((from, key)) =
        from.and_then(|from| Some((from, from.as_str()?.strip_prefix("tag:")?)))
    else {
        return Ok(None);
    };
    let place = || Some(from.place.clone());
    let tags = ctx.instance.rest.get("meta-data");
    let tags = tags.and_then(|data| data.get("tags")?.get("instance"));
    let Some(tag) = tags.and_then(|tags| tags.get(key)) else {
        let message = format!("the metadata has no tag `{key}`; the cloud's name counts");
        let hint = "let the instance show its tags in its metadata (InstanceMetadataTags), and set that one";
        return Err(Problem::warning(place(), message).hint(hint));
    };
    let name = tag.as_str().unwrap_or_default().parse();
    name.map(Some).map_err(|error| {
        let message = format!("the tag `{key}` is {error}; the cloud's name counts");
        Problem::warning(place(), message)
    })
}

/// The name in /etc/hostname, if there is one.
pub(crate) fn current(ctx: &Context<'_>) -> Option<Names> {
    let text = files::text(ctx.probe, ETC_HOSTNAME)?;
    name_in(&text)?.parse().ok().as_ref().map(Names::of)
}

/// The names in a file such as /etc/hostname, comments left out (hostname(5)).
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let bare = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or("").trim());
    bare.filter(|line| !line.is_empty())
}

/// The one name in a file; several are none, as with cloud-init.
fn name_in(text: &str) -> Option<&str> {
    let name = names_in(text).next()?;
    names_in(text).all(|other| other == name).then_some(name)
}

/// The text of /etc/hostname with this name; what else is in it stays.
fn with_name(old: &str, name: &Hostname) -> String {
    if name_in(old).is_none() && names_in(old).next().is_some() {
        return format!("{name}\n");
    }
    let mut lines = Vec::new();
    let mut is_there = false;
    for line in old.lines() {
        let Some(now) = name_in(line) else {
            lines.push(line.to_owned());
            continue;
        };
        lines.push(line.trim().replacen(now, name.as_str(), 1));
        is_there = true;
    }
    if !is_there {
        lines.push(name.to_string());
    }
    format!("{}\n", lines.join("\n"))
}

/// Sets the host name once for an instance.
pub(crate) struct SetHostname;

impl Module for SetHostname {
    const FACTS: Facts = Facts {
        name: "set_hostname",
        summary: "give the machine its name",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/hostname.md");
    type Section = Wanted;

    fn plan(want: Wanted, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let mut want = want;
        let mut name = want.name(ctx, &mut plan.problems);
        if let Err(problem) = name {
            plan.problems.push(problem);
            // The cloud's name is better than none.
            want.hostname = None;
            want.fqdn = None;
            name = want.name(ctx, &mut plan.problems);
        }
        if let Ok(Some(name)) = name {
            let mut effects = want.set(&name, ctx);
            effects.push(Effect::file(PREVIOUS, format!("{name}\n")));
            plan.push(Step::new("hostname", effects));
        }
        plan
    }
}

/// Follows a changed name at later boots, and leaves an admin's alone.
pub(crate) struct UpdateHostname;

impl Module for UpdateHostname {
    const FACTS: Facts = Facts {
        name: "update_hostname",
        summary: "follow a changed name, unless an admin changed it",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/hostname.md");
    type Section = Wanted;

    fn plan(want: Wanted, ctx: &Context<'_>) -> Plan {
        let (now, ours) = (
            files::text(ctx.probe, ETC_HOSTNAME),
            files::text(ctx.probe, PREVIOUS),
        );
        let (now, ours) = (
            now.as_deref().and_then(name_in),
            ours.as_deref().and_then(name_in),
        );
        if now.is_some() && ours.is_some() && now != ours {
            return Plan::nothing();
        }
        // What is odd about a name was told of by set_hostname.
        let Ok(Some(name)) = want.name(ctx, &mut Vec::new()) else {
            return Plan::nothing();
        };
        let wanted = Some(name.as_str());
        let mut effects = Vec::new();
        if now.is_none() || (now == ours && now != wanted) {
            effects = want.set(&name, ctx);
        }
        if ours != wanted {
            effects.push(Effect::file(PREVIOUS, format!("{name}\n")));
        }
        let mut plan = Plan::nothing();
        plan.push(Step::new("hostname", effects));
        plan
    }
}
