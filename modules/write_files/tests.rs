use contract::effect::{Content, Effect, WriteSpec};
use contract::plan::{Plan, Severity};
use contract::testing::Setting;

use super::{WriteFiles, WriteFilesDeferred};

fn planned(text: &str) -> Plan {
    Setting::default().plan::<WriteFiles>(text)
}

fn specs(plan: &Plan) -> Vec<WriteSpec> {
    let files = plan.effects().filter_map(|effect| match effect {
        Effect::Write(spec) => Some((**spec).clone()),
        _ => None,
    });
    files.collect()
}

#[test]
fn an_entry_becomes_a_file() {
    #[rustfmt::skip]
    let table = [
        // entry                                                        what shall be
        ("{path: /etc/motd}",                                           "file /etc/motd (0644)"),
        ("{path: /a, permissions: '0755', owner: 'web:www'}",           "file /a (0755 web:www)"),
        ("{path: /a, owner: web}",                                      "file /a (0644 web)"),
        ("{path: /a, owner: ':adm'}",                                   "file /a (0644 :adm)"),
        ("{path: /a, owner: 'none:-1'}",                                "file /a (0644)"),
        ("{path: /a/../b//c, append: yes}",                             "append to /b/c (0644)"),
        ("{path: /a, append: 'off', defer: 'no'}",                      "file /a (0644)"),
        ("{path: /a, source: {uri: 'https://me:pw@h/x?sig=1', headers: {Token: t}}}",
                                                                        "file /a (0644) = https://h/x"),
        ("{path: /a, source: {uri: null}}",                             "file /a (0644)"),
    ];
    for (entry, line) in table {
        let plan = planned(&format!("write_files: [{entry}]"));
        assert_eq!(plan.lines(), [line], "{entry}");
        assert!(plan.problems.is_empty(), "{entry}: {plan:?}");
    }
}

#[test]
fn content_is_decoded_as_cloud_init_decodes_it() {
    let gzip = "H4sIAAAAAAAAA8tIzcnJBwCGphA2BQAAAA==";
    #[rustfmt::skip]
    let table = [
        ("content: \"a\\n\"".to_owned(),                                "a\n"),
        ("content: !!binary aGVsbG8=".to_owned(),                       "hello"),
        ("{content: aGVsbG8=, encoding: b64}".to_owned(),               "hello"),
        ("{content: \"aGVs\\nbG8=\\n\", encoding: ' Base64 '}".to_owned(), "hello"),
        (format!("{{content: !!binary {gzip}, encoding: gz}}"),         "hello"),
        (format!("{{content: !!binary {gzip}, encoding: gzip}}"),       "hello"),
        (format!("{{content: {gzip}, encoding: gz+b64}}"),              "hello"),
        (format!("{{content: {gzip}, encoding: gzip+base64}}"),         "hello"),
        (format!("{{content: {gzip}, encoding: GZIP+B64}}"),            "hello"),
        (format!("{{content: {gzip}, encoding: gz+base64}}"),           "hello"),
        ("{content: x, encoding: text/plain}".to_owned(),               "x"),
        ("{content: x, encoding: ''}".to_owned(),                       "x"),
        ("content: null".to_owned(),                                    ""),
        ("{}".to_owned(),                                               ""),
    ];
    for (fields, text) in table {
        let fields = fields.trim_matches(['{', '}']);
        let comma = if fields.is_empty() { "" } else { ", " };
        let plan = planned(&format!("write_files: [{{path: /a{comma}{fields}}}]"));
        assert_eq!(
            plan.text_of("/a").as_deref(),
            Some(text),
            "{fields}: {plan:?}"
        );
        assert!(plan.problems.is_empty(), "{fields}: {plan:?}");
    }
}

#[test]
fn what_is_odd_is_told_and_something_is_written_nevertheless() {
    #[rustfmt::skip]
    let table = [
        ("path: /a, permissions: 644",      "file /a (1204)",
         "test:1:39: write_files[0].permissions: a number without quotes or leading zero is decimal: 644 is mode 1204 (write '0644')"),
        ("path: /a, permissions: 0644",     "file /a (0644)",    ""),
        ("path: /a, permissions: 0o755",    "file /a (0755)",    ""),
        ("path: /a, permissions: '4755'",   "file /a (4755)",    ""),
        ("path: /a, permissions: 420.7",    "file /a (0644)",
         "test:1:39: write_files[0].permissions: a number without quotes or leading zero is decimal: 420 is mode 0644 (write '0420')"),
        ("path: /a, permissions: rw-r--r--", "file /a (0644)",
         "test:1:39: write_files[0].permissions: expected an octal number in quotes, such as '0644'; 0644 it is"),
        ("path: /a, permissions: '0899'",   "file /a (0644)",
         "test:1:39: write_files[0].permissions: expected an octal number in quotes, such as '0644'; 0644 it is"),
        ("path: /a, encoding: rot13",       "file /a (0644)",
         "test:1:36: write_files[0].encoding: unknown encoding; `content` is taken as it stands"),
        ("path: etc/a",                     "file /etc/a (0644)",
         "test:1:22: write_files[0].path: the path is not absolute; it is taken as one below /"),
        ("path: /a, append: maybe",         "file /a (0644)",
         "test:1:34: write_files[0].append: expected true or false; taken as false"),
    ];
    for (entry, line, said) in table {
        // Content that no encoding may change.
        let plan = planned(&format!("write_files: [{{{entry}, content: x}}]"));
        assert_eq!(plan.lines(), [line], "{entry}");
        let told: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
        match said {
            "" => assert!(told.is_empty(), "{entry}: {told:?}"),
            _ => assert!(
                told.len() == 1 && told[0].starts_with(said),
                "{entry}: {told:?}"
            ),
        }
        let mild = plan
            .problems
            .iter()
            .all(|own| own.severity == Severity::Warning);
        assert!(mild, "{entry}");
    }
}

#[test]
fn an_entry_that_cannot_be_written_costs_itself_alone() {
    #[rustfmt::skip]
    let table = [
        ("{content: x}",                         "test:1:15: write_files[0].path: expected an absolute path"),
        ("{path: 7}",                            "test:1:22: write_files[0].path: expected an absolute path"),
        ("{path: /}",                            "test:1:22: write_files[0].path: expected the path of a file"),
        ("{path: /a, content: 0644}",            "test:1:35: write_files[0].content: expected a string, found an integer (put it in quotes)"),
        ("{path: /a, content: '*', encoding: gz}", "test:1:35: write_files[0].content: it is not gzip, or not whole"),
        ("{path: /a, content: abc, encoding: b64}", "test:1:35: write_files[0].content: it is not base64"),
        ("{path: /a, source: https://h}",        "test:1:34: write_files[0].source: expected a mapping with `uri`"),
        ("{path: /a, owner: [web]}",             "test:1:33: write_files[0].owner: expected `USER:GROUP` or `USER`"),
        ("/etc/motd",                            "test:1:15: write_files[0]: expected"),
    ];
    for (entry, said) in table {
        let plan = planned(&format!("write_files: [{entry}, {{path: /b}}]"));
        assert_eq!(plan.lines(), ["file /b (0644)"], "{entry}");
        let told = plan.problems[0].to_string();
        assert!(told.starts_with(said), "{entry}: {told}");
        assert_eq!(plan.problems.len(), 1, "{entry}: {plan:?}");
    }
    let plan = planned("write_files: {path: /a}");
    assert!(
        plan.steps.is_empty() && plan.problems.len() == 1,
        "{plan:?}"
    );
}

#[test]
fn what_others_may_not_read_is_secret() {
    let text = "write_files: [{path: /a, permissions: '0640', content: hunter2},\
                {path: /b, content: hunter2}]";
    let plan = planned(text);
    let secret: Vec<bool> = specs(&plan)
        .iter()
        .map(|spec| matches!(spec.content, Some(Content::Secret(_))))
        .collect();
    assert_eq!(secret, [true, false]);
    let private = format!("{:?}", plan.steps[0]);
    assert!(!private.contains("hunter2"), "{private}");
}

#[test]
fn what_is_deferred_waits_for_the_final_stage() {
    let text = "write_files: [{path: /a}, {path: /b, defer: true}, {path: /c, defer: 'yes'}, 7]";
    let plan = planned(text);
    assert_eq!(plan.lines(), ["file /a (0644)"]);
    assert_eq!(plan.problems.len(), 1, "{plan:?}");
    let late = Setting::default().plan::<WriteFilesDeferred>(text);
    assert_eq!(late.lines(), ["file /b (0644)", "file /c (0644)"]);
    assert!(late.problems.is_empty(), "told twice: {late:?}");
}

#[test]
fn the_same_text_appended_twice_is_two_appends_and_each_step_has_a_name_of_its_own() {
    let entry = "{path: /a, content: x, append: true}";
    let other = "{path: /a, content: y, append: true}";
    let plan = planned(&format!("write_files: [{entry}, {other}, {entry}]"));
    let nth = |spec: &WriteSpec| spec.append.as_ref().map(|append| append.nth);
    let numbers: Vec<_> = specs(&plan).iter().map(nth).collect();
    assert_eq!(numbers, [Some(1), Some(1), Some(2)]);
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["/a", "/a (2)", "/a (3)"]);
}

#[test]
fn a_source_may_have_content_to_fall_back_on() {
    let plan = planned(
        "write_files: [{path: /a, source: {uri: 'http://h/'}}, \
         {path: /b, content: x, source: {uri: 'http://h/', headers: {A: 1, B: [2]}}}]",
    );
    let specs = specs(&plan);
    assert_eq!(specs[0].content, None);
    assert!(specs[1].content.is_some());
    let headers = &specs[1].source.as_ref().unwrap().headers;
    assert_eq!((headers[0].0.as_str(), headers.len()), ("A", 1));
    assert!(
        plan.problems[0].to_string().contains("source.headers"),
        "{plan:?}"
    );
}
