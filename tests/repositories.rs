//! Repositories, and what registers a machine, as root in a throw-away Debian: the scripts around
//! tools that Debian does not have run there against stand-ins that answer as those do.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;

use support::debian::{Debian, Said};

const INSISTS: &str = "unverified_modules: [yum_add_repo, zypper_add_repo, apk_configure, ubuntu_pro, \
                       rh_subscription, lxd]\n";

/// A Debian that insists on other distributions' modules, with stand-ins for these tools.
fn machine(tools: &[(&str, &str)]) -> Option<Debian> {
    let machine = Debian::with_image(INSISTS)?;
    for (name, text) in tools {
        machine.program(&format!("usr/local/bin/{name}"), text);
    }
    Some(machine)
}

/// Everything that user data wants, of another instance than any before it.
fn apply(machine: &Debian, user_data: &str, number: usize) -> Said {
    machine.write("seed/user-data", user_data);
    machine.write("seed/meta-data", &format!("instance-id: i-{number}\n"));
    machine.booted(&["--seed", "/seed", "apply"])
}

/// What the stand-ins were called with since the last time.
fn calls(machine: &Debian) -> String {
    let path = machine.path("srv/calls");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text
}

#[test]
fn repositories_are_written_once_and_only_where_they_belong() {
    let Some(machine) = machine(&[]) else {
        return;
    };
    let user_data = "#cloud-config
yum_repos:
  a: {baseurl: 'https://example.com/'}
  b: {baseurl: 'https://me:hunter2@example.com/'}
zypper: {repos: [{id: c, baseurl: 'https://example.com/'}], config: {a.b: c}}
apk_repos: {alpine_repo: {version: edge}}
";
    machine.boot_well(user_data);
    for (path, mode) in [
        ("etc/yum.repos.d/a.repo", 0o644),
        ("etc/yum.repos.d/b.repo", 0o600),
        ("etc/zypp/repos.d/c.repo", 0o644),
        ("etc/zypp/zypp.conf", 0o644),
        ("etc/apk/repositories", 0o644),
    ] {
        assert_eq!(machine.mode(path), mode, "{path}");
    }
    let seed = machine.path("seed");
    let plan = machine.run(&["--seed", seed.to_str().unwrap(), "plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let again = machine.run(&["run", "yum_add_repo", "apk_configure", "--force"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.text.contains("already so"), "{again:?}");
    assert!(!again.text.contains("hunter2"), "{again:?}");

    let plain = Debian::with_image("{}\n").unwrap();
    plain.boot_well(user_data);
    assert!(!plain.path("etc/yum.repos.d").exists());
    let status = plain.run(&["status", "--long"]);
    let says = "yum_repos: nothing is done on this distribution, as with cloud-init";
    assert!(status.text.contains(says), "{status:?}");
}

/// A `pro` whose answers stand in files of /srv: exit codes, and what it says.
const PRO: &str = r#"#!/bin/sh
echo "pro $*" >>/srv/calls
case "$*" in
*should_auto_attach*) echo "{\"data\": {\"attributes\": {\"should_auto_attach\": $(cat /srv/is-pro)}}}" ;;
*full_auto_attach*) cat /srv/auto-says; exit $(cat /srv/auto-code) ;;
attach*/dev/stdin) cat /dev/stdin >/srv/attached; exit $(cat /srv/attach-code) ;;
enable*) cat /srv/enable-says; exit $(cat /srv/enable-code) ;;
esac
"#;

#[test]
fn a_machine_is_attached_to_ubuntu_pro_and_what_is_so_already_is_no_fault() {
    let Some(machine) = machine(&[("pro", PRO)]) else {
        return;
    };
    const ALREADY: &str =
        r#"{"errors": [{"message_code": "service-already-enabled", "service": "fips"}]}"#;
    const WARNED: &str = r#"{"errors": [{"message_code": "service-already-enabled"}], "warnings": [{"message_code": "refresh-contract-failure"}]}"#;
    const OTHER: &str = r#"{"errors": [{"message_code": "service-already-enabled"}, {"message_code": "entitlement-not-entitled"}]}"#;
    const ATTACHED: &str = r#"{"errors": [{"code": "already-attached"}], "result": "failure"}"#;
    let token = "ubuntu_pro: {token: C1hunter2}";
    let fips = "ubuntu_pro: {token: C1hunter2, enable: [fips]}";
    let bare = "ubuntu_pro: {enable: [fips]}";
    let plain = "pro attach --attach-config /dev/stdin\n";
    let chosen = "pro attach --no-auto-enable --attach-config /dev/stdin\n\
                  pro enable --assume-yes --format json fips\n";
    let asks = "pro api u.pro.attach.auto.should_auto_attach.v1\n";
    let auto = "pro api u.pro.attach.auto.full_auto_attach.v1 --data {\"enable\": [\"fips\"]}\n";
    #[rustfmt::skip]
    let table = [
        // user data   Pro instance  attach  enable          auto            calls behind the question  exit code and words
        (token,        "false",      "0",    ("0", ""),      ("0", ""),      plain,    0, "made"),
        (token,        "false",      "2",    ("0", ""),      ("0", ""),      plain,    0, "already so"),
        (token,        "false",      "1",    ("0", ""),      ("0", ""),      plain,    1, "ended with exit code 1"),
        (fips,         "false",      "0",    ("0", "{}"),    ("0", ""),      chosen,   0, "made"),
        (fips,         "false",      "2",    ("1", ALREADY), ("0", ""),      chosen,   0, "already so"),
        (fips,         "false",      "2",    ("1", WARNED),  ("0", ""),      chosen,   0, "already so"),
        (fips,         "false",      "0",    ("1", OTHER),   ("0", ""),      chosen,   1, "ended with exit code 1"),
        (fips,         "false",      "0",    ("1", "{}"),    ("0", ""),      chosen,   1, "ended with exit code 1"),
        (bare,         "false",      "0",    ("0", "{}"),    ("0", ""),      "",       1, "there is no `ubuntu_pro.token`"),
        (bare,         "true",       "0",    ("0", "{}"),    ("0", "{}"),    auto,     0, "made"),
        (bare,         "true",       "0",    ("0", "{}"),    ("1", ATTACHED), auto,    0, "already so"),
        (bare,         "true",       "0",    ("0", "{}"),    ("1", "{}"),    auto,     1, "ended with exit code 1"),
    ];
    for (number, row) in table.into_iter().enumerate() {
        let (user_data, is_pro, attach, enable, auto, wanted, code, says) = row;
        for (name, text) in [
            ("is-pro", is_pro),
            ("attach-code", attach),
            ("enable-code", enable.0),
            ("enable-says", enable.1),
            ("auto-code", auto.0),
            ("auto-says", auto.1),
        ] {
            machine.write(&format!("srv/{name}"), text);
        }
        let user_data = format!("#cloud-config\n{user_data}\n");
        let said = apply(&machine, &user_data, number);
        let row = format!("{user_data} {is_pro} {attach} {enable:?} {auto:?}");
        assert_eq!(calls(&machine), format!("{asks}{wanted}"), "{row}");
        assert_eq!(said.code, code, "{row}: {said:?}");
        assert!(said.text.contains(says), "{row}: {said:?}");
        assert!(!said.text.contains("hunter2"), "{row}: {said:?}");
        if wanted.contains("attach-config") {
            assert_eq!(machine.text("srv/attached"), "token: C1hunter2\n", "{row}");
        }
    }
}

/// A program in Python, as Red Hat's is, that tells what others see of its call.
const PYTHON: &str = r#"#!/usr/bin/python3
import os, sys
name, words = os.path.basename(sys.argv[0]), sys.argv[1:]
with open("/proc/self/cmdline") as seen, open("/srv/calls", "a") as calls:
    print(name, *words, file=calls)
    print("secret", seen.read().count("hunter2"), file=calls) if "hunter2" in str(words) else None
if words == ["--help"] and not os.path.exists("/srv/rhel-10"):
    print("Other Modules:\n\n  attach         Attach a subscription")
if words[:2] == ["list", "--available"]:
    print("1a1a\n2b2b\n3c3c")
if words[:2] == ["list", "--consumed"]:
    print("3c3c")
if words[:1] == ["register"]:
    os.makedirs("/etc/pki/consumer")
    open("/etc/pki/consumer/cert.pem", "w").close()
"#;

#[test]
fn a_machine_is_registered_and_nobody_sees_with_what() {
    let tools = [
        ("subscription-manager", PYTHON),
        ("landscape-config", PYTHON),
    ];
    let Some(machine) = machine(&tools) else {
        return;
    };
    let user_data = "#cloud-config
rh_subscription: {username: joe, password: hunter2, add-pool: [1a1a, 3c3c, 4d4d, 2b2b], enable-repo: [a]}
";
    let said = apply(&machine, user_data, 1);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.text.contains("not available: 4d4d"), "{said:?}");
    assert_eq!(
        calls(&machine),
        "subscription-manager register --username=joe --password=hunter2\nsecret 0\n\
         subscription-manager --help\n\
         subscription-manager list --available --pool-only\n\
         subscription-manager list --consumed --pool-only\n\
         subscription-manager attach --pool=1a1a --pool=2b2b\n"
    );
    let again = machine.booted(&["run", "rh_subscription", "--force"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(calls(&machine), "");

    // Of RHEL 10 nothing is attached any more.
    fs::remove_dir_all(machine.path("etc/pki/consumer")).unwrap();
    machine.write("srv/rhel-10", "");
    let user_data = "#cloud-config
rh_subscription: {username: joe, password: hunter2, auto-attach: true, add-pool: [1a1a], enable-repo: [a]}
";
    let said = apply(&machine, user_data, 2);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(
        calls(&machine),
        "subscription-manager register --username=joe --password=hunter2\nsecret 0\n\
         subscription-manager --help\nsubscription-manager --help\n\
         subscription-manager repos --enable=a\n"
    );
}

/// An `lxd` that cannot make a thin pool.
const LXD: &str = r#"#!/bin/sh
echo "${0##*/} $*" >>/srv/calls
case "${0##*/} $*" in
*--storage-backend=lvm*) exit 1 ;;
'lxd init --preseed') cat >/srv/preseed ;;
'lxc network detach-profile'*) exit $(cat /srv/detach-code) ;;
esac
"#;

#[test]
fn lxd_gets_by_without_a_thin_pool_and_its_bridge_takes_the_place_of_the_first_one() {
    let tools = [("lxd", LXD), ("lxc", LXD), ("lvcreate", LXD)];
    let Some(machine) = machine(&tools) else {
        return;
    };
    let user_data = "#cloud-config
lxd:
  init: {storage_backend: lvm, network_port: 8443, trust_password: hunter2}
  bridge: {mode: new}
";
    let create = "lxc network create lxdbr0 ipv4.address=none ipv6.address=none --force-local\n\
                  lxc profile device remove default eth0 --force-local\n\
                  lxc network attach-profile lxdbr0 default eth0 --force-local\n";
    let delete = "lxc network delete lxdbr0 --force-local\n";
    for (number, code, deleted) in [(1, "0", delete), (2, "1", "")] {
        machine.write("srv/detach-code", code);
        let said = apply(&machine, user_data, number);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(
            calls(&machine),
            format!(
                "lxd waitready --timeout=300\n\
                 lxd init --auto --network-port=8443 --storage-backend=lvm\n\
                 lxc storage create default lvm lvm.use_thinpool=false\n\
                 lxd init --auto --network-port=8443\n\
                 lxd init --preseed\n\
                 lxc network detach-profile lxdbr0 default --force-local\n{deleted}{create}"
            )
        );
        let preseed = machine.text("srv/preseed");
        assert_eq!(preseed, "config:\n  core.trust_password: hunter2\n");
    }
    machine.write("srv/detach-code", "2");
    let said = apply(&machine, user_data, 3);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(calls(&machine).ends_with("detach-profile lxdbr0 default --force-local\n"));
}
