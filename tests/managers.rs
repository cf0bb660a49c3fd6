//! Configuration managers from a repository on the disk, by the system's real apt, as root in a
//! throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;

use support::debian::Debian;
use support::repository::{self, Package};

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: one\n";
const UNIT: &str = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n";

/// A Debian whose apt knows these packages.
fn with_packages(packages: &[Package<'_>]) -> Option<Debian> {
    let machine = Debian::with_image("{}\n")?;
    repository::offer(&machine, packages);
    Some(machine)
}

#[test]
fn a_configuration_that_is_there_is_closed_to_others_when_a_password_comes_into_it() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    let conf = "etc/puppet/puppet.conf";
    for (name, mode) in [("server", 0o644), ("http_proxy_password", 0o640)] {
        machine.write_as(conf, 0o644, "[agent]\n");
        let user_data = format!(
            "#cloud-config\npuppet: {{install: false, start_service: false, conf: {{agent: {{{name}: hunter2}}}}}}\n"
        );
        let instance = format!("instance-id: i-{mode}\n");
        let said = machine.run_with(&user_data, &instance, &["boot"]);
        assert_eq!(
            machine.text(conf),
            format!("[agent]\n{name} = hunter2\n"),
            "{said:?}"
        );
        assert_eq!(machine.mode(conf), mode, "{name}");
    }
}

#[test]
fn puppet_is_configured_in_the_file_that_its_package_brings() {
    let packaged =
        "# by the package\n[main]\nssldir = /var/lib/puppet/ssl\n\n[agent]\n# server = no\n";
    let agent = "#!/bin/sh\necho \"$*\" >>/var/lib/runs\nexit 2\n";
    let packages = [Package {
        name: "puppet",
        version: "1.0",
        files: &[
            ("etc/puppet/puppet.conf", 0o640, packaged),
            ("usr/bin/puppet", 0o755, agent),
            ("usr/lib/systemd/system/puppet.service", 0o644, UNIT),
        ],
        after: "#!/bin/sh\nuseradd --system --uid 500 puppet\n",
    }];
    let Some(machine) = with_packages(&packages) else {
        return;
    };
    let user_data = "#cloud-config
puppet:
  exec: true
  conf:
    agent: {server: puppet.example.org, certname: '%i'}
    ca_cert: |
      -----BEGIN CERTIFICATE-----
  csr_attributes:
    custom_attributes: {1.2.840.113549.1.9.7: hunter2}
";
    let plan = machine.run_with(user_data, META_DATA, &["plan", "puppet"]);
    assert_eq!(plan.code, 2, "{plan:?}");
    assert!(!plan.text.contains("hunter2"), "{plan:?}");

    let said = machine.run_with(user_data, META_DATA, &["apply"]);
    let conf = machine.text("etc/puppet/puppet.conf");
    let wanted = format!("{packaged}server = puppet.example.org\ncertname = i-1\n");
    assert_eq!(conf, wanted, "{said:?}");
    assert_eq!(machine.mode("etc/puppet/puppet.conf"), 0o640);
    assert_eq!(machine.owner("var/lib/puppet/ssl/certs/ca.pem"), (500, 0));
    assert_eq!(machine.mode("var/lib/puppet/ssl"), 0o771);
    assert_eq!(machine.mode("etc/puppet/csr_attributes.yaml"), 0o600);
    let enabled = "etc/systemd/system/multi-user.target.wants/puppet.service";
    assert!(machine.path(enabled).is_symlink(), "{said:?}");
    assert_eq!(machine.text("var/lib/runs"), "agent --test\n");

    let again = machine.run_with(user_data, META_DATA, &["apply"]);
    assert_eq!(machine.text("var/lib/runs"), "agent --test\n", "{again:?}");
    let forced = machine.run_with(user_data, META_DATA, &["run", "puppet", "--force"]);
    assert_eq!(machine.text("etc/puppet/puppet.conf"), wanted, "{forced:?}");
    assert_eq!(machine.lines("var/lib/runs"), 2, "{forced:?}");
}

#[test]
fn a_package_that_is_not_there_ends_what_needs_it() {
    let Some(machine) = with_packages(&[]) else {
        return;
    };
    let user_data = "#cloud-config\nsalt_minion: {conf: {file_client: local}}\n";
    let said = machine.run_with(user_data, META_DATA, &["apply"]);
    for line in [
        "no such package: salt-minion",
        "not done because `minion` failed",
    ] {
        assert!(said.text.contains(line), "{line}: {said:?}");
    }
    assert!(!machine.path("etc/salt/minion").exists(), "{said:?}");
}

#[test]
fn keys_of_a_minion_are_for_root_alone_and_a_second_plan_is_empty() {
    let packages = [Package {
        name: "salt-minion",
        version: "1.0",
        files: &[("usr/lib/systemd/system/salt-minion.service", 0o644, UNIT)],
        after: "#!/bin/sh\n",
    }];
    let Some(machine) = with_packages(&packages) else {
        return;
    };
    let user_data = "#cloud-config
salt_minion:
  conf: {master: salt.example.com}
  public_key: public
  private_key: hunter2
";
    let plan = machine.run_with(user_data, META_DATA, &["plan", "salt_minion"]);
    assert!(!plan.text.contains("hunter2"), "{plan:?}");
    assert!(
        plan.text.contains("salt-minion would be installed"),
        "{plan:?}"
    );
    let said = machine.run_with(user_data, META_DATA, &["apply"]);
    assert_eq!(
        machine.text("etc/salt/minion"),
        "master: salt.example.com\n",
        "{said:?}"
    );
    let key = "etc/salt/pki/minion/minion.pem";
    assert_eq!(machine.text(key), "hunter2");
    assert_eq!(machine.mode(key), 0o600);
    assert_eq!(machine.mode("etc/salt/pki/minion"), 0o700);
    let other = "instance-id: i-2\nlocal-hostname: one\n";
    let again = machine.run_with(user_data, other, &["plan", "salt_minion"]);
    assert_eq!(again.code, 0, "{again:?}");
}

/// A Python that tells that it is this one, as Red Hat's is not on anybody's path.
const PLATFORM_PYTHON: &str = "#!/bin/sh\nPLATFORM=yes exec /usr/bin/python3 \"$@\"\n";

/// Registers, and writes down who runs it and what others see of its call.
const REGISTER: &str = r#"#! /usr/libexec/platform-python -Es
import os, sys
with open("/proc/self/cmdline") as seen, open("/srv/calls", "a") as calls:
    print(*sys.argv, file=calls)
    print(os.environ.get("PLATFORM"), sys.flags.no_user_site, "hunter2" in seen.read(), file=calls)
open("/etc/sysconfig/rhn/systemid", "w").close()
"#;

#[test]
fn a_program_that_comes_with_its_package_is_told_secrets_by_its_own_python() {
    let files = [
        ("usr/libexec/platform-python", 0o755, PLATFORM_PYTHON),
        ("usr/sbin/rhnreg_ks", 0o755, REGISTER),
        ("etc/sysconfig/rhn/up2date", 0o644, ""),
    ];
    let packages = [Package {
        name: "rhn-setup",
        version: "1.0",
        files: &files,
        after: "#!/bin/sh\n",
    }];
    let Some(machine) = with_packages(&packages) else {
        return;
    };
    let user_data = "#cloud-config
unverified_modules: [spacewalk]
spacewalk: {server: sw.example.com, activation_key: 1-hunter2}
";
    let said = machine.booted_with(user_data, &["apply"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.text.contains("hunter2"), "{said:?}");
    let calls = "/usr/sbin/rhnreg_ks --serverUrl https://sw.example.com/XMLRPC --profilename one \
                 --sslCACert /usr/share/rhn/RHN-ORG-TRUSTED-SSL-CERT --activationkey 1-hunter2\n\
                 yes 1 False\n";
    assert_eq!(machine.text("srv/calls"), calls, "{said:?}");

    // What is no Python program would have to be told in its arguments.
    machine.write_as("usr/sbin/rhnreg_ks", 0o755, "#!/bin/sh\n");
    fs::remove_file(machine.path("etc/sysconfig/rhn/systemid")).unwrap();
    let other = machine.booted(&["run", "spacewalk", "--force"]);
    let says = "/usr/sbin/rhnreg_ks is no Python program";
    assert!(other.text.contains(says), "{other:?}");
}
