//! Environment files, as systemd and shells read them.
//!
//! Source: systemd.exec(5), EnvironmentFile=; systemd's `src/basic/env-file.c` and `env-util.c`.

use contract::params::Params;
use contract::plan::Problem;

/// What stands before the name of a parameter.
const PREFIX: &str = "FIRSTLIGHT_PARAM_";

/// The launch parameters as lines of an environment file, and those that cannot stand in one. A
/// name is in upper case, with `_` for `-` and `.`.
pub(crate) fn parameters(params: &Params) -> (String, Vec<Problem>) {
    let mut lines: Vec<(String, &str, String)> = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in params.iter() {
        let variable = format!("{PREFIX}{}", name.to_uppercase().replace(['-', '.'], "_"));
        let mut omitted = |why: String| {
            let message = format!("parameter `{name}` is not in params.env: {why}");
            problems.push(Problem::warning(None, message));
        };
        if let Some((_, other, _)) = lines.iter().find(|(own, ..)| *own == variable) {
            omitted(format!("`{other}` has the same variable `{variable}`"));
            continue;
        }
        match quoted(value) {
            Some(quoted) => lines.push((variable, name, quoted)),
            None => omitted("it holds control characters".to_owned()),
        }
    }
    let lines = lines.iter();
    let text = lines.map(|(variable, _, value)| format!("{variable}={value}\n"));
    (text.collect(), problems)
}

/// A value in double quotes; `None` if systemd would leave it out.
pub(crate) fn quoted(value: &str) -> Option<String> {
    if value
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n'))
    {
        return None;
    }
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text.push('"');
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_so_that_nothing_in_it_is_syntax() {
        #[rustfmt::skip]
        let table = [
            ("acme-site",    Some("\"acme-site\"")),
            ("",             Some("\"\"")),
            ("a b # c",      Some("\"a b # c\"")),
            ("$HOME `id`",   Some("\"\\$HOME \\`id\\`\"")),
            ("say \"x\\y\"", Some("\"say \\\"x\\\\y\\\"\"")),
            ("two\nlines",   Some("\"two\nlines\"")),
            ("a\rb",         None),
            ("a\u{1b}[0m",   None),
        ];
        for (value, want) in table {
            assert_eq!(quoted(value).as_deref(), want, "{value:?}");
        }
    }

    #[test]
    fn names_become_variables_and_what_cannot_stand_there_is_named() {
        let mut params = Params::default();
        for (name, value) in [
            ("db.host", "h"),
            ("db-host", "secret1"),
            ("Plain", "p"),
            ("bell", "\u{7}"),
        ] {
            params.insert(name, value);
        }
        let (text, problems) = parameters(&params);
        assert_eq!(
            text,
            "FIRSTLIGHT_PARAM_DB_HOST=\"h\"\nFIRSTLIGHT_PARAM_PLAIN=\"p\"\n"
        );
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let want = [
            "parameter `db-host` is not in params.env: `db.host` has the same variable `FIRSTLIGHT_PARAM_DB_HOST`",
            "parameter `bell` is not in params.env: it holds control characters",
        ];
        assert_eq!(problems, want);
    }
}
