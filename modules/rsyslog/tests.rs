use contract::testing::{Files, Setting};

use super::*;

const DAEMON: (&str, &str) = ("/usr/sbin/rsyslogd", "");

#[test]
fn entries_go_to_their_files_in_their_order_and_remotes_come_last() {
    let plan = Setting::on("debian", &[DAEMON]).plan::<Rsyslog>(
        "
rsyslog:
  config_dir: /etc/opt/rsyslog.d
  config_filename: 99-late.conf
  configs:
    - '*.* @@192.158.1.1'
    - content: \"*.*   @@192.0.2.1:10514\\n\"
      filename: 01-example.conf
    - content: |
        *.*   @@syslogd.example.com
  remotes:
    maas: 192.168.1.1
    juju: '*.* @@[2001:db8::1]:514'
    off:
",
    );
    assert_eq!(plan.problems, []);
    assert_eq!(
        plan.lines(),
        [
            "file /etc/opt/rsyslog.d/99-late.conf (0644)",
            "file /etc/opt/rsyslog.d/01-example.conf (0644)",
            "try-reload-or-restart rsyslog.service",
        ]
    );
    assert_eq!(
        plan.text_of("/etc/opt/rsyslog.d/99-late.conf").as_deref(),
        Some(
            "*.* @@192.158.1.1\n*.*   @@syslogd.example.com\n# begin remotes\n\
             *.* @@[2001:db8::1]:514 # juju\n*.* @192.168.1.1 # maas\n# end remotes\n"
        )
    );
}

#[test]
fn it_is_installed_only_where_it_is_asked_for_and_not_there() {
    let all = "rsyslog: {install_rsyslog: true, packages: [rsyslog, rsyslog-gnutls]}";
    #[rustfmt::skip]
    let table: [(&str, Files<'_>, &str, &[&str]); 7] = [
        ("debian", &[],       all, &["packages rsyslog, rsyslog-gnutls (apt)"]),
        ("debian", &[DAEMON], all, &[]),
        ("amzn",   &[],       "rsyslog: {install_rsyslog: true, configs: [a]}",
         &["package rsyslog (dnf)", "file /etc/rsyslog.d/20-cloud-config.conf (0644)", "try-reload-or-restart rsyslog.service"]),
        ("debian", &[DAEMON], "rsyslog: {install_rsyslog: true, check_exe: syslog-ng}", &["package rsyslog (apt)"]),
        ("debian", &[],       "rsyslog: {}", &[]),
        ("alpine", &[DAEMON], "rsyslog: {configs: [a]}",
         &["file /etc/rsyslog.d/20-cloud-config.conf (0644)", "try-reload-or-restart rsyslog"]),
        ("debian", &[DAEMON], "{rsyslog: {configs: [a]}, system_info: {rsyslog_svcname: syslog}}",
         &["file /etc/rsyslog.d/20-cloud-config.conf (0644)", "try-reload-or-restart syslog.service"]),
    ];
    for (id, files, config, lines) in table {
        let plan = Setting::on(id, files).plan::<Rsyslog>(config);
        assert_eq!(plan.lines(), lines, "{id} {config}");
        assert_eq!(plan.problems, [], "{id} {config}");
    }
}

#[test]
fn a_command_of_ones_own_makes_it_read_its_files() {
    #[rustfmt::skip]
    let table = [
        ("[pkill, -HUP, rsyslogd]", contract::effect::Program::Argv(["pkill", "-HUP", "rsyslogd"].map(ToOwned::to_owned).to_vec())),
        ("pkill -HUP rsyslogd",     contract::effect::Program::Shell("pkill -HUP rsyslogd".to_owned())),
    ];
    for (command, wanted) in table {
        let config = format!("rsyslog: {{configs: [a], service_reload_command: {command}}}");
        let plan = Setting::on("debian", &[DAEMON]).plan::<Rsyslog>(&config);
        let [Effect::Run(spec)] = plan.steps[0].on_change.as_slice() else {
            panic!("{plan:?}");
        };
        assert!(spec.program == wanted, "{command}");
    }
}

#[test]
fn the_old_list_still_counts() {
    let config = "{rsyslog: [a, {content: b, filename: /etc/b.conf}], rsyslog_filename: c.conf, rsyslog_dir: /etc/d}";
    let plan = Setting::on("debian", &[DAEMON]).plan::<Rsyslog>(config);
    let files = ["file /etc/d/c.conf (0644)", "file /etc/b.conf (0644)"];
    assert_eq!(plan.lines()[..2], files);
    let said = plan.problems[0].to_string();
    assert!(
        said.starts_with("test:1:11: rsyslog: a list is an old form"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_costs_itself_alone() {
    #[rustfmt::skip]
    let table = [
        // of rsyslog                                         files  says
        ("7",                                                 0,     "test:1:10: rsyslog: expected a mapping, found an integer"),
        ("{configs: a}",                                      0,     "test:1:20: rsyslog.configs: expected a list, found a string"),
        ("{configs: [{filename: a}, b]}",                     1,     "test:1:21: rsyslog.configs[0]: it has no `content`"),
        ("{configs: [{content: [x]}, b]}",                    1,     "test:1:31: rsyslog.configs[0].content: expected a string, found a list"),
        ("{configs: [{content: x, filename: ' '}, b]}",       1,     "test:1:21: rsyslog.configs[0].filename: expected the name of a file"),
        ("{configs: [7, b]}",                                 1,     "test:1:21: rsyslog.configs[0]: expected a string, or a mapping, found an integer"),
        ("{configs: [b], remotes: [a]}",                      1,     "test:1:34: rsyslog.remotes: expected a mapping, found a list"),
        ("{remotes: {a: 'x y z', b: logs}}",                  1,     "test:1:24: rsyslog.remotes.a: expected a host, or a selector and a host"),
        ("{configs: [b], config_dir: etc}",                   0,     "test:1:37: rsyslog.config_dir: expected an absolute path"),
        ("{configs: [b], service_reload_command: {}}",        1,     "test:1:49: rsyslog.service_reload_command: expected a command line, or a list of words"),
        ("{configs: [b], install_rsyslog: maybe}",            1,     "test:1:42: rsyslog.install_rsyslog: expected true or false; it is taken as false"),
    ];
    for (rsyslog, count, says) in table {
        let plan = Setting::on("debian", &[DAEMON]).plan::<Rsyslog>(&format!("rsyslog: {rsyslog}"));
        let files = plan.steps.iter().flat_map(|step| &step.effects).count();
        assert_eq!(files, count, "{rsyslog}");
        let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        assert_eq!(said, [says], "{rsyslog}");
    }
}
