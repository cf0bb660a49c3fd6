use contract::testing::{FakeMachine, Setting};

use super::*;

const UBUNTU: (&str, &str) = ("/etc/os-release", "ID=ubuntu\n");
const CLIENT: (&str, &str) = ("/usr/bin/pro", "#!/usr/bin/python3\n");

fn plan_on(files: &[(&str, &str)], config: &str) -> Plan {
    Setting {
        machine: FakeMachine::with(files),
        ..Setting::default()
    }
    .plan::<UbuntuPro>(config)
}

fn plan(config: &str) -> Plan {
    plan_on(&[UBUNTU, CLIENT], config)
}

/// The words behind the script, and what is on standard input.
fn attached(plan: &Plan) -> Option<(Vec<String>, String)> {
    plan.effects().find_map(|effect| match effect {
        Effect::Tool(tool) if tool.argv.get(2).is_some_and(|script| script == ATTACH) => {
            let stdin = String::from_utf8_lossy(tool.stdin.expose()).into_owned();
            Some((tool.argv[4..].to_vec(), stdin))
        }
        _ => None,
    })
}

#[test]
fn a_token_is_on_standard_input_alone() {
    #[rustfmt::skip]
    let table: [(&str, &[&str], &str); 6] = [
        ("ubuntu_pro: {token: C1hunter2}",
         &["yes", "{}", "given"], "token: C1hunter2\n"),
        ("ubuntu_pro: {token: C1hunter2, enable: [fips, esm-infra]}",
         &["yes", "{\"enable\": [\"fips\", \"esm-infra\"]}", "given", "fips", "esm-infra"], "token: C1hunter2\n"),
        ("ubuntu_advantage: {token: C1hunter2, enable: livepatch, enable_beta: [ros]}",
         &["yes", "{\"enable\": [\"livepatch\"], \"enable_beta\": [\"ros\"]}", "given", "livepatch"], "token: C1hunter2\n"),
        ("ubuntu-advantage: {token: '7', features: {disable_auto_attach: true}}",
         &["no", "{}", "given"], "token: '7'\n"),
        ("ubuntu_pro: {features: {disable_auto_attach: false}}",
         &["yes", "{}", "not-needed"], ""),
        ("ubuntu_pro: {enable: [fips]}",
         &["yes", "{\"enable\": [\"fips\"]}", "missing", "fips"], ""),
    ];
    for (config, words, stdin) in table {
        let plan = plan(config);
        assert_eq!(plan.problems, [], "{config}");
        let (found, given) = attached(&plan).unwrap();
        assert_eq!(found, words, "{config}");
        assert_eq!(given, stdin, "{config}");
        assert!(
            !format!("{plan:?} {:?}", plan.lines()).contains("hunter2"),
            "{config}"
        );
    }
}

#[test]
fn the_client_is_installed_where_it_is_missing_and_configured_before_it_attaches() {
    const CONFIG: &str = "
ubuntu_pro:
  token: C1
  config:
    https_proxy: https://proxy.example:8443
    http_proxy: http://me:hunter2@proxy.example:3128
    ua_apt_http_proxy:
";
    let steps = |plan: &Plan| -> Vec<String> {
        let line = |step: &Step| format!("{}: {}", step.name, step.effects[0]);
        plan.steps.iter().map(line).collect()
    };
    let settings = [
        "config-http_proxy: http_proxy for Ubuntu Pro",
        "config-https_proxy: https_proxy for Ubuntu Pro",
        "config-ua_apt_http_proxy: no ua_apt_http_proxy for Ubuntu Pro",
        "attach: the machine is attached to Ubuntu Pro",
    ];
    let bare = plan_on(&[UBUNTU], CONFIG);
    assert_eq!(bare.problems, []);
    let client = "client: package ubuntu-advantage-tools (apt)";
    assert_eq!(steps(&bare)[0], client);
    assert_eq!(steps(&bare)[1..], settings);
    let plan = plan(CONFIG);
    assert_eq!(steps(&plan), settings);
    let tools: Vec<&ToolSpec> = plan
        .effects()
        .filter_map(|effect| match effect {
            Effect::Tool(tool) => Some(tool.as_ref()),
            _ => None,
        })
        .collect();
    let [secret, open, unset, _] = tools.as_slice() else {
        panic!("{tools:?}")
    };
    assert_eq!(secret.argv[4..], ["pro", "config", "set"]);
    assert_eq!(
        secret.stdin.expose(),
        b"http_proxy=http://me:hunter2@proxy.example:3128"
    );
    assert!(!format!("{plan:?} {:?}", plan.lines()).contains("hunter2"));
    assert_eq!(
        open.argv,
        [
            "pro",
            "config",
            "set",
            "https_proxy=https://proxy.example:8443"
        ]
    );
    assert_eq!(unset.argv, ["pro", "config", "unset", "ua_apt_http_proxy"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    #[rustfmt::skip]
    let table = [
        // configuration                                                          attaches  says
        ("[a]",                                                                   false,    "test:1:13: ubuntu_pro: expected a mapping, found a list"),
        ("{commands: [a], token: C1}",                                            false,    "test:1:24: ubuntu_pro.commands: commands are not run any more; nothing is done (give `token`, and `enable` with services)"),
        ("{enable: [fips], features: {disable_auto_attach: true}}",               false,    "test:1:13: ubuntu_pro: missing key `token`, without which nothing is attached"),
        ("{token: [C1]}",                                                         true,     "test:1:21: ubuntu_pro.token: expected a string, found a list"),
        ("{token: C1, enable: [fips, 'a b']}",                                    true,     "test:1:33: ubuntu_pro.enable: that is no name of a service"),
        ("{token: C1, features: [a]}",                                            true,     "test:1:35: ubuntu_pro.features: expected a mapping, found a list"),
        ("{token: C1, config: {http_proxy: 'ftp://a'}}",                          true,     "test:1:46: ubuntu_pro.config.http_proxy: expected an address that begins with http:// or https://"),
        ("{token: C1, config: {http_proxy: [a]}}",                                true,     "test:1:46: ubuntu_pro.config.http_proxy: expected a string, found a list"),
        ("{token: C1, config: {'a b': c}}",                                       true,     "test:1:41: ubuntu_pro.config: that is no name of a setting"),
        ("{token: C1, config: {polling: 7}}",                                     true,     "test:1:43: ubuntu_pro.config.polling: a setting that is not known is given to `pro` as it is"),
    ];
    for (config, attaches, says) in table {
        let plan = plan(&format!("ubuntu_pro: {config}"));
        assert_eq!(plan.problems[0].to_string(), says, "{config}");
        assert_eq!(attached(&plan).is_some(), attaches, "{config}");
    }
}
