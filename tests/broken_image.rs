//! The built binary where the image, its own state or its tools are broken, as root in a throw-away
//! Debian: whoever wants to mend that can log in, and `status` says what it is.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;

use lab::{Imds, Setup};
use support::cloud::{INSTANCE, Machine, instance};
use support::debian::{Debian, Said};

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIO5gVQ4XrE+mYvIUzIdFO7CbTe9EzYQxRDgZRJCPLXz5";
const SCRIPT: &str = "#!/bin/sh\necho ran >> /var/lib/ran\n";
const STATE: &str = "var/lib/firstlight/instances/i-1";

fn boot(machine: &Debian, args: &[&str]) -> Said {
    let meta_data = format!(
        "instance-id: i-1\nlocal-hostname: one\npublic-keys: ['ssh-ed25519 {KEY} launch']\n"
    );
    machine.run_with(SCRIPT, &meta_data, &[&["boot"], args].concat())
}

fn assert_one_can_log_in(machine: &Debian, what: &str) {
    let keys = fs::read_to_string(machine.path("home/debian/.ssh/authorized_keys"));
    let has_key = keys.is_ok_and(|keys| keys.contains(KEY));
    assert!(has_key, "{what}: the launch key opens nothing");
    let host_key = machine.path("etc/ssh/ssh_host_ed25519_key");
    assert!(host_key.exists(), "{what}: sshd has no host key");
}

fn assert_status(machine: &Debian, code: i32, says: &str, what: &str) {
    let status = machine.run(&["status"]);
    assert_eq!(status.code, code, "{what}: {status:?}");
    assert!(status.text.contains(says), "{what}: {status:?}");
}

#[test]
fn a_configuration_that_cannot_be_read_costs_itself() {
    #[rustfmt::skip]
    let table = [
        ("runcmd: [a",          "error: /etc/firstlight/config.yaml:1:9: file ignored: a bracket is not closed"),
        ("- a list\n",          "error: /etc/firstlight/config.yaml: file ignored: expected a mapping, found a list"),
        ("\u{0}\u{1}\u{2}",     "error: /etc/firstlight/config.yaml"),
        ("firstlight: 7\n",     "warning: /etc/firstlight/config.yaml:1:13: firstlight: expected a mapping"),
    ];
    for (text, says) in table {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        machine.write("etc/firstlight/config.yaml", text);
        assert_eq!(boot(&machine, &[]).code, 0, "{text}");
        assert_one_can_log_in(&machine, text);
        let code = if says.starts_with("error") { 1 } else { 2 };
        assert_status(&machine, code, says, text);
        assert_eq!(machine.text("var/lib/ran"), "ran\n", "{text}");
    }
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    fs::create_dir(machine.path("etc/firstlight/config.yaml")).unwrap();
    assert_eq!(boot(&machine, &[]).code, 0);
    assert_one_can_log_in(&machine, "a directory");
    let says = "/etc/firstlight/config.yaml: file ignored: Is a directory";
    assert_status(&machine, 1, says, "a directory");
}

#[test]
fn state_that_cannot_be_kept_costs_the_scripts_and_no_login() {
    #[rustfmt::skip]
    let table = [
        // what is in the way                       as              what status says
        ("var/lib/firstlight",                      "a file",       "/var/lib/firstlight/instances/i-1: Not a directory"),
        ("var/lib/firstlight/instances/i-1/key",    "a directory",  "/var/lib/firstlight/instances/i-1/key: Is a directory"),
        ("var/lib/firstlight/instances/i-1/journal", "a directory", "/var/lib/firstlight/instances/i-1/journal: Is a directory"),
    ];
    for (path, kind, says) in table {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        if kind == "a file" {
            machine.write(path, "");
        } else {
            fs::create_dir_all(machine.path(path)).unwrap();
        }
        for stage in ["identity", "config", "final"] {
            boot(&machine, &["--stage", stage]);
        }
        assert_one_can_log_in(&machine, path);
        assert_eq!(machine.text("etc/hostname"), "one\n", "{path}");
        // Whoever waits is not kept waiting.
        let status = machine.run(&["status", "--wait"]);
        assert_eq!(status.code, 1, "{path}: {status:?}");
        assert!(status.text.contains(says), "{path}: {status:?}");
        let ran = machine.path("var/lib/ran").exists();
        assert!(!ran, "{path}: a script ran without a record of it");
    }
}

#[test]
fn another_instances_scripts_are_not_taken_for_those_of_one_that_could_not_be_kept() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    boot(&machine, &[]);
    assert_eq!(machine.lines("var/lib/ran"), 1);
    machine.write("var/lib/firstlight/instances/i-2", "in the way");
    let again = "#!/bin/sh\necho other >> /var/lib/ran\n";
    let boot = |stage| {
        let meta_data = "instance-id: i-2\n";
        machine.run_with(again, meta_data, &["boot", "--stage", stage])
    };
    assert_eq!(boot("identity").code, 0);
    let said = boot("final");
    assert_eq!(said.code, 1, "{said:?}");
    let says = "this is instance i-2, of which nothing could be kept: what is stored is of i-1";
    assert_status(&machine, 1, says, "another instance");
    assert_eq!(machine.lines("var/lib/ran"), 1);
}

#[test]
fn a_damaged_journal_runs_no_script_a_second_time() {
    #[rustfmt::skip]
    let table: [(&str, &[u8], i32, usize); 4] = [
        // the journal                          its bytes           status  how often the script ran
        ("damaged",                             b"\xff{]\n",        2,      1),
        ("of a version that is not known",      b"{\"v\": 9}\n",    2,      1),
        // A power cut leaves the record of what had not been begun.
        ("cut off",                             b"{\"v\":1,\"na",   0,      2),
        ("of zeros",                            b"\0\0\0\0",        0,      2),
    ];
    for (what, bytes, code, runs) in table {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        boot(&machine, &[]);
        fs::write(machine.path(&format!("{STATE}/journal")), bytes).unwrap();
        assert_eq!(boot(&machine, &[]).code, 0, "{what}");
        assert_eq!(machine.lines("var/lib/ran"), runs, "{what}");
        assert_status(&machine, code, "a record that cannot be read", what);
        let forced = boot_again(&machine);
        assert_eq!(forced.code, 0, "{what}: {forced:?}");
        assert_eq!(
            machine.lines("var/lib/ran"),
            runs + 1,
            "{what}: not by hand either"
        );
    }
}

fn boot_again(machine: &Debian) -> Said {
    machine.run(&["run", "scripts_user", "--force"])
}

#[test]
fn stored_data_that_is_broken_is_stored_anew() {
    for file in ["instance.json", "user-data", "../../instance-id"] {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        boot(&machine, &[]);
        fs::write(machine.path(&format!("{STATE}/{file}")), b"\xff{").unwrap();
        assert_eq!(boot(&machine, &[]).code, 0, "{file}");
        assert_status(&machine, 0, "status: done", file);
        assert_eq!(machine.lines("var/lib/ran"), 1, "{file}");
    }
}

#[test]
fn a_full_disk_lets_one_log_in_and_runs_nothing_that_could_not_be_recorded() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    fs::create_dir_all(machine.path("var/lib/firstlight")).unwrap();
    let state = machine.path("var/lib/firstlight");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&state)
        .status();
    assert!(mount.unwrap().success());
    // All of its 16 pages.
    let full = fs::write(state.join("full"), vec![0; 1 << 20]);
    assert!(full.is_err());
    let said = boot(&machine, &[]);
    let status = machine.run(&["status"]);
    let unmounted = Command::new("umount").arg(&state).status();
    assert!(unmounted.unwrap().success());
    assert_eq!(said.code, 0, "{said:?}");
    assert_one_can_log_in(&machine, "a full disk");
    assert_eq!(status.code, 1, "{status:?}");
    assert!(
        status.text.contains("No space left on device"),
        "{status:?}"
    );
    assert!(!machine.path("var/lib/ran").exists(), "{status:?}");
}

#[test]
fn a_tool_that_is_missing_costs_what_it_makes() {
    #[rustfmt::skip]
    let table = [
        // missing                  status  what it says
        ("usr/sbin/useradd",        1,      "useradd"),
        ("usr/bin/ssh-keygen",      2,      "there is an sshd and no ssh-keygen: no host keys are made"),
    ];
    for (tool, code, says) in table {
        let Some(machine) = Debian::with_image("{}\n") else {
            return;
        };
        fs::remove_file(machine.path(tool)).unwrap();
        let meta_data = format!("instance-id: i-1\npublic-keys: ['ssh-ed25519 {KEY} launch']\n");
        machine.write("seed/user-data", SCRIPT);
        machine.write("seed/meta-data", &meta_data);
        let said = machine.booted(&["--seed", "/seed", "boot"]);
        assert_eq!(said.code, 0, "{tool}: {said:?}");
        let status = machine.booted(&["status"]);
        assert!(status.text.contains(says), "{tool}: {status:?}");
        assert_eq!(status.code, code, "{tool}: {status:?}");
        assert_eq!(machine.text("var/lib/ran"), "ran\n", "{tool}");
        let root = machine.text("root/.ssh/authorized_keys");
        assert!(root.contains(KEY), "{tool}: {root}");
    }
}

#[test]
fn a_clock_at_1970_is_only_a_number() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    machine.write("seed/user-data", SCRIPT);
    machine.write("seed/meta-data", "instance-id: i-1\nlocal-hostname: one\n");
    let firstlight = |args: &[&str]| {
        let mut command = Command::new("faketime");
        command.args([
            "1970-01-01 00:00:10 UTC",
            env!("CARGO_BIN_EXE_firstlight"),
            "--root",
        ]);
        command.arg(machine.path(""));
        let output = command
            .arg("--seed")
            .arg(machine.path("seed"))
            .args(args)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for _ in 0..2 {
        firstlight(&["boot"]);
        assert!(firstlight(&["status"]).starts_with("status: done\n"));
    }
    assert_eq!(machine.lines("var/lib/ran"), 1);
}

#[test]
fn a_machine_without_ipv4_learns_who_it_is() {
    let imds = Imds::with(Setup {
        tree: instance("0", ""),
        listen: vec![SocketAddr::from((Ipv6Addr::LOCALHOST, 0))],
        ..Setup::default()
    });
    let imds = imds.unwrap();
    // The address of IPv4 leads nowhere, as on a subnet that has none.
    let nowhere = "http://192.0.2.1".to_owned();
    let machine = Machine::new(
        &[&[nowhere], imds.urls().as_slice()].concat(),
        "max_wait: 20",
    );
    let apply = machine.firstlight(&["apply"]);
    assert_eq!(apply.code, 0, "{apply:?}");
    assert_eq!(machine.instance_id(), INSTANCE);
}

#[test]
fn what_is_wrong_is_shown_on_the_console_of_a_boot() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    machine.write("etc/firstlight/config.yaml", "runcmd: [a");
    machine.write("seed/user-data", "#!/bin/sh\nexit 3\n");
    machine.write("seed/meta-data", "instance-id: i-1\n");
    let said = machine.run_inside(&["--seed", "/seed", "boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = |machine: &Debian| machine.text("console").matches("firstlight: ERROR").count();
    assert_eq!(lines(&machine), 0, "by hand it is shown to whoever asked");

    machine.write("seed/meta-data", "instance-id: i-2\n");
    let said = machine.started_inside(&["--seed", "/seed", "boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let console = machine.text("console");
    for says in [
        "firstlight: ERROR /etc/firstlight/config.yaml:1:9: file ignored: a bracket is not closed\n",
        "firstlight: ERROR scripts_user: failed",
        "part-001",
    ] {
        assert!(console.contains(says), "{says}: {console}");
    }
}
