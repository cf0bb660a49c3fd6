//! Closes the way to EC2's metadata service, at every boot.
//!
//! Source: cloud-init, `cloudinit/config/cc_disable_ec2_metadata.py`, which knows IPv4 alone; EC2
//! User Guide, "Access instance metadata" for the address in IPv6; ip-route(8).

use std::net::{Ipv4Addr, Ipv6Addr};

use contract::effect::{Effect, ToolSpec};
use contract::machine::Probe;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Placed, Value};
use serde::Deserialize;

use crate::distribution;
use crate::files;
use crate::switch;

const V4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
const ROUTES_V4: &str = "/proc/net/route";
const ROUTES_V6: &str = "/proc/net/ipv6_route";
/// `RTF_REJECT` of the kernel's `linux/route.h`.
const REJECT: u32 = 0x200;

/// Closes the way.
pub(crate) struct DisableEc2Metadata;

/// `disable_ec2_metadata:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    disable_ec2_metadata: Option<Placed<Value>>,
}

impl Module for DisableEc2Metadata {
    const FACTS: Facts = Facts {
        name: "disable_ec2_metadata",
        summary: "close the way to EC2's metadata service",
        stage: Stage::Config,
        frequency: Frequency::Always,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            "disable_ec2_metadata",
            Shape::Switch,
            "let nothing on this machine ask the metadata service any more",
        )
        .or("false")],
    };
    const NOTES: &'static str = include_str!("notes/disable_ec2_metadata.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let asked = want.disable_ec2_metadata.filter(|asked| {
            let key = "disable_ec2_metadata";
            switch::or(false, key, Some(&asked.value), &mut plan.problems)
        });
        let Some(asked) = asked else {
            return plan;
        };
        plan.problems.extend(needed_still(&asked, ctx));
        let has = |name| distribution::has_program(ctx.probe, name);
        let (with_ip, with_route) = (has("ip"), has("route"));
        if !with_ip && !with_route {
            let message = "disable_ec2_metadata: there is neither `ip` nor `route` on this machine";
            let problem = Problem::error(None, message);
            plan.problems
                .push(problem.hint("install `iproute2` in the image"));
            return plan;
        }
        let what = |address: &dyn std::fmt::Display| format!("no route to {address}");
        let (v4, v6) = (V4.to_string(), V6.to_string());
        if !is_closed_v4(ctx.probe) {
            let argv = match with_ip {
                true => vec!["ip", "route", "add", "prohibit", &v4],
                false => vec!["route", "add", "-host", &v4, "reject"],
            };
            let tool = ToolSpec::new(what(&V4), argv).live_only();
            plan.push(Step::new("ipv4", [Effect::tool(tool)]));
        }
        if with_ip && is_open_v6(ctx.probe) {
            let argv = ["ip", "-6", "route", "add", "prohibit", &v6];
            let tool = ToolSpec::new(what(&V6), argv).live_only();
            plan.push(Step::new("ipv6", [Effect::tool(tool)]));
        }
        plan
    }
}

/// Content that is fetched later with credentials which come from there.
fn needed_still(asked: &Placed<Value>, ctx: &Context<'_>) -> Option<Problem> {
    let content = ctx.config.get("content")?.as_list()?;
    let needs = |entry: &&Value| {
        let from_s3 = entry.get("source").and_then(Value::as_str);
        let is_anonymous = entry.get("anonymous").and_then(switch::read);
        from_s3.is_some_and(|source| source.starts_with("s3:")) && is_anonymous != Some(true)
    };
    let entry = content.iter().find(needs)?;
    let message = format!(
        "disable_ec2_metadata: the content of {} needs the credentials of the instance's role, which come from there",
        entry.place
    );
    let problem = Problem::warning(Some(asked.place.clone()), message);
    Some(problem.hint("take one of them out, or give that content `anonymous: true`"))
}

/// Source: the kernel's `net/ipv4/fib_trie.c` (`fib_route_seq_show`): the address in the order of
/// this machine's bytes, and the flags, in hexadecimal.
fn is_closed_v4(probe: &dyn Probe) -> bool {
    let address = format!("{:08X}", u32::from_ne_bytes(V4.octets()));
    let mut rows = rows(probe, ROUTES_V4).into_iter().flatten();
    rows.any(|row| row.get(1) == Some(&address) && rejects(row.get(3)))
}

/// Whether there is IPv6, and no such route in it. Source: the kernel's `net/ipv6/route.c`
/// (`rt6_info_route`).
fn is_open_v6(probe: &dyn Probe) -> bool {
    let address = V6.octets().map(|byte| format!("{byte:02x}")).concat();
    rows(probe, ROUTES_V6).is_some_and(|rows| {
        let mut rows = rows.into_iter();
        !rows.any(|row| row.first() == Some(&address) && rejects(row.get(8)))
    })
}

fn rejects(flags: Option<&String>) -> bool {
    let flags = flags.and_then(|flags| u32::from_str_radix(flags, 16).ok());
    flags.is_some_and(|flags| flags & REJECT != 0)
}

fn rows(probe: &dyn Probe, path: &str) -> Option<Vec<Vec<String>>> {
    let text = files::text(probe, path)?;
    let fields = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect();
    Some(text.lines().map(fields).collect())
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    const IP: (&str, &str) = ("/usr/sbin/ip", "");
    const ASKED: &str = "disable_ec2_metadata: true";
    const V4_OPEN: (&str, &str) = (
        ROUTES_V4,
        "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\n",
    );
    // As `ip route add prohibit` leaves them on a little-endian machine.
    const V4_CLOSED: (&str, &str) = (
        ROUTES_V4,
        "Iface\tDestination\tGateway\tFlags\n*\tFEA9FEA9\t00000000\t0205\t0\t0\t0\tFFFFFFFF\n",
    );
    const V6_OPEN: (&str, &str) = (
        ROUTES_V6,
        "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n",
    );
    const V6_CLOSED: (&str, &str) = (
        ROUTES_V6,
        "fd000ec2000000000000000000000254 80 00000000000000000000000000000000 00 00000000000000000000000000000000 00000400 00000001 00000000 00200200       lo\n",
    );

    /// Paths with what is in them.
    type Files<'a> = &'a [(&'a str, &'a str)];

    fn machine(files: Files<'_>) -> Setting {
        Setting {
            machine: FakeMachine::with(files),
            ..Setting::default()
        }
    }

    fn commands(plan: &Plan) -> Vec<String> {
        let argv = plan.effects().filter_map(|effect| match effect {
            Effect::Tool(tool) => Some(tool.argv.join(" ")),
            _ => None,
        });
        argv.collect()
    }

    #[test]
    fn the_way_is_closed_in_both_protocols_and_only_once() {
        let v4 = "ip route add prohibit 169.254.169.254";
        let v6 = "ip -6 route add prohibit fd00:ec2::254";
        #[rustfmt::skip]
        let table: [(Files<'_>, &str, &[&str]); 7] = [
            (&[IP, V4_OPEN],              ASKED,                             &[v4]),
            (&[IP, V4_OPEN, V6_OPEN],     ASKED,                             &[v4, v6]),
            (&[IP, V4_CLOSED, V6_OPEN],   ASKED,                             &[v6]),
            (&[IP, V4_CLOSED, V6_CLOSED], ASKED,                             &[]),
            (&[IP, V4_OPEN, V6_OPEN],     "disable_ec2_metadata: 'yes'",     &[v4, v6]),
            (&[IP, V4_OPEN, V6_OPEN],     "disable_ec2_metadata: false",     &[]),
            (&[("/sbin/route", "")],      ASKED,                             &["route add -host 169.254.169.254 reject"]),
        ];
        for (files, config, wanted) in table {
            let plan = machine(files).plan::<DisableEc2Metadata>(config);
            assert_eq!(commands(&plan), wanted, "{files:?}");
            assert_eq!(plan.problems, [], "{files:?}");
        }
    }

    #[test]
    fn what_cannot_be_closed_or_is_needed_still_is_told() {
        let s3 = "content: [{source: 's3://b/x', dest: /srv}]\ndisable_ec2_metadata: true";
        let open = "content: [{source: 's3://b/x', dest: /srv, anonymous: true}]\ndisable_ec2_metadata: true";
        #[rustfmt::skip]
        let table: [(Files<'_>, &str, Option<&str>); 5] = [
            (&[],    ASKED,                              Some("disable_ec2_metadata: there is neither `ip` nor `route`")),
            (&[IP],  "disable_ec2_metadata: [1]",        Some("test:1:23: disable_ec2_metadata: expected true or false; it is taken as false")),
            (&[IP],  s3,                                 Some("test:2:23: disable_ec2_metadata: the content of test:1:11 needs the credentials")),
            (&[IP],  open,                               None),
            (&[IP],  "content: [{source: 'file:///a', dest: /srv}]\ndisable_ec2_metadata: true", None),
        ];
        for (files, config, says) in table {
            let plan = machine(files).plan::<DisableEc2Metadata>(config);
            let said = plan.problems.first().map(ToString::to_string);
            match says {
                Some(says) => assert!(
                    said.as_ref().is_some_and(|said| said.starts_with(says)),
                    "{config}: {said:?}"
                ),
                None => assert_eq!(said, None, "{config}"),
            }
        }
    }
}
