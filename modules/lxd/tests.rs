use contract::testing::{FakeMachine, Setting};

use super::*;

const UBUNTU: (&str, &str) = ("/etc/os-release", "ID=ubuntu\n");
const INSTALLED: &[(&str, &str)] = &[
    UBUNTU,
    ("/usr/bin/snap", ""),
    ("/usr/sbin/lxd", ""),
    ("/usr/sbin/zfs", ""),
];
const READY: [&str; 2] = [
    "snap wait system seed.loaded",
    "lxd waitready --timeout=300",
];

fn plan_on(files: &[(&str, &str)], config: &str) -> Plan {
    Setting {
        machine: FakeMachine::with(files),
        ..Setting::default()
    }
    .plan::<Lxd>(config)
}

fn plan(config: &str) -> Plan {
    plan_on(INSTALLED, config)
}

/// The calls, a script as its name, and what is on standard input behind `<`.
fn calls(plan: &Plan) -> Vec<String> {
    let call = |effect: &Effect| match effect {
        Effect::Tool(tool) => {
            let is_script = tool.argv[0] == "sh";
            let words = if is_script {
                &tool.argv[3..]
            } else {
                &tool.argv
            };
            let stdin = String::from_utf8_lossy(tool.stdin.expose()).into_owned();
            let stdin = stdin.trim_end().replace('\n', "|");
            let mark = if stdin.is_empty() { "" } else { " <" };
            format!("{}{mark}{stdin}", words.join(" "))
        }
        other => other.to_string(),
    };
    plan.effects().map(call).collect()
}

#[test]
fn init_is_what_lxd_init_is_told_and_the_password_is_nowhere_to_be_seen() {
    #[rustfmt::skip]
    let table: [(&str, &[&str]); 4] = [
        ("{storage_backend: dir}",
         &["lxd init --auto --storage-backend=dir"]),
        ("{network_address: 0.0.0.0, network_port: 8443, storage_backend: zfs, storage_pool: datapool, storage_create_loop: 10}",
         &["lxd init --auto --network-address=0.0.0.0 --network-port=8443 --storage-backend=zfs --storage-create-loop=10 --storage-pool=datapool"]),
        ("{trust_password: hunter2}",
         &["lxd init --auto", "lxd init --preseed <config:|  core.trust_password: hunter2"]),
        ("{storage_backend: btrfs, storage_create_device: /dev/sdb}",
         &["package btrfs-progs (apt)", "lxd init --auto --storage-backend=btrfs --storage-create-device=/dev/sdb"]),
    ];
    for (init, wanted) in table {
        let plan = plan(&format!("lxd: {{init: {init}}}"));
        assert_eq!(plan.problems, [], "{init}");
        let mut found = calls(&plan);
        found.retain(|call| !READY.contains(&call.as_str()));
        assert_eq!(found, wanted, "{init}");
        assert!(!format!("{plan:?} {:?}", plan.lines()).contains("hunter2"));
    }
    let lvm = plan("lxd: {init: {storage_backend: lvm}}");
    let Some(Effect::Tool(tool)) = lvm.effects().last() else {
        panic!("{lvm:?}")
    };
    assert_eq!(tool.argv[2], LVM);
    assert_eq!(
        tool.argv[4..],
        ["lxd", "init", "--auto", "--storage-backend=lvm"]
    );
}

#[test]
fn lxd_is_installed_and_ready_before_it_is_told_anything() {
    let files = [UBUNTU, ("/usr/bin/snap", "")];
    let plan = plan_on(&files, "lxd: {init: {storage_backend: zfs}}");
    assert_eq!(
        calls(&plan),
        [
            READY[0],
            "snap install lxd",
            "package zfsutils-linux (apt)",
            READY[1],
            "lxd init --auto --storage-backend=zfs",
        ]
    );
}

#[test]
fn a_preseed_is_given_as_it_is() {
    const CONFIG: &str = "
lxd:
  preseed: |
    config: {core.trust_password: hunter2}
    storage_pools:
      - {name: default, driver: lvm}
      - {name: other, driver: zfs}
";
    let plan = plan(CONFIG);
    assert_eq!(plan.problems, []);
    assert_eq!(
        calls(&plan),
        [
            READY[0],
            "package lvm2 (apt)",
            READY[1],
            "lxd init --preseed <config: {core.trust_password: hunter2}|storage_pools:|  \
             - {name: default, driver: lvm}|  - {name: other, driver: zfs}",
        ]
    );
    assert!(!format!("{plan:?} {:?}", plan.lines()).contains("hunter2"));
}

#[test]
fn a_bridge_is_made_once_and_connected() {
    const NEW: &str = "mode: new, name: testbr0, ipv4_address: 10.0.8.1, ipv4_netmask: 24, ipv4_dhcp_first: 10.0.8.2, ipv4_dhcp_last: 10.0.8.3, ipv4_dhcp_leases: 250, ipv4_nat: true, ipv6_address: 'fd98:9e0:3744::1', ipv6_netmask: '64', ipv6_nat: 'true', domain: lxd, mtu: 9000";
    let create = "lxc network create testbr0 ipv4.address=10.0.8.1/24 ipv4.nat=true ipv4.dhcp.ranges=10.0.8.2-10.0.8.3 ipv6.address=fd98:9e0:3744::1/64 ipv6.nat=true dns.domain=lxd bridge.mtu=9000 --force-local";
    let attach =
        |name: &str| format!("lxc network attach-profile {name} default eth0 --force-local");
    let bare = "lxc network create lxdbr0 ipv4.address=none ipv6.address=none --force-local";
    let unplug = "lxc profile device remove default eth0 --force-local";
    let init = "lxd init --auto --storage-pool=a";
    #[rustfmt::skip]
    let table = [
        (format!("bridge: {{{NEW}}}"),                                     vec![create.to_owned(), attach("testbr0")]),
        ("bridge: {mode: new, ipv6_nat: true, mtu: -1}".to_owned(),        vec![bare.to_owned(), attach("lxdbr0")]),
        ("bridge: {mode: existing, name: br0}".to_owned(),                 vec![attach("br0")]),
        ("bridge: {mode: none}".to_owned(),                                vec![]),
        ("bridge: {mode: none}, init: {storage_pool: a}".to_owned(),       vec![init.to_owned()]),
        ("bridge: {mode: new}, init: {storage_pool: a}".to_owned(),        vec![init.to_owned(), "remove lxdbr0".to_owned(), bare.to_owned(), unplug.to_owned(), attach("lxdbr0")]),
        ("bridge: {mode: existing, name: br0}, init: {storage_pool: a}".to_owned(), vec![init.to_owned(), unplug.to_owned(), attach("br0")]),
        ("bridge: {mode: existing}, init: {storage_pool: a}".to_owned(),   vec![init.to_owned(), unplug.to_owned(), attach("lxdbr0")]),
    ];
    for (config, wanted) in table {
        let plan = plan(&format!("lxd: {{{config}}}"));
        assert_eq!(plan.problems, [], "{config}");
        let mut found = calls(&plan);
        found.retain(|call| !READY.contains(&call.as_str()));
        assert_eq!(found, wanted, "{config}");
    }
    let files = [INSTALLED, &[("/sys/class/net/testbr0/mtu", "")]].concat();
    let again = plan_on(&files, &format!("lxd: {{bridge: {{{NEW}}}}}"));
    assert_eq!(calls(&again)[2..], [attach("testbr0")]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    #[rustfmt::skip]
    let table: [(&str, &str, &[&str]); 9] = [
        ("[a]",                                                    "test:1:6: lxd: expected a mapping, found a list", &[]),
        ("{init: [a]}",                                            "test:1:13: lxd.init: expected a mapping, found a list", &READY),
        ("{preseed: [a]}",                                         "test:1:16: lxd.preseed: expected a string, found a list", &[]),
        ("{preseed: a, init: {storage_pool: a}}",                  "test:1:16: lxd.preseed: it says all there is to say; nothing is done beside `init` and `bridge` (put both into `preseed`)", &[]),
        ("{init: {storage_backend: zzz}}",                         "test:1:31: lxd.init.storage_backend: expected `zfs` or `dir` or `lvm` or `btrfs`, found a string", &READY),
        ("{init: {storage_pool: [a]}}",                            "test:1:28: lxd.init.storage_pool: expected a string, found a list", &READY),
        ("{init: {network_port: {a: b}, storage_pool: a}, bridge: {mode: new}}", "test:1:28: lxd.init.network_port: expected a string, found a mapping", &READY),
        ("{bridge: {mode: own}}",                                  "test:1:22: lxd.bridge.mode: expected `none`, `existing` or `new`; there is no bridge", &READY),
        ("{bridge: {mode: new, ipv4_address: [a]}}",               "test:1:41: lxd.bridge.ipv4_address: expected a string, found a list", &READY),
    ];
    for (config, says, wanted) in table {
        let plan = plan(&format!("lxd: {config}"));
        assert_eq!(plan.problems[0].to_string(), says, "{config}");
        assert_eq!(calls(&plan), wanted, "{config}");
    }
    for nothing in ["lxd:", "lxd: {}"] {
        assert_eq!(plan(nothing), Plan::nothing(), "{nothing}");
    }
}
