//! Host keys and logins, as root in a throw-away Debian with the system's own ssh-keygen and sshd.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;

use support::debian::Debian;

const TYPES: [&str; 3] = ["ecdsa", "ed25519", "rsa"];

/// A boot of this instance, which has to end well.
fn boot(machine: &Debian, id: &str, user_data: &str) {
    let meta_data = format!("instance-id: {id}\nlocal-hostname: one\n");
    let said = machine.run_with(user_data, &meta_data, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 0, "{status:?}");
}

/// The host keys' files and what is in them.
fn host_keys(machine: &Debian) -> BTreeMap<String, String> {
    let entries = fs::read_dir(machine.path("etc/ssh")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names = names.filter(|name| name.starts_with("ssh_host_"));
    names
        .map(|name| (name.clone(), machine.text(&format!("etc/ssh/{name}"))))
        .collect()
}

fn assert_sshd_is_content(machine: &Debian) {
    fs::create_dir_all(machine.path("run/sshd")).unwrap();
    machine.chroot(&["/usr/sbin/sshd", "-t"]);
}

#[test]
fn each_instance_has_host_keys_of_its_own_and_keeps_them() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    machine.write("etc/ssh/ssh_host_dsa_key", "of the image");
    let image = host_keys(&machine);
    boot(&machine, "i-1", "");
    let first = host_keys(&machine);
    let names: Vec<String> = TYPES
        .iter()
        .flat_map(|kind| {
            [
                format!("ssh_host_{kind}_key"),
                format!("ssh_host_{kind}_key.pub"),
            ]
        })
        .collect();
    assert_eq!(first.keys().cloned().collect::<Vec<_>>(), names);
    for name in &names {
        assert_ne!(image.get(name), first.get(name), "{name} is the image's");
        let path = format!("etc/ssh/{name}");
        let mode = if name.ends_with(".pub") { 0o644 } else { 0o600 };
        assert_eq!(
            (machine.mode(&path), machine.owner(&path)),
            (mode, (0, 0)),
            "{name}"
        );
    }
    for kind in TYPES {
        let private = format!("/etc/ssh/ssh_host_{kind}_key");
        let public = machine.chroot(&["ssh-keygen", "-y", "-f", &private]);
        let (body, _) = public.trim().rsplit_once(' ').unwrap();
        assert!(
            first[&format!("ssh_host_{kind}_key.pub")].starts_with(body),
            "{kind}"
        );
    }
    assert_sshd_is_content(&machine);

    boot(&machine, "i-1", "");
    assert_eq!(host_keys(&machine), first, "a second boot");
    let again = machine.run(&["run", "ssh", "ssh_rsa", "--force"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(host_keys(&machine), first, "done again by hand");
    let plan = machine.run_with("", "instance-id: i-1\nlocal-hostname: one\n", &["plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");

    boot(&machine, "i-2", "");
    let second = host_keys(&machine);
    for name in &names {
        assert_ne!(
            second.get(name),
            first.get(name),
            "{name} is another instance's"
        );
    }
}

#[test]
fn a_power_cut_while_keys_are_made_costs_no_key_and_leaves_none_cut_off() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    // The agent is killed when it comes to this type; what stands there then is half a key.
    let real = "/usr/bin/ssh-keygen";
    for kind in TYPES {
        fs::rename(
            machine.path("usr/bin/ssh-keygen"),
            machine.path("usr/bin/real"),
        )
        .unwrap();
        let trap = format!(
            "#!/bin/sh\ncase \"$*\" in *'-t {kind} '*) printf -- '-----BEGIN' >/etc/ssh/ssh_host_{kind}_key; kill -9 $PPID; exit 1;; esac\nexec /usr/bin/real \"$@\"\n"
        );
        machine.write("usr/bin/ssh-keygen", &trap);
        machine.chroot(&["chmod", "755", real]);
        let meta_data = format!("instance-id: i-{kind}\n");
        let said = machine.run_with("", &meta_data, &["boot"]);
        assert_eq!(said.code, -1, "{kind}: {said:?}");
        fs::rename(
            machine.path("usr/bin/real"),
            machine.path("usr/bin/ssh-keygen"),
        )
        .unwrap();

        boot(&machine, &format!("i-{kind}"), "");
        assert_eq!(
            host_keys(&machine).len(),
            6,
            "{kind}: {:?}",
            host_keys(&machine).keys()
        );
        for kind in TYPES {
            machine.chroot(&[real, "-y", "-f", &format!("/etc/ssh/ssh_host_{kind}_key")]);
        }
        assert_sshd_is_content(&machine);
    }
}

#[test]
fn given_keys_and_certificates_are_those_that_sshd_shows() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    let keygen = |args: &[&str]| machine.chroot(&[&["ssh-keygen", "-q"], args].concat());
    keygen(&["-t", "ed25519", "-N", "", "-C", "ca", "-f", "/tmp/ca"]);
    for kind in ["ed25519", "rsa"] {
        keygen(&[
            "-t",
            kind,
            "-N",
            "",
            "-C",
            "given",
            "-f",
            &format!("/tmp/{kind}"),
        ]);
    }
    keygen(&[
        "-s",
        "/tmp/ca",
        "-I",
        "one",
        "-h",
        "-n",
        "one.example.com",
        "/tmp/ed25519.pub",
    ]);
    let text = |name: &str| machine.text(&format!("tmp/{name}"));
    let block = |name: &str| text(name).trim_end().replace('\n', "\n    ");
    let user_data = format!(
        "#cloud-config\nssh_keys:\n  ed25519_private: |\n    {}\n  ed25519_public: {}\n  ed25519_certificate: |\n    {}\n  rsa_private: |\n    {}\n",
        block("ed25519"),
        text("ed25519.pub").trim_end(),
        block("ed25519-cert.pub"),
        block("rsa"),
    );
    boot(&machine, "i-1", &user_data);

    let files = host_keys(&machine);
    assert_eq!(files["ssh_host_ed25519_key"], text("ed25519"));
    assert_eq!(
        files["ssh_host_ed25519_key.pub"],
        text("ed25519.pub").trim_end()
    );
    assert_eq!(
        files["ssh_host_ed25519_key-cert.pub"],
        text("ed25519-cert.pub")
    );
    assert_eq!(files["ssh_host_rsa_key"], text("rsa"));
    // As cloud-init's command writes it: ssh-keygen gives the comment, and root@localhost follows.
    let derived = text("rsa.pub").trim_end().to_owned() + " root@localhost\n";
    assert_eq!(files["ssh_host_rsa_key.pub"], derived);
    assert_eq!(files.len(), 5, "others were made: {:?}", files.keys());
    #[rustfmt::skip]
    let modes = [
        ("etc/ssh/ssh_host_ed25519_key",             0o600),
        ("etc/ssh/ssh_host_ed25519_key.pub",         0o644),
        ("etc/ssh/ssh_host_ed25519_key-cert.pub",    0o644),
        ("etc/ssh/ssh_host_rsa_key",                 0o600),
        ("etc/ssh/ssh_host_rsa_key.pub",             0o644),
        ("etc/ssh/sshd_config.d/50-cloud-init.conf", 0o600),
    ];
    for (path, mode) in modes {
        assert_eq!(
            (machine.mode(path), machine.owner(path)),
            (mode, (0, 0)),
            "{path}"
        );
    }
    assert_sshd_is_content(&machine);
    let effective = machine.chroot(&["/usr/sbin/sshd", "-T"]);
    let certificate = "hostcertificate /etc/ssh/ssh_host_ed25519_key-cert.pub";
    assert!(
        effective.lines().any(|line| line == certificate),
        "{effective}"
    );

    let secret: String = text("rsa").lines().nth(1).unwrap().to_owned();
    let plan = machine.run_with(&user_data, "instance-id: i-9\n", &["plan"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    let status = machine.run(&["status"]);
    for said in [plan, status] {
        assert!(!said.text.contains(&secret), "{said:?}");
    }
    boot(&machine, "i-1", &user_data);
    assert_eq!(host_keys(&machine), files, "a second boot");
    assert_eq!(machine.lines("etc/ssh/sshd_config.d/50-cloud-init.conf"), 1);
}
