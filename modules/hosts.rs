//! /etc/hosts. Source: cloud-init, `cloudinit/config/cc_update_etc_hosts.py` and
//! `cloudinit/distros/__init__.py` (`update_etc_hosts`).

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::template::Variables;
use contract::yaml::{Placed, Switch, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::files;
use crate::hostname::{self, Names, Wanted};

#[cfg(test)]
mod tests;

const ETC_HOSTS: &str = "/etc/hosts";

const KEYS: &[Key] = &[Key::new(
    "manage_etc_hosts",
    Shape::OneOf(&[Shape::Switch, Shape::Word(&["localhost", "template"])]),
    "`true` writes all of /etc/hosts at every boot, `localhost` adds the machine's own line",
)
.or("false")];

/// Keeps the machine's own names in /etc/hosts when it is asked to.
pub(crate) struct UpdateEtcHosts;

/// The key that is this module's own; the names are read as set_hostname reads them.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    manage_etc_hosts: Option<Placed<Value>>,
}

/// How much of the file is ours.
enum Manage {
    Nothing,
    Line,
    Whole,
}

impl Module for UpdateEtcHosts {
    const FACTS: Facts = Facts {
        name: "update_etc_hosts",
        summary: "keep the machine's own names in /etc/hosts",
        stage: Stage::Identity,
        frequency: Frequency::Always,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/hosts.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(manage) = want.manage_etc_hosts else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        let how = manage_of(&manage, &mut plan.problems);
        if matches!(how, Manage::Nothing) {
            return plan;
        }
        // A name that cannot be used was told of by set_hostname.
        let wanted = ctx.config.section::<Wanted>(&["hostname", "fqdn"]).ok();
        let names = wanted.and_then(|wanted| wanted.names(ctx).ok().flatten());
        let Some(names) = names.or_else(|| hostname::current(ctx)) else {
            let message = "manage_etc_hosts: the machine has no name";
            let problem = Problem::warning(Some(manage.place), message).of_machine();
            plan.problems.push(problem.hint("give `hostname`"));
            return plan;
        };
        let text = match how {
            Manage::Whole => match whole(&names, ctx) {
                Ok(text) => Some(text),
                Err(problem) => {
                    plan.problems.push(problem);
                    None
                }
            },
            _ => with_own_line(&names, ctx),
        };
        if let Some(text) = text {
            plan.push(Step::new("hosts", [Effect::file(ETC_HOSTS, text)]));
        }
        plan
    }
}

fn manage_of(manage: &Placed<Value>, problems: &mut Vec<Problem>) -> Manage {
    let place = || Some(manage.place.clone());
    if let Some(Switch(on)) = Switch::of(&manage.value) {
        return if on { Manage::Whole } else { Manage::Nothing };
    }
    match manage.value.as_str() {
        Some("localhost") => Manage::Line,
        Some("template") => {
            let message = "manage_etc_hosts: `template` is an old spelling";
            problems.push(Problem::notice(place(), message).hint("write `true`"));
            Manage::Whole
        }
        _ => {
            let message = "manage_etc_hosts: expected true, false or localhost";
            problems.push(Problem::error(place(), message));
            Manage::Nothing
        }
    }
}

/// The whole file: the image's template, or the lines that cloud-init's own templates have.
fn whole(names: &Names, ctx: &Context<'_>) -> Result<String, Problem> {
    let family = distribution::family(ctx.probe);
    let name = match family {
        Family::Debian => "debian".to_owned(),
        Family::RedHat => "redhat".to_owned(),
        Family::Suse => "suse".to_owned(),
        Family::Alpine => "alpine".to_owned(),
        Family::Arch => "arch".to_owned(),
        Family::Other => distribution::id(ctx.probe),
    };
    let name = format!("hosts.{name}");
    let variables = || {
        let variables = Variables::default().text("hostname", &names.short);
        variables.text("fqdn", &names.full)
    };
    files::rendered(&name, variables, ctx).unwrap_or_else(|| Ok(lines(family, names)))
}

/// Source: cloud-init, `templates/hosts.*.tmpl`.
fn lines(family: Family, names: &Names) -> String {
    let own = format!("{} {}", names.full, names.short);
    let head = "# Written by firstlight at every boot (manage_etc_hosts: true).\n";
    let body = match family {
        Family::RedHat => format!(
            "127.0.0.1 {own}\n127.0.0.1 localhost.localdomain localhost\n\
             127.0.0.1 localhost4.localdomain4 localhost4\n\n\
             ::1 {own}\n::1 localhost.localdomain localhost\n\
             ::1 localhost6.localdomain6 localhost6\n"
        ),
        _ => format!(
            "127.0.1.1 {own}\n127.0.0.1 localhost\n\n\
             ::1 localhost ip6-localhost ip6-loopback\n\
             ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
        ),
    };
    format!("{head}{body}")
}

/// The file with a line of the machine's own behind it; `None` if it has one. Every line that is
/// there stays.
fn with_own_line(names: &Names, ctx: &Context<'_>) -> Option<String> {
    let address = match distribution::family(ctx.probe) {
        Family::Debian | Family::Suse | Family::Alpine => "127.0.1.1",
        Family::RedHat | Family::Arch | Family::Other => "127.0.0.1",
    };
    let old = files::text(ctx.probe, ETC_HOSTS).unwrap_or_default();
    let is_own = |line: &str| {
        let mut words = line.split('#').next().unwrap_or("").split_whitespace();
        words.next() == Some(address)
            && words.next() == Some(&names.full)
            && words.any(|alias| alias == names.short)
    };
    if old.lines().any(is_own) {
        return None;
    }
    let gap = if old.is_empty() || old.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    Some(format!(
        "{old}{gap}{address}\t{}\t{}\n",
        names.full, names.short
    ))
}
