//! The built binary where the machine is against it: a gate that must open, a full disk, a file
//! system that is read-only.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::Scratch;

#[test]
fn logins_are_let_in_when_the_gates_budget_is_over_and_nobody_has_answered() {
    let scratch = Scratch::new();
    // A service that takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let config = format!(
        "datasource_list: [Ec2]\n\
         datasource: {{Ec2: {{metadata_urls: ['http://{address}'], max_wait: 240, timeout: 240}}}}\n\
         firstlight: {{gate_budget: 1s}}\n"
    );
    image(scratch.path(), &config);
    let socket = scratch.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut boot = Command::new(env!("CARGO_BIN_EXE_firstlight"))
        .arg("--root")
        .arg(scratch.path())
        .arg("boot")
        .env("NOTIFY_SOCKET", &socket)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = Vec::new();
    let mut bytes = [0; 4096];
    while said.last().is_none_or(|last| last != "READY=1") {
        let Ok(length) = manager.recv(&mut bytes) else {
            break;
        };
        said.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
    }
    let running = boot.try_wait().unwrap().is_none();
    boot.kill().unwrap();
    boot.wait().unwrap();
    assert_eq!(said, ["STATUS=asking who this instance is", "READY=1"]);
    assert!(running, "it gave up on the metadata when the gate opened");
}

#[test]
fn a_full_disk_costs_what_does_not_fit_and_leaves_nothing_half_written() {
    let answer = mounted(
        "mount -t tmpfs -o size=1m tmpfs $ROOT",
        "mkdir -p $ROOT/origin $ROOT/srv/www
         head -c 300000 /dev/zero >$ROOT/origin/small
         $FIRSTLIGHT apply; echo \"first $?\"
         head -c 500000 /dev/zero >$ROOT/origin/big
         tr '\\0' x <$ROOT/origin/small >$ROOT/origin/new
         mv $ROOT/origin/new $ROOT/origin/small
         rm -f $ROOT/etc/hostname
         $FIRSTLIGHT run content set_hostname --force; echo \"second $?\"
         $FIRSTLIGHT status; echo \"status $?\"
         find $ROOT/srv/www -type f | sort
         cmp $ROOT/srv/www/small $ROOT/origin/small && echo whole
         cat $ROOT/etc/hostname",
        "content: [{source: 'file:///origin', dest: /srv/www}]\n",
    );
    let Some(said) = answer else { return };
    assert!(said.contains("first 0\n"), "{said}");
    assert!(said.contains("second 1\n"), "{said}");
    let full = "cannot write /srv/www/big: No space left on device";
    assert!(said.contains(full), "{said}");
    let files: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("/srv/www/") && line.starts_with('/'))
        .collect();
    assert_eq!(files.len(), 1, "a piece of a file is left: {said}");
    assert!(files[0].ends_with("/srv/www/small"), "{said}");
    assert!(
        said.ends_with("calm\n"),
        "the host name was not set: {said}"
    );
}

#[test]
fn on_a_read_only_file_system_what_can_be_done_is_done_and_the_rest_is_told() {
    let answer = mounted(
        "mount -t tmpfs tmpfs $ROOT",
        "mkdir -p $ROOT/run $ROOT/var
         mount -t tmpfs tmpfs $ROOT/run
         mount -t tmpfs tmpfs $ROOT/var
         mount -o remount,ro $ROOT
         $FIRSTLIGHT boot; echo \"boot $?\"
         $FIRSTLIGHT status; echo \"status $?\"
         cat $ROOT/run/firstlight/role.env",
        "",
    );
    let Some(said) = answer else { return };
    assert!(said.contains("boot 0\n"), "a boot goes on: {said}");
    assert!(said.contains("status 1\n"), "{said}");
    assert!(said.contains("cannot write /etc/hostname: "), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(said.contains("FIRSTLIGHT_ROLE=leader\n"), "{said}");
}

/// An image with this configuration.
fn image(root: &Path, config: &str) {
    for (name, text) in [
        ("etc/firstlight/config.yaml", config),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
    ] {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// What commands print on an image on file systems of its own, `$FIRSTLIGHT` being the binary with
/// a root and a seed. `None`, and said so, for somebody who is not root.
#[allow(
    clippy::print_stderr,
    reason = "whoever runs the tests reads why one did nothing"
)]
fn mounted(mount: &str, commands: &str, config: &str) -> Option<String> {
    let unshared = Command::new("unshare").args(["--mount", "true"]).output();
    if !unshared.is_ok_and(|output| output.status.success()) {
        let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !in_ci,
            "with CI=true nothing is skipped: unshare --mount does not work here"
        );
        eprintln!("skipped: needs root, for mounts of its own");
        return None;
    }
    let scratch = Scratch::new();
    let (root, seed) = (scratch.path().join("root"), scratch.path().join("seed"));
    fs::create_dir_all(&root).unwrap();
    image(
        &scratch.path().join("image"),
        &format!("users: []\n{config}"),
    );
    fs::create_dir_all(&seed).unwrap();
    let metadata = "instance-id: i-1\nlocal-hostname: calm\nami-launch-index: 0\n";
    fs::write(seed.join("meta-data"), metadata).unwrap();
    let firstlight = env!("CARGO_BIN_EXE_firstlight");
    let script = format!(
        "set -e\nROOT={root}\nFIRSTLIGHT='{firstlight} --root {root} --seed {seed}'\n\
         {mount}\ncp -a {image}/. $ROOT\nset +e\n{commands}\n",
        root = root.display(),
        seed = seed.display(),
        image = scratch.path().join("image").display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    let output = command
        .arg(format!("exec 2>&1\n{script}"))
        .output()
        .unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
