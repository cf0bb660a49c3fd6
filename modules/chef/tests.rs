use contract::testing::{Files, Setting};

use super::*;

const CLIENT: (&str, &str) = (PROGRAM, "");
const SERVER: &str = "server_url: 'https://chef.example.com', validation_name: v";

fn plan(files: Files<'_>, config: &str) -> Plan {
    Setting::on("debian", files).plan::<Chef>(config)
}

/// Steps with what they bring about, directories left out.
fn steps(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().map(|step| {
        let effects = step.effects.iter().map(ToString::to_string);
        let effects = effects.filter(|line| !line.starts_with("directory "));
        format!("{}: {}", step.name, effects.collect::<Vec<_>>().join("; "))
    });
    steps.collect()
}

/// The arguments of what is run last.
fn argv(plan: &Plan) -> String {
    let all = plan.effects().filter_map(|effect| match effect {
        Effect::Run(CommandSpec {
            program: Program::Argv(argv),
            ..
        }) => Some(argv.join(" ")),
        _ => None,
    });
    all.last().unwrap_or_default()
}

/// The text of a file that is not shown.
fn secret(plan: &Plan, path: &str) -> String {
    let bytes = plan.effects().find_map(|effect| match effect {
        Effect::File(file) if file.at.to_string() == path => Some(file.content.bytes().to_vec()),
        _ => None,
    });
    String::from_utf8(bytes.unwrap()).unwrap()
}

#[test]
fn a_client_has_its_directories_its_key_and_its_configuration() {
    let plan = plan(
        &[("/var/lib/chef/x", ""), CLIENT],
        "
chef:
  directories: [/etc/chef, /var/log/chef, /var/lib/chef]
  validation_cert: |
    -----BEGIN RSA PRIVATE KEY-----
    hunter2
  server_url: https://chef.example.com
  validation_name: yourorg-validator
  environment: production
  run_list: ['recipe[apache2]', 'role[db]']
  initial_attributes:
    apache: {prefork: {maxclients: 100}, keepalive: 'off'}
    secret: hunter2
  log_location: /srv/log/chef.log
  log_level: null
",
    );
    assert_eq!(
        plan.lines(),
        [
            "directory /etc/chef (0755)",
            "directory /var/log/chef (0755)",
            "directory /srv/log (0755)",
            "directory /var/chef (0755)",
            "directory /var/run/chef (0755)",
            "file /etc/chef/validation.pem (0600)",
            "file /etc/chef/client.rb (0644)",
            "file /etc/chef/firstboot.json (0600)",
        ]
    );
    assert_eq!(
        plan.text_of("/etc/chef/client.rb").unwrap(),
        r#"# Written by firstlight at every boot.
ssl_verify_mode        :verify_none
log_location           "/srv/log/chef.log"
validation_client_name "yourorg-validator"
validation_key         "/etc/chef/validation.pem"
client_key             "/etc/chef/client.pem"
chef_server_url        "https://chef.example.com"
environment            "production"
node_name              "i-1"
json_attribs           "/etc/chef/firstboot.json"
file_cache_path        "/var/chef/cache"
file_backup_path       "/var/chef/backup"
pid_file               "/var/run/chef/client.pid"
Chef::Log::Formatter.show_time = true
"#
    );
    assert_eq!(
        secret(&plan, "/etc/chef/firstboot.json"),
        r#"{"run_list":["recipe[apache2]","role[db]"],"apache":{"prefork":{"maxclients":100},"keepalive":"off"},"secret":"hunter2"}"#
    );
    assert_eq!(plan.problems, []);
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn a_server_with_a_password_is_for_root_alone() {
    let config = "chef: {server_url: 'https://u:hunter2@h/', validation_name: v}";
    let plan = plan(&[CLIENT], config);
    let line = "file /etc/chef/client.rb (0600)".to_owned();
    assert!(plan.lines().contains(&line), "{:?}", plan.lines());
    assert_eq!(plan.text_of("/etc/chef/client.rb"), None);
}

#[test]
fn the_images_template_comes_before_our_own() {
    let template = (
        "/etc/cloud/templates/chef_client.rb.tmpl",
        "{{server_url}} {{node_name}} [{{show_time}}{{validation_cert}}{{chef_license}}]",
    );
    let config = format!(
        "chef: {{{SERVER}, node_name: 7, show_time: no, validation_cert: hunter2, config_path: /srv/c.rb}}"
    );
    let plan = plan(&[template], &config);
    let text = plan.text_of("/srv/c.rb").unwrap();
    assert_eq!(text, "https://chef.example.com 7 [True]");
}

#[test]
fn a_client_that_is_not_there_is_installed_and_runs_when_it_is_asked_to() {
    let files = "files: file /etc/chef/client.rb (0644); file /etc/chef/firstboot.json (0600)";
    let daemon = "/usr/bin/chef-client -d -i 1800 -s 20";
    let installer = "/var/lib/firstlight/instances/i-1/chef-omnibus-install";
    let omnibus = format!(
        "install: file {installer} (0700) = {}; run chef-omnibus-install; no file {installer}",
        install::OMNIBUS
    );
    let gem = "/usr/bin/gem install chef --no-ri --no-rdoc --bindir /usr/bin -q";
    let gems = |packages: &str, ruby: &str| {
        format!(
            "install: packages {packages} (apt); /usr/bin/gem is that of {ruby}; /usr/bin/ruby is that of {ruby}; run gem install chef"
        )
    };
    let (old, new) = (
        gems(
            "ruby1.8, ruby1.8-dev, libopenssl-ruby1.8, rubygems1.8",
            "1.8",
        ),
        gems("ruby3.1, ruby3.1-dev", "3.1"),
    );
    let package = "install: package chef (apt)";
    let run = "run: run chef-client";
    #[rustfmt::skip]
    let table: [(Files<'_>, &str, &[&str], &str); 12] = [
        (&[],       "",                                             &[package],     ""),
        (&[],       ", exec: true",                                 &[package, run], daemon),
        (&[CLIENT], "",                                             &[],            ""),
        (&[CLIENT], ", exec: true, exec_arguments: [--once]",       &[run],         "/usr/bin/chef-client --once"),
        (&[CLIENT], ", exec: yes, exec_arguments: -i 60",           &[run],         "/usr/bin/chef-client -i 60"),
        (&[CLIENT], ", force_install: true",                        &[package],     ""),
        (&[],       ", install_type: omnibus",                      &[&omnibus],    installer),
        (&[],       ", install_type: omnibus, omnibus_version: 18", &[&omnibus],    &format!("{installer} -v 18")),
        (&[],       ", install_type: gems",                         &[&old, run],   daemon),
        (&[],       ", install_type: gems, exec: false",            &[&old],        gem),
        (&[],       ", install_type: gems, exec: false, ruby_version: 3.1, version: 18.1", &[&new], "/usr/bin/gem install chef -v 18.1 --no-ri --no-rdoc --bindir /usr/bin -q"),
        (&[CLIENT], ", exec: true, delete_validation_post_exec: true", &["run: run chef-client; no file /etc/chef/validation.pem"], daemon),
    ];
    for (there, more, wanted, command) in table {
        let plan = plan(there, &format!("chef: {{{SERVER}{more}}}"));
        assert_eq!(steps(&plan), [&[files], wanted].concat(), "{more}");
        assert_eq!(argv(&plan), command, "{more}");
        assert!(
            plan.steps[1..].iter().all(|step| step.needs_previous),
            "{more}"
        );
        assert_eq!(plan.problems, [], "{more}");
    }
}

#[test]
fn nothing_is_done_at_a_boot_that_finds_all_of_it() {
    let there = DIRECTORIES.map(|path| format!("{path}/x"));
    let mut files: Vec<(&str, &str)> = there.iter().map(|path| (path.as_str(), "")).collect();
    files.push(CLIENT);
    let first = plan(&files, &format!("chef: {{{SERVER}}}"));
    let rb = first.text_of("/etc/chef/client.rb").unwrap();
    assert_eq!(
        first.lines(),
        [
            "file /etc/chef/client.rb (0644)",
            "file /etc/chef/firstboot.json (0600)"
        ]
    );
    let again = plan(&files, &format!("chef: {{{SERVER}}}"));
    assert_eq!(again.text_of("/etc/chef/client.rb").unwrap(), rb);
}

#[test]
fn a_client_with_a_bad_value_is_not_run() {
    let table = [
        "validation_cert: [a]",
        "validation_key: a",
        "node_name: [a]",
        "environment: {a: b}",
        "run_list: {a: b}",
        "initial_attributes: a",
        "config_path: a",
        "exec_arguments: {a: b}",
        "delete_validation_post_exec: maybe",
        "install_type: snap",
    ];
    for bad in table {
        let plan = plan(&[CLIENT], &format!("chef: {{{SERVER}, exec: true, {bad}}}"));
        assert_eq!(argv(&plan), "", "{bad}");
        assert_eq!(plan.problems.len(), 1, "{bad}");
    }
}

#[test]
fn a_bad_value_costs_itself_alone_and_is_told_with_its_place() {
    const RB: &str = "file /etc/chef/client.rb (0644)";
    const FIRST: &str = "file /etc/chef/firstboot.json (0600)";
    #[rustfmt::skip]
    let table: [(&str, &[&str], &str); 11] = [
        ("[server]",                               &[],      "test:1:7: chef: expected a mapping, found a list"),
        ("{server_url: a, exec: true}",            &[],      "test:1:7: chef.validation_name: it has to be given"),
        ("{validation_name: a, server_url: [b]}",  &[],      "test:1:40: chef.server_url: expected a string, found a list"),
        ("{S, install_type: snap, exec: true}",    &[RB, FIRST], "test:1:82: chef.install_type: expected `packages` or `gems` or `omnibus`"),
        ("{S, log_level: [a]}",                    &[RB, FIRST], "test:1:79: chef.log_level: expected a string, found a list"),
        ("{S, directories: [etc]}",                &[RB, FIRST], "test:1:81: chef.directories: expected absolute paths"),
        ("{S, validation_cert: system}",           &[RB, FIRST], "test:1:85: chef.validation_cert: `system` is said, and there is no /etc/chef/validation.pem"),
        ("{S, validation_cert: [hunter2]}",        &[RB, FIRST], "test:1:85: chef.validation_cert: expected a string, found a list"),
        ("{S, initial_attributes: hunter2}",       &[RB, FIRST], "test:1:88: chef.initial_attributes: expected a mapping, found a string"),
        ("{S, firstboot_path: first}",             &[RB, FIRST], "test:1:84: chef.firstboot_path: expected an absolute path, found a string"),
        ("{S, run_list: {a: b}}",                  &[RB],    "test:1:78: chef.run_list: expected a list of strings, found a mapping"),
    ];
    for (config, wanted, says) in table {
        let config = config.replace('S', SERVER);
        let is_there = !config.contains("snap");
        let there: Files<'_> = if is_there { &[CLIENT] } else { &[] };
        let plan = plan(there, &format!("chef: {config}"));
        let mut lines = plan.lines();
        lines.retain(|line| !line.starts_with("directory "));
        assert_eq!(lines, wanted, "{config}");
        assert_eq!(plan.problems[0].to_string(), says, "{config}");
    }
}
