//! /etc/hosts. Source: cloud-init, `cloudinit/config/cc_update_etc_hosts.py`.

use std::path::Path;

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Placed, Value};
use serde::Deserialize;

use crate::hostname::{Names, Wanted};

const ETC_HOSTS: &str = "/etc/hosts";

const KEYS: &[Key] = &[Key::new(
    "manage_etc_hosts",
    Shape::OneOf(&[Shape::Bool, Shape::Word(&["localhost", "template"])]),
    "`true` writes all of /etc/hosts at every boot, `localhost` the machine's own line",
)
.or("false")];

/// Keeps the machine's own names in /etc/hosts when it is asked to.
pub(crate) struct UpdateEtcHosts;

/// The key that is this module's own; the names are read as set_hostname reads them.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    manage_etc_hosts: Option<Placed<Value>>,
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
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(manage) = want.manage_etc_hosts else {
            return Plan::nothing();
        };
        let whole = match &manage.value.kind {
            Kind::Bool(false) => return Plan::nothing(),
            Kind::Bool(true) => true,
            Kind::String(word) if word == "template" => true,
            Kind::String(word) if word == "localhost" => false,
            _ => {
                let problem = Problem::error(
                    Some(manage.place),
                    "manage_etc_hosts: expected true, false or localhost",
                );
                return Plan::problem(problem);
            }
        };
        // A name that cannot be used was told of by set_hostname.
        let names = ctx.config.section::<Wanted>(&["hostname", "fqdn"]).ok();
        let Some(names) = names.and_then(|wanted| wanted.names(ctx).ok().flatten()) else {
            return Plan::nothing();
        };
        let old = ctx
            .probe
            .read(Path::new(ETC_HOSTS))
            .ok()
            .flatten()
            .unwrap_or_default();
        let old = String::from_utf8_lossy(&old).into_owned();
        let text = if whole {
            all_lines(&names)
        } else {
            with_own_line(&old, &names)
        };
        Step::new("hosts", [Effect::file(ETC_HOSTS, text)]).into()
    }
}

fn own_line(names: &Names) -> String {
    if names.full == names.short {
        format!("127.0.1.1 {}", names.short)
    } else {
        format!("127.0.1.1 {} {}", names.full, names.short)
    }
}

fn all_lines(names: &Names) -> String {
    let own = own_line(names);
    let ipv6 = own.replacen("127.0.1.1", "::1", 1);
    format!(
        "# Written by firstlight at every boot (manage_etc_hosts: true).\n{own}\n127.0.0.1 localhost\n\
         {ipv6}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n"
    )
}

fn with_own_line(old: &str, names: &Names) -> String {
    let own = own_line(names);
    let is_own = |line: &str| line.split_whitespace().next() == Some("127.0.1.1");
    let mut lines: Vec<&str> = Vec::new();
    let mut placed = false;
    for line in old.lines() {
        if !is_own(line) {
            lines.push(line);
        } else if !placed {
            lines.push(&own);
            placed = true;
        }
    }
    if !placed {
        lines.insert(0, &own);
    }
    format!("{}\n", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    #[test]
    fn only_the_machines_own_line_changes_with_localhost() {
        #[rustfmt::skip]
        let table = [
            ("127.0.0.1 localhost\n",                        "127.0.1.1 web.example.com web\n127.0.0.1 localhost\n"),
            ("# mine\n127.0.1.1 old\n10.0.0.1 db\n",         "# mine\n127.0.1.1 web.example.com web\n10.0.0.1 db\n"),
            ("",                                             "127.0.1.1 web.example.com web\n"),
        ];
        for (old, new) in table {
            let setting = Setting {
                machine: FakeMachine::with(&[(ETC_HOSTS, old)]),
                ..Setting::default()
            };
            let plan = setting
                .plan::<UpdateEtcHosts>("{manage_etc_hosts: localhost, fqdn: web.example.com}");
            assert_eq!(plan.text_of(ETC_HOSTS).as_deref(), Some(new), "{old:?}");
        }
    }

    #[test]
    fn nothing_is_touched_unless_asked_for() {
        for config in [
            "{}",
            "hostname: web",
            "{hostname: web, manage_etc_hosts: false}",
        ] {
            assert!(
                Setting::default()
                    .plan::<UpdateEtcHosts>(config)
                    .steps
                    .is_empty(),
                "{config}"
            );
        }
        let plan =
            Setting::default().plan::<UpdateEtcHosts>("{hostname: web, manage_etc_hosts: [1]}");
        assert!(plan.problems[0].to_string().contains("test:1:"), "{plan:?}");
    }
}
