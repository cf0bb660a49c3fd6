use super::{read, refused, typed};
use crate::yaml::{Kind, Limits, Notation, parse};

#[test]
fn a_text_means_what_pyyaml_makes_of_it() {
    #[rustfmt::skip]
    let table = [
        // text                                        value, as Python prints it
        ("",                                           "None"),
        ("# only a comment",                           "None"),
        ("---\n...\n",                                 "None"),
        ("yes",                                        "True"),
        ("'yes'",                                      "'yes'"),
        ("[on, off, No, Y, n, TRUE, y, nO]",           "[True, False, False, 'Y', 'n', True, 'y', 'nO']"),
        ("0644",                                       "420"),
        ("644",                                        "644"),
        ("'0644'",                                     "'0644'"),
        ("\"0644\"",                                   "'0644'"),
        ("0o644",                                      "'0o644'"),
        ("1_000",                                      "1000"),
        ("[~, null, Null, NULL, nUll]",                "[None, None, None, None, 'nUll']"),
        ("12:30:45",                                   "45045"),
        ("[1:30, -1:30, 1:60, 0:30]",                  "[90, -90, '1:60', '0:30']"),
        ("[1e3, 1.5e3, 1.5e+3, 1., .5, -.5, 1_0.5]",   "['1e3', '1.5e3', 1500.0, 1.0, 0.5, '-.5', 10.5]"),
        ("[08, 09, 010, 00, 0, -0, +7, 0_7]",          "['08', '09', 8, 0, 0, 0, 7, 7]"),
        ("[0x1F, -0x1f, 0b101, 0xg, 0X1F]",            "[31, -31, 5, '0xg', '0X1F']"),
        ("[.inf, -.INF, .nan, inf, -.nan]",            "[inf, -inf, nan, 'inf', '-.nan']"),
        ("1:30.5",                                     "90.5"),
        ("18446744073709551616",                       "18446744073709551616"),
        ("170141183460469231731687303715884105728",    "170141183460469231731687303715884105728"),
        ("{1: a, true: b}",                            "{1: 'b'}"),
        ("{1: a, '1': b, null: c}",                    "{1: 'a', '1': 'b', None: 'c'}"),
        ("2024-01-02",                                 "<2024-01-02>"),
        ("2024-01-02 3:04:05.5 +1:30",                 "<2024-01-02 3:04:05.5 +1:30>"),
        ("2024-1-2",                                   "'2024-1-2'"),
        ("a: 1\nb: 2\na: 3\n",                         "{'a': 3, 'b': 2}"),
        ("|\n  x\n   y\n",                             "'x\\n y\\n'"),
        ("|2\n    x\n",                                "'  x\\n'"),
        ("a: |1-\n  x\n",                              "{'a': ' x'}"),
        (">+\n  x\n  y\n\n\n",                         "'x y\\n\\n\\n'"),
        ("|\n  no line feed at the end",               "'no line feed at the end'"),
        ("a: 1\r\nb:\r\n  - x\r\n",                    "{'a': 1, 'b': ['x']}"),
        ("\u{feff}a: 1",                               "{'a': 1}"),
        ("a: 'x\ty' # a\tb\n",                         "{'a': 'x\\ty'}"),
        ("[tar, -xf, -, -C, /]",                       "['tar', '-xf', '-', '-C', '/']"),
        ("['-, -]', -]",                               "['-, -]', '-']"),
        ("http://x:80/y",                              "'http://x:80/y'"),
        ("a: b#c #d",                                  "{'a': 'b#c'}"),
        ("=: 1",                                       "{'=': 1}"),
        ("&a : b",                                     "{None: 'b'}"),
    ];
    for (text, value) in table {
        assert_eq!(typed(&read(text)), value, "{text:?}");
    }
}

#[test]
fn a_tag_decides_before_the_looks() {
    #[rustfmt::skip]
    let table = [
        ("!!str 12",                    "'12'"),
        ("!!int '12'",                  "12"),
        ("!!float 1",                   "1.0"),
        ("!!bool 'YeS'",                "True"),
        ("!!null x",                    "None"),
        ("!!binary aGVs bG8=",          "b'hello'"),
        ("!!timestamp 2024-1-2",        "<2024-1-2>"),
        ("!!set {x, y}",                "{'x': None, 'y': None}"),
        ("!!omap [x: 1, y: 2]",         "[['x', 1], ['y', 2]]"),
        ("!!pairs [x: 1, x: 2]",        "[['x', 1], ['x', 2]]"),
        ("!!map {x: !!seq [1]}",        "{'x': [1]}"),
        ("! '12'",                      "12"),
        ("!<tag:yaml.org,2002:str> 1",  "'1'"),
    ];
    for (text, value) in table {
        assert_eq!(typed(&read(text)), value, "{text:?}");
    }
}

#[test]
fn merge_keys_bring_what_the_mapping_does_not_say_itself() {
    #[rustfmt::skip]
    let table = [
        ("- &a {p: 1, q: 2}\n- {<<: *a, q: 3}",                           "{'p': 1, 'q': 3}"),
        ("- &a {p: 1, q: 2}\n- {q: 3, <<: *a}",                           "{'p': 1, 'q': 3}"),
        ("- [&a {p: 1}, &b {p: 2, q: 2}]\n- {<<: [*a, *b], r: 3}",        "{'p': 1, 'q': 2, 'r': 3}"),
        ("- &a {p: 1}\n- {<<: {<<: *a, q: 2}}",                           "{'p': 1, 'q': 2}"),
        ("- x\n- {<<: {x: 1}, <<: {x: 2}, y: 3}",                         "{'x': 2, 'y': 3}"),
        ("- x\n- {'<<': {x: 1}}",                                         "{'<<': {'x': 1}}"),
    ];
    for (text, value) in table {
        assert_eq!(typed(&read(text).as_list().unwrap()[1]), value, "{text:?}");
    }
}

#[test]
fn what_a_safe_loader_refuses_is_refused_at_its_place() {
    #[rustfmt::skip]
    let table = [
        ("a:\n\t- 1\n",                "test:2:1: a tab is not allowed here"),
        ("a:\t1",                      "test:1:3: a tab is not allowed here"),
        ("a: b\tc",                    "test:1:5: a tab is not allowed here"),
        ("a: 1\n---\nb: 2\n",          "test:2:1: expected one document, found another"),
        ("a: !foo {b: 1}",             "test:1:4: unknown tag `!foo`"),
        ("!!python/object:os.system x", "test:1:1: unknown tag `!!python/object:os.system`"),
        ("a: \u{7}",                   "test:1:4: a control character is not allowed in YAML"),
        ("a: *b",                      "test:1:4: an alias names an anchor that was not given before"),
        ("a: {{ name }}",              "test:1:5: expected a simple key, found a mapping"),
        ("? [a]\n: b",                 "test:1:3: expected a simple key, found a list"),
        ("a: b: c",                    "test:1:5: a colon is not expected here"),
        ("a: [b",                      "test:1:4: a bracket is not closed"),
        ("a: 'b",                      "test:1:4: a quote is not closed"),
        ("a: %x",                      "test:1:4: this character cannot begin a value"),
        ("a: 2024-02-30",              "test:1:4: expected a date that exists"),
        ("a: !!int x",                 "test:1:10: expected an integer"),
        ("a: !!binary aGk",            "test:1:13: expected base64"),
        ("a: {<<: 1}",                 "test:1:9: expected a mapping or a list of mappings to merge at test:1:5, found an integer"),
        ("a: <<",                      "test:1:4: `<<` is only for the keys of mappings"),
        ("a: =",                       "test:1:4: `=` is only for the keys of mappings"),
        ("[&a 1, &a 2]",               "test:1:8: anchor `&a` was already given at test:1:2"),
    ];
    for (text, error) in table {
        assert_eq!(refused(text), error, "{text:?}");
    }
}

#[test]
fn a_key_given_twice_is_a_warning_that_names_both_places() {
    let document = parse("a: 1\nb: 2\na: 3\n", "part-001", &Limits::default()).unwrap();
    let warnings: Vec<String> = document.warnings.iter().map(ToString::to_string).collect();
    let expected = "part-001:3:1: key `a` was already given at part-001:1:1; the last one counts";
    assert_eq!(warnings, [expected]);
}

#[test]
fn an_integer_remembers_how_it_was_written() {
    #[rustfmt::skip]
    let table = [
        ("644",   644, Notation::Decimal),
        ("0644",  420, Notation::Octal),
        ("0x1a4", 420, Notation::Hexadecimal),
        ("0b11",  3,   Notation::Binary),
        ("1:30",  90,  Notation::Sexagesimal),
    ];
    for (text, value, notation) in table {
        let Kind::Int(int) = read(text).kind else {
            panic!("{text} is not an integer")
        };
        assert_eq!((int.value, int.notation()), (value, notation), "{text}");
    }
}
