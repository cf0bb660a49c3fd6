//! Which data source is responsible for this machine, and why.

use contract::config::Config;
use contract::datasource::{Datasource, Detection, SourceContext};
use contract::yaml::Kind;

/// The data source to ask, and what spoke for it and against the others.
#[derive(Clone)]
pub struct Choice {
    /// `None` if no data source is responsible.
    pub source: Option<&'static dyn Datasource>,
    /// One line for each data source that was looked at: `Ec2: not this machine: ...`. Never
    /// secret.
    pub evidence: Vec<String>,
}

impl std::fmt::Debug for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut all = f.debug_struct("Choice");
        all.field("source", &self.source.map(Datasource::name));
        all.field("evidence", &self.evidence).finish()
    }
}

/// The first data source that knows this machine as its own, in the order of the configuration's
/// `datasource_list`, or of `table` if there is none.
///
/// Sends no packet. The name `None` ends the list: there is nobody to ask then. Source of the
/// key: cloud-init, `cloudinit/sources/__init__.py`.
#[must_use]
pub fn choose(ctx: &SourceContext<'_>, table: &'static [&'static dyn Datasource]) -> Choice {
    let mut evidence = Vec::new();
    let names = wanted(ctx.config, &mut evidence).unwrap_or_else(|| {
        table
            .iter()
            .map(|source| source.name().to_owned())
            .collect()
    });
    for name in names {
        if name == NONE {
            evidence.push(format!(
                "{NONE}: the configuration wants no data source after these"
            ));
            break;
        }
        let Some(source) = table.iter().find(|source| source.name() == name) else {
            evidence.push(format!("{name}: firstlight has no such data source"));
            continue;
        };
        match source.detect(ctx) {
            Detection::Yes(why) => {
                evidence.push(format!("{name}: this machine: {why}"));
                return Choice {
                    source: Some(*source),
                    evidence,
                };
            }
            Detection::No(why) => evidence.push(format!("{name}: not this machine: {why}")),
        }
    }
    Choice {
        source: None,
        evidence,
    }
}

/// What `datasource_list` calls having no data source.
pub(crate) const NONE: &str = "None";

/// The names in `datasource_list`, if it is given and is a list of names.
fn wanted(config: &Config, evidence: &mut Vec<String>) -> Option<Vec<String>> {
    let value = config.get("datasource_list")?;
    let names: Option<Vec<String>> = match &value.kind {
        Kind::String(name) => Some(vec![name.clone()]),
        Kind::List(entries) => entries
            .iter()
            .map(|entry| entry.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    if names.is_none() {
        evidence.push(format!(
            "{}: datasource_list is not a list of names and is ignored",
            value.place
        ));
    }
    names
}

#[cfg(test)]
mod tests {
    use contract::datasource::{Found, SourceError};
    use contract::testing::{FakeMachine, config};

    use super::*;

    struct Fake(&'static str, bool);

    impl Datasource for Fake {
        fn name(&self) -> &'static str {
            self.0
        }

        fn detect(&self, _: &SourceContext<'_>) -> Detection {
            let why = String::from("a test");
            if self.1 {
                Detection::Yes(why)
            } else {
                Detection::No(why)
            }
        }

        fn fetch(&self, _: &SourceContext<'_>) -> Result<Found, SourceError> {
            Err(SourceError::Disabled)
        }
    }

    static TABLE: [&dyn Datasource; 3] = [
        &Fake("Away", false),
        &Fake("Here", true),
        &Fake("Too", true),
    ];

    #[test]
    fn the_first_source_of_the_list_that_knows_the_machine_is_asked() {
        #[rustfmt::skip]
        let cases = [
            ("",                                  Some("Here"), "Here: this machine: a test"),
            ("datasource_list: [Too, Here]",      Some("Too"),  "Too: this machine: a test"),
            ("datasource_list: [Away, Too]",      Some("Too"),  "Away: not this machine: a test"),
            ("datasource_list: [Azure, Here]",    Some("Here"), "Azure: firstlight has no such data source"),
            ("datasource_list: [Away]",           None,         "Away: not this machine: a test"),
            ("datasource_list: [None, Here]",     None,         "None: the configuration wants no data source after these"),
            ("datasource_list: Too",              Some("Too"),  "Too: this machine: a test"),
            ("datasource_list: [[Too]]",          Some("Here"), "test:1:18: datasource_list is not a list of names and is ignored"),
        ];
        for (text, expected, evidence) in cases {
            let (probe, config) = (FakeMachine::default(), config(text));
            let choice = choose(
                &SourceContext {
                    probe: &probe,
                    config: &config,
                },
                &TABLE,
            );
            assert_eq!(choice.source.map(Datasource::name), expected, "{text}");
            assert!(
                choice.evidence.iter().any(|line| line == evidence),
                "{text}: {choice:?}"
            );
        }
    }
}
