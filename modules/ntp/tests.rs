use contract::testing::{Files, Setting};

use super::*;

const CHRONYD: (&str, &str) = ("/usr/sbin/chronyd", "");
const TIMESYNCD: (&str, &str) = ("/lib/systemd/systemd-timesyncd", "");
const NTPD: (&str, &str) = ("/usr/sbin/ntpd", "");

#[test]
fn the_client_is_the_one_that_is_there_or_else_the_distributions_first() {
    let chrony = "/etc/chrony/chrony.conf";
    let timesyncd = "/etc/systemd/timesyncd.conf.d/cloud-init.conf";
    #[rustfmt::skip]
    let table: [(&str, Files<'_>, &str, &[&str]); 14] = [
        ("debian", &[CHRONYD, TIMESYNCD], "ntp: {}", &[&format!("file {chrony} (0644)"), "reload-or-restart chrony.service"]),
        ("debian", &[TIMESYNCD],          "ntp: {}", &[&format!("file {timesyncd} (0644)"), "reload-or-restart systemd-timesyncd.service"]),
        ("ubuntu", &[NTPD],               "ntp: {}", &["file /etc/ntp.conf (0644)", "reload-or-restart ntp.service"]),
        ("debian", &[],                   "ntp: {}", &[&format!("file {chrony} (0644)"), "package chrony (apt)", "reload-or-restart chrony.service"]),
        ("amzn",   &[CHRONYD],            "ntp: {}", &["file /etc/chrony.conf (0644)", "reload-or-restart chronyd.service"]),
        ("fedora", &[],                   "ntp: {}", &["file /etc/chrony.conf (0644)", "package chrony (dnf)", "reload-or-restart chronyd.service"]),
        ("sles",   &[CHRONYD],            "ntp: {}", &["file /etc/chrony.conf (0644)", "reload-or-restart chronyd.service"]),
        ("alpine", &[NTPD],               "ntp: {}", &["file /etc/ntp.conf (0644)", "reload-or-restart ntpd"]),
        ("debian", &[TIMESYNCD],          "ntp: {ntp_client: ntp}", &["file /etc/ntp.conf (0644)", "package ntp (apt)", "reload-or-restart ntp.service"]),
        ("debian", &[],                   "ntp: {ntp_client: systemd-timesyncd}",
         &[&format!("file {timesyncd} (0644)"), "package systemd-timesyncd (apt)", "reload-or-restart systemd-timesyncd.service"]),
        ("debian", &[],                   "ntp: {ntp_client: openntpd}",
         &["file /etc/openntpd/ntpd.conf (0644)", "package openntpd (apt)", "reload-or-restart openntpd.service"]),
        ("debian", &[CHRONYD, NTPD],      "{ntp: {}, system_info: {ntp_client: ntp}}", &["file /etc/ntp.conf (0644)", "reload-or-restart ntp.service"]),
        ("debian", &[CHRONYD],            "ntp: {enabled: false}", &[]),
        ("debian", &[CHRONYD],            "{ntp: {ntp_client: auto, config: {service_name: my.timer}}}", &[&format!("file {chrony} (0644)"), "reload-or-restart my.timer"]),
    ];
    for (id, files, config, lines) in table {
        let plan = Setting::on(id, files).plan::<Ntp>(config);
        assert_eq!(plan.lines(), lines, "{id} {config}");
        assert_eq!(plan.problems, [], "{id} {config}");
    }
}

#[test]
fn without_a_template_in_the_image_the_file_is_like_the_distributions_own() {
    let all = "ntp: {pools: [pool.a], servers: [a, b], peers: [c], allow: [10.0.0.0/8]}";
    let nothing = "ntp: {}";
    #[rustfmt::skip]
    let table = [
        ("debian", CHRONYD,   all,     "/etc/chrony/chrony.conf", "pool pool.a iburst\nserver a iburst\nserver b iburst\npeer c\nallow 10.0.0.0/8\nkeyfile /etc/chrony/chrony.keys\n"),
        ("amzn",   CHRONYD,   nothing, "/etc/chrony.conf",        "pool 0.amazon.pool.ntp.org iburst\npool 1.amazon.pool.ntp.org iburst\npool 2.amazon.pool.ntp.org iburst\npool 3.amazon.pool.ntp.org iburst\ndriftfile /var/lib/chrony/drift\n"),
        ("sles",   CHRONYD,   nothing, "/etc/chrony.conf",        "pool 0.opensuse.pool.ntp.org iburst\n"),
        ("debian", TIMESYNCD, all,     "/etc/systemd/timesyncd.conf.d/cloud-init.conf", "[Time]\nNTP=a b pool.a\n"),
        ("ubuntu", NTPD,      all,     "/etc/ntp.conf",           "pool pool.a iburst\nserver a iburst\nserver b iburst\npeer c\ndriftfile /var/lib/ntp/ntp.drift\nrestrict -4 default"),
        ("alpine", NTPD,      nothing, "/etc/ntp.conf",           "server 0.pool.ntp.org\nserver 1.pool.ntp.org\n"),
    ];
    for (id, client, config, path, wanted) in table {
        let plan = Setting::on(id, &[client]).plan::<Ntp>(config);
        let text = plan.text_of(path).unwrap();
        let behind = text
            .strip_prefix("# Written by firstlight (ntp).\n")
            .unwrap();
        assert!(behind.starts_with(wanted), "{id} {config}: {text}");
    }
}

#[test]
fn a_template_of_the_image_or_of_the_configuration_comes_first() {
    let template = "/etc/cloud/templates/chrony.conf.debian.tmpl";
    let setting = Setting::on("debian", &[CHRONYD, (template, "the image's\n")]);
    let text = |config| {
        let plan = setting.plan::<Ntp>(config);
        plan.text_of("/etc/chrony/chrony.conf")
    };
    assert_eq!(text("ntp: {}").as_deref(), Some("the image's\n"));
    let own = "ntp: {config: {template: my own}}";
    assert_eq!(text(own).as_deref(), Some("my own"));
    let setting = Setting::on(
        "amzn",
        &[
            CHRONYD,
            ("/etc/cloud/templates/chrony.conf.amazon.tmpl", "a"),
        ],
    );
    let plan = setting.plan::<Ntp>("ntp: {}");
    assert_eq!(plan.text_of("/etc/chrony.conf").as_deref(), Some("a"));
}

#[test]
fn what_the_distribution_said_stays_beside_and_the_second_plan_changes_nothing() {
    let path = "/etc/chrony/chrony.conf";
    let setting = Setting::on("debian", &[CHRONYD, (path, "pool 2.debian.pool.ntp.org\n")]);
    let plan = setting.plan::<Ntp>("ntp: {servers: [a]}");
    let kept = "/etc/chrony/chrony.conf.dist";
    assert_eq!(
        plan.text_of(kept).as_deref(),
        Some("pool 2.debian.pool.ntp.org\n")
    );
    let text = plan.text_of(path).unwrap();
    let setting = Setting::on("debian", &[CHRONYD, (path, &text)]);
    let plan = setting.plan::<Ntp>("ntp: {servers: [a]}");
    assert_eq!(plan.text_of(kept), None);
    assert_eq!(plan.text_of(path), Some(text));
    // Another instance of the image does not put the last one's in the place of the distribution's.
    let files = [CHRONYD, (path, "of another instance"), (kept, "the first")];
    let plan = Setting::on("debian", &files).plan::<Ntp>("ntp: {servers: [a]}");
    assert_eq!(plan.text_of(kept), None);
}

#[test]
fn a_client_that_nobody_knows_is_described_whole() {
    let whole = "
ntp:
  ntp_client: mine
  servers: [a]
  config:
    confpath: /etc/mine.conf
    check_exe: mined
    packages: [mine, mine-tools]
    service_name: mined
    template: |
      {{servers}}
";
    let plan = Setting::on("debian", &[]).plan::<Ntp>(whole);
    assert_eq!(
        plan.lines(),
        [
            "file /etc/mine.conf (0644)",
            "packages mine, mine-tools (apt)",
            "reload-or-restart mined.service",
        ]
    );
    let plan =
        Setting::on("debian", &[]).plan::<Ntp>("ntp: {ntp_client: mine, config: {confpath: /a}}");
    assert!(plan.steps.is_empty());
    let said = plan.problems[0].to_string();
    let wanted = "test:1:19: ntp.ntp_client: no such client is known, and `config` does not say all of it (write auto, chrony, ";
    assert!(said.starts_with(wanted), "{said}");
}

#[test]
fn what_is_wrong_costs_itself_alone() {
    #[rustfmt::skip]
    let table = [
        // of ntp                                      planned  says
        ("[a]",                                        false,   "test:1:6: ntp: expected a mapping, found a list"),
        ("{pools: {a: b}, servers: [c]}",              true,    "test:1:14: ntp.pools: expected a list of strings, found a mapping"),
        ("{servers: [a, [b]]}",                        true,    "test:1:20: ntp.servers[1]: expected a string, found a list"),
        ("{servers: [\"a\\nallow 0/0\", b]}",          true,    "test:1:17: ntp.servers: expected a host, of one line"),
        ("{enabled: perhaps}",                         true,    "test:1:16: ntp.enabled: expected true or false; it is taken as true"),
        ("{config: {confpath: chrony.conf}}",          false,   "test:1:26: ntp.config.confpath: expected an absolute path"),
        ("{config: {service_name: --now}}",            false,   "test:1:30: ntp.config.service_name: expected the name of a service"),
        ("{config: {packages: [-y]}}",                 false,   "test:1:27: ntp.config.packages: that is no name of a package"),
        ("{config: {check_exe: []}}",                  false,   "test:1:27: ntp.config.check_exe: expected a string, found a list"),
        ("{config: 7}",                                false,   "test:1:15: ntp.config: expected a mapping, found an integer"),
    ];
    for (ntp, is_planned, says) in table {
        let plan = Setting::on("debian", &[CHRONYD]).plan::<Ntp>(&format!("ntp: {ntp}"));
        assert_eq!(!plan.steps.is_empty(), is_planned, "{ntp}");
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said, [says], "{ntp}");
    }
}
