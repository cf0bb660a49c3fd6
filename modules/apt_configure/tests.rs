mod mirrors;
mod sources;

use std::path::Path;

use contract::effect::{Content, Effect, FileSpec};
use contract::testing::{FakeMachine, Setting};

use super::*;

const PROXY_FILE: &str = "/etc/apt/apt.conf.d/90cloud-init-aptproxy";
const CONF_FILE: &str = "/etc/apt/apt.conf.d/94cloud-init-config";
const DEBIAN: (&str, &str) = ("/etc/os-release", "ID=debian\nVERSION_CODENAME=trixie\n");
const UBUNTU: (&str, &str) = (
    "/etc/os-release",
    "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n",
);
const APT: (&str, &str) = ("/usr/bin/apt-get", "");
const GPG: (&str, &str) = ("/usr/bin/gpg", "");
const ADD: (&str, &str) = ("/usr/bin/add-apt-repository", "");
const LINES: (&str, &str) = ("/etc/apt/sources.list", "deb http://old trixie main\n");
const TEMPLATE: (&str, &str) = (
    "/etc/cloud/templates/sources.list.debian.deb822.tmpl",
    "Types: deb\nURIs: {{mirror}}\nSuites: {{codename}} {{codename}}-updates\n\n\
     Types: deb\nURIs: {{security}}\nSuites: {{codename}}-security\n",
);
const UBUNTU_TEMPLATE: (&str, &str) = (
    "/etc/cloud/templates/sources.list.ubuntu.deb822.tmpl",
    "Types: deb\nURIs: {{mirror}}\nSuites: {{codename}}\n",
);
const DEBIAN_SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";
const UBUNTU_SOURCES: &str = "/etc/apt/sources.list.d/ubuntu.sources";
/// As Ubuntu's images for EC2 have it.
const IMAGE: &str = "
system_info:
  distro: ubuntu
  package_mirrors:
    - arches: [default]
      failsafe: {primary: http://archive.ubuntu.com/ubuntu, security: http://security.ubuntu.com/ubuntu}
      search:
        primary: ['http://%(ec2_region)s.ec2.archive.ubuntu.com/ubuntu/', 'http://%(region)s.clouds.archive.ubuntu.com/ubuntu/']
        security: []
";
const PPA: &str = "apt: {preserve_sources_list: true, sources: {a: {source: 'ppa:ada/tools'}}}";

/// Paths with what is in them.
type Files<'a> = &'a [(&'a str, &'a str)];

fn setting(files: Files<'_>) -> Setting {
    Setting {
        machine: FakeMachine::with(files),
        ..Setting::default()
    }
}

fn plan(files: Files<'_>, config: &str) -> Plan {
    setting(files).plan::<AptConfigure>(config)
}

fn said(plan: &Plan) -> Vec<String> {
    plan.problems.iter().map(ToString::to_string).collect()
}

/// The machine after all files of a plan are written, and what its tools keep.
fn after(files: Files<'_>, plan: &Plan) -> Setting {
    let setting = setting(files);
    for effect in plan.effects() {
        if let Effect::File(FileSpec { at, content, .. }) = effect {
            let bytes = content.bytes().to_vec();
            setting
                .machine
                .files
                .borrow_mut()
                .insert(at.to_string().into(), bytes);
        }
    }
    setting
}

/// A public key, as it stands in a block of YAML.
const KEY: &str = "        -----BEGIN PGP PUBLIC KEY BLOCK-----

        mDMEawdDsxYJKwYBBAHaRw8BAQdAuUGtpvjlQb51C817v4LV3F+bLNYtcPOyeuHt
        yZQSFXW0FW9uZSA8b25lQGV4YW1wbGUuY29tPoiQBBMWCAA4FiEE+4gdm+fxUSg3
        u5zjw0cbVeA1wHQFAmsHQ7MCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ
        w0cbVeA1wHRTnAEA94SkeX4vSVB4Nx31pU/gKegEakBOL43giWYYSRFGPWwA/18r
        r7nnxKUfS7xCK3EjbSoJS6vxSka7W5eaReJpuXEH
        =2mG5
        -----END PGP PUBLIC KEY BLOCK-----";

#[test]
fn proxies_and_settings_are_files_that_go_when_nobody_says_them_any_more() {
    let config = "
apt:
  preserve_sources_list: true
  proxy: http://all:3128
  https_proxy: http://me:hunter2@tls:3128
  http_proxy: http://plain:3128
  ftp_proxy: ftp://ftp:21
  conf: |
    APT { Get { Assume-Yes true; }; };
";
    let plan = plan(&[DEBIAN], config);
    assert_eq!(
        plan.lines(),
        [
            format!("file {PROXY_FILE} (0644)"),
            format!("file {CONF_FILE} (0644)")
        ]
    );
    assert_eq!(
        plan.text_of(CONF_FILE).unwrap(),
        "APT { Get { Assume-Yes true; }; };\n"
    );
    let Some(Effect::File(proxies)) = plan.effects().next() else {
        panic!("{plan:?}");
    };
    assert!(
        matches!(proxies.content, Content::Secret(_)),
        "it holds a password"
    );
    assert_eq!(
        String::from_utf8_lossy(proxies.content.bytes()),
        "Acquire::http::Proxy \"http://all:3128\";\nAcquire::http::Proxy \"http://plain:3128\";\n\
         Acquire::ftp::Proxy \"ftp://ftp:21\";\nAcquire::https::Proxy \"http://me:hunter2@tls:3128\";\n"
    );
    let gone = super::tests::plan(
        &[DEBIAN, (PROXY_FILE, "x"), (CONF_FILE, "x")],
        "apt: {preserve_sources_list: true}",
    );
    assert_eq!(
        gone.lines(),
        [
            format!("no file {PROXY_FILE}"),
            format!("no file {CONF_FILE}")
        ]
    );
}

#[test]
fn answers_for_debconf_go_in_the_order_of_their_names_and_are_secret() {
    let config = "apt: {preserve_sources_list: true, debconf_selections: {b: 'mysql mysql/pw password hunter2', a: 'ssh ssh/x string y'}}";
    let installed = (
        "/var/lib/dpkg/status",
        "Package: ssh\nStatus: install ok installed\n\nPackage: mysql\nStatus: deinstall ok config-files\n",
    );
    let told = plan(&[DEBIAN, installed], config);
    assert_eq!(told.lines(), ["answers of a, b for debconf"]);
    assert!(!format!("{told:?}").contains("hunter2"));
    let Some(Effect::Tool(tool)) = told.effects().next() else {
        panic!("{told:?}");
    };
    assert_eq!(
        tool.stdin.expose(),
        b"ssh ssh/x string y\nmysql mysql/pw password hunter2\n"
    );
    assert_eq!(
        said(&told),
        [
            "test:1:98: apt.debconf_selections: what is installed already is not configured anew: ssh \
          (`dpkg-reconfigure` does that, if the package asks debconf and not its files)"
        ]
    );
    let books = [
        (
            "/var/cache/debconf/config.dat",
            "Name: ssh/x\nValue: y\nOwners: ssh\nFlags: seen\n",
        ),
        (
            "/var/cache/debconf/passwords.dat",
            "Name: mysql/pw\nValue: hunter2\nOwners: mysql\nFlags: seen\n",
        ),
    ];
    assert_eq!(
        plan(&[DEBIAN, installed, books[0], books[1]], config),
        Plan::nothing()
    );
}

#[test]
fn old_keys_count_where_there_is_no_apt() {
    let old = "
apt_preserve_sources_list: false
apt_mirror: http://m
apt_https_proxy: http://tls
apt_sources:
  - source: deb http://a x main
  - {source: deb http://b x main, filename: b.list}
";
    let told = plan(&[DEBIAN, TEMPLATE], old);
    assert_eq!(
        told.text_of(PROXY_FILE).unwrap(),
        "Acquire::https::Proxy \"http://tls\";\n"
    );
    assert!(
        told.text_of(DEBIAN_SOURCES)
            .unwrap()
            .contains("URIs: http://m\n")
    );
    let one = told.text_of("/etc/apt/sources.list.d/cloud_config_sources.list");
    assert_eq!(one.unwrap(), "deb http://a x main\n");
    assert_eq!(
        told.text_of("/etc/apt/sources.list.d/b.list").unwrap(),
        "deb http://b x main\n"
    );
    assert_eq!(
        said(&told)[1],
        "test:3:13: `apt_mirror` is an old key (write `apt: {primary: [{arches: [default], uri: ...}]}`)"
    );
    assert!(
        told.problems
            .iter()
            .all(|problem| problem.severity == contract::plan::Severity::Notice)
    );
    let beside = plan(
        &[DEBIAN],
        "{apt_mirror: http://m, apt: {preserve_sources_list: true}}",
    );
    assert_eq!(beside.steps, []);
    assert_eq!(
        said(&beside),
        [
            "test:1:14: apt_mirror: it has no effect beside `apt` (write `apt: {primary: [{arches: [default], uri: ...}]}`)"
        ]
    );
    assert_eq!(plan(&[DEBIAN, TEMPLATE], "apt_mirror: ''"), Plan::nothing());
}

#[test]
fn what_is_wrong_costs_itself_alone_and_is_told_with_its_place() {
    #[rustfmt::skip]
    let table: [(&str, &str, &[&str]); 20] = [
        ("{PRESERVE, sources: {a: {source: 'deb https://me:pa$word@a x'}}}", "test:1:58: apt.sources.a.source: it names a variable that there is not", &[]),
        ("{PRESERVE, sources: {a: {source: 'own:https://me:hunter2@a'}}}", "test:1:58: apt.sources.a.source: a password would be seen by everybody: write it as a line", &["package software-properties-common (apt)"]),
        ("{PRESERVE, sources: {a: {keyid: F430BBA5, keyserver: 'https://me:hunter2@a'}}}", "test:1:57: apt.sources.a.keyserver: expected a server without a password, which everybody would see", &["package gnupg (apt)"]),
        ("{PRESERVE, sources: {a: {keyid: 0xF430BBA5}}}",   "test:1:57: apt.sources.a.keyid: expected a string, in quotes, found an integer", &[]),
        ("[a]",                                             "test:1:6: apt: expected a mapping, found a list", &[]),
        ("{preserve_sources_list: maybe}",                  "test:1:30: apt.preserve_sources_list: expected true or false; it is taken as true", &[]),
        ("{PRESERVE, sources: [a]}",                        "test:1:45: apt.sources: expected a mapping, found a list", &[]),
        ("{PRESERVE, sources: [a, {source: deb http://b x}]}", "test:1:45: apt.sources: expected a mapping, found a list", &["file /etc/apt/sources.list.d/cloud_config_sources.list (0644)", "fresh lists of packages (apt)"]),
        ("{PRESERVE, sources: {a: x, b: {source: deb http://b x}}}", "test:1:49: apt.sources.a: expected a mapping, found a string", &["file /etc/apt/sources.list.d/b.list (0644)", "fresh lists of packages (apt)"]),
        ("{PRESERVE, sources: {a: {source: [x]}}}",         "test:1:58: apt.sources.a.source: expected a string, found a list", &[]),
        ("{PRESERVE, sources: {a: {source: 'deb $X y'}}}",  "test:1:58: apt.sources.a.source: there is no `$X`", &[]),
        ("{PRESERVE, sources: {a: {source: deb x y, key: abc}}}", "test:1:72: apt.sources.a.key: no public key in ASCII armor: there is no line `-----BEGIN PGP PUBLIC KEY BLOCK-----`", &[]),
        ("{PRESERVE, sources: {a: {source: deb x y, filename: ../x}}}", "test:1:77: apt.sources.a.filename: expected the name of a file, or an absolute path", &[]),
        ("{PRESERVE, proxy: \"a\\\"b\", http_proxy: http://p}", "test:1:43: apt.proxy: expected an address", &["file /etc/apt/apt.conf.d/90cloud-init-aptproxy (0644)"]),
        ("{PRESERVE, conf: [a]}",                           "test:1:42: apt.conf: expected a string, found a list", &[]),
        ("{PRESERVE, primary: x}",                          "test:1:45: apt.primary: expected a list of mappings, found a string", &[]),
        ("{PRESERVE, primary: [x]}",                        "test:1:46: apt.primary[0]: expected a mapping, found a string", &[]),
        ("{PRESERVE, primary: [{arches: [default], uri: \"http://m\\ndeb http://x\"}]}", "test:1:71: apt.primary[0].uri: expected an address", &[]),
        ("{PRESERVE, debconf_selections: [x]}",             "test:1:56: apt.debconf_selections: expected a mapping of strings, found a list", &[]),
        ("{PRESERVE, debconf_selections: {a: 1, b: c d string e}}", "test:1:60: apt.debconf_selections.a: expected a string, found an integer", &["answers of b for debconf"]),
    ];
    for (apt, message, lines) in table {
        let config = format!(
            "apt: {}",
            apt.replace("PRESERVE", "preserve_sources_list: true")
        );
        let plan = plan(&[DEBIAN], &config);
        assert_eq!(said(&plan)[0], message, "{apt}");
        assert_eq!(plan.lines(), lines, "{apt}");
    }
}

#[test]
fn on_a_machine_that_does_not_say_what_it_is_mistakes_are_found_all_the_same() {
    let plan = plan(
        &[],
        "apt: {proxy: [x], sources: {a: {source: deb $MIRROR $RELEASE x}, b: {keyid: me}}}",
    );
    let placed = said(&plan)
        .into_iter()
        .filter(|text| text.starts_with("test:"));
    assert_eq!(
        placed.collect::<Vec<_>>(),
        [
            "test:1:14: apt.proxy: expected a string, found a list",
            "test:1:77: apt.sources.b.keyid: expected the id or fingerprint of a key, 8 to 40 hexadecimal digits",
        ]
    );
}
