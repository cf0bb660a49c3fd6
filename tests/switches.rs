//! The built binary where it shall do nothing, or wait for a boot: what systemd is told, and what
//! `status` says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::cloud::Machine;
use support::debian::Debian;
use support::{Answer, Case};

const SEED: &str = "var/lib/cloud/seed/nocloud/meta-data";

#[test]
fn where_it_is_switched_off_nothing_is_done_and_logins_are_let_in_at_once() {
    #[rustfmt::skip]
    let table = [
        // a file of the machine                                             what status says
        ("etc/firstlight/disabled",         "",                              "/etc/firstlight/disabled exists"),
        ("etc/cloud/cloud-init.disabled",   "",                              "/etc/cloud/cloud-init.disabled exists"),
        ("proc/cmdline",                    "ro firstlight=off quiet\n",     "the kernel command line says `firstlight=off`"),
        ("proc/cmdline",                    "ro cloud-init=disabled\n",      "the kernel command line says `cloud-init=disabled`"),
        ("run/systemd/container",           "systemd-nspawn\n",              "this is a container, and its image names no data source"),
        ("run/host/container-manager",      "podman\n",                      "this is a container, and its image names no data source"),
    ];
    for (file, text, why) in table {
        let machine = machine("");
        write(&machine, file, text);
        assert_eq!(
            told(&machine, &["boot"]),
            ["READY=1", "STATUS=switched off"],
            "{file}"
        );
        let files = machine.files();
        assert!(!files.contains("etc/hostname"), "{file}: {files:?}");
        let status = machine.firstlight(&["status", "--wait"]);
        assert_eq!(status.code, 0, "{file}: {status:?}");
        let says = format!("status: disabled\nswitched off: {why}");
        assert!(status.stdout.starts_with(&says), "{file}: {status:?}");
    }
}

#[test]
fn a_container_is_configured_when_its_image_names_the_data_source() {
    let list = "datasource_list: [NoCloud, None]\n";
    #[rustfmt::skip]
    let table = [
        // the image     its seed            the command line of its host     of the container      becomes itself
        ("",             "instance-id: i-1", "ro",                            "/sbin/init\0",       true),
        (list,           "",                 "ro",                            "/sbin/init\0",       true),
        ("",             "",                 "ro",                            "/sbin/init\0",       false),
        // The host's command line is not meant for it.
        (list,           "instance-id: i-1", "firstlight=off",                "/sbin/init\0",       true),
        (list,           "instance-id: i-1", "ro",  "/sbin/init\0firstlight=off\0",                 false),
    ];
    for (config, seed, host, own, expected) in table {
        let machine = machine(config);
        write(&machine, "run/systemd/container", "lxc\n");
        write(&machine, "proc/cmdline", host);
        write(&machine, "proc/1/cmdline", own);
        if !seed.is_empty() {
            write(&machine, SEED, seed);
        }
        let boot = machine.firstlight(&["boot"]);
        assert_eq!(boot.code, 0, "{boot:?}");
        let status = machine.firstlight(&["status"]).stdout;
        let is_off = status.starts_with("status: disabled\n");
        assert_eq!(!is_off, expected, "{config}{seed}, {host}, {own}: {status}");
    }
}

#[test]
fn whoever_waits_for_a_stage_is_told_whether_it_did_its_work() {
    let bad = "#cloud-config\ncontent: [{source: 'file:///nowhere', dest: /srv/www}]\n";
    #[rustfmt::skip]
    let table = [
        // user data          exit code
        ("",                  0),
        (bad,                 1),
    ];
    for (user_data, code) in table {
        let case = Case::made(user_data, "instance-id: i-1\nlocal-hostname: calm\n");
        let too_early = case.run(&["boot", "--wait", "config"]);
        assert_eq!(too_early.code, 1, "{too_early:?}");
        let says = "error: the stage config did not end at this boot: see `journalctl -b -u firstlight.service`\n";
        assert_eq!(too_early.stderr, says);

        ok(&case.run(&["boot", "--stage", "identity"]));
        assert_eq!(case.run(&["boot", "--wait", "config"]).code, 1);
        ok(&case.run(&["boot", "--wait", "identity"]));
        ok(&case.run(&["boot", "--stage", "config"]));
        let waited = case.run(&["boot", "--wait", "config"]);
        assert_eq!(waited.code, code, "{user_data}: {waited:?}");
    }
}

#[test]
fn a_boot_fails_for_its_modules_only_where_that_is_asked_for() {
    let bad = "#cloud-config\ncontent: [{source: 'file:///nowhere', dest: /srv/www}]\n";
    let case = Case::made(bad, "instance-id: i-1\n");
    ok(&case.run(&["boot"]));
    ok(&case.run(&["boot", "--stage", "identity", "--fail"]));
    let again = Case::made(bad, "instance-id: i-1\n");
    let boot = again.run(&["boot", "--fail"]);
    assert_eq!(boot.code, 1, "{boot:?}");
}

#[test]
fn scripts_have_the_environment_that_a_drop_in_gives_the_unit_and_nothing_of_ours() {
    let user_data = "#!/bin/sh\nenv > /var/lib/seen\n";
    #[rustfmt::skip]
    let table = [
        // who starts it     what the script sees
        ("systemd",          true),
        ("a person",         false),
    ];
    for (who, expected) in table {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        machine.write("seed/user-data", user_data);
        machine.write("seed/meta-data", "instance-id: i-1\n");
        let pid = if expected { "SYSTEMD_EXEC_PID=$$" } else { "" };
        let line = format!(
            "{pid} http_proxy=http://proxy:3128 INVOCATION_ID=1 exec \"$0\" --root \"$1\" --seed \"$1/seed\" boot"
        );
        let output = Command::new("/bin/sh")
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
            .args(["-c", &line, env!("CARGO_BIN_EXE_firstlight")])
            .arg(machine.path(""))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let seen = machine.text("var/lib/seen");
        let has_proxy = seen.contains("http_proxy=http://proxy:3128\n");
        assert_eq!(has_proxy, expected, "{who}: {seen}");
        assert!(!seen.contains("INVOCATION_ID"), "{who}: {seen}");
        assert!(!seen.contains("SYSTEMD_EXEC_PID"), "{who}: {seen}");
        assert!(seen.contains("PATH=/usr/local/sbin:"), "{who}: {seen}");
    }
}

fn ok(answer: &Answer) {
    assert_eq!(answer.code, 0, "{answer:?}");
}

/// An image that names no data source, with this configuration.
fn machine(config: &str) -> Machine {
    let machine = Machine::new(&[], "");
    write(&machine, "etc/firstlight/config.yaml", config);
    machine
}

fn write(machine: &Machine, path: &str, text: &str) {
    let path = machine.scratch.path().join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What systemd hears of a command that it started.
fn told(machine: &Machine, args: &[&str]) -> Vec<String> {
    let socket = machine.scratch.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_firstlight"))
        .arg("--root")
        .arg(machine.scratch.path())
        .args(args)
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let timeout = Some(Duration::from_millis(1));
    manager.set_read_timeout(timeout).unwrap();
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    while let Ok(length) = manager.recv(&mut bytes) {
        said.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
    }
    said
}
