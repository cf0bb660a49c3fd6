use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{read, typed};
use crate::place::Place;
use crate::yaml::{DecodeError, Each, Placed, Text, Value};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Section {
    users: Vec<User>,
    port: Option<u16>,
    flag: bool,
    ratio: f64,
    title: String,
    level: Level,
    label: Text,
    env: BTreeMap<String, String>,
    pair: Option<(i8, i8)>,
}

#[derive(Debug, Deserialize)]
struct User {
    name: String,
    #[serde(default)]
    ids: Vec<i64>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    #[default]
    Low,
    High,
    Exactly(u8),
}

fn decode<T: DeserializeOwned>(text: &str) -> Result<T, DecodeError> {
    T::deserialize(&read(text))
}

#[test]
fn a_section_is_decoded_into_its_types() {
    let section: Section = decode(
        "users: [{name: jane, ids: [1, -2]}]\nport: 80\nflag: yes\nratio: 2\ntitle: 2024-01-02\n\
         level: high\nlabel: 0644\nenv: {A: b}\npair: [1, 2]\n",
    )
    .unwrap();
    assert_eq!(
        (section.users[0].name.as_str(), &section.users[0].ids),
        ("jane", &vec![1, -2])
    );
    assert_eq!(
        (section.port, section.flag, section.ratio),
        (Some(80), true, 2.0)
    );
    assert_eq!(
        (section.title.as_str(), section.level),
        ("2024-01-02", Level::High)
    );
    assert_eq!(
        (section.label.as_ref(), section.pair),
        ("420", Some((1, 2)))
    );
    assert_eq!(section.env["A"], "b");
    assert_eq!(
        decode::<Section>("level: {exactly: 3}\nport: ~")
            .unwrap()
            .level,
        Level::Exactly(3)
    );
}

#[test]
fn an_error_names_the_innermost_place_and_the_path_and_never_the_value() {
    #[rustfmt::skip]
    let table = [
        ("title: [hunter2]",                     "test:1:8: title: expected a string, found a list"),
        ("title: 4711",                          "test:1:8: title: expected a string, found an integer"),
        ("users: hunter2",                       "test:1:8: users: expected a list, found a string"),
        ("users:\n- hunter2",                    "test:2:3: users[0]: expected a mapping, found a string"),
        ("users:\n- {name: a}\n- {name: [x]}",   "test:3:10: users[1].name: expected a string, found a list"),
        ("users:\n- {ids: []}",                  "test:2:3: users[0]: missing key `name`"),
        ("users: [{name: a, ids: [1, x]}]",      "test:1:28: users[0].ids[1]: expected an integer, found a string"),
        ("port: 65536",                          "test:1:7: port: expected an integer from 0 to 65535"),
        ("port: hunter2",                        "test:1:7: port: expected an integer, found a string"),
        ("flag: 'yes'",                          "test:1:7: flag: expected a boolean, found a string"),
        ("level: hunter2",                       "test:1:8: level: expected one of `low`, `high`, `exactly`"),
        ("level: {exactly: 256}",                "test:1:18: level: expected an integer from 0 to 255"),
        ("label: [x]",                           "test:1:8: label: expected a string, found a list"),
        ("env: {a: 1}",                          "test:1:10: env.a: expected a string, found an integer"),
        ("env: {1: a}",                          "test:1:7: env: expected a string, found an integer"),
        ("pair: [1]",                            "test:1:7: pair: expected a list of 2, found a list"),
        ("titel: x",                             "test:1:1: unknown key `titel`, expected one of `users`, `port`, `flag`, `ratio`, `title`, `level`, `label`, `env`, `pair`"),
        ("- x",                                  "test:1:1: expected a mapping, found a list"),
    ];
    for (text, expected) in table {
        let error = decode::<Section>(text).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text:?}");
    }
}

#[test]
fn a_value_in_a_section_keeps_everything() {
    #[derive(Deserialize)]
    struct Raw {
        any: Value,
        maybe: Option<Value>,
    }
    let text = "any: {1: [0644, 2024-01-02, !!binary aGk=]}\nmaybe: 170141183460469231731687303715884105728";
    let raw: Raw = decode(text).unwrap();
    assert_eq!(typed(&raw.any), "{1: [420, <2024-01-02>, b'hi']}");
    assert_eq!(raw.any.place, Place::new("test", 1, 6));
    assert_eq!(raw.maybe.unwrap().place, Place::new("test", 2, 8));
}

#[test]
fn a_value_from_json_has_a_neutral_place() {
    let value: Value = serde_json::from_str(r#"{"a": [1, -2, 1.5, null, "x", true]}"#).unwrap();
    assert_eq!(typed(&value), "{'a': [1, -2, 1.5, None, 'x', True]}");
    assert!(value.place.is_whole());
    let placed: Placed<Vec<Placed<u8>>> = serde_json::from_str("[1, 2]").unwrap();
    assert!(placed.place.is_whole() && placed[1].place.is_whole());
}

#[test]
fn a_placed_value_knows_its_own_place_and_not_that_of_an_inner_one() {
    let placed: Placed<BTreeMap<String, Placed<Option<u8>>>> = decode("\na: 1\nb: ~").unwrap();
    assert_eq!(placed.place, Place::new("test", 2, 1));
    assert_eq!(
        (placed["a"].value, &placed["a"].place),
        (Some(1), &Place::new("test", 2, 4))
    );
    assert_eq!(
        (placed["b"].value, &placed["b"].place),
        (None, &Place::new("test", 3, 4))
    );
}

#[test]
fn a_bad_entry_does_not_spoil_the_others() {
    #[derive(Deserialize)]
    struct Lists {
        users: Each<User>,
        #[serde(default)]
        none: Each<User>,
    }
    let lists: Lists = decode("users:\n- {name: a}\n- {name: [b]}\n- {name: c}\n").unwrap();
    let names: Vec<String> = lists
        .users
        .iter()
        .map(|user| user.map_or_else(|e| e.to_string(), |user| user.name))
        .collect();
    let error = "test:3:10: users[1].name: expected a string, found a list";
    assert_eq!(names, ["a", error, "c"]);
    assert!(lists.none.is_empty());
    let error = decode::<Lists>("users: {name: a}")
        .err()
        .unwrap()
        .to_string();
    assert_eq!(error, "test:1:8: users: expected a list, found a mapping");
}

#[test]
fn an_error_can_be_put_under_a_path() {
    let error = || decode::<User>("name: [x]").unwrap_err();
    assert_eq!(error().under("users[2]").path, "users[2].name");
    let error = decode::<Vec<u8>>("[x]").unwrap_err().under("ids");
    assert_eq!(error.path, "ids[0]");
}

#[test]
fn debug_output_shows_the_shape_and_no_values() {
    let shown = format!("{:?}", read("users: [{name: hunter2, id: 4711}]"));
    assert_eq!(
        shown,
        r#"{"users": [{"name": ‹a string›, "id": ‹an integer›}]}"#
    );
}
