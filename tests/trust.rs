//! Certificates, the clock, entropy and tunnels, with the real update-ca-certificates, openssl,
//! chronyd, wg-quick and systemctl of a throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

mod support;

use support::debian::Debian;

const META_DATA: &str = "instance-id: i-1\nlocal-hostname: one\n";
const NEXT: &str = "instance-id: i-2\nlocal-hostname: one\n";
const BUNDLE: &str = "etc/ssl/certs/ca-certificates.crt";

/// A boot of the first instance, and then a plan of the next one, in which nothing is to do.
fn boots_and_stays(debian: &Debian, user_data: &str, module: &str) {
    let said = debian.run_with(user_data, META_DATA, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let plan = debian.run_with(user_data, NEXT, &["plan", module]);
    assert!(plan.text.contains("nothing would change"), "{plan:?}");
    assert_eq!(plan.code, 0, "{plan:?}");
}

/// A new authority, in PEM form.
fn authority(debian: &Debian, name: &str) -> String {
    let subject = format!("/CN={name}");
    let line = format!(
        "openssl req -x509 -newkey ed25519 -nodes -keyout /srv/{name}.key -subj {subject} -days 2 2>/dev/null"
    );
    let made = debian.chroot(&["sh", "-c", &line]);
    debian.write(&format!("srv/{name}.pem"), &made);
    made
}

/// A cloud-config that trusts these.
fn trusting(authorities: &[&str], more: &str) -> String {
    let mut config = format!("#cloud-config\nca_certs:\n  {more}\n  trusted:\n");
    for pem in authorities {
        config.push_str("    - |\n");
        for line in pem.lines() {
            config.push_str(&format!("      {line}\n"));
        }
    }
    config
}

#[test]
fn an_authority_that_is_trusted_is_trusted_by_the_systems_tools() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let (one, two) = (authority(&debian, "one"), authority(&debian, "two"));
    let before = debian.text(BUNDLE).matches("BEGIN CERTIFICATE").count();
    assert!(before > 10, "{before}");
    let verify = [
        "openssl",
        "verify",
        "-CAfile",
        "/etc/ssl/certs/ca-certificates.crt",
        "/srv/two.pem",
    ];

    boots_and_stays(&debian, &trusting(&[&one, &two], ""), "ca_certs");
    let after = debian.text(BUNDLE).matches("BEGIN CERTIFICATE").count();
    assert_eq!(after, before + 2);
    assert!(debian.chroot(&verify).contains("OK"));
}

#[test]
fn without_the_defaults_nobody_else_is_trusted() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let one = authority(&debian, "one");
    let user_data = trusting(&[&one], "remove_defaults: true");
    boots_and_stays(&debian, &user_data, "ca_certs");
    assert_eq!(debian.text(BUNDLE), one);
    let asked = debian.chroot(&["debconf-show", "ca-certificates"]);
    assert!(asked.contains("trust_new_crts: no"), "{asked}");
}

#[test]
fn the_client_that_is_there_can_read_its_configuration() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let user_data = "#cloud-config
ntp:
  pools: [pool.example.com]
  servers: [10.0.0.1, ntp.example.com]
  peers: [10.0.0.2]
  allow: [10.0.0.0/8]
";
    let packaged = debian.text("etc/chrony/chrony.conf");
    boots_and_stays(&debian, user_data, "ntp");
    assert_eq!(debian.text("etc/chrony/chrony.conf.dist"), packaged);
    let read = debian.chroot(&["chronyd", "-p", "-f", "/etc/chrony/chrony.conf"]);
    for line in [
        "pool pool.example.com iburst",
        "server 10.0.0.1 iburst",
        "peer 10.0.0.2",
        "allow 10.0.0.0/8",
    ] {
        assert!(read.lines().any(|own| own == line), "{line}: {read}");
    }
}

#[test]
fn entropy_goes_once_behind_what_is_in_a_file() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let user_data = "#cloud-config
random_seed:
  file: /var/lib/seed
  data: c2VlZA==
  encoding: b64
  command: [sh, -c, 'echo $RANDOM_SEED_FILE >>/srv/commands']
";
    let meta_data = format!("{META_DATA}random_seed: cloud\n");
    for _ in 0..2 {
        let said = debian.run_with(user_data, &meta_data, &["boot"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(debian.run(&["status"]).code, 0);
    }
    assert_eq!(debian.text("var/lib/seed"), "seedcloud");
    assert_eq!(debian.mode("var/lib/seed"), 0o600);
    assert_eq!(debian.text("srv/commands"), "/var/lib/seed\n");
}

#[test]
fn a_tunnel_is_roots_secret_and_is_up_at_each_boot() {
    let Some(debian) = Debian::with_image("unverified_modules: [wireguard]\n") else {
        return;
    };
    let key = debian.chroot(&["wg", "genkey"]);
    let user_data = format!(
        "#cloud-config
wireguard:
  interfaces:
    - name: wg0
      config_path: /etc/wireguard/wg0.conf
      content: |
        [Interface]
        PrivateKey = {key}
        Address = 10.0.0.1/24
"
    );
    let plan = debian.run_with(&user_data, META_DATA, &["plan", "wireguard"]);
    let line = "file /etc/wireguard/wg0.conf (0600) (would make)";
    assert!(plan.text.contains(line), "{plan:?}");
    assert!(!plan.text.contains(key.trim()), "{plan:?}");
    boots_and_stays(&debian, &user_data, "wireguard");
    assert_eq!(debian.mode("etc/wireguard/wg0.conf"), 0o600);
    let read = debian.chroot(&["wg-quick", "strip", "wg0"]);
    assert!(read.contains("PrivateKey"), "{read}");
    let enabled = debian.chroot(&["systemctl", "is-enabled", "wg-quick@wg0.service"]);
    assert_eq!(enabled, "enabled\n");
}

#[test]
fn nobody_is_told_of_a_machine_that_does_not_run() {
    let Some(debian) = Debian::with_image("{}\n") else {
        return;
    };
    let user_data = "#cloud-config\nphone_home: {url: 'http://127.0.0.1:9/?token=hunter2'}\n";
    let said = debian.run_with(user_data, META_DATA, &["boot"]);
    assert_eq!(said.code, 0, "{said:?}");
    let status = debian.run(&["status", "--long"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(!status.text.contains("hunter2"), "{status:?}");
}
