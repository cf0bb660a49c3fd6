use contract::plan::Severity;
use contract::schema::{Key, Shape};
use contract::yaml::{self, Kind, Limits, Mapping};

use super::*;

const ENTRY: &[Key] = &[
    Key::new("source", Shape::Text, "where from").required(),
    Key::new("keep", Shape::Integer(0, 9), "how many").or("3"),
    Key::new("switch", Shape::Word(&["atomic", "in-place"]), "how"),
    Key::new("lock_passwd", Shape::Bool, "lock").once_called(&["lock-passwd"]),
];

const TESTED: &[Key] = &[
    Key::new("content", Shape::List(&Shape::Strict(ENTRY)), "directories").secret(),
    Key::new("hostname", Shape::Scalar, "the name"),
    Key::new("disable_root", Shape::Switch, "root").or("true"),
    Key::new(
        "runcmd",
        Shape::List(&Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Scalar)])),
        "commands",
    ),
    Key::new("ca_certs", Shape::Map(ENTRY), "certificates").once_called(&["ca-certs"]),
    Key::new("client", Shape::Open(ENTRY), "options"),
];

fn schema() -> Schema {
    Schema::new(TESTED, &["packages", "package_update"])
}

fn root(text: &str, source: &str) -> Mapping {
    match yaml::parse(text, source, &Limits::default())
        .unwrap()
        .value
        .kind
    {
        Kind::Map(root) => root,
        other => panic!("{other:?}"),
    }
}

fn said(text: &str, source: &str) -> Vec<String> {
    let problems = schema().check(&root(text, source)).into_iter();
    problems
        .map(|problem| format!("{}: {problem}", problem.severity))
        .collect()
}

#[test]
fn what_is_wrong_has_its_place_and_what_to_do_and_never_the_value() {
    #[rustfmt::skip]
    let table = [
        ("hostname: 12",                      None),
        ("hostname:",                         None),
        ("disable_root: 'no'",                None),
        ("runcmd: [ls, [echo, 1]]",           None),
        ("merge_how: dict(replace)",          None),
        ("content: [{source: a, switch: '{{ params.how }}'}]", None),
        ("package_updat: true",               Some("warning: p:1:1: unknown key `package_updat` (did you mean `package_update`?)")),
        ("packages: [hunter2]",               Some("warning: p:1:1: `packages` is cloud-init's, and this version does not do it")),
        ("colour: hunter2",                   Some("warning: p:1:1: unknown key `colour`")),
        ("1: hunter2",                        Some("warning: p:1:1: a key is an integer: nobody knows it")),
        ("runcmd: hunter2",                   Some("error: p:1:9: runcmd: expected a list of strings and lists, found a string")),
        ("runcmd: [ls, true]",                Some("error: p:1:14: runcmd[1]: expected a string, or a list of strings, found a boolean")),
        ("disable_root: hunter2",             Some("error: p:1:15: disable_root: expected a boolean, found a string")),
        ("content: [{source: a, keep: 10}]",  Some("error: p:1:29: content[0].keep: expected an integer from 0 to 9, found an integer")),
        ("content: [{source: a, switch: hunter2}]", Some("error: p:1:31: content[0].switch: expected `atomic` or `in-place`, found a string")),
        ("content: [{keep: 1}]",              Some("error: p:1:11: content[0]: missing key `source` (where from)")),
        ("content: [{source: a, sorce: 1}]",  Some("error: p:1:23: unknown key `content[0].sorce` (did you mean `source`?)")),
        ("ca_certs: {source: a, colour: 1}",  Some("warning: p:1:23: unknown key `ca_certs.colour` (known are `source`, `keep`, `switch`, `lock_passwd`)")),
        ("client: {source: a, colour: hunter2}", None),
        ("client: {colour: hunter2}",         Some("error: p:1:9: client: missing key `source` (where from)")),
        ("ca-certs: {source: a}",             Some("notice: p:1:1: `ca-certs` is an old spelling (write `ca_certs`)")),
        ("ca_certs: {source: a, lock-passwd: true}", Some("notice: p:1:23: `ca_certs.lock-passwd` is an old spelling (write `lock_passwd`)")),
        ("firstlight: {gate_budget: 5s}",     Some("warning: p:1:1: `firstlight` counts in the image's configuration alone")),
    ];
    for (text, want) in table {
        let said = said(text, "p");
        assert_eq!(
            said,
            want.map(String::from).into_iter().collect::<Vec<_>>(),
            "{text}"
        );
        assert!(!format!("{said:?}").contains("hunter2"), "{text}");
    }
}

#[test]
fn what_was_written_for_cloud_init_is_no_fault() {
    for (source, severity) in [
        ("/etc/cloud/cloud.cfg.d/05.cfg", "notice"),
        ("/etc/firstlight/config.yaml", "warning"),
        ("part-001", "warning"),
    ] {
        let said = said("packages: [a]", source);
        assert!(
            said.iter().all(|line| line.starts_with(severity)),
            "{said:?}"
        );
        assert_eq!(said.len(), 1, "{source}");
    }
    assert!(
        said(
            "firstlight: {gate_budget: 5s}",
            "/etc/firstlight/config.yaml"
        )
        .is_empty()
    );
}

#[test]
fn a_document_full_of_faults_does_not_fill_the_report() {
    let text: String = (0..5000).map(|n| format!("key{n}: 1\n")).collect();
    assert_eq!(schema().check(&root(&text, "p")).len(), 200);
}

#[test]
fn the_json_schema_says_the_same() {
    let json = schema().to_json_schema();
    let entry = &json["properties"]["content"]["items"];
    assert_eq!(entry["required"], serde_json::json!(["source"]));
    assert_eq!(entry["properties"]["keep"]["default"], 3);
    assert_eq!(entry["properties"]["switch"]["enum"][0], "atomic");
    assert_eq!(entry["additionalProperties"], false);
    let open = &json["properties"]["client"]["additionalProperties"];
    assert_eq!(open, true);
    assert_eq!(json["properties"]["ca-certs"]["deprecated"], true);
    assert_eq!(json["properties"]["content"]["writeOnly"], true);
    let foreign = json["properties"]["packages"]["description"].as_str();
    assert!(foreign.is_some_and(|text| text.contains("cloud-init")));
}

/// Line, column, how many lines, and what it looks like.
type Where = Option<(u32, u32, u32, &'static str)>;

#[test]
fn secrets_are_known_by_their_form_or_by_their_name() {
    let token = format!("curl -H 'Authorization: token ghp_{}'", "a1".repeat(18));
    let jwt = format!("x eyJ{}.eyJ{}.sig", "a".repeat(20), "b".repeat(20));
    let aws = format!("AKIA{}\nkey: {}\n", "Z2".repeat(8), "aB3/".repeat(10));
    let example = format!("AKIAIOSFODNN7EXAMPLE\nkey: {}\n", "aB3/".repeat(10));
    let pem =
        "a: |\n  -----BEGIN RSA PRIVATE KEY-----\n  MIIE\n  -----END RSA PRIVATE KEY-----\nb: 1";
    #[rustfmt::skip]
    let table: [(&str, Where); 24] = [
        // text                                 line, column, lines, what
        (&token,                                Some((1, 31, 1, "a GitHub token"))),
        (&jwt,                                  Some((1, 3, 1, "a JSON Web Token"))),
        (&aws,                                  Some((2, 6, 1, "an AWS secret access key"))),
        (pem,                                   Some((2, 3, 3, "a private key"))),
        ("password: hunter2",                   Some((1, 11, 1, "a password or token"))),
        ("{name: a, passwd: \"hunter2\"}",      Some((1, 20, 1, "a password or token"))),
        ("export DB_PASSWORD='hunter2'",        Some((1, 21, 1, "a password or token"))),
        ("db.api-key=hunter2",                  Some((1, 12, 1, "a password or token"))),
        ("curl https://me:hunter2@host/x",      Some((1, 17, 1, "a password in an address"))),
        ("\u{e9}\u{e9} token: hunter2",         Some((1, 11, 1, "a password or token"))),
        (&example,                              None),
        ("passwd: $6$rounds=4096$salt$hash",    None),
        ("password: RANDOM",                    None),
        ("password: '!'",                       None),
        ("lock_passwd: false",                  None),
        ("PASSWORD=$(aws secretsmanager get)",  None),
        ("PASSWORD=\"${DB_PASSWORD}\"",         None),
        ("token: '{{ params.token }}'",         None),
        ("token: <your token here>",            None),
        ("password_file: /run/secrets/db",      None),
        ("secret: arn:aws:secretsmanager:x",    None),
        ("curl https://$USER:$PASS@host/",      None),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA me", None),
        ("-----BEGIN CERTIFICATE-----",         None),
    ];
    for (text, want) in table {
        let finds = lint(text.as_bytes(), "p", 1);
        let found = finds.first();
        let found = found.map(|find| (find.place.line, find.place.column, find.lines, find.what));
        assert_eq!(found, want, "{text}");
        for find in finds {
            for within in [Within::UserData, Within::Included, Within::Image] {
                let notice = find.notice(within);
                assert_eq!(notice.severity, Severity::Notice);
                assert!(!notice.to_string().contains("hunter2"), "{text}");
            }
        }
    }
}
