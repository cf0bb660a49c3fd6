use contract::testing::{FakeMachine, instance};

use super::*;

fn prepared(image: &str, index: u32, data: &str) -> Prepared {
    prepared_for(image, Some(index), data)
}

fn prepared_for(image: &str, index: Option<u32>, data: &str) -> Prepared {
    let image = crate::image::load(&FakeMachine::with(&[(
        "/etc/firstlight/config.yaml",
        image,
    )]));
    let (settings, _) = Settings::of(&image.config);
    let mut metadata = instance();
    metadata.launch_index = index.map(LaunchIndex);
    prepare(
        &image,
        &settings,
        &metadata,
        &UserData::new(data.into()),
        &VendorData::default(),
    )
}

fn message(parts: &[&str]) -> String {
    let mut text = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n".to_owned();
    for part in parts {
        text.push_str(&format!("--B\nContent-Type: text/plain\n\n{part}\n"));
    }
    text + "--B--\n"
}

#[test]
fn a_later_part_replaces_a_key_whole_and_the_user_wins_over_the_image_key_by_key() {
    let parts = ["#cloud-config\nn: {a: 1}\nk: 1", "#cloud-config\nn: {b: 2}"];
    let prepared = prepared("n: {c: 3, b: 3}\n", 0, &message(&parts));
    let number = |key: &str| prepared.config.get("n").and_then(|n| n.get(key)?.as_int());
    assert_eq!(
        (number("a"), number("b"), number("c")),
        (None, Some(2), Some(3))
    );
    assert!(prepared.config.get("k").is_some());
}

#[test]
fn a_bad_part_is_a_warning_without_its_values_and_the_others_count() {
    let parts = [
        "#cloud-config\npassword: [hunter2",
        "#cloud-config\n- hunter2",
        "#cloud-config\nk: 1",
    ];
    let prepared = prepared("", 0, &message(&parts));
    assert!(prepared.config.get("k").is_some());
    assert_eq!(prepared.problems.len(), 2, "{:?}", prepared.problems);
    for problem in &prepared.problems {
        assert_eq!(problem.severity, contract::plan::Severity::Warning);
        assert!(!problem.to_string().contains("hunter2"), "{problem}");
        assert!(problem.to_string().starts_with("part-00"), "{problem}");
    }
}

#[test]
fn a_part_for_another_launch_index_is_left_out_and_keeps_its_number() {
    let parts = [
        "#cloud-config\nlaunch-index: 1\na: 1",
        "#cloud-config\nb: 1",
        "#!/bin/sh",
    ];
    let prepared = prepared("", 0, &message(&parts));
    assert!(prepared.config.get("a").is_none());
    assert!(prepared.config.get("b").is_some());
    let decisions: Vec<&str> = prepared
        .parts
        .iter()
        .map(|row| row.decision.as_str())
        .collect();
    assert_eq!(decisions, ["for another launch index", "used", "used"]);
    assert_eq!(prepared.scripts[0].name, "part-003");
}

#[test]
fn a_customers_parameters_fill_the_images_templates() {
    let image = "content: [{source: 's3://{{ params.bucket }}/site/'}]\n";
    let config = prepared(image, 0, "bucket=acme-site").config;
    let source = config
        .get("content")
        .and_then(|c| c.as_list()?.first()?.get("source"));
    assert_eq!(
        source.and_then(|text| text.as_str()),
        Some("s3://acme-site/site/")
    );
}

#[test]
fn an_index_beyond_the_fields_takes_none_and_is_warned() {
    let image = "firstlight: {user_data: {parameters: {select_by_launch_index: {}}}}";
    let rows = [(0, None, 0), (2, Some("5min"), 0), (3, None, 1)];
    for (index, every, warnings) in rows {
        let prepared = prepared(image, index, "every=1min | every=5min");
        assert_eq!(prepared.params.get("every"), every, "{index}");
        assert_eq!(prepared.problems.len(), warnings, "{index}");
    }
}

#[test]
fn merge_how_and_the_header_join_lists_and_a_bad_one_costs_its_part() {
    let append = "list(append)+dict(recurse_list)+str()";
    let text = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n\
         --B\nContent-Type: text/cloud-config\n\nl: [1]\n\
         --B\nContent-Type: text/cloud-config\nMerge-Type: {append}\n\nl: [2]\n\
         --B\nContent-Type: text/cloud-config\nX-Merge-Type: {append}\n\nl: [3]\n\
         --B\nContent-Type: text/cloud-config\n\nmerge_how: '{append}'\nl: [4]\n\
         --B\nContent-Type: text/cloud-config\n\nmerge_how: append\nl: [5]\n\
         --B--\n"
    );
    let prepared = prepared("l: [9]\n", 0, &text);
    let list = prepared.config.get("l").and_then(|list| list.as_list());
    let numbers: Vec<_> = list
        .unwrap()
        .iter()
        .filter_map(contract::yaml::Value::as_int)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    let problems: Vec<String> = prepared.problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].starts_with("part-005:26:12: part ignored: `merge_how`"),
        "{problems:?}"
    );
    assert_eq!(prepared.parts[4].decision, "ignored: it cannot be merged");
}

#[test]
fn vendor_data_stands_between_user_data_and_the_image_unless_it_is_switched_off() {
    #[rustfmt::skip]
    let table = [
        // image                               user data                    v, w, x
        ("v: 1\nw: 1\nx: 1",                   "#cloud-config\nv: 3",       [3, 2, 1]),
        ("v: 1\nw: 1\nx: 1",                   "#cloud-config\nv: 3\nvendor_data: {enabled: false}", [3, 1, 1]),
        ("v: 1\nw: 1\nx: 1\nvendor_data: {enabled: false}", "",             [1, 1, 1]),
        ("v: 1\nw: 1\nx: 1\nvendor_data: {enabled: false}", "#cloud-config\nvendor_data: {enabled: true}", [2, 2, 1]),
        ("v: 1\nw: 1\nx: 1\nvendor_data: {disabled_handlers: [text/cloud-config]}", "", [1, 1, 1]),
        ("v: 1\nw: 1\nx: 1\nallow_userdata: 'no'", "#cloud-config\nv: 3",   [2, 2, 1]),
    ];
    for (image, user_data, want) in table {
        let image = crate::image::load(&FakeMachine::with(&[("/etc/cloud/cloud.cfg", image)]));
        let (settings, _) = Settings::of(&image.config);
        let user = UserData::new(user_data.into());
        let vendor = VendorData {
            first: Some(UserData::new("#cloud-config\nv: 2\nw: 2".into())),
            second: None,
        };
        let prepared = prepare(&image, &settings, &instance(), &user, &vendor);
        let found = ["v", "w", "x"].map(|key| {
            prepared
                .config
                .get(key)
                .and_then(contract::yaml::Value::as_int)
        });
        assert_eq!(found, want.map(Some), "{user_data}");
    }
}

#[test]
fn the_second_vendor_data_wins_over_the_first_and_is_switched_off_for_itself() {
    #[rustfmt::skip]
    let table = [
        // user data                                              a,       b, c     scripts' bodies
        ("",                                                      [3, 2, 1], &["two", "one", "three"][..]),
        ("#cloud-config\na: 4",                                   [4, 2, 1], &["two", "one", "three"]),
        ("#cloud-config\nvendor_data: {enabled: false}",          [3, 0, 0], &["three"]),
        ("#cloud-config\nvendor_data2: {enabled: false}",         [2, 2, 1], &["two", "one"]),
    ];
    let script = |name: &str| format!("#!/bin/sh\n# {name}\n");
    let first = with_headers(&[
        ("", &script("two")),
        ("", &script("one")),
        ("", "#cloud-config\na: 2\nb: 2\nc: 1"),
        ("Content-Type: text/html\n", "x"),
    ]);
    let second = with_headers(&[
        ("", &script("three")),
        ("", "#cloud-config\na: 3"),
        ("Content-Type: text/html\n", "x"),
    ]);
    let vendor = VendorData {
        first: Some(UserData::new(first.into())),
        second: Some(UserData::new(second.into())),
    };
    for (user_data, numbers, scripts) in table {
        let user = UserData::new(user_data.into());
        let (image, settings) = (crate::image::Image::default(), Settings::default());
        let prepared = prepare(&image, &settings, &instance(), &user, &vendor);
        let found = ["a", "b", "c"].map(|key| {
            let value = prepared
                .config
                .get(key)
                .and_then(contract::yaml::Value::as_int);
            value.unwrap_or(0)
        });
        assert_eq!(found, numbers, "{user_data}");
        let text = |part: &Part| String::from_utf8(part.body.expose().clone()).unwrap();
        let found: Vec<String> = prepared.scripts.iter().map(text).collect();
        assert_eq!(
            found,
            scripts.iter().map(|name| script(name)).collect::<Vec<_>>()
        );
        let numbers: Vec<usize> = prepared.scripts.iter().map(|part| part.number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    }
    let user = UserData::default();
    let (image, settings) = (crate::image::Image::default(), Settings::default());
    let said = prepare(&image, &settings, &instance(), &user, &vendor).problems;
    let places: Vec<String> = said
        .iter()
        .filter_map(|problem| Some(problem.place.as_ref()?.source.to_string()))
        .collect();
    assert_eq!(places, ["vendor-data/part-004", "vendor-data2/part-003"]);
}

/// A part's headers and its text, in a message.
fn with_headers(parts: &[(&str, &str)]) -> String {
    let mut text = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n".to_owned();
    for (headers, part) in parts {
        text.push_str(&format!("--B\n{headers}\n{part}\n"));
    }
    text + "--B--\n"
}

#[test]
fn a_part_is_for_the_launch_index_of_its_header_or_else_of_its_payload() {
    #[rustfmt::skip]
    let table = [
        // headers              text                             used by instance 1, and by one without
        ("",                    "#cloud-config\na: 1",           true,  true),
        ("Launch-Index: 1\n",   "#cloud-config\na: 1",           true,  true),
        ("Launch-Index: 2\n",   "#cloud-config\na: 1",           false, true),
        ("launch-index: 2\n",   "#cloud-config\na: 1",           false, true),
        ("Launch-Index: one\n", "#cloud-config\na: 1",           false, true), // no instance's
        ("Launch-Index: +0_1\n", "#cloud-config\na: 1",          true,  true), // as Python reads numbers
        ("Launch-Index: -1\n", "#cloud-config\na: 1",            false, true),
        ("Launch-Index: 0__1\n", "#cloud-config\na: 1",          false, true),
        ("",                    "#cloud-config\nlaunch-index: 2", false, true),
        ("",                    "#cloud-config\nlaunch-index: 1", true,  true),
        ("",                    "#cloud-config\nlaunch-index: '1'", true, true),
        ("",                    "#cloud-config\nlaunch-index: '0_1'", true, true),
        ("",                    "#cloud-config\nlaunch-index: '0_2'", false, true),
        ("",                    "#cloud-config\nlaunch-index: 1.7", true, true),
        ("",                    "#cloud-config\nlaunch-index: true", true, true),
        ("",                    "#cloud-config\nlaunch-index: -1", false, true),
        ("",                    "#cloud-config\nlaunch-index: [2]", true, true), // no number: everybody's
        ("Launch-Index: 1\n",   "#cloud-config\nlaunch-index: 2", true,  true), // the header wins
        ("Launch-Index: 2\n",   "#cloud-config\nlaunch-index: 1", false, true),
        ("Launch-Index: 2\n",   "#!/bin/sh",                     false, true),
    ];
    for (headers, text, first, without) in table {
        for (index, used) in [(Some(1), first), (None, without)] {
            let prepared = prepared_for("", index, &with_headers(&[(headers, text)]));
            let decision = prepared.parts[0].decision.as_str();
            assert_eq!(
                decision == "used",
                used,
                "{headers}{text} for {index:?}: {decision}"
            );
        }
    }
}

#[test]
fn what_is_wrong_with_a_part_for_another_instance_is_nobodys_concern() {
    let text = with_headers(&[
        ("Launch-Index: 2\n", "#cloud-config\n- a list"),
        ("", "#!/bin/sh"),
    ]);
    let prepared = prepared_for("", Some(1), &text);
    assert_eq!(prepared.problems, []);
}

#[test]
fn a_patch_changes_the_configuration_of_the_parts_before_it() {
    let patch = "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/l/-\", \"value\": 3}]";
    #[rustfmt::skip]
    let table: [(&[&str], Option<usize>, usize); 5] = [
        (&["#cloud-config\nl: [1, 2]", patch],         Some(3), 0),
        (&["#cloud-config\nl: [1, 2]", patch, patch],  Some(4), 0),
        (&[patch, "#cloud-config\nl: [1, 2]"],         Some(2), 1), // nothing to patch yet
        (&["#cloud-config\nl: [1, 2]", "#cloud-config-jsonp\n[{"], Some(2), 1),
        (&["#cloud-config-jsonp\n[{\"op\": \"replace\", \"path\": \"\", \"value\": 1}]"], None, 1),
    ];
    for (parts, count, warnings) in table {
        let prepared = prepared("", 0, &message(parts));
        let list = prepared.config.get("l").and_then(|l| l.as_list());
        assert_eq!(list.map(<[_]>::len), count, "{parts:?}");
        assert_eq!(
            prepared.problems.len(),
            warnings,
            "{parts:?}: {:?}",
            prepared.problems
        );
    }
}

#[test]
fn a_type_that_nobody_handles_is_named_with_its_size_and_without_its_content() {
    let text = with_headers(&[
        ("Content-Type: text/html\n", "secret"),
        ("Content-Type: text/part-handler\n", "secret"),
        ("Content-Type: text/html\n", ""),
    ]);
    let said: Vec<_> = prepared("", 0, &text)
        .problems
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("part-001: part ignored: nobody handles type text/html (6 bytes)"));
    assert!(said[1].starts_with(
        "part-002: part ignored: it is a part handler, and the image does not let them run"
    ));
}

#[test]
fn damaged_gzip_is_named_as_such() {
    let image = crate::image::Image::default();
    let data = UserData::new(b"\x1f\x8b\x08\0\0\0\0\0\0\x03cut".to_vec());
    let prepared = prepare(
        &image,
        &Settings::default(),
        &instance(),
        &data,
        &VendorData::default(),
    );
    let said: Vec<String> = prepared.problems.iter().map(ToString::to_string).collect();
    let want = "part-001: part ignored: gzip that cannot be unpacked: it is damaged, or cut short (13 bytes)";
    assert!(said[0].starts_with(want), "{said:?}");
}

#[test]
fn a_template_becomes_what_it_renders_to() {
    let header = "## template: jinja\n";
    #[rustfmt::skip]
    let table = [
        // behind the header                                            hostname        scripts  warnings
        ("#cloud-config\nhostname: h-{{ v1.instance_id }}\n",           Some("h-i-1"),  0,       0),
        ("#!/bin/sh\necho {{ instance_id }}\n",                         None,           1,       0),
        ("#cloud-config\nhostname: {{ nope }}\n",                       Some("CI_MISSING_JINJA_VAR/nope"), 0, 1),
        ("#cloud-config\nhostname: {{ nope.below }}\n",                 None,           0,       1),
        ("#cloud-config\nhostname: {{ ds.meta-data }}\n",               None,           0,       1),
        ("nothing {{ instance_id }}\n",                                 None,           0,       1),
        ("#include\nfile:///etc/{{ instance_id }}\n",                   None,           0,       1),
    ];
    for (text, hostname, scripts, warnings) in table {
        let prepared = prepared("", 0, &format!("{header}{text}"));
        let found = prepared
            .config
            .get("hostname")
            .and_then(|name| name.as_str());
        assert_eq!(found, hostname, "{text}");
        assert_eq!(prepared.scripts.len(), scripts, "{text}");
        assert_eq!(
            prepared.problems.len(),
            warnings,
            "{text}: {:?}",
            prepared.problems
        );
    }
    let said = prepared(
        "",
        0,
        &format!("{header}#cloud-config\na: 1\nb: {{{{ nope.below }}}}\n"),
    );
    assert!(
        said.problems[0]
            .to_string()
            .starts_with("part-001:4:1: part ignored: the template"),
        "{:?}",
        said.problems
    );
}
