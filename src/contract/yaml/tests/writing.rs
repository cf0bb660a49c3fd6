use super::{read, typed};
use crate::place::Place;
use crate::yaml::{Kind, Mapping, Value, to_string};

#[test]
fn values_are_written_as_one_would_write_them_by_hand() {
    #[rustfmt::skip]
    let table = [
        ("{a: 1, b: [x, {c: d}], e: {f: {g: h}}}", "a: 1\nb:\n  - x\n  - c: d\ne:\n  f:\n    g: h\n"),
        ("[[1, 2], [], {}, ~]",                    "- - 1\n  - 2\n- []\n- {}\n- null\n"),
        ("{a: \"x\\ny\\n\", b: \"x\\n\\ny\"}",     "a: |\n  x\n  y\nb: |-\n  x\n\n  y\n"),
        ("[yes, 0644, 1:30, 1.0e+300, .inf]",      "- true\n- 420\n- 90\n- 1.0e+300\n- .inf\n"),
        ("!!binary aGk=",                          "!!binary \"aGk=\"\n"),
        ("x",                                      "x\n"),
    ];
    for (text, written) in table {
        assert_eq!(to_string(&read(text)), written, "{text:?}");
    }
}

#[test]
fn text_that_a_reader_would_take_for_something_else_is_quoted() {
    let texts = [
        "yes",
        "y",
        "N",
        "off",
        "null",
        "~",
        "",
        "0644",
        "0o644",
        "1:30",
        "1e3",
        "1_000",
        ".5",
        "+1",
        "0x1f",
        "2024-01-02",
        "<<",
        "=",
        " x",
        "x ",
        "a: b",
        "a #b",
        "- a",
        "-",
        "?",
        ":",
        "[a]",
        "{a}",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a`",
        "#a",
        "|",
        ">",
        "'",
        "\"",
        "a:",
        "\\",
    ];
    for text in texts {
        let value = Value::new(Kind::from(text), Place::whole("test"));
        let written = to_string(&value);
        assert!(
            written.starts_with(['\'', '"']),
            "{text:?} became {written:?}"
        );
        assert_eq!(read(&written).as_str(), Some(text), "{written:?}");
    }
}

#[test]
fn whatever_is_written_is_read_again_as_the_same() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for round in 0..3_000 {
        let value = some_value(&mut dice, 4);
        let written = to_string(&value);
        assert_eq!(
            typed(&read(&written)),
            typed(&value),
            "round {round}: {written}"
        );
    }
}

#[test]
fn json_output_holds_bytes_as_base64_and_keys_as_text() {
    let value = read("{1: yes, a: !!binary aGVsbG8h, b: [2024-01-02, 1.5, ~], null: -1}");
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(
        json,
        r#"{"1":true,"a":"aGVsbG8h","b":["2024-01-02",1.5,null],"null":-1}"#
    );
}

/// Marsaglia's xorshift: the same values in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

fn some_value(dice: &mut Dice, depth: usize) -> Value {
    let kinds = if depth == 0 { 7 } else { 10 };
    let kind = match dice.below(kinds) {
        0 => Kind::Null,
        1 => Kind::Bool(dice.below(2) == 0),
        2 => Kind::from(i128::try_from(dice.below(1_000_000)).unwrap() - 500_000),
        3 => Kind::Float([0.1, -2.5, 1e16, 1e-7, 1.25e300, f64::INFINITY, f64::NAN][dice.below(7)]),
        4 => Kind::Bytes(
            (0..dice.below(5))
                .map(|_| u8::try_from(dice.below(256)).unwrap())
                .collect(),
        ),
        5 | 6 => Kind::String(some_text(dice)),
        7 => Kind::List(
            (0..dice.below(4))
                .map(|_| some_value(dice, depth - 1))
                .collect(),
        ),
        _ => Kind::Map(
            (0..dice.below(4))
                .map(|_| {
                    let key = Value::new(Kind::String(some_text(dice)), Place::whole("test"));
                    (key, some_value(dice, depth - 1))
                })
                .collect::<Mapping>(),
        ),
    };
    Value::new(kind, Place::whole("test"))
}

fn some_text(dice: &mut Dice) -> String {
    let pieces = [
        "a",
        "yes",
        "no",
        "0",
        "7",
        ":",
        ": ",
        " #",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "-",
        "- ",
        "'",
        "\"",
        "\\",
        "[",
        "}",
        ",",
        "é",
        "\u{1f600}",
        "\u{7}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\r",
        "|",
        "%",
        "&x",
        "long ",
    ];
    let length = if dice.below(50) == 0 {
        400
    } else {
        dice.below(6)
    };
    (0..length)
        .map(|_| pieces[dice.below(pieces.len())])
        .collect()
}
