//! The host name: set once for an instance, followed at later boots unless an admin changed it.
//!
//! Source: cloud-init, `cloudinit/config/cc_set_hostname.py`, `cc_update_hostname.py` and
//! `cloudinit/util.py` (`get_hostname_fqdn`).

use std::net::Ipv4Addr;
use std::path::Path;

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::Hostname;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Placed, Text};
use serde::Deserialize;

use crate::distribution;

const ETC_HOSTNAME: &str = "/etc/hostname";

/// What firstlight wrote to /etc/hostname last: another text there is an admin's.
const PREVIOUS: &str = "/var/lib/firstlight/previous-hostname";

const KEYS: &[Key] = &[
    Key::new(
        "hostname",
        Shape::Scalar,
        "the machine's name; with a dot in it, the full one",
    ),
    Key::new("fqdn", Shape::Scalar, "the machine's full name"),
    Key::new(
        "prefer_fqdn_over_hostname",
        Shape::Bool,
        "whether the full name is the host name; by default with Red Hat's family",
    ),
    Key::new(
        "preserve_hostname",
        Shape::Bool,
        "leave the machine's name alone",
    )
    .or("false"),
    Key::new(
        "create_hostname_file",
        Shape::Bool,
        "make /etc/hostname if it is not there",
    )
    .or("true"),
];

/// The keys that say what this machine is called.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wanted {
    hostname: Option<Placed<Text>>,
    fqdn: Option<Placed<Text>>,
    prefer_fqdn_over_hostname: Option<bool>,
    preserve_hostname: Option<bool>,
    create_hostname_file: Option<bool>,
}

/// A short name and a full one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) short: String,
    pub(crate) full: String,
}

impl Wanted {
    /// `fqdn` wins; a `hostname` with a dot is full; without either it is what the cloud says.
    pub(crate) fn names(&self, ctx: &Context<'_>) -> Result<Option<Names>, Problem> {
        let checked = |given: &Placed<Text>, key: &str| {
            given.value.0.parse::<Hostname>().map_err(|error| {
                Problem::error(Some(given.place.clone()), format!("{key}: {error}"))
            })
        };
        let full = match (&self.fqdn, &self.hostname) {
            (Some(fqdn), hostname) => {
                let fqdn = checked(fqdn, "fqdn")?;
                let short = hostname
                    .as_ref()
                    .map(|name| checked(name, "hostname"))
                    .transpose()?;
                let short =
                    short.map_or_else(|| fqdn.short().to_owned(), |name| name.short().to_owned());
                return Ok(Some(Names {
                    short,
                    full: fqdn.to_string(),
                }));
            }
            (None, Some(hostname)) => checked(hostname, "hostname")?,
            (None, None) => match &ctx.instance.local_hostname {
                Some(name) => from_cloud(name),
                None => return Ok(None),
            },
        };
        Ok(Some(Names {
            short: full.short().to_owned(),
            full: full.to_string(),
        }))
    }

    /// Source of the default: cloud-init, `cloudinit/distros/rhel.py` (`prefer_fqdn`).
    fn written(&self, names: Names, ctx: &Context<'_>) -> String {
        let default = || distribution::is_red_hat_like(ctx.probe);
        if self.prefer_fqdn_over_hostname.unwrap_or_else(default) {
            names.full
        } else {
            names.short
        }
    }

    /// The name to set, and the problem if there is one.
    fn name(&self, ctx: &Context<'_>) -> Result<Option<Hostname>, Problem> {
        if self.preserve_hostname.unwrap_or(false) {
            return Ok(None);
        }
        let Some(names) = self.names(ctx)? else {
            return Ok(None);
        };
        Ok(self.written(names, ctx).parse().ok())
    }

    fn step(&self, name: &Hostname, ctx: &Context<'_>) -> Step {
        let text = format!("{name}\n");
        let mut effects = Vec::new();
        let is_there = matches!(ctx.probe.kind(Path::new(ETC_HOSTNAME)), Ok(Some(_)));
        if is_there || self.create_hostname_file.unwrap_or(true) {
            effects.push(Effect::file(ETC_HOSTNAME, text.clone()));
        }
        effects.push(Effect::Hostname(name.clone()));
        effects.push(Effect::file(PREVIOUS, text));
        Step::new("hostname", effects)
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
    type Section = Wanted;

    fn plan(want: Wanted, ctx: &Context<'_>) -> Plan {
        match want.name(ctx) {
            Ok(Some(name)) => want.step(&name, ctx).into(),
            Ok(None) => Plan::nothing(),
            Err(problem) => Plan::problem(problem),
        }
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
    type Section = Wanted;

    fn plan(want: Wanted, ctx: &Context<'_>) -> Plan {
        let text = |path: &str| {
            let bytes = ctx.probe.read(Path::new(path)).ok().flatten()?;
            Some(String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let (now, ours) = (text(ETC_HOSTNAME), text(PREVIOUS));
        if ours.is_none() || now != ours {
            return Plan::nothing();
        }
        // A name that cannot be used was told of by set_hostname.
        match want.name(ctx) {
            Ok(Some(name)) => want.step(&name, ctx).into(),
            Ok(None) | Err(_) => Plan::nothing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    #[test]
    fn the_name_is_the_users_before_the_clouds() {
        #[rustfmt::skip]
        let table = [
            // configuration                                                     written
            ("{}",                                                               "ip-10-0-0-7"),
            ("hostname: web",                                                    "web"),
            ("hostname: web.example.com",                                        "web"),
            ("fqdn: db.example.com",                                             "db"),
            ("{fqdn: db.example.com, hostname: web}",                            "web"),
            ("{fqdn: db.example.com, prefer_fqdn_over_hostname: yes}",           "db.example.com"),
            ("hostname: 42",                                                     "42"),
        ];
        for (config, name) in table {
            let mut setting = Setting::default();
            setting.instance.local_hostname = Some("10.0.0.7".parse().unwrap());
            let plan = setting.plan::<SetHostname>(config);
            assert_eq!(
                plan.text_of("/etc/hostname").as_deref(),
                Some(&*format!("{name}\n")),
                "{config}"
            );
        }
        assert!(
            Setting::default()
                .plan::<SetHostname>("{hostname: a, preserve_hostname: true}")
                .steps
                .is_empty()
        );
    }

    #[test]
    fn a_distribution_that_prefers_full_names_gets_them() {
        #[rustfmt::skip]
        let table = [
            // os-release        configuration                          written
            ("ID=\"amzn\"\n",   "{}",                                  "ip-10-0-0-7.ec2.internal"),
            ("ID=rocky\n",      "{}",                                  "ip-10-0-0-7.ec2.internal"),
            ("ID=debian\n",     "{}",                                  "ip-10-0-0-7"),
            ("ID=\"amzn\"\n",   "prefer_fqdn_over_hostname: false",    "ip-10-0-0-7"),
        ];
        for (release, config, name) in table {
            let mut setting = Setting {
                machine: FakeMachine::with(&[("/etc/os-release", release)]),
                ..Setting::default()
            };
            setting.instance.local_hostname = Some("ip-10-0-0-7.ec2.internal".parse().unwrap());
            let text = setting.plan::<SetHostname>(config).text_of(ETC_HOSTNAME);
            assert_eq!(text, Some(format!("{name}\n")), "{release:?} {config}");
        }
    }

    #[test]
    fn a_file_that_shall_not_be_made_is_still_kept_right() {
        let config = "{hostname: web, create_hostname_file: false}";
        let setting = Setting::default();
        assert_eq!(
            setting.plan::<SetHostname>(config).text_of(ETC_HOSTNAME),
            None
        );
        let setting = Setting {
            machine: FakeMachine::with(&[(ETC_HOSTNAME, "old\n")]),
            ..setting
        };
        let text = setting.plan::<SetHostname>(config).text_of(ETC_HOSTNAME);
        assert_eq!(text.as_deref(), Some("web\n"));
    }

    #[test]
    fn a_bad_name_is_told_with_its_place() {
        let plan = Setting::default().plan::<SetHostname>("hostname: -bad");
        assert!(
            plan.problems[0]
                .to_string()
                .starts_with("test:1:11: hostname: not a valid host name"),
            "{plan:?}"
        );
    }

    #[test]
    fn an_admins_name_is_left_alone() {
        let with = |now: &str| Setting {
            machine: FakeMachine::with(&[("/etc/hostname", now), (PREVIOUS, "web\n")]),
            ..Setting::default()
        };
        assert!(
            with("mine\n")
                .plan::<UpdateHostname>("hostname: web2")
                .steps
                .is_empty()
        );
        let plan = with("web\n").plan::<UpdateHostname>("hostname: web2");
        assert_eq!(plan.text_of("/etc/hostname").as_deref(), Some("web2\n"));
    }
}
