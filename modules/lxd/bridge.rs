//! The bridge that connects containers.

use std::path::Path;

use contract::effect::ToolSpec;
use contract::machine::Probe;
use contract::plan::Problem;
use contract::schema::{Key, Shape};
use contract::yaml::Value;

use crate::fields::Fields;
use crate::files;
use crate::switch;

/// What `lxd init --auto` makes itself.
const DEFAULT_NAME: &str = "lxdbr0";

/// The modes of a bridge.
const MODES: &[&str] = &["none", "existing", "new"];

/// Takes the bridge that `lxd init` made away; that there is none is no fault.
const REMOVE: &str = r#"lxc network detach-profile "$1" default --force-local
case $? in
0) exec lxc network delete "$1" --force-local ;;
1) exit 3 ;;
*) exit 1 ;;
esac
"#;

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "mode",
        Shape::Word(MODES),
        "whether there is one, and whose",
    )
    .required(),
    Key::new("name", Shape::Scalar, "its name").or(DEFAULT_NAME),
    Key::new(
        "mtu",
        Shape::Integer(-1, 65_535),
        "its MTU; -1 for LXD's own",
    )
    .or("-1"),
    Key::new("ipv4_address", Shape::Scalar, "its address"),
    Key::new(
        "ipv4_netmask",
        Shape::Scalar,
        "the length of the network's prefix",
    ),
    Key::new(
        "ipv4_dhcp_first",
        Shape::Scalar,
        "the first address that is lent",
    ),
    Key::new(
        "ipv4_dhcp_last",
        Shape::Scalar,
        "the last address that is lent",
    ),
    Key::new(
        "ipv4_dhcp_leases",
        Shape::Scalar,
        "how many are lent; LXD decides that itself",
    ),
    Key::new(
        "ipv4_nat",
        Shape::Switch,
        "whether addresses are translated",
    )
    .or("true"),
    Key::new("ipv6_address", Shape::Scalar, "its IPv6 address"),
    Key::new(
        "ipv6_netmask",
        Shape::Scalar,
        "the length of the IPv6 network's prefix",
    ),
    Key::new(
        "ipv6_nat",
        Shape::Switch,
        "whether IPv6 addresses are translated",
    )
    .or("false"),
    Key::new(
        "domain",
        Shape::Scalar,
        "the domain of the containers' names",
    ),
];

/// Makes the bridge and connects new containers with it.
pub(super) fn tools(
    bridge: &Fields<'_>,
    has_init: bool,
    probe: &dyn Probe,
    told: &mut Vec<Problem>,
) -> Vec<ToolSpec> {
    let mode = bridge.get("mode").and_then(Value::as_str);
    let Some(mode) = mode.filter(|mode| MODES.contains(mode)) else {
        let place = bridge.map.iter().next().map(|(key, _)| key.place.clone());
        let place = bridge.get("mode").map(|mode| mode.place.clone()).or(place);
        let message = "lxd.bridge.mode: expected `none`, `existing` or `new`; there is no bridge";
        told.push(Problem::error(place, message));
        return Vec::new();
    };
    if mode == "none" {
        return Vec::new();
    }
    let before = told.len();
    let name = bridge.line("name", told);
    let name = name.unwrap_or_else(|| DEFAULT_NAME.to_owned());
    let options = options(bridge, told);
    // A bridge with other addresses than those that were asked for helps nobody.
    if told.len() > before {
        return Vec::new();
    }
    let is_default = name == DEFAULT_NAME && has_init;
    let is_there = files::exists(probe, Path::new("/sys/class/net").join(&name));
    let mut tools = Vec::new();
    if mode == "new" && (is_default || !is_there) {
        if is_default {
            let argv = ["sh", "-c", REMOVE, "remove", &name];
            let mut tool = ToolSpec::new(format!("bridge {name} is not that of `lxd init`"), argv);
            tool.unchanged = &[3];
            tools.push(tool);
        }
        let start = ["lxc", "network", "create", &name].map(ToOwned::to_owned);
        let argv = start
            .into_iter()
            .chain(options)
            .chain(["--force-local".to_owned()]);
        tools.push(ToolSpec::new(format!("bridge {name}"), argv));
    }
    // Whatever this one is called.
    if has_init {
        let argv = [
            "lxc",
            "profile",
            "device",
            "remove",
            "default",
            "eth0",
            "--force-local",
        ];
        let what = "containers are not connected with the bridge of `lxd init`";
        let mut tool = ToolSpec::new(what, argv);
        tool.unchanged = &[1];
        tools.push(tool);
    }
    let argv = [
        "lxc",
        "network",
        "attach-profile",
        &name,
        "default",
        "eth0",
        "--force-local",
    ];
    tools.push(ToolSpec::new(
        format!("containers are connected with {name}"),
        argv,
    ));
    tools.into_iter().map(as_root).collect()
}

/// lxc(1) keeps its own settings in the home directory.
fn as_root(mut tool: ToolSpec) -> ToolSpec {
    let env = [("LC_ALL", "C"), ("HOME", "/root"), ("USER", "root")];
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    tool.env = env.into_iter().map(owned).collect();
    tool
}

fn options(bridge: &Fields<'_>, told: &mut Vec<Problem>) -> Vec<String> {
    let mut options = Vec::new();
    let v4 = address(bridge, "ipv4", told);
    if let Some(address) = v4 {
        options.push(format!("ipv4.address={address}"));
        if switch::is_on(&bridge.name("ipv4_nat"), bridge.get("ipv4_nat"), told) {
            options.push("ipv4.nat=true".to_owned());
        }
        let first = bridge.line("ipv4_dhcp_first", told);
        let last = bridge.line("ipv4_dhcp_last", told);
        if let (Some(first), Some(last)) = (first, last) {
            options.push(format!("ipv4.dhcp.ranges={first}-{last}"));
        }
    } else {
        options.push("ipv4.address=none".to_owned());
    }
    let v6 = address(bridge, "ipv6", told);
    if let Some(address) = v6 {
        options.push(format!("ipv6.address={address}"));
        if bridge.switch("ipv6_nat", false, told) {
            options.push("ipv6.nat=true".to_owned());
        }
    } else {
        options.push("ipv6.address=none".to_owned());
    }
    options.extend(
        bridge
            .line("domain", told)
            .map(|domain| format!("dns.domain={domain}")),
    );
    let mtu = bridge.line("mtu", told).filter(|mtu| mtu != "-1");
    options.extend(mtu.map(|mtu| format!("bridge.mtu={mtu}")));
    options
}

/// `10.0.8.1/24`
fn address(bridge: &Fields<'_>, family: &str, told: &mut Vec<Problem>) -> Option<String> {
    let mut line = |name: &str| {
        let line = bridge.line(&format!("{family}_{name}"), told);
        line.filter(|line| !line.is_empty())
    };
    let (address, prefix) = (line("address"), line("netmask"));
    Some(format!("{}/{}", address?, prefix?))
}
