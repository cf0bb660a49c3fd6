use contract::yaml::{self, Limits};

use super::*;

fn json(text: &str) -> Value {
    let document = yaml::parse(text, "document", &Limits::default());
    document.unwrap().value
}

fn patched(document: &str, patch: &str) -> Result<Value, String> {
    let patch = Patch::parse(patch, "part-002", 1).map_err(|error| error.to_string())?;
    patch
        .apply(&json(document))
        .map_err(|error| error.to_string())
}

/// RFC 6902, appendix A, in its order, and further cases.
#[test]
fn the_rfcs_examples_come_out_as_it_says() {
    #[rustfmt::skip]
    let table = [
        ("A.1",  r#"{"foo": "bar"}"#,          r#"[{"op": "add", "path": "/baz", "value": "qux"}]"#, r#"{"foo": "bar", "baz": "qux"}"#),
        ("A.2",  r#"{"foo": ["bar", "baz"]}"#, r#"[{"op": "add", "path": "/foo/1", "value": "qux"}]"#, r#"{"foo": ["bar", "qux", "baz"]}"#),
        ("A.3",  r#"{"baz": "qux", "foo": "bar"}"#, r#"[{"op": "remove", "path": "/baz"}]"#, r#"{"foo": "bar"}"#),
        ("A.4",  r#"{"foo": ["bar", "qux", "baz"]}"#, r#"[{"op": "remove", "path": "/foo/1"}]"#, r#"{"foo": ["bar", "baz"]}"#),
        ("A.5",  r#"{"baz": "qux", "foo": "bar"}"#, r#"[{"op": "replace", "path": "/baz", "value": "boo"}]"#, r#"{"baz": "boo", "foo": "bar"}"#),
        ("A.6",  r#"{"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}}"#,
                 r#"[{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}]"#,
                 r#"{"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}"#),
        ("A.7",  r#"{"foo": ["all", "grass", "cows", "eat"]}"#, r#"[{"op": "move", "from": "/foo/1", "path": "/foo/3"}]"#,
                 r#"{"foo": ["all", "cows", "eat", "grass"]}"#),
        ("A.8",  r#"{"baz": "qux", "foo": ["a", 2, "c"]}"#,
                 r#"[{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}]"#,
                 r#"{"baz": "qux", "foo": ["a", 2, "c"]}"#),
        ("A.10", r#"{"foo": "bar"}"#, r#"[{"op": "add", "path": "/child", "value": {"grandchild": {}}}]"#, r#"{"foo": "bar", "child": {"grandchild": {}}}"#),
        ("A.11", r#"{"foo": "bar"}"#, r#"[{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}]"#, r#"{"foo": "bar", "baz": "qux"}"#),
        ("A.14", r#"{"/": 9, "~1": 10}"#, r#"[{"op": "test", "path": "/~01", "value": 10}]"#, r#"{"/": 9, "~1": 10}"#),
        ("A.16", r#"{"foo": ["bar"]}"#, r#"[{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}]"#, r#"{"foo": ["bar", ["abc", "def"]]}"#),
        ("copy", r#"{"a": [1]}"#, r#"[{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/0", "value": 0}]"#, r#"{"a": [1], "b": [0, 1]}"#),
        ("whole document", r#"{"a": 1}"#, r#"[{"op": "replace", "path": "", "value": {"b": null}}]"#, r#"{"b": null}"#),
        ("add over a key", r#"{"a": 1}"#, r#"[{"op": "add", "path": "/a", "value": 2}]"#, r#"{"a": 2}"#),
        ("move onto itself", r#"{"a": 1}"#, r#"[{"op": "move", "from": "/a", "path": "/a"}]"#, r#"{"a": 1}"#),
        ("equal numbers", r#"{"a": 1.0, "b": {"x": 1, "y": [2]}}"#,
                 r#"[{"op": "test", "path": "/a", "value": 1}, {"op": "test", "path": "/b", "value": {"y": [2], "x": 1}}]"#,
                 r#"{"a": 1.0, "b": {"x": 1, "y": [2]}}"#),
        ("numbers of JSON", "{}", r#"[{"op": "add", "path": "/a", "value": [1e3, -0, 12345678901234567890123, 0.5]}]"#,
                 r#"{"a": [1000.0, 0, 12345678901234567890123, 0.5]}"#),
        ("escapes of JSON", "{}", r#"[{"op": "add", "path": "/a~1b~0c", "value": "\/\u00e9\ud83d\ude00 yes"}]"#, "{\"a/b~c\": \"/é😀 yes\"}"),
        ("a header", "{}", "\n#cloud-config-jsonp [{\"op\": \"add\", \"path\": \"/a\", \"value\": 1}]", r#"{"a": 1}"#),
        ("no operation", r#"{"a": 1}"#, "[]", r#"{"a": 1}"#),
    ];
    for (case, document, patch, want) in table {
        assert_eq!(patched(document, patch), Ok(json(want)), "{case}");
    }
}

#[test]
fn what_cannot_be_applied_says_which_operation_and_why() {
    let document = r#"{"foo": "bar", "list": ["a"]}"#;
    #[rustfmt::skip]
    let table = [
        // A.9, A.12, A.13, A.15 and the errors of sections 4 and 5.
        (r#"{"op": "test", "path": "/foo", "value": "x"}"#,   "`test` at `/foo`: it is not so"),
        (r#"{"op": "add", "path": "/baz/bat", "value": 1}"#,  "`add` at `/baz/bat`: there is no key `baz`"),
        (r#"{"op": "test", "path": "/list/0", "value": ["a"]}"#, "`test` at `/list/0`: it is not so"),
        (r#"{"op": "test", "path": "/no", "value": 1}"#,      "`test` at `/no`: there is no key `no`"),
        (r#"{"op": "remove", "path": "/no"}"#,                "`remove` at `/no`: there is no key `no`"),
        (r#"{"op": "replace", "path": "/no", "value": 1}"#,   "`replace` at `/no`: there is no key `no`"),
        (r#"{"op": "remove", "path": "/list/1"}"#,            "`remove` at `/list/1`: there is no entry 1"),
        (r#"{"op": "remove", "path": "/list/-"}"#,            "`remove` at `/list/-`: there is nothing behind"),
        (r#"{"op": "remove", "path": ""}"#,                   "`remove` at ``: the whole document cannot be removed"),
        (r#"{"op": "add", "path": "/list/2", "value": 1}"#,   "`add` at `/list/2`: there is no entry 2"),
        (r#"{"op": "add", "path": "/list/01", "value": 1}"#,  "`add` at `/list/01`: `01` is not an index"),
        (r#"{"op": "add", "path": "/list/x", "value": 1}"#,   "`add` at `/list/x`: `x` is not an index"),
        (r#"{"op": "add", "path": "/foo/x", "value": 1}"#,    "`add` at `/foo/x`: there is no `x` in a string"),
        (r#"{"op": "move", "from": "/list", "path": "/list/0"}"#, "`move` at `/list/0`: cannot move `/list` into itself"),
        (r#"{"op": "copy", "from": "/no", "path": "/x"}"#,    "`copy` at `/x`: there is no key `no`"),
        (r#"{"op": "add", "path": "foo", "value": 1}"#,       "`path`: a path begins with `/`"),
        (r#"{"op": "add", "path": "/~2", "value": 1}"#,       "`path`: in a path `~` is written `~0`"),
        (r#"{"op": "add", "path": "/x"}"#,                    "the operation has no `value`"),
        (r#"{"op": "move", "path": "/x"}"#,                   "the operation has no `from`"),
        (r#"{"path": "/x"}"#,                                 "the operation has no `op`"),
        (r#"{"op": "add", "value": 1}"#,                      "the operation has no `path`"),
        (r#"{"op": "merge", "path": "/x"}"#,                  "`op`: expected `add`, `remove`"),
        ("3",                                                 "expected an operation, found an integer"),
    ];
    for (operation, want) in table {
        let patch = format!(
            "[{{\"op\": \"test\", \"path\": \"/foo\", \"value\": \"bar\"}},\n {operation}]"
        );
        let error = patched(document, &patch).unwrap_err();
        assert!(
            error.starts_with(&format!("part-002:2:2: {want}")),
            "{operation}: {error}"
        );
    }
    assert_eq!(
        patched("{}", "{}").unwrap_err(),
        "part-002:1:1: expected a list of operations, found a mapping"
    );
    let header = "#Cloud-Config-JSONP\n[]";
    assert!(
        patched("{}", header)
            .unwrap_err()
            .ends_with("in small letters")
    );
    assert_eq!(
        patched("{}", "[\n  {]").unwrap_err(),
        "part-002:2:4: not JSON"
    );
}

#[test]
fn what_comes_in_keeps_its_place_and_what_moves_too() {
    let patch = "#cloud-config-jsonp\n[{\"op\": \"add\", \"path\": \"/a\",\n  \"value\": {\"x\": [1, 2]}},\n {\"op\": \"move\", \"from\": \"/old\", \"path\": \"/new\"}]";
    let patch = Patch::parse(patch, "part-002", 10).unwrap();
    let document = patch.apply(&json("{\"old\": 1}")).unwrap();
    let place = |value: Option<&Value>| value.unwrap().place.to_string();
    let added = document
        .get("a")
        .and_then(|a| a.get("x")?.as_list()?.get(1));
    assert_eq!(place(added), "part-002:12:22");
    assert_eq!(place(document.get("new")), "document:1:9");
}

#[test]
fn a_patch_cannot_blow_up_a_document() {
    let double = |n| format!(r#"{{"op": "copy", "from": "", "path": "/{n}"}}"#);
    let doubles: Vec<String> = (0..40).map(double).collect();
    let error = patched("{}", &format!("[{}]", doubles.join(", "))).unwrap_err();
    assert!(error.contains("MAX_NODES (250000)"), "{error}");
    // Text weighs too.
    let long = format!("{{a: {}, l: []}}", "x".repeat(1 << 20));
    let copies = vec![r#"{"op": "copy", "from": "/a", "path": "/l/0"}"#; 100].join(", ");
    let error = patched(&long, &format!("[{copies}]")).unwrap_err();
    assert!(error.contains("MAX_NODES (250000)"), "{error}");

    let deep = |depth: usize| {
        format!(
            "[{{\"op\": \"add\", \"path\": \"/a\", \"value\": {}{}}}]",
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert!(patched("{}", &deep(90)).is_ok());
    let error = patched("{}", &deep(105)).unwrap_err();
    assert!(error.contains("nest more than 100 deep"), "{error}");

    let many = vec![r#"{"op": "test", "path": "", "value": {}}"#; MAX_OPERATIONS + 1];
    let error = patched("{}", &format!("[{}]", many.join(","))).unwrap_err();
    assert!(error.contains("more than 10000 operations"), "{error}");
    let path = "/a".repeat(MAX_DEPTH);
    let error = patched(
        "{}",
        &format!("[{{\"op\": \"remove\", \"path\": \"{path}\"}}]"),
    )
    .unwrap_err();
    assert!(error.contains("a path has fewer than 100 steps"), "{error}");
}
