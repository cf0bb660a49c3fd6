use contract::testing::{Files, Setting};

use super::*;

fn plan(files: Files<'_>, config: &str) -> Plan {
    Setting::on("debian", files).plan::<Puppet>(config)
}

/// The arguments of what is run.
fn argv(plan: &Plan) -> Vec<String> {
    let argv = plan.effects().find_map(|effect| match effect {
        Effect::Run(CommandSpec {
            program: Program::Argv(argv),
            ..
        }) => Some(argv.clone()),
        _ => None,
    });
    argv.unwrap_or_default()
}

#[test]
fn an_agent_is_installed_configured_and_started() {
    let plan = plan(
        &[],
        "
puppet:
  version: '7.23.0'
  conf:
    agent:
      server: puppetserver.example.org
      certname: '%i.%f'
      splay: true
    main:
      runinterval: 30m
    ca_cert: |
      -----BEGIN CERTIFICATE-----
      MIIB
  csr_attributes:
    custom_attributes:
      1.2.840.113549.1.9.7: hunter2
    extension_requests:
      pp_role: web
hostname: Web-1
fqdn: Web-1.example.org
",
    );
    assert_eq!(
        plan.lines(),
        [
            "package puppet-agent 7.23.0 or puppet 7.23.0 (apt)",
            "directory /var/lib/puppet/ssl (0771)",
            "directory /var/lib/puppet/ssl/certs (0755)",
            "file /var/lib/puppet/ssl/certs/ca.pem (0644 puppet:root)",
            "Puppet's configuration in /etc/puppet/puppet.conf",
            "file /etc/puppet/csr_attributes.yaml (0600)",
            "service puppet-agent or puppet enabled",
            "start puppet-agent or puppet",
        ]
    );
    assert_eq!(
        plan.settings(),
        [
            "agent/server = puppetserver.example.org",
            "agent/certname = i-1.web-1.example.org",
            "agent/splay = true",
            "main/runinterval = 30m",
        ]
    );
    assert_eq!(plan.problems, []);
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn a_configuration_with_a_password_is_not_shown() {
    #[rustfmt::skip]
    let table = [
        ("http_proxy_password: hunter2",         Mode::PRIVATE),
        ("http_proxy: 'http://u:hunter2@proxy'", Mode::PRIVATE),
        ("http_proxy_port: 3128",                Mode::PUBLIC),
    ];
    for (setting, wanted) in table {
        let plan = plan(&[], &format!("puppet: {{conf: {{agent: {{{setting}}}}}}}"));
        let block = plan.effects().find_map(|effect| match effect {
            Effect::Block(block) => Some(block),
            _ => None,
        });
        let block = block.unwrap();
        let hides = matches!(&block.text, Text::Settings { is_secret, .. } if *is_secret);
        assert_eq!(
            (block.mode, hides),
            (wanted, wanted == Mode::PRIVATE),
            "{setting}"
        );
    }
}

#[test]
fn puppets_own_installer_is_fetched_run_once_and_removed() {
    #[rustfmt::skip]
    let table = [
        ("",                                            INSTALLER,                     "--cleanup"),
        (", version: '8.4', collection: puppet8",       INSTALLER,                     "-v 8.4 -c puppet8 --cleanup"),
        (", cleanup: no, aio_install_url: 's3://b/k?X=hunter2'", "s3://b/k",           ""),
    ];
    for (more, url, arguments) in table {
        let config = format!("puppet: {{install_type: aio{more}}}");
        let plan = plan(&[], &config);
        let path = "/var/lib/firstlight/instances/i-1/puppet-install";
        let fetched = format!("file {path} (0700) = {url}");
        let gone = format!("no file {path}");
        let lines = [
            fetched.as_str(),
            "run puppet-install",
            &gone,
            "service puppet-agent or puppet enabled",
            "start puppet-agent or puppet",
        ];
        assert_eq!(plan.lines(), lines, "{config}");
        assert_eq!(
            argv(&plan).join(" "),
            format!("{path} {arguments}").trim_end(),
            "{config}"
        );
        assert!(plan.steps[1].needs_previous, "{config}");
    }
}

#[test]
fn each_make_keeps_its_files_where_it_looks_for_them() {
    let text =
        "{conf: {agent: {server: a}, ca_cert: pem}, csr_attributes: {}, start_service: false";
    #[rustfmt::skip]
    let table: [(Files<'_>, &str, [&str; 3]); 4] = [
        (&[], "",                        ["/var/lib/puppet/ssl/certs/ca.pem (0644 puppet:root)", "/etc/puppet/puppet.conf", "/etc/puppet/csr_attributes.yaml (0600)"]),
        (&[], ", install_type: aio",     ["/etc/puppetlabs/puppet/ssl/certs/ca.pem (0644 root:root)", "/etc/puppetlabs/puppet/puppet.conf", "/etc/puppetlabs/puppet/csr_attributes.yaml (0600)"]),
        (&[(AIO_PROGRAM, "")], ", install: false", ["/etc/puppetlabs/puppet/ssl/certs/ca.pem (0644 root:root)", "/etc/puppetlabs/puppet/puppet.conf", "/etc/puppetlabs/puppet/csr_attributes.yaml (0600)"]),
        (&[], ", conf_file: /a/p.conf, ssl_dir: /b, csr_attributes_path: /c.yaml", ["/b/certs/ca.pem (0644 puppet:root)", "/a/p.conf", "/c.yaml (0600)"]),
    ];
    for (files, more, [authority, configuration, attributes]) in table {
        let lines = plan(files, &format!("puppet: {text}{more}}}")).lines();
        let wanted = [
            format!("file {authority}"),
            format!("Puppet's configuration in {configuration}"),
            format!("file {attributes}"),
        ];
        for line in wanted {
            assert!(lines.contains(&line), "{more}: {line}: {lines:?}");
        }
    }
}

#[test]
fn the_agent_runs_once_when_it_is_asked_to_and_then_its_service_starts() {
    let detailed = r#"sh -c "$@"; code=$?; [ $code = 2 ] || exit $code sh"#;
    #[rustfmt::skip]
    let table = [
        ("{exec: true}",                                        format!("{detailed} puppet agent --test")),
        ("{exec: true, exec_args: [--onetime, --no-daemonize]}", "puppet agent --onetime --no-daemonize".to_owned()),
        ("{exec: true, exec_args: --onetime -t}",               format!("{detailed} puppet agent --onetime -t")),
        ("{exec: true, exec_args: [--waitforcert, 60]}",        "puppet agent --waitforcert 60".to_owned()),
        ("{exec: true, install_type: aio, install: false, exec_args: []}", format!("{AIO_PROGRAM} agent")),
    ];
    for (config, wanted) in table {
        let plan = plan(&[], &format!("puppet: {config}"));
        assert_eq!(argv(&plan).join(" "), wanted, "{config}");
        let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names.last(), Some(&"start"), "{config}");
        let run = plan.steps.iter().find(|step| step.name == "run").unwrap();
        assert!(run.needs_previous, "{config}");
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let there = [
        ("/usr/lib/systemd/system/puppet.service", ""),
        (
            "/etc/systemd/system/multi-user.target.wants/puppet.service",
            "",
        ),
    ];
    let plan = plan(&there, "puppet: {install: false}");
    assert_eq!(plan.lines(), [""; 0]);
    let plan = super::tests::plan(&there[..1], "puppet: {install: false}");
    assert_eq!(
        plan.lines(),
        ["service puppet enabled", "start puppet.service"]
    );
}

#[test]
fn a_bad_value_keeps_the_agent_from_asking_another_server() {
    let table = [
        r#"conf: "[agent]\nserver = p.example.org\n""#,
        "conf: {agent: server}",
        "conf: {agent: {server: [a]}}",
        "conf: {ca_cert: [a]}",
        "csr_attributes: [a]",
        "conf_file: puppet.conf",
        "ssl_dir: [a]",
        "install_type: rpm",
        "exec_args: {a: b}",
        "start_service: maybe",
    ];
    for bad in table {
        let plan = plan(
            &[],
            &format!("puppet: {{install: false, exec: true, {bad}}}"),
        );
        assert_eq!(plan.lines(), [""; 0], "{bad}");
        assert_eq!(plan.problems.len(), 1, "{bad}");
    }
    let lines = plan(&[], "puppet: {conf: {agent: server}}").lines();
    assert_eq!(lines, ["package puppet-agent or puppet (apt)"]);
}

#[test]
fn a_bad_value_costs_itself_alone_and_is_told_with_its_place() {
    const PACKAGE: &str = "package puppet-agent or puppet (apt)";
    const CONF: &str = "Puppet's configuration in /etc/puppet/puppet.conf";
    #[rustfmt::skip]
    let table: [(&str, &[&str], &str); 11] = [
        ("[conf]",                                      &[],        "test:1:9: puppet: expected a mapping, found a list"),
        ("{install: maybe}",                            &[PACKAGE], "test:1:19: puppet.install: expected true or false, found a string"),
        ("{install_type: rpm, exec: true}",             &[],        "test:1:24: puppet.install_type: expected `packages` or `aio`"),
        ("{install: false, version: 7}",                &[],        "test:1:35: puppet.version: with `install: false` it has no effect"),
        ("{package_name: --all}",                       &[PACKAGE], "test:1:24: puppet.package_name: that is no name of a package"),
        ("{conf_file: puppet.conf, conf: {main: {a: b}}}", &[PACKAGE, CONF], "test:1:21: puppet.conf_file: expected an absolute path, found a string"),
        ("{conf: [main]}",                              &[PACKAGE], "test:1:16: puppet.conf: expected a mapping, found a list"),
        ("{conf: {main: a, agent: {a: b}}}",            &[PACKAGE, CONF], "test:1:23: puppet.conf.main: expected a mapping, found a string"),
        ("{conf: {main: {a: [b], c: d}}}",              &[PACKAGE, CONF], "test:1:27: puppet.conf.main.a: expected a string, found a list"),
        ("{conf: {\"a]\": {a: b}, main: {c: d}}}",      &[PACKAGE, CONF], "test:1:27: puppet.conf.a].a: that cannot be the name of a setting"),
        ("{csr_attributes: hunter2}",                   &[PACKAGE], "test:1:26: puppet.csr_attributes: expected a mapping, found a string"),
    ];
    for (config, wanted, says) in table {
        let mut lines = plan(&[], &format!("puppet: {config}")).lines();
        lines.retain(|line| !line.contains("puppet-agent or puppet") || line == PACKAGE);
        assert_eq!(lines, wanted, "{config}");
        let told = plan(&[], &format!("puppet: {config}"));
        assert_eq!(told.problems[0].to_string(), says, "{config}");
        assert!(argv(&told).is_empty(), "{config}");
    }
}
