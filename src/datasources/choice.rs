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

/// What names the data source of this machine, if something does: a `datasource_list` with one name
/// besides `None`, or what a data source takes for it: a service's address in the image, a seed.
///
/// A container needs that: of itself it shows its host's firmware, and what the host's cloud
/// answers is not meant for it. Source: cloud-init, `tools/ds-identify` (`dscheck_Ec2`).
#[must_use]
pub fn named(ctx: &SourceContext<'_>, table: &'static [&'static dyn Datasource]) -> Option<String> {
    let only = only(ctx.config).map(|name| format!("datasource_list: [{name}]"));
    only.or_else(|| table.iter().find_map(|source| source.named(ctx)))
}

/// The one name in `datasource_list` besides `None`, if there is one and no other.
pub(crate) fn only(config: &Config) -> Option<String> {
    let names = wanted(config, &mut Vec::new())?;
    let mut names = names.into_iter().filter(|name| name != NONE);
    names.next().filter(|_| names.next().is_none())
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
    use contract::yaml::{self, Limits};

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

    #[test]
    fn a_source_is_named_by_the_image_and_never_by_the_firmware() {
        let ec2 = ("/sys/class/dmi/id/sys_vendor", "Amazon EC2");
        let seed = ("/var/lib/cloud/seed/nocloud/meta-data", "instance-id: i-1");
        let urls = "datasource: {Ec2: {metadata_urls: ['http://10.0.0.1']}}";
        #[rustfmt::skip]
        let cases = [
            // the image                         where it says so                  a file of the machine   is named
            ("",                                 "/etc/cloud/cloud.cfg",           ec2,                    false),
            ("",                                 "/etc/cloud/cloud.cfg",           seed,                   true),
            ("datasource_list: [Ec2]",           "/etc/cloud/cloud.cfg",           ec2,                    true),
            ("datasource_list: [Ec2, None]",     "/etc/cloud/cloud.cfg",           ec2,                    true),
            ("datasource_list: [Ec2, NoCloud]",  "/etc/cloud/cloud.cfg",           ec2,                    false),
            ("datasource_list: [None]",          "/etc/cloud/cloud.cfg",           ec2,                    false),
            ("datasource_list: [7]",             "/etc/cloud/cloud.cfg",           ec2,                    false),
            (urls,                               "/etc/firstlight/config.yaml",    ec2,                    true),
            (urls,                               "/etc/cloud/cloud.cfg",           ec2,                    false),
        ];
        for (text, source, file, expected) in cases {
            let document = yaml::parse(text, source, &Limits::default()).unwrap();
            let map = document.value.as_map().cloned().unwrap_or_default();
            let (probe, config) = (FakeMachine::with(&[file]), Config::new(map));
            let ctx = SourceContext {
                probe: &probe,
                config: &config,
            };
            let named = named(&ctx, crate::table());
            assert_eq!(named.is_some(), expected, "{text} in {source}: {named:?}");
        }
    }
}
