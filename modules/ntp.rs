//! The clock, kept right by a client of the network time protocol.
//!
//! Source: cloud-init, `cloudinit/config/cc_ntp.py`.

use std::path::{Path, PathBuf};

use contract::effect::{Effect, UnitVerb};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::template::Variables;
use contract::yaml::{Placed, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::fields::{self, Fields};
use crate::files;
use crate::{packages, services};

mod clients;
mod own;
#[cfg(test)]
mod tests;

use clients::{Client, Dialect};
use own::Sources;

const NAME: &str = "ntp";

const HOSTS: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]);

const FIELDS: &[Key] = &[
    Key::new("enabled", Shape::Switch, "whether anything is done").or("true"),
    Key::new(
        "ntp_client",
        Shape::Text,
        "auto, chrony, ntp, ntpdate, openntpd, systemd-timesyncd, or one that `config` describes",
    )
    .or("auto"),
    Key::new(
        "pools",
        HOSTS,
        "pools of servers; by default the distribution's, if there are no `servers`",
    ),
    Key::new("servers", HOSTS, "servers to ask"),
    Key::new("peers", HOSTS, "machines that ask each other"),
    Key::new("allow", HOSTS, "networks that may ask this machine"),
    Key::new(
        "config",
        Shape::Map(&[
            Key::new("confpath", Shape::Text, "the file that the client reads"),
            Key::new(
                "check_exe",
                Shape::Text,
                "a program that is there when the client is",
            ),
            Key::new(
                "packages",
                Shape::List(&Shape::Text),
                "packages that bring it",
            ),
            Key::new("service_name", Shape::Text, "its service"),
            Key::new(
                "template",
                Shape::Text,
                "the file's text, of jinja behind a first line `## template:jinja`",
            ),
        ]),
        "what is otherwise about the client",
    ),
];

/// Configures a client, and installs it if it is not there.
pub(crate) struct Ntp;

/// `ntp:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ntp: Option<Value>,
}

impl Module for Ntp {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "keep the clock right",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(FIELDS),
            "who tells this machine the time",
        )],
    };
    const NOTES: &'static str = include_str!("notes/ntp.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let Some(section) = want.ntp else {
            return plan;
        };
        let Some(fields) = Fields::of(NAME, &section, told) else {
            return plan;
        };
        if !fields.switch("enabled", true, told) {
            return plan;
        }
        let family = distribution::family(ctx.probe);
        let Some(wanted) = Wanted::of(&fields, family, ctx, told) else {
            return plan;
        };
        let sources = wanted.sources(&fields, family, ctx, told);
        match wanted.text(&sources, family, ctx) {
            Ok(text) => plan.push(wanted.step(text, ctx)),
            Err(problem) => plan.problems.push(problem),
        }
        plan
    }
}

/// The client, with what `config` says of it.
struct Wanted {
    /// `None`: one that only `config` knows.
    client: Option<Client>,
    confpath: String,
    check_exe: String,
    packages: Vec<String>,
    service: String,
    template: Option<Placed<String>>,
}

impl Wanted {
    fn of(
        fields: &Fields<'_>,
        family: Family,
        ctx: &Context<'_>,
        told: &mut Vec<Problem>,
    ) -> Option<Self> {
        let asked = fields.text("ntp_client", told);
        let client = client(asked.as_ref(), family, ctx);
        let config = fields.get("config");
        let name = fields.name("config");
        let given = match config {
            Some(config) => Given::of(&Fields::of(&name, config, told)?, told)?,
            None => Given::default(),
        };
        let wanted = given.of_client(client);
        if wanted.is_none() {
            let place = asked.map(|asked| asked.place);
            let message =
                "ntp.ntp_client: no such client is known, and `config` does not say all of it";
            let hint = format!(
                "write {}, or give confpath, check_exe, packages, service_name and template",
                clients::NAMES.join(", ")
            );
            told.push(Problem::error(place, message).hint(hint));
        }
        wanted
    }

    fn sources(
        &self,
        fields: &Fields<'_>,
        family: Family,
        ctx: &Context<'_>,
        told: &mut Vec<Problem>,
    ) -> Sources {
        let mut hosts = |key: &str| {
            let mut hosts = fields.texts(key, told).unwrap_or_default();
            hosts.retain(|host| {
                let is_one_line = !host.value.contains(char::is_control) && !host.value.is_empty();
                if !is_one_line {
                    let message = format!("{}: expected a host, of one line", fields.name(key));
                    told.push(Problem::error(Some(host.place.clone()), message));
                }
                is_one_line
            });
            fields::plain(hosts)
        };
        let mut sources = Sources {
            pools: hosts("pools"),
            servers: hosts("servers"),
            peers: hosts("peers"),
            allow: hosts("allow"),
        };
        let pool = || clients::pool(&distribution::name(ctx), family);
        // BusyBox's daemon knows servers alone.
        if family == Family::Alpine && self.service == "ntpd" {
            if sources.servers.is_empty() {
                sources.servers = pool();
            }
        } else if sources.servers.is_empty() && sources.pools.is_empty() {
            sources.pools = pool();
        }
        sources
    }

    /// By the template that was given, or the image's, or else ours.
    fn text(
        &self,
        sources: &Sources,
        family: Family,
        ctx: &Context<'_>,
    ) -> Result<String, Problem> {
        let variables = || {
            Variables::default()
                .list("pools", &sources.pools)
                .list("servers", &sources.servers)
                .list("peers", &sources.peers)
                .list("allow", &sources.allow)
        };
        if let Some(template) = &self.template {
            return (ctx.render)(&template.value, &variables()).map_err(|error| {
                let message = format!("ntp.config.template: {error}");
                Problem::error(Some(template.place.clone()), message)
            });
        }
        let client = self.client.as_ref();
        let name = client.map_or("", |client| client.template);
        let name = match name.ends_with('.') {
            true => format!("{name}{}", distribution::name(ctx)),
            false => name.to_owned(),
        };
        if let Some(rendered) = files::rendered(&name, variables, ctx) {
            return rendered;
        }
        let dialect = client.map_or(Dialect::Ntp, |client| client.dialect);
        Ok(own::text(dialect, family, sources))
    }

    /// What was in the file stays beside it, under cloud-init's name for it.
    fn step(&self, text: String, ctx: &Context<'_>) -> Step {
        let mut effects = Vec::new();
        let now = ctx.probe.read(Path::new(&self.confpath)).ok().flatten();
        let kept = PathBuf::from(format!("{}.dist", self.confpath));
        let is_kept = || ctx.probe.kind(&kept).map_or(true, |kind| kind.is_some());
        if let Some(now) = now.filter(|now| now != text.as_bytes() && !is_kept()) {
            effects.push(Effect::file(kept.clone(), now));
        }
        effects.push(Effect::file(PathBuf::from(&self.confpath), text));
        if !self.packages.is_empty() && !distribution::is_program(ctx.probe, &self.check_exe) {
            let names: Vec<&str> = self.packages.iter().map(String::as_str).collect();
            effects.extend(packages::needed(&names, ctx));
        }
        let mut step = Step::new(NAME, effects);
        let job = services::job(UnitVerb::ReloadOrStart, &self.service, ctx.probe);
        step.on_change.push(job);
        step
    }
}

/// What was asked for, or what the image says, or what is there.
fn client(asked: Option<&Placed<String>>, family: Family, ctx: &Context<'_>) -> Option<Client> {
    let asked = asked.map(|asked| asked.value.as_str());
    let system = ctx.config.get("system_info");
    let system = system.and_then(|system| system.get("ntp_client")?.as_str());
    match asked.filter(|name| *name != "auto").or(system) {
        None | Some("auto") => clients::preferred(family, ctx.probe),
        Some(name) => clients::named(name, family),
    }
}

/// What `config` says.
#[derive(Default)]
struct Given {
    confpath: Option<String>,
    check_exe: Option<String>,
    packages: Option<Vec<String>>,
    service: Option<String>,
    template: Option<Placed<String>>,
}

impl Given {
    /// `None`: what is wrong about it could not be guessed.
    fn of(fields: &Fields<'_>, told: &mut Vec<Problem>) -> Option<Self> {
        let before = told.len();
        let given = Self {
            confpath: text(fields, "confpath", "an absolute path", told, |path| {
                path.starts_with('/') && !path.contains(char::is_control)
            }),
            check_exe: text(fields, "check_exe", "the name of a program", told, |name| {
                !name.is_empty()
            }),
            service: text(
                fields,
                "service_name",
                "the name of a service",
                told,
                services::is_name,
            ),
            packages: fields.texts("packages", told).map(|names| {
                let (good, bad): (Vec<_>, Vec<_>) = names
                    .into_iter()
                    .partition(|name| packages::is_name(&name.value));
                told.extend(bad.into_iter().map(|name| {
                    let message =
                        format!("{}: that is no name of a package", fields.name("packages"));
                    Problem::error(Some(name.place), message)
                }));
                fields::plain(good)
            }),
            template: fields
                .text("template", told)
                .filter(|text| !text.value.is_empty()),
        };
        (told.len() == before).then_some(given)
    }

    /// With what is known of the client; `None` if that is not all that is needed.
    fn of_client(self, client: Option<Client>) -> Option<Wanted> {
        let known = client.as_ref();
        let or =
            |given: Option<String>, known: Option<&str>| given.or(known.map(ToOwned::to_owned));
        let packages = || {
            let names = known?.packages.iter();
            Some(names.map(|name| (*name).to_owned()).collect())
        };
        if self.template.is_none() && known.is_none() {
            return None;
        }
        Some(Wanted {
            confpath: or(self.confpath, known.map(|known| known.confpath))?,
            check_exe: or(self.check_exe, known.map(|known| known.check_exe))?,
            service: or(self.service, known.map(|known| known.service))?,
            packages: self.packages.or_else(packages)?,
            template: self.template,
            client,
        })
    }
}

fn text(
    fields: &Fields<'_>,
    key: &str,
    wanted: &str,
    told: &mut Vec<Problem>,
    is_good: impl Fn(&str) -> bool,
) -> Option<String> {
    let text = fields.text(key, told)?;
    if is_good(&text.value) {
        return Some(text.value);
    }
    let message = format!("{}: expected {wanted}", fields.name(key));
    told.push(Problem::error(Some(text.place), message));
    None
}
