//! LXD: its storage, its server and its bridge.
//!
//! Source: cloud-init, `cloudinit/config/cc_lxd.py`; the help of `lxd init` and `lxc network`.

mod bridge;

use std::time::Duration;

use contract::effect::{Effect, ToolSpec};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{self, Kind, Limits, Mapping, Value};
use serde::Deserialize;

use crate::fields::{Fields, wrong};
use crate::{distribution, packages, snap};

const NAME: &str = "lxd";

/// A snap is downloaded, and storage is made.
const LIMIT: Duration = Duration::from_secs(600);

/// Makes a pool of LVM without a thin pool, for which minimal kernels lack the module, and tries
/// again: <https://bugs.launchpad.net/ubuntu/+source/linux-kvm/+bug/1982780>.
const LVM: &str = r#""$@" && exit
lxc storage create default lvm lvm.use_thinpool=false || exit
for word; do
    shift
    case $word in --storage-backend=*) ;; *) set -- "$@" "$word" ;; esac
done
exec "$@"
"#;

/// What each kind of storage needs: a program, and the package that has it.
const STORAGE: &[(&str, &str, &str)] = &[
    ("zfs", "zfs", "zfsutils-linux"),
    ("lvm", "lvcreate", "lvm2"),
    ("btrfs", "mkfs.btrfs", "btrfs-progs"),
];

const INIT: &[Key] = &[
    Key::new(
        "network_address",
        Shape::Scalar,
        "the address that the server listens on",
    ),
    Key::new("network_port", Shape::Scalar, "its port"),
    Key::new(
        "storage_backend",
        Shape::Word(&["zfs", "dir", "lvm", "btrfs"]),
        "the kind of storage",
    )
    .or("dir"),
    Key::new(
        "storage_create_device",
        Shape::Scalar,
        "the device that a pool is made on",
    ),
    Key::new(
        "storage_create_loop",
        Shape::Scalar,
        "the size of a pool in a file, in GiB",
    ),
    Key::new(
        "storage_pool",
        Shape::Scalar,
        "the pool that is used or made",
    ),
    Key::new(
        "trust_password",
        Shape::Scalar,
        "what clients are trusted by",
    )
    .secret(),
];

const LXD: &[Key] = &[
    Key::new("init", Shape::Map(INIT), "what `lxd init --auto` is told"),
    Key::new(
        "bridge",
        Shape::Map(bridge::KEYS),
        "the bridge of the containers",
    ),
    Key::new(
        "preseed",
        Shape::Text,
        "what `lxd init --preseed` is given, in place of both",
    )
    .secret(),
];

/// Initializes LXD.
pub(crate) struct Lxd;

/// `lxd:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    lxd: Option<Value>,
}

impl Module for Lxd {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "install and initialize LXD",
        stage: Stage::Final,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            NAME,
            Shape::Map(LXD),
            "containers and machines of LXD",
        )],
    };
    const NOTES: &'static str = include_str!("notes/lxd.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let Some(lxd) = want.lxd else {
            return Plan::nothing();
        };
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let fields = Fields::of(NAME, &lxd, told).filter(|fields| !fields.map.is_empty());
        if let Some(fields) = fields {
            plan.steps = steps(&fields, ctx, told);
        }
        plan
    }
}

fn steps(fields: &Fields<'_>, ctx: &Context<'_>, told: &mut Vec<Problem>) -> Vec<Step> {
    let init = fields
        .below("init", told)
        .filter(|init| !init.map.is_empty());
    let bridge = fields
        .below("bridge", told)
        .filter(|bridge| !bridge.map.is_empty());
    let preseed = fields
        .get("preseed")
        .filter(|preseed| preseed.as_str() != Some(""));
    if let Some(preseed) = preseed.filter(|_| init.is_some() || bridge.is_some()) {
        let message =
            "lxd.preseed: it says all there is to say; nothing is done beside `init` and `bridge`";
        let problem = Problem::error(Some(preseed.place.clone()), message);
        told.push(problem.hint("put both into `preseed`"));
        return Vec::new();
    }
    if preseed.is_some_and(|preseed| preseed.as_str().is_none()) {
        told.extend(preseed.map(|preseed| wrong("lxd.preseed", preseed, "a string")));
        return Vec::new();
    }
    let preseed = preseed.and_then(Value::as_str);
    let mut steps: Vec<Step> = snap::seeded(ctx).into_iter().collect();
    let mut needed = Vec::new();
    if !distribution::has_program(ctx.probe, "lxd") {
        let argv = ["snap", "install", "lxd"];
        needed.push(Effect::tool(limited(ToolSpec::new("snap lxd", argv))));
    }
    needed.extend(storage(init.as_ref(), preseed, ctx, told));
    let argv = ["lxd", "waitready", "--timeout=300"];
    needed.push(Effect::tool(limited(ToolSpec::new("LXD answers", argv))));
    if let Some(text) = preseed {
        let argv = ["lxd", "init", "--preseed"];
        let tool = ToolSpec::new("LXD as `preseed` says", argv);
        let text = Secret::new(text.as_bytes().to_vec());
        needed.push(Effect::tool(limited(tool.stdin(text))));
    }
    let before = told.len();
    let tools = init.as_ref().map(|init| initialized(init, told));
    // What was asked for otherwise is not made, and no bridge is put into what is not there.
    let is_clear = told.len() == before;
    if let Some(tools) = tools.filter(|_| is_clear) {
        needed.extend(tools.into_iter().map(Effect::tool));
    }
    if let Some(bridge) = bridge.filter(|_| is_clear) {
        let tools = bridge::tools(&bridge, init.is_some(), ctx.probe, told);
        needed.extend(tools.into_iter().map(limited).map(Effect::tool));
    }
    steps.push(Step::new("init", needed));
    steps
}

/// The packages that the kinds of storage need.
fn storage(
    init: Option<&Fields<'_>>,
    preseed: Option<&str>,
    ctx: &Context<'_>,
    told: &mut Vec<Problem>,
) -> Option<Effect> {
    let mut kinds = Vec::new();
    if let Some(init) = init {
        kinds.extend(init.get("storage_backend").and_then(Value::to_text));
    }
    if let Some(text) = preseed.filter(|text| text.contains("storage_pools")) {
        match yaml::parse(text, "lxd.preseed", &Limits::default()) {
            Ok(document) => {
                let pools = document.value.get("storage_pools").and_then(Value::as_list);
                let drivers = pools.unwrap_or_default().iter();
                kinds.extend(drivers.filter_map(|pool| pool.get("driver")?.to_text()));
            }
            Err(_) => {
                let message = "lxd.preseed: it is no YAML, so what its storage needs is not known";
                told.push(Problem::warning(None, message));
            }
        }
    }
    let is_needed = |(kind, program, _): &&(&str, &str, &str)| {
        kinds.iter().any(|own| own == kind) && !distribution::has_program(ctx.probe, program)
    };
    let names = STORAGE
        .iter()
        .filter(is_needed)
        .map(|(_, _, package)| *package);
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return None;
    }
    packages::needed(&names, ctx)
}

/// `lxd init --auto` with what `init` says, and the password, which nobody may see.
fn initialized(init: &Fields<'_>, told: &mut Vec<Problem>) -> Vec<ToolSpec> {
    let mut argv = vec!["lxd".to_owned(), "init".to_owned(), "--auto".to_owned()];
    let mut password = None;
    let mut is_lvm = false;
    for key in INIT {
        let value = init.line(key.name, told).filter(|value| !value.is_empty());
        let Some(value) = value else { continue };
        if key.is_secret {
            password = Some(value);
            continue;
        }
        if let (Shape::Word(words), Some(given)) = (key.shape, init.get(key.name))
            && !words.contains(&value.as_str())
        {
            told.push(wrong(&init.name(key.name), given, &key.shape.name()));
            continue;
        }
        is_lvm |= key.name == "storage_backend" && value == "lvm";
        argv.push(format!("--{}={value}", key.name.replace('_', "-")));
    }
    if is_lvm {
        let start = ["sh", "-c", LVM, "init"].map(ToOwned::to_owned);
        argv.splice(0..0, start);
    }
    let mut tools = vec![limited(ToolSpec::new("LXD as `init` says", argv))];
    if let Some(password) = password {
        let argv = ["lxd", "init", "--preseed"];
        let tool = ToolSpec::new("the password of LXD", argv).stdin(trusted(password, init));
        tools.push(limited(tool));
    }
    tools
}

/// A preseed that sets the password and nothing else.
fn trusted(password: String, init: &Fields<'_>) -> Secret<Vec<u8>> {
    let place = init.get("trust_password").map(|value| value.place.clone());
    let Some(place) = place else {
        return Secret::default();
    };
    let value = |kind: Kind| Value::new(kind, place.clone());
    let pair = |name: &str, kind: Kind| -> Mapping {
        std::iter::once((value(name.into()), value(kind))).collect()
    };
    let config = pair("core.trust_password", password.into());
    let whole = value(Kind::Map(pair("config", Kind::Map(config))));
    Secret::new(yaml::to_string(&whole).into_bytes())
}

fn limited(mut tool: ToolSpec) -> ToolSpec {
    tool.timeout = LIMIT;
    tool.live_only()
}

#[cfg(test)]
mod tests;
