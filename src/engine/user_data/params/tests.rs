use contract::testing::config;

use super::*;
use crate::settings::Settings;

/// The settings of an image that says this of its parameters.
fn parameters(text: &str) -> Parameters {
    let text = format!("firstlight: {{user_data: {{parameters: {{{text}}}}}}}");
    let (settings, problems) = Settings::of(&config(&text));
    assert!(problems.is_empty(), "{problems:?}");
    settings.parameters
}

fn read_as(format: &str, text: &str) -> (Vec<(String, String)>, Vec<String>) {
    let format = parameters(&format!("format: {format}")).format;
    let mut params = Params::default();
    let problems = read(text, format, "part-001", 5, &mut params);
    let pairs = params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    (
        pairs.collect(),
        problems.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn each_format_gives_names_and_values() {
    type Row = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
    );
    #[rustfmt::skip]
    let table: &[Row] = &[
        ("auto",      "a=1\nb=2\n",                 &[("a", "1"), ("b", "2")]),
        ("auto",      "a=1;b=2",                    &[("a", "1"), ("b", "2")]),
        ("key-value", "a = 1 , b = 2",              &[("a", "1"), ("b", "2")]),
        ("key-value", "hosts=x,y,z",                &[("hosts", "x,y,z")]),
        ("key-value", "# why\n\nurl=s3://b/?x=1\n", &[("url", "s3://b/?x=1")]),
        ("key-value", "a=1\na=2",                   &[("a", "2")]),
        ("auto",      " {\"a\": \"x\", \"b\": 1.5, \"c\": true, \"d\": null}", &[("a", "x"), ("b", "1.5"), ("c", "true")]),
        ("json",      "{\"z\": [1, \"x\"], \"a\": {\"k\": null}}", &[("z", "[1,\"x\"]"), ("a", "{\"k\":null}")]),
        ("json",      "{\"yes\": \"no\", \"t\": \"1:30\"}", &[("yes", "no"), ("t", "1:30")]),
        ("yaml",      "a: text\nb: no\nc: [1, 2]\nd:\nwhen: 2026-01-02\n", &[("a", "text"), ("b", "false"), ("c", "[1,2]"), ("when", "2026-01-02")]),
        // The fields of the EC2 user guide.
        ("csv",       "1234,john,reboot,true",      &[("p1", "1234"), ("p2", "john"), ("p3", "reboot"), ("p4", "true")]),
        ("csv",       "173,,,\n",                   &[("p1", "173"), ("p2", ""), ("p3", ""), ("p4", "")]),
        ("csv",       " a b , \"x, \"\"y\"\"\" ,z", &[("p1", "a b"), ("p2", "x, \"y\""), ("p3", "z")]),
        ("csv",       "\"two\nlines\",b",           &[("p1", "two\nlines"), ("p2", "b")]),
        ("opaque",    "what ever\n=,{",             &[("text", "what ever\n=,{")]),
        ("none",      "a=1",                        &[]),
    ];
    for (format, text, want) in table {
        let (pairs, problems) = read_as(format, text);
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(&pairs, want, "{format}: {text}");
        assert_eq!(problems, Vec::<String>::new(), "{format}: {text}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_without_its_value() {
    #[rustfmt::skip]
    let table = [
        ("key-value", "a=1\nsecret\nb=2",       "part-001:6:1: line ignored: expected `name=value`"),
        ("json",      "{\"a\": secret}",        "part-001:5:7: parameters are ignored: not JSON"),
        ("json",      "[\"secret\"]",           "part-001:5:1: parameters are ignored: expected names and values, found a list"),
        ("json",      "{\"a b\": \"secret\"}",  "part-001:5:2: that is no parameter's name (letters, digits, `_`, `-` and `.`, beginning with a letter or `_`)"),
        ("yaml",      "a: 1\n\nb: [secret",     "part-001:7:"),
        ("yaml",      "a: 1\n7: secret",        "part-001:6:1: a parameter's name is text, not an integer"),
        ("yaml",      "a: 1\nb: !!binary c2VjcmV0", "part-001:6:13: parameter `b`: expected text, found bytes"),
        ("yaml",      "mode: 0644",             "part-001:5:7: parameter `mode` is read as a number, as YAML 1.1 has it (put it in quotes"),
        ("csv",       "a,\"secret",             "part-001:5:1: parameters are ignored: a quote is not closed"),
        ("csv",       "a,\"b\" secret",         "part-001:5:1: parameters are ignored: expected `,` behind a quote"),
        ("csv",       "a,b\nsecret,d",          "part-001:6:1: parameters are ignored: expected a single line"),
    ];
    for (format, text, want) in table {
        let (_, problems) = read_as(format, text);
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert!(problems[0].starts_with(want), "{text}: {problems:?}");
        assert!(!problems[0].contains("secret"), "{text}: {problems:?}");
    }
}

#[test]
fn limits_are_named_and_cost_only_what_is_beyond_them() {
    let many: String = (0..=MAX_PARAMETERS).map(|n| format!("p{n}=x\n")).collect();
    let (pairs, problems) = read_as("auto", &many);
    assert_eq!(pairs.len(), MAX_PARAMETERS);
    assert_eq!(
        problems,
        ["part-001:261:1: parameters beyond 256 are ignored"]
    );

    let long = format!(
        "a=1\n{}=x\nb={}\nc=2",
        "n".repeat(MAX_NAME + 1),
        "x".repeat(MAX_VALUE + 1)
    );
    let (pairs, problems) = read_as("auto", &long);
    assert_eq!(pairs.len(), 2);
    let want = [
        "part-001:6:1: a parameter's name is longer than 128 bytes",
        "part-001:7:1: parameter `b` is longer than 32 KiB",
    ];
    assert_eq!(problems, want);

    let (_, problems) = read_as("opaque", &"x".repeat(MAX_TEXT + 1));
    assert_eq!(
        problems,
        ["part-001: parameters are ignored: larger than 1 MiB"]
    );
}

#[test]
fn only_what_the_image_allows_is_taken_for_parameters() {
    #[rustfmt::skip]
    let table = [
        ("auto",      "a=1",              true),
        ("auto",      "{\"a\": 1}",       true),
        ("auto",      "{\"a\": 1",        false),
        ("auto",      "[1]",              false),
        ("auto",      "a: 1",             false),
        ("auto",      "hello world",      false),
        ("auto",      "# a\n\n",          false),
        ("auto",      "#cloud-confg\na=1", false),
        ("key-value", "hello world",      true),
        ("json",      "[1]",              true),
        ("yaml",      "a: 1",             true),
        ("yaml",      "#cloud-confg\na: 1", false),
        ("yaml",      "# why\na: 1",      true),
        ("csv",       "1,2",              true),
        ("opaque",    "#x",               true),
        ("opaque",    " \n",              false),
        ("opaque",    "a\0b",             false),
        ("none",      "a=1",              false),
    ];
    for (format, text, want) in table {
        let parameters = parameters(&format!("format: {format}"));
        assert_eq!(looks_like(text, &parameters), want, "{format}: {text:?}");
    }
    let parameters = parameters("select_by_launch_index: {}");
    assert!(looks_like("a=1 | {\"a\": 2} |", &parameters));
}

#[test]
fn each_launch_index_takes_its_field() {
    let guide = "replicate-every=1min | replicate-every=5min | replicate-every=10min";
    let records = "1234,john,reboot,true | 4512,richard, | 173,,,";
    #[rustfmt::skip]
    let table = [
        // text, delimiter, first index, index, field
        (guide,               "|",   1, Some(0), None),
        (guide,               "|",   1, Some(1), Some("replicate-every=1min")),
        (guide,               "|",   1, Some(3), Some("replicate-every=10min")),
        (guide,               "|",   1, Some(4), None),
        (guide,               "|",   0, Some(0), Some("replicate-every=1min")),
        (guide,               "|",   1, None,    Some(guide)),
        (records,             "|",   1, Some(2), Some("4512,richard,")),
        (records,             "|",   1, Some(3), Some("173,,,")),
        ("for=everyone",      "|",   1, Some(0), Some("for=everyone")),
        ("a=1\nb=2\n",        "\n",  1, Some(2), Some("b=2")),
        ("a=1\nb=2\n",        "\n",  1, Some(3), None),
        ("a=1\n",             "\n",  1, Some(0), Some("a=1\n")),
        ("a=1 -- b=2 -- c=3", " -- ", 0, Some(1), Some("b=2")),
    ];
    for (text, delimiter, first_index, index, want) in table {
        let by = Select {
            delimiter: delimiter.into(),
            first_index,
        };
        let found = match select(text, index.map(LaunchIndex), Some(&by)) {
            Selected::Text(text, _) => Some(text),
            _ => None,
        };
        assert_eq!(found, want, "{index:?} of {text} by {delimiter}");
    }
    assert_eq!(
        select(
            guide,
            Some(LaunchIndex(9)),
            Some(&Select {
                delimiter: "|".into(),
                first_index: 1
            })
        ),
        Selected::Beyond(3)
    );
}

#[test]
fn a_field_knows_its_line() {
    let by = Select {
        delimiter: "|".into(),
        first_index: 0,
    };
    for (index, line) in [(0, 0), (1, 2), (2, 5)] {
        let Selected::Text(_, lines) =
            select("a=1\n|\nb=2\n|\n\nc=3", Some(LaunchIndex(index)), Some(&by))
        else {
            panic!("no field");
        };
        assert_eq!(lines, line, "{index}");
    }
}
