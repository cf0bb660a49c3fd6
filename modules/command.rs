//! Commands as configuration writes them: a line for the shell, or a list of words.

use contract::effect::Program;
use contract::schema::Shape;
use contract::yaml::Value;

/// What a command may be.
pub(crate) const SHAPE: Shape = Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Scalar)]);

/// What to say of anything else.
pub(crate) const EXPECTED: &str = "expected a command line, or a list of words";

/// A text is a line for `/bin/sh`, a list is a program and its arguments.
///
/// Numbers and booleans are words as Python's `str()` writes them, as in cloud-init. `None` if
/// there is no command in it: a word left out would make another command of it.
pub(crate) fn program(command: &Value) -> Option<Program> {
    if let Some(line) = command.as_str() {
        return Some(Program::Shell(line.to_owned()));
    }
    let words: Option<Vec<String>> = command.as_list()?.iter().map(Value::to_text).collect();
    words.filter(|words| !words.is_empty()).map(Program::Argv)
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn no_word_of_a_command_is_lost() {
        let argv = |words: &[&str]| Program::Argv(words.iter().map(ToString::to_string).collect());
        #[rustfmt::skip]
        let table = [
            ("run: echo hi",            Some(Program::Shell("echo hi".into()))),
            ("run: [kill, -9, 1]",      Some(argv(&["kill", "-9", "1"]))),
            ("run: [echo, null]",       None),
            ("run: [echo, [nested]]",   None),
            ("run: []",                 None),
            ("run: 7",                  None),
        ];
        for (text, wanted) in table {
            let config = config(text);
            let found = program(config.get("run").unwrap());
            assert!(found == wanted, "{text}");
        }
    }
}
