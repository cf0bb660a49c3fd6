//! Ubuntu Pro: settings of its client, attaching, and its services.
//!
//! Source: cloud-init, `cloudinit/config/cc_ubuntu_pro.py`; pro(1).

use std::time::Duration;

use contract::effect::{Effect, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{self, Kind, Mapping, Value};
use serde::Deserialize;

use crate::fields::{self, Fields, wrong};
use crate::hidden::{self, has_password};
use crate::{distribution, packages};

const NAME: &str = "ubuntu_pro";

/// Attaching fetches lists of packages, and installs some.
const LIMIT: Duration = Duration::from_secs(1800);

/// Attaches the machine unless it is attached: see its first line.
const ATTACH: &str = include_str!("ubuntu_pro/attach.sh");

/// The settings whose values are addresses. Source: cloud-init, `KNOWN_PRO_CONFIG_PROPS`.
const PROXIES: &[&str] = &[
    "http_proxy",
    "https_proxy",
    "global_apt_http_proxy",
    "global_apt_https_proxy",
    "ua_apt_http_proxy",
    "ua_apt_https_proxy",
];

const SERVICES: Shape = Shape::OneOf(&[Shape::List(&Shape::Text), Shape::Text]);

const PRO: &[Key] = &[
    Key::new(
        "token",
        Shape::Text,
        "the contract's token; an Ubuntu Pro instance needs none",
    )
    .secret(),
    Key::new("enable", SERVICES, "the services that are enabled"),
    Key::new(
        "enable_beta",
        SERVICES,
        "services in beta that an Ubuntu Pro instance enables",
    ),
    Key::new(
        "features",
        Shape::Map(&[Key::new(
            "disable_auto_attach",
            Shape::Switch,
            "whether an Ubuntu Pro instance is not attached by itself",
        )
        .or("false")]),
        "how the client behaves",
    ),
    Key::new(
        "config",
        Shape::Named(&Shape::Scalar),
        "settings of the client, such as `http_proxy`; null unsets one",
    ),
];

/// Attaches the machine.
pub(crate) struct UbuntuPro;

/// `ubuntu_pro:`, in all its spellings.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ubuntu_pro: Option<Value>,
    ubuntu_advantage: Option<Value>,
    #[serde(rename = "ubuntu-advantage")]
    old: Option<Value>,
}

impl Module for UbuntuPro {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "attach the machine to Ubuntu Pro and enable its services",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(PRO),
            "attachment to Ubuntu Pro, and its services",
        )
        .once_called(&["ubuntu_advantage", "ubuntu-advantage"])],
    };
    const NOTES: &'static str = include_str!("notes/ubuntu_pro.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let pro = want.ubuntu_pro.or(want.ubuntu_advantage).or(want.old);
        let Some(pro) = pro else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        let Some(fields) = Fields::of(NAME, &pro, &mut plan.problems) else {
            return plan;
        };
        if let Some(commands) = fields.get("commands") {
            let message = "ubuntu_pro.commands: commands are not run any more; nothing is done";
            let problem = Problem::error(Some(commands.place.clone()), message);
            return Plan::problem(problem.hint("give `token`, and `enable` with services"));
        }
        if !distribution::has_program(ctx.probe, "pro") {
            let package = packages::needed(&["ubuntu-advantage-tools"], ctx);
            plan.push(Step::new("client", package));
        }
        settings(&fields, &mut plan);
        attach(&pro, &fields, &mut plan);
        plan
    }
}

/// `config`, in the order of the names.
fn settings(fields: &Fields<'_>, plan: &mut Plan) {
    let Some(config) = fields.below("config", &mut plan.problems) else {
        return;
    };
    for (key, value) in fields::sorted(config.map) {
        let name = key.to_text().unwrap_or_default();
        match setting(&name, value, &config, &mut plan.problems) {
            Ok(tool) => plan.push(Step::new(format!("config-{name}"), [Effect::tool(tool)])),
            Err(problem) => plan.problems.push(problem),
        }
    }
}

fn setting(
    name: &str,
    value: &Value,
    config: &Fields<'_>,
    told: &mut Vec<Problem>,
) -> Result<ToolSpec, Problem> {
    let place = || Some(value.place.clone());
    if !is_word(name) {
        let message = format!("{}: that is no name of a setting", config.path);
        return Err(Problem::error(place(), message));
    }
    let path = config.name(name);
    let is_proxy = PROXIES.contains(&name);
    if !is_proxy {
        let message = format!("{path}: a setting that is not known is given to `pro` as it is");
        told.push(Problem::warning(place(), message));
    }
    if value.is_null() {
        let argv = ["pro", "config", "unset", name];
        return Ok(ToolSpec::new(format!("no {name} for Ubuntu Pro"), argv));
    }
    let text = value
        .to_text()
        .filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| wrong(&path, value, "a string"))?;
    let is_web = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if is_proxy && !is_web(&text.to_ascii_lowercase()) {
        let message = format!("{path}: expected an address that begins with http:// or https://");
        return Err(Problem::error(place(), message));
    }
    let what = format!("{name} for Ubuntu Pro");
    let pair = format!("{name}={text}");
    Ok(if has_password(&text) {
        hidden::tool(what, &["pro", "config", "set"], vec![Secret::new(pair)])
    } else {
        ToolSpec::new(what, ["pro", "config", "set", &pair])
    })
}

/// An Ubuntu Pro instance attaches itself; another one does with the token.
fn attach(pro: &Value, fields: &Fields<'_>, plan: &mut Plan) {
    let told = &mut plan.problems;
    let features = fields.below("features", told);
    let is_auto =
        !features.is_some_and(|features| features.switch("disable_auto_attach", false, told));
    let token = fields.line("token", told).filter(|token| !token.is_empty());
    let mut services = |name| fields.words(name, is_word, "that is no name of a service", told);
    let enable = services("enable");
    let beta = services("enable_beta");
    let has_only_features = fields
        .map
        .keys()
        .all(|key| key.as_str() == Some("features"));
    let state = match token {
        Some(_) => "given",
        None if has_only_features => "not-needed",
        None => "missing",
    };
    if !is_auto && state != "given" {
        if state == "missing" {
            let message = "ubuntu_pro: missing key `token`, without which nothing is attached";
            told.push(Problem::error(Some(pro.place.clone()), message));
        }
        return;
    }
    let lists = [("enable", &enable), ("enable_beta", &beta)];
    let given = lists
        .into_iter()
        .filter(|(name, _)| fields.get(name).is_some());
    let options: Vec<String> = given.map(|(name, list)| json(name, list)).collect();
    let options = format!("{{{}}}", options.join(", "));
    let auto = if is_auto { "yes" } else { "no" };
    let start = ["sh", "-c", ATTACH, "attach", auto, &options, state];
    let services = enable.iter().map(String::as_str);
    let argv = start.into_iter().chain(services);
    let mut tool = ToolSpec::new("the machine is attached to Ubuntu Pro", argv).live_only();
    tool.unchanged = &[3];
    tool.timeout = LIMIT;
    if let Some(token) = token {
        tool = tool.stdin(Secret::new(configuration(token, pro).into_bytes()));
    }
    plan.push(Step::new("attach", [Effect::tool(tool)]));
}

/// What `pro attach --attach-config` reads.
fn configuration(token: String, pro: &Value) -> String {
    let value = |kind: Kind| Value::new(kind, pro.place.clone());
    let pair = (value("token".into()), value(token.into()));
    let map: Mapping = std::iter::once(pair).collect();
    yaml::to_string(&value(Kind::Map(map)))
}

/// Whether it can stand in arguments and in JSON as it is.
fn is_word(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_inner)
}

fn json(name: &str, list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|word| format!("\"{word}\"")).collect();
    format!("\"{name}\": [{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests;
