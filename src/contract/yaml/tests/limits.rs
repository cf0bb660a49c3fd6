use super::{read, refused, typed};
use crate::yaml::{Limits, parse};

fn refused_within(text: &str, limits: &Limits) -> String {
    parse(text, "test", limits).unwrap_err().to_string()
}

#[test]
fn aliases_that_multiply_end_at_the_limit() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let error = refused(&text);
    assert!(
        error.ends_with("more than 250000 values, aliases expanded"),
        "{error}"
    );
}

#[test]
fn merges_of_merges_stay_small_or_end_at_the_limit() {
    let mut text = "- &m0 {a: 1, b: 2}\n".to_owned();
    for level in 1..=25 {
        let below = level - 1;
        text.push_str(&format!(
            "- &m{level} {{<<: [*m{below}, *m{below}], k{level}: 1}}\n"
        ));
    }
    match parse(&text, "test", &Limits::default()) {
        Ok(document) => assert_eq!(
            document.value.as_list().unwrap()[25]
                .as_map()
                .unwrap()
                .len(),
            27
        ),
        Err(error) => assert!(error.to_string().contains("aliases expanded"), "{error}"),
    }
}

#[test]
fn deep_nesting_is_refused_and_does_not_overflow_the_stack() {
    assert_eq!(
        typed(&read(&format!("{}x{}", "[".repeat(3), "]".repeat(3)))),
        "[[['x']]]"
    );
    let error = refused(&"[".repeat(100_000));
    assert_eq!(error, "test:1:101: nested too deep");
    let blocks: String = (0..2_000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    let error = refused(&blocks);
    assert!(
        error.starts_with("test:101:") && error.ends_with("nested too deep"),
        "{error}"
    );
}

#[test]
fn an_alias_counts_as_deep_as_what_it_stands_for() {
    let limits = Limits {
        depth: 4,
        ..Limits::default()
    };
    assert!(parse("- &a [[x]]\n- [*a]\n", "test", &limits).is_ok());
    let error = refused_within("- &a [[x]]\n- [[*a]]\n", &limits);
    assert_eq!(error, "test:2:5: nested more than 4 levels deep");
}

#[test]
fn a_value_cannot_hold_itself() {
    let error = refused("a: &a [1, *a]");
    assert_eq!(
        error,
        "test:1:11: an alias may not stand inside of what it names"
    );
}

#[test]
fn a_long_text_is_refused_before_it_is_looked_at() {
    let limits = Limits {
        bytes: 10,
        ..Limits::default()
    };
    assert_eq!(
        refused_within("- 345678901", &limits),
        "test: longer than the limit of 10 bytes"
    );
}

#[test]
fn long_text_weighs_where_aliases_repeat_it() {
    let repeated = |times: usize| {
        let text = format!(
            "a: &a {}\nb:\n{}",
            "x".repeat(30_000),
            "- *a\n".repeat(times)
        );
        parse(&text, "test", &Limits::default()).is_ok()
    };
    assert!(repeated(100));
    assert!(!repeated(7_500), "225 MB of text out of 60 KB");
}
