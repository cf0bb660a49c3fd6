//! How many requests apt(8) sends before the first is answered.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_pipelining.py`; apt.conf(5).

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::Value;
use serde::Deserialize;

const NAME: &str = "apt_pipelining";

/// Under cloud-init's name, so that a file of an image that it configured is replaced.
const FILE: &str = "/etc/apt/apt.conf.d/90cloud-init-pipelining";

/// The words with which apt's own setting stays.
const LEFT_ALONE: &[&str] = &["none", "unchanged", "os"];

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::OneOf(&[Shape::Integer(0, 5), Shape::Bool, Shape::Word(LEFT_ALONE)]),
    "how many requests apt sends ahead, 0 to 5; `false` is 0, and `os` leaves it as it is",
)
.or("os")];

/// Writes the setting.
pub(crate) struct AptPipelining;

/// `apt_pipelining`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    apt_pipelining: Option<Value>,
}

impl Module for AptPipelining {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "set how many requests apt sends ahead",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/apt_pipelining.md");
    type Section = Section;

    fn plan(want: Section, _: &Context<'_>) -> Plan {
        let Some(given) = want.apt_pipelining else {
            return Plan::nothing();
        };
        let word = given.to_text().unwrap_or_default();
        let word = word.trim().to_ascii_lowercase();
        let depth = match word.as_str() {
            "false" => "0",
            word if LEFT_ALONE.contains(&word) => return Plan::nothing(),
            depth @ ("0" | "1" | "2" | "3" | "4" | "5") => depth,
            _ => {
                let message = "apt_pipelining: expected a number from 0 to 5, `false` or `os`";
                return Plan::problem(Problem::error(Some(given.place), message));
            }
        };
        let text = format!(
            "// Written by firstlight, as `apt_pipelining` says.\nAcquire::http::Pipeline-Depth \"{depth}\";\n"
        );
        Step::new("depth", [Effect::file(FILE, text)]).into()
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    fn plan(config: &str) -> Plan {
        Setting::default().plan::<AptPipelining>(config)
    }

    #[test]
    fn a_depth_is_written_and_a_word_for_the_default_writes_nothing() {
        #[rustfmt::skip]
        let table = [
            ("0", Some("0")), ("3", Some("3")), ("5", Some("5")), ("false", Some("0")), ("'False'", Some("0")),
            ("os", None), ("none", None), ("unchanged", None), ("OS", None), ("null", None),
        ];
        for (value, depth) in table {
            let plan = plan(&format!("apt_pipelining: {value}"));
            let text = plan.text_of(FILE);
            let line = depth.map(|depth| format!("Acquire::http::Pipeline-Depth \"{depth}\";"));
            assert_eq!(
                text.as_deref().and_then(|text| text.lines().nth(1)),
                line.as_deref(),
                "{value}"
            );
            assert_eq!(plan.problems, [], "{value}");
        }
    }

    #[test]
    fn another_value_is_an_error_that_says_what_is_possible() {
        for value in ["6", "-1", "true", "[1]", "often"] {
            let plan = plan(&format!("apt_pipelining: {value}"));
            assert_eq!(plan.steps, [], "{value}");
            assert_eq!(
                plan.problems[0].to_string(),
                "test:1:17: apt_pipelining: expected a number from 0 to 5, `false` or `os`"
            );
        }
    }
}
