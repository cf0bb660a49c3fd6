//! Packages from a repository on the disk, by the system's real apt, as root in a throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use support::debian::Debian;
use support::repository::{self, Package};

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: one\n";
const MODULE: &str = "package_update_upgrade_install";

/// A Debian whose apt knows the packages `one` 1.0, `two` 2.0 and `kernel` 3.0, which needs a
/// reboot.
fn with_repository(image: &str) -> Option<Debian> {
    let machine = Debian::with_image(image)?;
    let noted =
        |name: &str| format!("#!/bin/sh\necho $DEBIAN_FRONTEND >> /var/lib/{name}-installed\n");
    let (one, two) = (noted("one"), noted("two"));
    let package = |name, version, after| Package {
        name,
        version,
        files: &[],
        after,
    };
    let packages = [
        package("one", "1.0", &one),
        package("two", "2.0", &two),
        package(
            "kernel",
            "3.0",
            "#!/bin/sh\ntouch /var/run/reboot-required\n",
        ),
    ];
    repository::offer(&machine, &packages);
    Some(machine)
}

/// A process of the tree that holds apt's lock until it is dropped.
struct Lock(Child);

impl Lock {
    fn take(machine: &Debian) -> Self {
        machine.write("var/lib/dpkg/lock-frontend", "");
        let hold = r#"use Fcntl; $| = 1;
            open(F, "+<", "/var/lib/dpkg/lock-frontend") or die;
            my $lock = pack("s s x4 q q i", F_WRLCK, 0, 0, 0, 0);
            fcntl(F, F_SETLK, $lock) or die;
            print "held\n"; <STDIN>;"#;
        let mut command = Command::new("chroot");
        command.arg(machine.path("")).args(["perl", "-e", hold]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut word = [0; 4];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut word)
            .unwrap();
        assert_eq!(&word, b"held");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_known_is_installed_and_what_is_not_is_named() {
    let Some(machine) = with_repository("{}\n") else {
        return;
    };
    let both = "#cloud-config\npackages: [one, [two, '2.0']]\n";
    let plan = machine.run_with(both, META_DATA, &["plan", MODULE]);
    assert_eq!(plan.code, 2, "{plan:?}");
    for line in ["one would be installed", "two 2.0 would be installed"] {
        assert!(plan.text.contains(line), "{line}: {plan:?}");
    }

    let user_data = "#cloud-config\npackages: [one, no-such-package, [two, '2.0']]\n";
    let said = machine.run_with(user_data, META_DATA, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let says = "no such package: no-such-package; installed: one 1.0, two 2.0";
    assert!(status.text.contains(says), "{status:?}");
    for name in ["one", "two"] {
        let installed = machine.text(&format!("var/lib/{name}-installed"));
        assert_eq!(installed, "noninteractive\n", "{name}");
    }

    machine.write("etc/apt/sources.list", "");
    let again = "instance-id: i-2\n";
    let plan = machine.run_with(both, again, &["plan", MODULE]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.text.contains("nothing would change"), "{plan:?}");
    let said = machine.run_with(both, again, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(machine.run(&["status"]).code, 0);
    assert_eq!(machine.lines("var/lib/one-installed"), 1);
}

#[test]
fn lists_are_fetched_and_everything_is_upgraded() {
    let Some(machine) = with_repository("{}\n") else {
        return;
    };
    machine.boot_well("#cloud-config\npackages: [one]\n");
    let index = machine.text("srv/repository/Packages");
    let newer = "srv/newer/DEBIAN/control";
    let control = machine.text("srv/one/DEBIAN/control").replace("1.0", "1.1");
    machine.write(newer, &control);
    let path = "/srv/repository/one_1.1_all.deb";
    machine.chroot(&[
        "dpkg-deb",
        "--root-owner-group",
        "--build",
        "/srv/newer",
        path,
    ]);
    let size = fs::metadata(machine.path(&path[1..])).unwrap().len();
    let sum = machine.chroot(&["sha256sum", path]);
    let sum = sum.split(' ').next().unwrap();
    let stanza = format!("{control}Filename: ./one_1.1_all.deb\nSize: {size}\nSHA256: {sum}\n\n");
    machine.write("srv/repository/Packages", &format!("{stanza}{index}"));

    let user_data = "#cloud-config\napt_update: true\npackage_upgrade: true\n";
    let said = machine.run_with(user_data, "instance-id: i-2\n", &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let version = machine.chroot(&["dpkg-query", "--show", "--showformat", "${Version}", "one"]);
    assert_eq!(version, "1.1");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(
        status.text.contains("`apt_update` is an old spelling"),
        "{status:?}"
    );
}

#[test]
fn a_lock_that_somebody_holds_is_waited_for() {
    let Some(machine) = with_repository("{}\n") else {
        return;
    };
    machine.write("seed/user-data", "#cloud-config\npackages: [one]\n");
    machine.write("seed/meta-data", META_DATA);
    let lock = Lock::take(&machine);
    let mut command = Command::new(env!("CARGO_BIN_EXE_firstlight"));
    command.arg("--root").arg(machine.path(""));
    command.arg("--seed").arg(machine.path("seed")).arg("boot");
    let mut child = command
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let holder = lock.0.id().to_string();
    let waits = lines
        .find(|line| line.as_ref().unwrap().contains("waiting for"))
        .unwrap()
        .unwrap();
    assert!(
        waits.contains("/var/lib/dpkg/lock-frontend") && waits.contains(&holder),
        "{waits}"
    );
    assert!(!machine.path("var/lib/one-installed").exists());
    drop(lock);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert_eq!(machine.lines("var/lib/one-installed"), 1);
    assert_eq!(machine.run(&["status"]).code, 0);
}

#[test]
fn a_lock_that_is_never_released_is_named_and_the_boot_goes_on() {
    let Some(machine) = with_repository("firstlight: {package_lock_timeout: 1s}\n") else {
        return;
    };
    let lock = Lock::take(&machine);
    let user_data = "#cloud-config\npackages: [one]\nruncmd: ['touch /var/lib/ran']\n";
    let said = machine.run_with(user_data, META_DATA, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    let says = format!(
        "/var/lib/dpkg/lock-frontend is held by process {}",
        lock.0.id()
    );
    assert!(status.text.contains(&says), "{says}: {status:?}");
    assert!(machine.path("var/lib/ran").exists());
}

#[test]
fn a_network_that_comes_late_is_tried_again() {
    let image = "system_info: {apt_get_command: [/usr/local/bin/late, --assume-yes, --quiet]}\n";
    let Some(machine) = with_repository(image) else {
        return;
    };
    let late = "#!/bin/sh\necho $* >> /var/lib/tries\ntest $(wc -l < /var/lib/tries) -gt 1 && exec apt-get \"$@\"\n\
        echo \"E: Failed to fetch http://a/b  Temporary failure resolving 'a'\" >&2\nexit 100\n";
    machine.program("usr/local/bin/late", late);
    machine.boot_well("#cloud-config\npackages: [one]\n");
    let tries = machine.text("var/lib/tries");
    let update = "--assume-yes --quiet update\n";
    assert_eq!(
        tries,
        format!("{update}{update}--assume-yes --quiet install one\n")
    );
    let log = machine.text("var/log/firstlight-output.log");
    assert!(log.contains("Temporary failure resolving"), "{log}");
}

#[test]
fn lists_are_fetched_once_however_many_modules_install_something() {
    let image = "system_info: {apt_get_command: [/usr/local/bin/apt, --assume-yes]}\n";
    let Some(machine) = with_repository(image) else {
        return;
    };
    let apt = "#!/bin/sh\necho $* >> /var/lib/calls\nexec apt-get \"$@\"\n";
    machine.program("usr/local/bin/apt", apt);
    machine.boot_well("#cloud-config\npackages: [one]\nansible: {package_name: two}\n");
    let calls = machine.text("var/lib/calls");
    let update = "--assume-yes update\n";
    let install = ["one", "two"].map(|name| format!("--assume-yes install {name}\n"));
    assert_eq!(calls, update.to_owned() + &install.concat());
}

#[test]
fn a_package_that_needs_a_reboot_gets_it_before_scripts_run_and_only_once() {
    let Some(machine) = with_repository("{}\n") else {
        return;
    };
    fs::remove_file(machine.path("usr/sbin/reboot")).unwrap();
    machine.program(
        "usr/sbin/reboot",
        "#!/bin/sh\necho reboot >> /var/lib/reboots\n",
    );
    let user_data = "#cloud-config\npackages: [kernel]\npackage_reboot_if_required: true\n\
        runcmd: ['touch /var/lib/ran']\n";
    let said = machine.booted_with(user_data, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(machine.text("var/lib/reboots"), "reboot\n");
    assert!(
        !machine.path("var/lib/ran").exists(),
        "scripts wait for the reboot"
    );
    assert!(
        !machine.path("run/firstlight/result.json").exists(),
        "the boot is not over"
    );

    // /run does not outlast a reboot.
    fs::remove_dir_all(machine.path("run/firstlight")).unwrap();
    fs::remove_file(machine.path("run/reboot-required")).unwrap();
    let said = machine.booted_with(user_data, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(machine.text("var/lib/reboots"), "reboot\n");
    assert!(machine.path("var/lib/ran").exists());
    let status = machine.booted(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
}
