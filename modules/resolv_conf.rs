//! Name servers in /etc/resolv.conf, on the distributions where cloud-init writes them.
//!
//! Source: cloud-init, `cloudinit/config/cc_resolv_conf.py` and `templates/resolv.conf.tmpl`.

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::template::Variables;
use contract::yaml::{Placed, Switch, Value};
use serde::Deserialize;

use crate::distribution::Release;
use crate::fields::Fields;
use crate::files;

const NAME: &str = "resolv_conf";

const TEXTS: Shape = Shape::List(&Shape::Text);

const KEYS: &[Key] = &[
    Key::new(
        "manage_resolv_conf",
        Shape::Switch,
        "whether `resolv_conf` is written",
    )
    .or("false"),
    Key::new(
        NAME,
        Shape::Map(&[
            Key::new("nameservers", TEXTS, "addresses of name servers"),
            Key::new(
                "searchdomains",
                TEXTS,
                "domains in which names are looked for",
            ),
            Key::new("domain", Shape::Text, "the machine's own domain"),
            Key::new("sortlist", TEXTS, "networks whose addresses come first"),
            Key::new(
                "options",
                Shape::Named(&Shape::Scalar),
                "options of resolv.conf(5), each with its value or true",
            ),
        ]),
        "what is in /etc/resolv.conf",
    ),
];

/// Those whose systemd-resolved is told instead.
const RESOLVED: &[&str] = &["azurelinux", "mariner", "photon"];

/// Writes name servers.
pub(crate) struct ResolvConf;

/// `manage_resolv_conf` and `resolv_conf`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    manage_resolv_conf: Option<Placed<Switch>>,
    resolv_conf: Option<Value>,
}

impl Module for ResolvConf {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "write name servers where nothing else does",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/resolv_conf.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(manage) = want.manage_resolv_conf.filter(|manage| manage.value.0) else {
            return Plan::nothing();
        };
        let Some(section) = want.resolv_conf else {
            let message = "manage_resolv_conf: there is no `resolv_conf` to write";
            return Plan::problem(Problem::warning(Some(manage.place), message));
        };
        let file = if Release::of(ctx.probe).is_one_of(RESOLVED) {
            "/etc/systemd/resolved.conf"
        } else {
            "/etc/resolv.conf"
        };
        let mut problems = Vec::new();
        let wanted = Wanted::of(&section, &mut problems);
        let mut plan = Plan::nothing();
        match wanted.map(|wanted| text(file, &wanted, ctx)) {
            Some(Ok(text)) => plan.push(Step::new(NAME, [Effect::file(file, text)])),
            Some(Err(problem)) => problems.push(problem),
            None => {}
        }
        plan.problems = problems;
        plan
    }
}

#[derive(Default)]
struct Wanted {
    nameservers: Vec<String>,
    searchdomains: Vec<String>,
    domain: Option<String>,
    sortlist: Vec<String>,
    flags: Vec<String>,
    options: Vec<(String, String)>,
}

impl Wanted {
    /// What it says, line by line; `None` if it is no mapping.
    fn of(section: &Value, told: &mut Vec<Problem>) -> Option<Self> {
        let fields = Fields::of("resolv_conf", section, told)?;
        let mut wanted = Self {
            nameservers: fields.lines("nameservers", told),
            searchdomains: fields.lines("searchdomains", told),
            domain: fields.line("domain", told),
            sortlist: fields.lines("sortlist", told),
            ..Self::default()
        };
        if let Some(options) = fields.below("options", told) {
            for (name, value) in options.pairs() {
                if name.contains(char::is_control) {
                    let message = "resolv_conf.options: expected names of one line";
                    told.push(Problem::error(Some(value.place.clone()), message));
                    continue;
                }
                match value.as_bool() {
                    Some(true) => wanted.flags.push(name.to_owned()),
                    Some(false) => {}
                    None => {
                        let value = options.line(name, told);
                        let option = value.map(|value| (name.to_owned(), value));
                        wanted.options.extend(option);
                    }
                }
            }
            wanted.flags.sort();
            wanted.options.sort();
        }
        Some(wanted)
    }

    /// What a template sees: what was not given is not there.
    fn variables(&self) -> Variables {
        let mut variables = Variables::default()
            .list("flags", &self.flags)
            .pairs("options", &self.options);
        for (name, words) in [
            ("nameservers", &self.nameservers),
            ("searchdomains", &self.searchdomains),
            ("sortlist", &self.sortlist),
        ] {
            if !words.is_empty() {
                variables = variables.list(name, words);
            }
        }
        match &self.domain {
            Some(domain) => variables.text("domain", domain),
            None => variables,
        }
    }
}

/// The image's template with it, or what cloud-init's own templates come to.
fn text(file: &str, wanted: &Wanted, ctx: &Context<'_>) -> Result<String, Problem> {
    let is_resolved = file.ends_with("resolved.conf");
    let name = if is_resolved {
        "systemd.resolved.conf"
    } else {
        "resolv.conf"
    };
    if let Some(rendered) = files::rendered(name, || wanted.variables(), ctx) {
        return rendered;
    }
    let mut lines = vec!["# Written by firstlight (manage_resolv_conf: true).".to_owned()];
    if is_resolved {
        lines.extend(["[Resolve]".to_owned(), "LLMNR=false".to_owned()]);
        for (name, words) in [
            ("DNS", &wanted.nameservers),
            ("Domains", &wanted.searchdomains),
        ] {
            if !words.is_empty() {
                lines.push(format!("{name}={}", words.join(" ")));
            }
        }
    } else {
        let servers = wanted.nameservers.iter();
        lines.extend(servers.map(|server| format!("nameserver {server}")));
        let options = wanted.options.iter();
        let options = options.map(|(name, value)| format!("{name}:{value}"));
        let options: Vec<String> = wanted.flags.iter().cloned().chain(options).collect();
        let domain: Vec<String> = wanted.domain.iter().cloned().collect();
        for (name, words) in [
            ("search", &wanted.searchdomains),
            ("domain", &domain),
            ("sortlist", &wanted.sortlist),
            ("options", &options),
        ] {
            if !words.is_empty() {
                lines.push(format!("{name} {}", words.join(" ")));
            }
        }
    }
    Ok(format!("{}\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const CONFIG: &str = "
manage_resolv_conf: true
resolv_conf:
  nameservers: [10.0.0.2, 10.0.0.3]
  searchdomains: [a.example, b.example]
  domain: example.com
  sortlist: [10.0.0.0/8]
  options: {timeout: 1, rotate: true, debug: false, attempts: 2, edns0: true}
";

    fn on(id: &str) -> Setting {
        Setting {
            machine: FakeMachine::with(&[("/etc/os-release", &format!("ID={id}\n"))]),
            ..Setting::default()
        }
    }

    #[test]
    fn name_servers_are_written_where_cloud_init_writes_them() {
        let plan = on("rhel").plan::<ResolvConf>(CONFIG);
        let text = "# Written by firstlight (manage_resolv_conf: true).\n\
                    nameserver 10.0.0.2\nnameserver 10.0.0.3\n\
                    search a.example b.example\ndomain example.com\nsortlist 10.0.0.0/8\n\
                    options edns0 rotate attempts:2 timeout:1\n";
        assert_eq!(plan.text_of("/etc/resolv.conf").as_deref(), Some(text));
        let plan = on("photon").plan::<ResolvConf>(CONFIG);
        let text = plan.text_of("/etc/systemd/resolved.conf").unwrap();
        assert!(
            text.ends_with("DNS=10.0.0.2 10.0.0.3\nDomains=a.example b.example\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_wrong_costs_itself_alone() {
        #[rustfmt::skip]
        let table = [
            // configuration                                                                lines  says
            ("{manage_resolv_conf: false, resolv_conf: {domain: a}}",                        0, ""),
            ("{resolv_conf: {domain: a}}",                                                   0, ""),
            ("{manage_resolv_conf: true}",                                                   0, "no `resolv_conf` to write"),
            ("{manage_resolv_conf: true, resolv_conf: [10.0.0.2]}",                          0, "resolv_conf: expected a mapping"),
            ("{manage_resolv_conf: 'yes', resolv_conf: {nameservers: {a: b}, domain: a}}",   1, "resolv_conf.nameservers: expected a string"),
            ("{manage_resolv_conf: true, resolv_conf: {nameservers: [[1]], domain: a}}",     1, "resolv_conf.nameservers[0]: expected a string"),
            ("{manage_resolv_conf: true, resolv_conf: {domain: \"a\\nb\"}}",               1, "test:1:50: resolv_conf.domain: expected one line of text"),
            ("{manage_resolv_conf: true, resolv_conf: {sortlist: [\"a\\nb\"]}}",           1, "resolv_conf.sortlist[0]: expected one line of text"),
            ("{manage_resolv_conf: true, resolv_conf: {options: {a: \"1\\nb\"}}}",         1, "resolv_conf.options.a: expected one line of text"),
            ("{manage_resolv_conf: true, resolv_conf: {options: {\"a\\nb\": true}}}",      1, "resolv_conf.options: expected names of one line"),
        ];
        for (config, count, says) in table {
            let plan = on("rhel").plan::<ResolvConf>(config);
            assert_eq!(plan.steps.len(), count, "{config}");
            let told = plan.problems.first().map(ToString::to_string);
            assert!(
                told.unwrap_or_default().contains(says),
                "{config}: {plan:?}"
            );
            assert_eq!(plan.problems.is_empty(), says.is_empty(), "{config}");
        }
    }
}
