//! apt configured for real: its own keys, sources, settings and debconf, as root in a throw-away Debian.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests only")]

mod support;

use std::fs;

use support::debian::{Debian, Said};

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: one\n";
const PRESERVED: &str = "#cloud-config\napt:\n  preserve_sources_list: true\n";

/// A public key.
const KEY: &str = "\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEZZIAgBYJKwYBBAHaRw8BAQdA+AIxETjpfRZ5VlHUCQNcRfObQT8atzKS7U0Z
p3iEYkq0F3Rlc3QgPHRlc3RAZXhhbXBsZS5jb20+iJAEExYIADgWIQTiPop5Kwa4
B+fjgTuuIXGKkYc5hAUCZZIAgAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAK
CRCuIXGKkYc5hFYBAQC5uj7B7XzZ/8NitVZe/ELjB0d0GqVGl16RtONDJbp7pAD/
fy3qEja9ZHRGUQcXn8FXvVbrHu7KpgaI2WyGEiiM1QM=
=lbe4
-----END PGP PUBLIC KEY BLOCK-----
";

/// What it signed: a repository without packages.
const RELEASE: &str = "\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA256

Date: Mon, 01 Jan 2024 00:00:00 UTC
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 Packages
-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQTiPop5Kwa4B+fjgTuuIXGKkYc5hAUCZZNSAQAKCRCuIXGKkYc5
hFBsAQDnjZYicAMTi0/ghF9HeZsY1Rk31wyJ1fC539pTzmOa8QD+N3ntywJjHxdm
uNHrKG0YQEdWMNd9U64NRmZebM74aAQ=
=PqiV
-----END PGP SIGNATURE-----
";

/// A Debian whose only sources will be those of the repository in /srv/repository.
fn with_repository() -> Option<Debian> {
    let machine = Debian::with_image("{}\n")?;
    machine.write("srv/repository/InRelease", RELEASE);
    machine.write("srv/repository/Packages", "");
    machine.write("etc/apt/sources.list", "");
    Some(machine)
}

/// A text as it stands in a block of YAML.
fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("        {line}\n"));
    lines.collect()
}

/// A boot, which has to go well, after which nothing is left to do.
fn boot_and_plan(machine: &Debian, user_data: &str) {
    machine.boot_well(user_data);
    let plan = plan(machine, user_data);
    assert_eq!(plan.code, 0, "{plan:?}");
}

/// What would be done for a new instance.
fn plan(machine: &Debian, user_data: &str) -> Said {
    machine.run_with(user_data, META_DATA, &["plan", "apt_configure"])
}

#[test]
fn apt_trusts_a_repository_by_the_key_that_was_given_with_it() {
    let Some(machine) = with_repository() else {
        return;
    };
    let source = "source: 'deb [signed-by=$KEY_FILE] file:///srv/repository ./'";
    let key = indented(KEY);
    let user_data = format!("{PRESERVED}  sources:\n    own:\n      {source}\n      key: |\n{key}");
    boot_and_plan(&machine, &user_data);
    let keyring = "etc/apt/cloud-init.gpg.d/own.gpg";
    assert_eq!(machine.mode(keyring), 0o644);
    assert_eq!(
        machine.text("etc/apt/sources.list.d/own.list"),
        "deb [signed-by=/etc/apt/cloud-init.gpg.d/own.gpg] file:///srv/repository ./\n"
    );
    // apt-get has fetched the list, which it does of a repository that it trusts alone.
    assert!(
        machine
            .path("var/lib/apt/lists/_srv_repository_._InRelease")
            .exists()
    );

    let other = format!("{PRESERVED}  sources:\n    own: {{{source}, key: nonsense}}\n");
    let said = machine.run_with(&other, "instance-id: i-2\n", &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = machine.run(&["status"]);
    assert_eq!(status.code, 1, "{status:?}");
    assert!(
        status.text.contains("apt.sources.own.key: no public key"),
        "{status:?}"
    );
}

#[test]
fn a_key_is_asked_of_a_server_until_it_comes_and_then_kept() {
    let Some(machine) = with_repository() else {
        return;
    };
    machine.write("srv/key", KEY);
    // A server that fails at first; gpg is not in the tree.
    machine.program(
        "usr/local/bin/gpg",
        "#!/bin/sh\nset -eu\necho \"$*\" >>/srv/asked\ncase $* in\n\
         *--recv-keys*) [ $(wc -l </srv/asked) -gt 1 ]; touch \"$GNUPGHOME/has\" ;;\n\
         *--export*) [ -e \"$GNUPGHOME/has\" ]; sed '1,/^$/d; /^=/,$d' /srv/key | base64 -d ;;\n\
         esac\n",
    );
    machine.program("usr/local/bin/gpgconf", "#!/bin/sh\n");
    let source = "source: deb file:///srv/repository ./";
    let id = "E23E 8A79 2B06 B807 E7E3  813B AE21 718A 9187 3984";
    let user_data = format!(
        "{PRESERVED}  sources:\n    own: {{{source}, keyid: {id}, keyserver: keys.example.com}}\n"
    );
    boot_and_plan(&machine, &user_data);
    let number = "E23E8A792B06B807E7E3813BAE21718A91873984";
    let asked = format!("--no-tty --keyserver=keys.example.com --recv-keys {number}\n");
    let exported = format!("--no-tty --export {number}\n");
    assert_eq!(
        machine.text("srv/asked"),
        [asked.as_str(), &asked, &exported].concat()
    );
    assert_eq!(machine.mode("etc/apt/trusted.gpg.d/own.gpg"), 0o644);
    assert!(
        machine
            .path("var/lib/apt/lists/_srv_repository_._InRelease")
            .exists()
    );

    fs::remove_file(machine.path("etc/apt/trusted.gpg.d/own.gpg")).unwrap();
    let said = machine.run_with(&user_data, META_DATA, &["run", "apt_configure", "--force"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(machine.path("etc/apt/trusted.gpg.d/own.gpg").exists());
    assert_eq!(machine.lines("srv/asked"), 3, "no server is asked again");
}

#[test]
fn apt_and_debconf_know_what_was_said() {
    let Some(machine) = with_repository() else {
        return;
    };
    let user_data = "#cloud-config
apt:
  primary: [{arches: [default], uri: 'http://mirror.example.com/debian'}]
  disable_suites: [backports]
  sources_list: |
    Types: deb
    URIs: $MIRROR
    Suites: $RELEASE ${RELEASE}-backports
    Components: main
  http_proxy: http://proxy.example.com:3128
  conf: 'APT::Get::Assume-Yes \"true\";'
  debconf_selections:
    one: mysql-server mysql-server/root_password password hunter2
    two: postfix postfix/mailname string mail.example.com
";
    boot_and_plan(&machine, user_data);
    let config = machine.chroot(&["apt-config", "dump"]);
    for line in [
        "Acquire::http::Proxy \"http://proxy.example.com:3128\";",
        "APT::Get::Assume-Yes \"true\";",
    ] {
        assert!(config.contains(line), "{line}: {config}");
    }
    let fetched = machine.chroot(&["apt-get", "update", "--print-uris"]);
    let suites = fetched.matches("/debian/dists/bookworm/InRelease'").count();
    assert_eq!(
        (suites, fetched.contains("backports")),
        (1, false),
        "{fetched}"
    );
    assert!(!machine.path("etc/apt/sources.list").exists());
    let answers = machine.text("var/cache/debconf/config.dat");
    assert!(answers.contains("Value: mail.example.com"), "{answers}");
    assert!(!answers.contains("hunter2"));
    assert!(
        machine
            .text("var/cache/debconf/passwords.dat")
            .contains("Value: hunter2")
    );
    let report = machine.run(&["status", "--long"]);
    assert!(!report.text.contains("hunter2"), "{report:?}");
}
