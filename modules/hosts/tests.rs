use contract::plan::Severity;
use contract::testing::{FakeMachine, Setting};

use super::*;

const DEBIAN: (&str, &str) = ("/etc/os-release", "ID=debian\n");

fn with(files: &[(&str, &str)]) -> Setting {
    Setting {
        machine: FakeMachine::with(files),
        ..Setting::default()
    }
}

#[test]
fn localhost_adds_the_machines_own_line_and_leaves_the_others() {
    #[rustfmt::skip]
    let table = [
        // os-release      /etc/hosts                                    what is new behind it
        ("ID=debian\n",    "127.0.0.1 localhost\n",                      Some("127.0.1.1\tweb.example.com\tweb\n")),
        ("ID=debian\n",    "# mine\n127.0.1.1 old\n10.0.0.1 db",         Some("\n127.0.1.1\tweb.example.com\tweb\n")),
        ("ID=debian\n",    "127.0.1.1 web.example.com alias web # ours\n", None),
        ("ID=debian\n",    "127.0.1.1 web web.example.com\n",            Some("127.0.1.1\tweb.example.com\tweb\n")),
        ("ID=rocky\n",     "127.0.0.1 localhost\n",                      Some("127.0.0.1\tweb.example.com\tweb\n")),
        ("ID=sles\n",      "",                                           Some("127.0.1.1\tweb.example.com\tweb\n")),
    ];
    for (release, old, new) in table {
        let setting = with(&[("/etc/os-release", release), (ETC_HOSTS, old)]);
        let config = "{manage_etc_hosts: localhost, fqdn: web.example.com}";
        let plan = setting.plan::<UpdateEtcHosts>(config);
        let wanted = new.map(|new| format!("{old}{new}"));
        assert_eq!(plan.text_of(ETC_HOSTS), wanted, "{release:?} {old:?}");
    }
}

#[test]
fn the_whole_file_is_the_images_template_if_it_has_one() {
    let config = "{manage_etc_hosts: true, fqdn: web.example.com}";
    let template = (
        "/etc/cloud/templates/hosts.debian.tmpl",
        "1 {{fqdn}} {{hostname}}\n",
    );
    let plan = with(&[DEBIAN, template]).plan::<UpdateEtcHosts>(config);
    let text = plan.text_of(ETC_HOSTS);
    assert_eq!(text.as_deref(), Some("1 web.example.com web\n"));

    for (release, line) in [
        ("ID=debian\n", "127.0.1.1 web.example.com web"),
        ("ID=\"amzn\"\n", "127.0.0.1 web.example.com web"),
        ("ID=\"amzn\"\n", "::1 web.example.com web"),
    ] {
        let plan = with(&[("/etc/os-release", release), template]).plan::<UpdateEtcHosts>(config);
        let text = plan.text_of(ETC_HOSTS).unwrap();
        let has = text.lines().any(|own| own == line) || release.contains("debian");
        assert!(has, "{release:?}: {text}");
    }
}

#[test]
fn every_spelling_of_the_key_is_understood() {
    let old = "127.0.0.1 localhost\n";
    #[rustfmt::skip]
    let table = [
        // value         lines       problem
        ("true",         Some(true),  None),
        ("'yes'",        Some(true),  None),
        ("1",            Some(true),  None),
        ("template",     Some(true),  Some(Severity::Notice)),
        ("localhost",    Some(false), None),
        ("false",        None,        None),
        ("'off'",        None,        None),
        ("[1]",          None,        Some(Severity::Error)),
        ("sometimes",    None,        Some(Severity::Error)),
    ];
    for (value, whole, problem) in table {
        let config = format!("{{hostname: web, manage_etc_hosts: {value}}}");
        let plan = with(&[DEBIAN, (ETC_HOSTS, old)]).plan::<UpdateEtcHosts>(&config);
        let text = plan.text_of(ETC_HOSTS);
        let found = text.map(|text| !text.starts_with(old));
        assert_eq!(found, whole, "{value}");
        let told = plan.problems.first().map(|problem| problem.severity);
        assert_eq!(told, problem, "{value}");
    }
    let plan = with(&[DEBIAN]).plan::<UpdateEtcHosts>("hostname: web");
    assert!(plan.steps.is_empty() && plan.problems.is_empty());
}

#[test]
fn without_a_name_from_anybody_it_is_the_machines_own() {
    let config = "manage_etc_hosts: localhost";
    let plan = with(&[DEBIAN, ("/etc/hostname", "own\n")]).plan::<UpdateEtcHosts>(config);
    let text = plan.text_of(ETC_HOSTS);
    assert_eq!(text.as_deref(), Some("127.0.1.1\town\town\n"));
    let plan = with(&[DEBIAN]).plan::<UpdateEtcHosts>(config);
    assert!(plan.steps.is_empty());
    assert!(plan.problems[0].to_string().contains("no name"), "{plan:?}");
}
