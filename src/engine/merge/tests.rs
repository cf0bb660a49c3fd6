//! Expected results are those of cloud-init's own mergers.

use contract::testing::config;
use contract::yaml::{self, Kind};
use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};

use super::*;

fn mapping(text: &str) -> Mapping {
    config(text).root().clone()
}

/// What becomes of two parts, the later with this `merge_how`; with what is ignored.
fn merged(how: &str, earlier: &str, later: &str) -> (Mapping, Result<Vec<Problem>, MergeError>) {
    let mut parts = Parts::default();
    parts.add(mapping(earlier), None, "part-001").unwrap();
    let later = mapping(&format!("{later}\nmerge_how: {how}\n"));
    let odd = parts.add(later, None, "part-002");
    (parts.config, odd)
}

#[test]
fn without_merge_how_a_later_part_takes_each_of_its_keys_whole() {
    #[rustfmt::skip]
    let table = [
        ("ntp: {servers: [a]}", "ntp: {pools: [b]}", "ntp: {pools: [b]}"),
        ("a: 1\nb: 2",          "b: 3\nc: 4",        "a: 1\nb: 3\nc: 4"),
        ("l: [1, 2]",           "l: []",             "l: []"),
        ("a: {b: 1}",           "a: null",           "a: null"),
    ];
    for (earlier, later, want) in table {
        let mut parts = Parts::default();
        parts.add(mapping(earlier), None, "part-001").unwrap();
        parts.add(mapping(later), None, "part-002").unwrap();
        assert_eq!(parts.config, mapping(want), "{earlier} / {later}");
    }
}

#[test]
fn each_option_does_what_cloud_init_does_with_it() {
    let usual = "list(append)+dict(no_replace,recurse_list)+str()";
    #[rustfmt::skip]
    let table = [
        // how                                    earlier               later               becomes
        (usual,                                   "l: [1]\na: 1",       "l: [2]\na: 2",     "l: [1, 2]\na: 1"),
        (usual,                                   "d: {l: [1], s: x}",  "d: {l: [2], s: y}", "d: {l: [1, 2], s: x}"),
        ("list(prepend)+dict(recurse_list)",      "l: [1]",             "l: [2]",           "l: [2, 1]"),
        ("list(append)+dict()",                   "l: [1]",             "l: [2]",           "l: [1]"),
        ("list(append)+dict(replace,recurse_list)", "l: [1]",           "l: [2]",           "l: [2]"),
        ("list()+dict(recurse_array)",            "l: [1, 2, 3]",       "l: [4]",           "l: [4, 2, 3]"),
        ("list()+dict(recurse_array)",            "l: [1]",             "l: [4, 5]",        "l: [4]"),
        ("list(no_replace)+dict(recurse_array)",  "l: [1]",             "l: [4, 5]",        "l: [1]"),
        ("list(recurse_dict)+dict(recurse_list)", "l: [{a: 1}]",        "l: [{a: 2, b: 2}]", "l: [{a: 1, b: 2}]"),
        ("list()+dict(recurse_list)",             "l: [{a: 1}]",        "l: [{b: 2}]",      "l: [{b: 2}]"),
        ("list(recurse_list)+dict(recurse_list)", "l: [[1, 2]]",        "l: [[3]]",         "l: [[3, 2]]"),
        ("list(recurse_str)+dict(recurse_list)+str(append)", "l: [a]",  "l: [b]",           "l: [ab]"),
        ("dict(recurse_str)+str(append)",         "s: a",               "s: b",             "s: ab"),
        ("dict(recurse_str)+str()",               "s: a",               "s: b",             "s: b"),
        ("dict()+str(append)",                    "s: a",               "s: b",             "s: a"),
        ("dict(allow_delete)",                    "a: 1\nb: 2",         "a: null\nc: null", "b: 2\nc: null"),
        ("dict()",                                "a: 1",               "a: null",          "a: 1"),
        ("dict(replace)+dict(no_replace)",        "a: 1",               "a: 2",             "a: 2"),
        ("dict(no_replace,replace)",              "a: 1",               "a: 2",             "a: 2"),
        // Odd pairs, as Python takes them.
        ("dict()+list()",                         "a: [1]",             "a: {x: 1}",        "a: {x: 1}"),
        ("dict()+list(append)",                   "a: [1]",             "a: {x: 1}",        "a: [1, x]"),
        ("dict(recurse_str)+list(append)",        "a: [1]",             "a: xy",            "a: [1, x, 'y']"),
        ("dict()+str()",                          "a: text",            "a: {x: 1}",        "a: {x: 1}"),
        ("dict()",                                "a: 1",               "a: {x: 1}",        "a: 1"),
    ];
    for (how, earlier, later, want) in table {
        let (config, odd) = merged(how, earlier, later);
        assert_eq!(config, mapping(want), "{how}: {earlier} / {later}");
        assert_eq!(odd, Ok(Vec::new()), "{how}: {earlier} / {later}");
    }
}

#[test]
fn mergers_are_named_in_text_or_in_lists() {
    #[rustfmt::skip]
    let table = [
        "List(APPEND) + dict(no-replace, recurse_list)",
        "+list(append)++dict(recurse_list)+",
        "[[list, append], [dict, recurse_list]]",
        "[{name: list, settings: [append]}, {name: dict, settings: [no_replace, recurse_list]}]",
        "[{name: ' m-list ', settings: append}, [m_dict, recurse_array]]",
    ];
    for how in table {
        let (config, odd) = merged(how, "l: [1]", "l: [2]");
        assert_eq!(
            (config, odd),
            (mapping("l: [1, 2]"), Ok(Vec::new())),
            "{how}"
        );
    }
}

#[test]
fn what_makes_no_sense_costs_its_own_part_and_says_where_it_stands() {
    #[rustfmt::skip]
    let table = [
        ("lists(append)",                 "test:2:12: part ignored: `merge_how`: there is no merger `lists` (mergers are"),
        ("dict()+list append",            "test:2:12: part ignored: `merge_how`: merger 2 is not written as `name(option,option)`"),
        ("dict(a,\n b",                   "test:2:12: part ignored: `merge_how`: merger 1 is not written as"),
        ("3",                             "test:2:12: part ignored: `merge_how`: expected text or a list, found an integer"),
        ("{name: dict, settings: []}",    "test:2:12: part ignored: `merge_how`: expected text or a list, found a mapping"),
        ("[list(append)]",                "test:2:13: part ignored: `merge_how[0]`: expected a list or a mapping, found a string"),
        ("[[dict], [Dict]]",              "test:2:21: part ignored: `merge_how[1]`: there is no merger `Dict`"),
        ("[{name: dict}]",                "test:2:13: part ignored: `merge_how[0]`: `name` and `settings` are both needed"),
        ("[{name: dict, settings: 3}]",   "test:2:36: part ignored: `merge_how[0]`: `settings`: expected a list, found an integer"),
        ("[[]]",                          "test:2:13: part ignored: `merge_how[0]`: the list is empty"),
    ];
    for (how, want) in table {
        let (config, odd) = merged(how, "l: [1]", "l: [2]");
        let problem = odd.expect_err(how).warning("part").to_string();
        assert!(problem.starts_with(want), "{how}: {problem}");
        assert_eq!(config, mapping("l: [1]"), "{how}");
    }
}

#[test]
fn values_that_cannot_be_merged_cost_their_part_and_leave_the_earlier_ones() {
    let (config, odd) = merged("dict()+str(append)", "a: x\nb: 1", "b: 2\na: {c: 1}");
    let problem = odd.unwrap_err().warning("part").to_string();
    assert!(
        problem.ends_with("text cannot have a mapping appended"),
        "{problem}"
    );
    assert_eq!(config, mapping("a: x\nb: 1"));
}

#[test]
fn the_header_counts_after_the_document_and_both_only_for_their_own_part() {
    let mut parts = Parts::default();
    let mut add = |text: &str, header: Option<&str>| {
        parts.add(mapping(text), header, "part").unwrap();
        parts.config.get("l").cloned()
    };
    let list = |text: &str| mapping(&format!("l: {text}")).remove("l");
    add("l: [1]", None);
    let append = "list(append)+dict(recurse_list)";
    assert_eq!(add("l: [2]", Some(append)), list("[1, 2]"));
    assert_eq!(
        add("l: [3]\nmerge_how: list(prepend)", Some(append)),
        list("[3, 1, 2]")
    );
    assert_eq!(add("l: [4]", None), list("[4]"));
}

#[test]
fn merge_type_counts_without_merge_how_and_stays_beside_it() {
    let mut parts = Parts::default();
    let text = "a: 1\nmerge_type: dict()";
    parts.add(mapping("a: 0"), None, "part").unwrap();
    parts.add(mapping(text), None, "part").unwrap();
    assert_eq!(parts.config, mapping("a: 0"));
    parts
        .add(
            mapping(&format!("{text}\nmerge_how: dict(replace)")),
            None,
            "part",
        )
        .unwrap();
    assert_eq!(parts.config, mapping(text));
}

#[test]
fn what_is_probably_not_meant_is_told() {
    let (_, odd) = merged("dict(recurse_lists)", "a: 1", "");
    let text: Vec<String> = odd.unwrap().iter().map(ToString::to_string).collect();
    assert!(
        text[0].contains("`dict` has no option `recurse_lists`"),
        "{text:?}"
    );
    for how in ["list(append)", "list(append) dict()"] {
        let (config, odd) = merged(how, "a: 1", "b: 1");
        assert_eq!(config, mapping("a: 1"));
        let last = odd.unwrap().pop().unwrap();
        assert!(last.message.contains("nothing of this part is taken"));
    }

    let mut parts = Parts::default();
    parts
        .add(mapping("merge_how: dict()"), None, "part-001")
        .unwrap();
    let odd = parts.add(mapping("a: 1"), None, "part-002").unwrap();
    assert!(
        odd[0]
            .to_string()
            .starts_with("part-001: how the first part is merged has no effect")
    );
}

#[test]
fn between_sources_the_higher_one_wins_key_by_key() {
    #[rustfmt::skip]
    let table = [
        // higher              lower                     become
        ("a: {x: 1}\nl: [1]",  "a: {x: 2, y: 2}\nl: [2]", "a: {x: 1, y: 2}\nl: [1]"),
        ("a: null",            "a: {x: 1}",              "a: null"),
        ("a: false",           "a: {x: 1}",              "a: false"),
        ("a: {x: 1}",          "a: text",                "a: {x: 1}"),
        // A list or text does not stand against a mapping.
        ("a: []",              "a: {x: 1}",              "a: {x: 1}"),
        ("a: text",            "a: {x: 1}",              "a: {x: 1}"),
        // A source may say otherwise for itself.
        ("l: [1]",             "l: [2]\nmerge_how: list(append)+dict(recurse_list)", "l: [1, 2]"),
    ];
    for (higher, lower, want) in table {
        let mut config = mapping(higher);
        below(&mut config, mapping(lower)).unwrap();
        assert_eq!(config, mapping(want), "{higher} / {lower}");
    }
}

#[test]
fn a_value_that_gives_way_to_a_lower_one_is_told() {
    let mut config = mapping("output: to a file\nntp: []\nmounts: []");
    let odd = below(&mut config, mapping("output: {all: x}\nmounts: [x]")).unwrap();
    let text: Vec<String> = odd.iter().map(ToString::to_string).collect();
    let want = "test:1:9: `output`: a string gives way to the mapping at test:1:9, as with cloud-init (write a mapping here too)";
    assert_eq!(text, [want]);
}

/// YAML documents of a few keys, of every kind of value.
fn document() -> impl Strategy<Value = Mapping> {
    let key = || prop_oneof![Just("a"), Just("b"), Just("c"), Just("d")];
    let scalar = prop_oneof![
        Just(Kind::Null),
        any::<bool>().prop_map(Kind::Bool),
        any::<i64>().prop_map(|n| Kind::from(i128::from(n))),
        key().prop_map(Kind::from),
    ];
    let map = move |value| {
        proptest::collection::vec((key(), value), 0..4).prop_map(|pairs: Vec<(&str, Kind)>| {
            pairs
                .into_iter()
                .map(|(key, kind)| (at(Kind::from(key)), at(kind)))
                .collect::<Mapping>()
        })
    };
    let value = scalar.prop_recursive(3, 16, 4, move |inner| {
        let list = proptest::collection::vec(inner.clone().prop_map(at), 0..4).prop_map(Kind::List);
        prop_oneof![list, map(inner).prop_map(Kind::Map)]
    });
    map(value.boxed())
}

fn at(kind: Kind) -> yaml::Value {
    yaml::Value::new(kind, Place::whole("test"))
}

const HOWS: [&str; 6] = [
    "dict(replace)",
    "dict(no_replace,recurse_list)+list(append)",
    "dict(recurse_list)+list(prepend)",
    "dict(recurse_list,recurse_str)+list(recurse_dict,recurse_list)+str()",
    "dict(allow_delete)",
    "list(no_replace)+dict(recurse_list)",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_empty_document_changes_nothing(earlier in document(), how in 0..HOWS.len()) {
        let mut parts = Parts { config: earlier.clone(), count: 1, ..Parts::default() };
        parts.add(Mapping::new(), None, "part").unwrap();
        parts.add(Mapping::new(), Some(HOWS[how]), "part").unwrap();
        below(&mut parts.config, Mapping::new()).unwrap();
        assert_eq!(parts.config, earlier);
    }

    #[test]
    fn by_default_the_last_part_that_has_a_top_level_key_gives_it(all in proptest::collection::vec(document(), 1..5)) {
        let mut parts = Parts::default();
        for document in &all {
            parts.add(document.clone(), None, "part").unwrap();
        }
        for name in ["a", "b", "c", "d"] {
            let last = all.iter().rev().find_map(|document| document.get(name));
            assert_eq!(parts.config.get(name), last);
        }
    }

    #[test]
    fn keys_keep_their_order_and_new_ones_follow(earlier in document(), later in document(), how in 0..HOWS.len()) {
        let mut parts = Parts { config: earlier.clone(), count: 1, ..Parts::default() };
        if parts.add(later.clone(), Some(HOWS[how]), "part").is_err() {
            assert_eq!(parts.config, earlier);
            return Ok(());
        }
        let new = later.keys().filter(|key| earlier.keys().all(|own| own != *key));
        let mut all = earlier.keys().chain(new);
        for key in parts.config.keys() {
            assert!(all.any(|own| own == key), "{key:?} is out of its order");
        }
    }

    #[test]
    fn a_higher_source_is_never_made_less(higher in document(), lower in document()) {
        let mut config = higher.clone();
        below(&mut config, lower).unwrap();
        let keys = |map: &Mapping| map.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&config)[..higher.len()], keys(&higher));
    }
}

#[test]
fn no_document_is_read_after_half_a_million_values() {
    let mut parts = super::Parts::default();
    parts.note(500_000);
    assert_eq!(parts.is_full(), None);
    parts.note(1);
    let why = parts.is_full().unwrap();
    assert!(why.contains("MAX_READ (500000)"), "{why}");
}
