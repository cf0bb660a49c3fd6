//! Files that are written for other programs, as those programs themselves read them, as root in a
//! throw-away Debian.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "for tests only"
)]

mod support;

use std::fs;
use std::process::Command;

use support::debian::Debian;

/// A boot with this user data, and that another instance's would change nothing.
fn boots_and_stays(machine: &Debian, user_data: &str, module: &str) {
    machine.boot_well(user_data);
    let other = "instance-id: i-2\nlocal-hostname: one\n";
    let plan = machine.run_with(user_data, other, &["plan", module]);
    assert_eq!(plan.code, 0, "{plan:?}");
}

/// What a program in Ruby prints.
fn ruby(machine: &Debian, program: &str) -> String {
    machine.write("srv/read.rb", program);
    machine.chroot(&["ruby", "/srv/read.rb"])
}

#[test]
fn rsyslogd_finds_no_fault_in_its_files() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    let user_data = r#"#cloud-config
rsyslog:
  config_filename: 99-late.conf
  configs:
    - "*.* @@192.0.2.1"
    - content: |
        module(load="imudp")
        input(type="imudp" port="10514")
      filename: 01-in.conf
  remotes:
    near: 192.0.2.3
    six: "*.* @[2001:db8::1]:514 # comment"
    far: "*.warn;mail.none @@host.example.com:99"
"#;
    boots_and_stays(&machine, user_data, "rsyslog");
    machine.chroot(&["rsyslogd", "-N1"]);
    machine.write("etc/rsyslog.d/02-bad.conf", "module(load=\n");
    let faults = machine.path("etc/rsyslog.d/02-bad.conf");
    let bad = Command::new("chroot")
        .arg(machine.path(""))
        .args(["rsyslogd", "-N1"])
        .output();
    assert!(!bad.unwrap().status.success(), "it looks at no such file");
    fs::remove_file(faults).unwrap();
}

#[test]
fn mcollectives_server_reads_what_it_is_told_and_finds_its_keys() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    let user_data = "#cloud-config
mcollective:
  conf:
    loglevel: debug
    daemonize: 0
    main_collective: acme
    identity: web-1
    plugin.activemq.pool.1.password: 'hunter2 # = it'
    public-cert: public
    private-cert: private
";
    boots_and_stays(&machine, user_data, "mcollective");
    assert_eq!(machine.mode("etc/mcollective/server.cfg"), 0o600);
    const READ: &str = r#"
require 'mcollective'
config = MCollective::Config.instance
config.loadconfig('/etc/mcollective/server.cfg')
puts [config.identity, config.main_collective, config.loglevel, config.daemonize, config.securityprovider]
puts %w[activemq.pool.1.password activemq.pool.1.port].map { |name| config.pluginconf[name] }
puts %w[ssl_server_public ssl_server_private].map { |name| File.read(config.pluginconf[name]) }
"#;
    let wanted = "web-1\nacme\ndebug\nfalse\nSsl\nhunter2 # = it\n61613\npublic\nprivate\n";
    assert_eq!(ruby(&machine, READ), wanted);
}

#[test]
fn chef_reads_its_configuration_and_the_attributes_of_its_first_run() {
    let Some(machine) = Debian::with_image("{}\n") else {
        return;
    };
    // With the client there nothing is installed.
    machine.program("usr/bin/chef-client", "#!/bin/sh\n");
    let user_data = "#cloud-config
chef:
  server_url: https://chef.example.com/organizations/acme
  validation_name: acme-validator
  node_name: web-1
  validation_cert: hunter2
  environment: production
  chef_license: accept
  encrypted_data_bag_secret: /etc/chef/secret
  run_list: ['recipe[web]', 'role[db]']
  initial_attributes: {apache: {keepalive: 'off', clients: 100}, none: null}
";
    boots_and_stays(&machine, user_data, "chef");
    assert_eq!(machine.mode("etc/chef/firstboot.json"), 0o600);
    const READ: &str = r#"
require 'chef-config/config'
require 'json'
module Chef; module Log; class Formatter; def self.show_time=(is_on); puts is_on; end; end; end; end
config = ChefConfig::Config
config.from_file('/etc/chef/client.rb')
puts config.chef_server_url, config.node_name, config.environment, config.validation_client_name
puts File.read(config.validation_key), config.log_level.inspect, config.ssl_verify_mode.inspect
puts config.client_key, config.chef_license, config.encrypted_data_bag_secret
puts JSON.parse(File.read(config.json_attribs)) == {
  'run_list' => ['recipe[web]', 'role[db]'],
  'apache' => { 'keepalive' => 'off', 'clients' => 100 },
  'none' => nil,
}
"#;
    let wanted = "true\nhttps://chef.example.com/organizations/acme\nweb-1\nproduction\n\
                  acme-validator\nhunter2\n:info\n:verify_none\n/etc/chef/client.pem\naccept\n\
                  /etc/chef/secret\ntrue\n";
    assert_eq!(ruby(&machine, READ), wanted);
}
