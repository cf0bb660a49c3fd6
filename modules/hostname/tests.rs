use contract::testing::{FakeMachine, Setting};

use super::*;

#[test]
fn the_name_is_the_users_before_the_clouds() {
    #[rustfmt::skip]
    let table = [
        // configuration                                                     written
        ("{}",                                                               "ip-10-0-0-7"),
        ("hostname: web",                                                    "web"),
        ("hostname: web.example.com",                                        "web"),
        ("fqdn: db.example.com",                                             "db"),
        ("{fqdn: db.example.com, hostname: web}",                            "web"),
        ("{fqdn: db.example.com, prefer_fqdn_over_hostname: yes}",           "db.example.com"),
        ("{fqdn: db.example.com, prefer_fqdn_over_hostname: 'on'}",          "db.example.com"),
        ("{fqdn: db.example.com, hostname: web.two}",                        "web.two"),
        ("hostname: 42",                                                     "42"),
    ];
    for (config, name) in table {
        let mut setting = Setting::default();
        setting.instance.local_hostname = Some("10.0.0.7".parse().unwrap());
        let plan = setting.plan::<SetHostname>(config);
        assert_eq!(
            plan.text_of("/etc/hostname").as_deref(),
            Some(&*format!("{name}\n")),
            "{config}"
        );
    }
    assert!(
        Setting::default()
            .plan::<SetHostname>("{hostname: a, preserve_hostname: true}")
            .steps
            .is_empty()
    );
}

#[test]
fn a_distribution_that_prefers_full_names_gets_them() {
    #[rustfmt::skip]
    let table = [
        // os-release        configuration                          written
        ("ID=\"amzn\"\n",   "{}",                                  "ip-10-0-0-7.ec2.internal"),
        ("ID=rocky\n",      "{}",                                  "ip-10-0-0-7.ec2.internal"),
        ("ID=debian\n",     "{}",                                  "ip-10-0-0-7"),
        ("ID=\"amzn\"\n",   "prefer_fqdn_over_hostname: false",    "ip-10-0-0-7"),
    ];
    for (release, config, name) in table {
        let mut setting = Setting {
            machine: FakeMachine::with(&[("/etc/os-release", release)]),
            ..Setting::default()
        };
        setting.instance.local_hostname = Some("ip-10-0-0-7.ec2.internal".parse().unwrap());
        let text = setting.plan::<SetHostname>(config).text_of(ETC_HOSTNAME);
        assert_eq!(text, Some(format!("{name}\n")), "{release:?} {config}");
    }
}

#[test]
fn a_file_that_shall_not_be_made_is_still_kept_right() {
    let config = "{hostname: web, create_hostname_file: false}";
    let setting = Setting::default();
    assert_eq!(
        setting.plan::<SetHostname>(config).text_of(ETC_HOSTNAME),
        None
    );
    let setting = Setting {
        machine: FakeMachine::with(&[(ETC_HOSTNAME, "old\n")]),
        ..setting
    };
    let text = setting.plan::<SetHostname>(config).text_of(ETC_HOSTNAME);
    assert_eq!(text.as_deref(), Some("web\n"));
}

#[test]
fn a_bad_name_is_told_with_its_place_and_the_clouds_name_is_set() {
    let mut setting = Setting::default();
    setting.instance.local_hostname = Some("ip-10-0-0-7.ec2.internal".parse().unwrap());
    let plan = setting.plan::<SetHostname>("hostname: -bad");
    let said = plan.problems[0].to_string();
    assert!(
        said.starts_with("test:1:11: hostname: not a valid host name"),
        "{said}"
    );
    assert_eq!(plan.problems.len(), 1);
    let text = plan.text_of(ETC_HOSTNAME);
    assert_eq!(text.as_deref(), Some("ip-10-0-0-7\n"));
    let plan = Setting::default().plan::<SetHostname>("hostname: -bad");
    assert!(plan.steps.is_empty() && plan.problems.len() == 1);
}

#[test]
fn a_later_boot_follows_a_changed_name_and_leaves_an_admins_alone() {
    const SET: [&str; 3] = [
        "file /etc/hostname (0644)",
        "host name web2",
        "file /var/lib/firstlight/previous-hostname (0644)",
    ];
    #[rustfmt::skip]
    let table: [(Option<&str>, Option<&str>, &[&str]); 7] = [
        // /etc/hostname        what was ours       what shall be
        (Some("mine\n"),        Some("web\n"),      &[]),
        (Some("web\n"),         Some("web\n"),      &SET),
        (Some("# x\nweb # y\n"), Some("web\n"),    &SET),
        (Some("web2\n"),        Some("web2\n"),     &[]),
        (None,                  Some("web\n"),      &SET),
        (Some("image\n"),       None,               &SET[2..]),
        (None,                  None,               &SET),
    ];
    for (now, ours, lines) in table {
        let files = [(ETC_HOSTNAME, now), (PREVIOUS, ours)];
        let files: Vec<(&str, &str)> = files
            .iter()
            .filter_map(|(path, text)| text.map(|text| (*path, text)))
            .collect();
        let setting = Setting {
            machine: FakeMachine::with(&files),
            ..Setting::default()
        };
        let plan = setting.plan::<UpdateHostname>("hostname: web2");
        assert_eq!(plan.lines(), lines, "{now:?} {ours:?}");
    }
}

#[test]
fn what_else_stands_in_the_file_stays() {
    #[rustfmt::skip]
    let table = [
        ("",                          "web\n"),
        ("old\n",                     "web\n"),
        ("# ours\n\nold # was\n",     "# ours\n\nweb # was\n"),
        ("# nothing\n",               "# nothing\nweb\n"),
        ("one\ntwo\n",                "web\n"),
    ];
    for (old, new) in table {
        assert_eq!(with_name(old, &"web".parse().unwrap()), new, "{old:?}");
    }
}

#[test]
fn the_image_may_name_a_tag_that_the_user_may_overrule() {
    let with = |tags: serde_json::Value| {
        let mut setting = Setting::default();
        setting.instance.local_hostname = Some("ip-10-0-0-7.ec2.internal".parse().unwrap());
        setting.instance.rest = serde_json::json!({"meta-data": {"tags": {"instance": tags}}});
        setting
    };
    let image = "firstlight: {hostname_from: 'tag:Name'}";
    #[rustfmt::skip]
    let table = [
        (serde_json::json!({"Name": "web-1"}),             "",                 "web-1",        None),
        (serde_json::json!({"Name": "web-1.example.com"}), "",                 "web-1",        None),
        (serde_json::json!({"Name": "web-1"}),             "hostname: mine\n", "mine",         None),
        (serde_json::json!({"Name": "Web server 1"}),      "",                 "ip-10-0-0-7",  Some("the tag `Name` is not a valid host name")),
        (serde_json::json!({"Name": ["a", "b"]}),          "",                 "ip-10-0-0-7",  Some("the tag `Name` is not a valid host name")),
        (serde_json::json!(null),                          "",                 "ip-10-0-0-7",  Some("the metadata has no tag `Name`")),
    ];
    for (tags, user, name, says) in table {
        let plan = with(tags.clone()).plan::<SetHostname>(&format!("{user}{image}"));
        assert_eq!(
            plan.text_of(ETC_HOSTNAME),
            Some(format!("{name}\n")),
            "{tags}"
        );
        let said = plan.problems.first().map(ToString::to_string);
        match says {
            Some(says) => assert!(said.unwrap().contains(says), "{tags}"),
            None => assert_eq!(said, None, "{tags}"),
        }
    }
}

#[test]
fn the_full_name_is_the_clouds_beside_a_hostname_without_a_dot_and_that_is_told() {
    let mut setting = Setting {
        machine: FakeMachine::with(&[("/etc/os-release", "ID=rocky\n")]),
        ..Setting::default()
    };
    setting.instance.local_hostname = Some("ip-10-0-0-7.ec2.internal".parse().unwrap());
    let plan = setting.plan::<SetHostname>("hostname: web");
    assert_eq!(
        plan.text_of(ETC_HOSTNAME).as_deref(),
        Some("ip-10-0-0-7.ec2.internal\n")
    );
    let said = plan.problems[0].to_string();
    assert!(
        said.contains("test:1:11: hostname: a full name is preferred here"),
        "{said}"
    );
    assert!(
        said.contains("`prefer_fqdn_over_hostname: false`"),
        "{said}"
    );
}

#[test]
fn a_full_name_that_linux_does_not_take_gives_way_to_the_short_one() {
    let long = format!("web.{}.example.com", "a".repeat(60));
    let config = format!("{{fqdn: {long}, prefer_fqdn_over_hostname: true}}");
    let plan = Setting::default().plan::<SetHostname>(&config);
    assert_eq!(plan.text_of(ETC_HOSTNAME).as_deref(), Some("web\n"));
    assert!(
        plan.problems[0]
            .to_string()
            .contains("longer than 64 bytes"),
        "{plan:?}"
    );
}
