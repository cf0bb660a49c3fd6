//! The last step of an image's build: what an image must not take along, as root in a throw-away
//! Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use support::debian::{Debian, Said};
use support::{Case, Scratch};

const LAUNCH: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIO5gVQ4XrE+mYvIUzIdFO7CbTe9EzYQxRDgZRJCPLXz5";
const OF_WEB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIDWebWebWebWebWebWebWebWebWebWebWebWebWebWebWebW";
const OF_OPS: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIDOpsOpsOpsOpsOpsOpsOpsOpsOpsOpsOpsOpsOpsOpsOpsO";

/// What one knows of an instance by, and must not find in an image of it.
const SECRETS: [&str; 6] = [
    "i-0123sealed",
    "ip-10-9-8-7",
    "sesame-script",
    "sesame-runcmd",
    LAUNCH,
    OF_WEB,
];

fn user_data() -> String {
    format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\nContent-Type: text/cloud-config\n\n\
         #cloud-config\nusers: [default, {{name: web, ssh_authorized_keys: ['ssh-ed25519 {OF_WEB}']}}]\n\
         runcmd: ['echo sesame-runcmd >/dev/null']\n\
         write_files: [{{path: /srv/note, content: hello}}]\n\
         --B\nContent-Type: text/x-shellscript\n\n#!/bin/sh\n: sesame-script\n--B--\n"
    )
}

/// A machine that has been an instance, with what an instance gathers.
fn instance() -> Option<Debian> {
    let image = format!(
        "users: [default, {{name: ops, ssh_authorized_keys: ['ssh-ed25519 {OF_OPS}']}}]\n\
         system_info: {{default_user: {{name: admin}}}}\n"
    );
    let machine = Debian::with_image(&image)?;
    let meta_data = format!(
        "instance-id: i-0123sealed\nlocal-hostname: ip-10-9-8-7.ec2.internal\n\
         public-keys: ['ssh-ed25519 {LAUNCH} launch']\n"
    );
    // The account of the image's builder, who is there without user data too.
    ok(&machine.run_with("", &meta_data.replace("sealed", "built"), &["boot"]));
    ok(&machine.run_with(&user_data(), &meta_data, &["boot"]));
    ok(&machine.run(&["status"]));
    fs::remove_dir_all(machine.path("seed")).unwrap();
    #[rustfmt::skip]
    let gathered = [
        ("etc/machine-id",                                       "0123456789abcdef0123456789abcdef\n"),
        ("var/lib/dbus/machine-id",                              "0123456789abcdef0123456789abcdef\n"),
        ("var/lib/systemd/random-seed",                          "sesame-script"),
        ("var/lib/dhcp/dhclient.eth0.leases",                    "lease ip-10-9-8-7"),
        ("var/lib/NetworkManager/internal-1.lease",              "ip-10-9-8-7"),
        ("var/lib/cloud/instances/i-0123sealed/user-data.txt",   "sesame-script"),
        ("var/lib/cloud/seed/nocloud/meta-data",                 "instance-id: of-the-image\n"),
        ("var/log/cloud-init-output.log",                        "sesame-runcmd"),
        ("var/log/auth.log.1",                                   "sesame-runcmd"),
        ("var/log/journal/0123/system.journal",                  "sesame-runcmd"),
        ("root/.bash_history",                                   "echo sesame-runcmd"),
        ("home/web/.bash_history",                               "echo sesame-runcmd"),
        ("var/log/dpkg.log",                                     "of the image"),
    ];
    for (path, text) in gathered {
        machine.write(path, text);
    }
    Some(machine)
}

#[test]
fn an_image_takes_nothing_along_by_which_the_instance_could_be_known() {
    let Some(machine) = instance() else { return };
    for secret in SECRETS {
        assert!(
            !holding(&machine, secret).is_empty(),
            "{secret} was never there"
        );
    }
    let preview = machine.run(&["clean", "--seal", "--dry-run"]);
    ok(&preview);
    assert!(
        !holding(&machine, LAUNCH).is_empty(),
        "a preview removed a key"
    );
    let said = machine.run(&["clean", "--seal"]);
    ok(&said);
    let removed = |said: &Said, begins: &str| -> Vec<String> {
        let lines = said.text.lines();
        let paths = lines.filter_map(|line| line.strip_prefix(begins).map(ToOwned::to_owned));
        paths.collect()
    };
    assert_eq!(
        removed(&preview, "would be removed: "),
        removed(&said, "removed: ")
    );

    for secret in SECRETS {
        assert_eq!(holding(&machine, secret), "", "{secret}: {said:?}");
    }
    assert_eq!(machine.text("etc/machine-id"), "");
    for gone in [
        "etc/ssh/ssh_host_ed25519_key",
        "var/lib/systemd/random-seed",
        "etc/hostname",
    ] {
        assert!(!machine.path(gone).exists(), "{gone}: {said:?}");
    }
    // What the builder made is the image's.
    assert!(
        machine
            .text("home/ops/.ssh/authorized_keys")
            .contains(OF_OPS)
    );
    assert!(
        machine
            .path("var/lib/cloud/seed/nocloud/meta-data")
            .exists()
    );
    assert!(
        machine.path("var/log/journal").is_dir(),
        "logs would not be kept"
    );
    assert_eq!(machine.text("var/log/dpkg.log"), "of the image");
    let configuration = machine.text("etc/firstlight/config.d/50-web.yaml");
    assert!(configuration.contains("name: admin"));
    // What only the builder can judge is told.
    for left in [
        "account web, which user data asks for",
        "file /srv/note, which user data wrote",
    ] {
        assert!(
            said.text.contains(&format!("left as it is: {left}")),
            "{said:?}"
        );
    }
    assert!(machine.entry("etc/passwd", "web").is_some());

    let again = machine.run(&["clean", "--seal"]);
    ok(&again);
    assert_eq!(again.text, "there was nothing to remove\n");
}

#[test]
fn a_sealed_image_becomes_another_instance() {
    let Some(machine) = instance() else { return };
    ok(&machine.run(&["clean", "--seal"]));
    let meta_data = "instance-id: i-2\nlocal-hostname: two\n";
    ok(&machine.run_with(
        "#!/bin/sh\necho ran >> /var/lib/ran\n",
        meta_data,
        &["boot"],
    ));
    assert_eq!(machine.text("etc/hostname"), "two\n");
    assert_eq!(machine.text("var/lib/ran"), "ran\n");
    assert!(machine.path("etc/ssh/ssh_host_ed25519_key").exists());
}

#[test]
fn a_host_name_that_the_builder_chose_and_a_machine_that_nobody_was_stay_as_they_are() {
    let case = Case::made("", "instance-id: i-1\nlocal-hostname: calm\n");
    ok_alone(case.run(&["apply"]).code);
    fs::write(case.path("etc/hostname"), "chosen\n").unwrap();
    ok_alone(case.run(&["clean", "--seal"]).code);
    assert_eq!(case.text("etc/hostname"), "chosen\n");

    let empty = Scratch::new();
    let root = empty.path().to_str().unwrap();
    let said = support::alone(&["--root", root, "clean", "--seal"]);
    ok_alone(said.code);
    assert_eq!(said.stdout, "there was nothing to remove\n");
}

#[test]
fn the_key_that_an_image_was_built_with_goes_where_cloud_init_was_there_before() {
    let case = Case::made("", "instance-id: i-1\n");
    let root = case.root();
    let passwd = "root:x:0:0:root:/root:/bin/sh\nadmin:x:1000:1000::/home/admin:/bin/sh\nops:x:1001:1001::/home/ops:/bin/sh\n";
    #[rustfmt::skip]
    let files = [
        ("etc/passwd",                          passwd.to_owned()),
        ("run/cloud-init/instance-data.json",   format!(r#"{{"v1": {{"public_ssh_keys": ["ssh-ed25519 {LAUNCH} packer"]}}}}"#)),
        ("home/admin/.ssh/authorized_keys",     format!("ssh-ed25519 {LAUNCH} packer\n")),
        ("home/ops/.ssh/authorized_keys",       format!("ssh-ed25519 {OF_OPS} ops\n")),
    ];
    for (path, text) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let said = support::alone(&["--root", root.to_str().unwrap(), "clean", "--seal"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        !case.path("home/admin/.ssh/authorized_keys").exists(),
        "{said:?}"
    );
    assert!(
        case.path("home/ops/.ssh/authorized_keys").exists(),
        "{said:?}"
    );
}

#[test]
fn while_a_boot_is_at_work_nothing_is_sealed() {
    let case = Case::made("", "instance-id: i-1\n");
    ok_alone(case.run(&["apply"]).code);
    let lock = fs::File::open(case.path("run/firstlight/lock")).unwrap();
    lock.lock().unwrap();
    let said = case.run(&["clean", "--seal"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.stderr.starts_with("error: a boot is at work"),
        "{said:?}"
    );
    assert!(case.path("var/lib/firstlight/instances/i-1").exists());
}

fn ok(said: &Said) {
    assert_eq!(said.code, 0, "{said:?}");
}

fn ok_alone(code: i32) {
    assert_eq!(code, 0);
}

/// Every file that holds this text, or is named by it.
fn holding(machine: &Debian, text: &str) -> String {
    let root = machine.path("");
    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program)
            .args(args)
            .arg(Path::new(&root))
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    };
    let held = run("grep", &["-rlF", "--devices=skip", text]);
    let named = Command::new("find")
        .arg(&root)
        .args(["-name", &format!("*{text}*")])
        .output();
    held + &String::from_utf8(named.unwrap().stdout).unwrap()
}
