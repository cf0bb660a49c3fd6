//! What the console says when everything is done.
//!
//! Source: cloud-init, `cloudinit/config/cc_final_message.py` and `cloudinit/templater.py`.

use contract::effect::{Effect, Word};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::template::Variables;
use contract::yaml::{Placed, Text};
use serde::Deserialize;

/// They stand in a rendered template where what is known only when it is written shall stand.
const UPTIME: &str = "\u{e000}uptime\u{e000}";
const TIMESTAMP: &str = "\u{e000}timestamp\u{e000}";

/// Says it, at every boot.
pub(crate) struct FinalMessage;

/// `final_message:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    final_message: Option<Placed<Text>>,
}

impl Module for FinalMessage {
    const FACTS: Facts = Facts {
        name: "final_message",
        summary: "say on the console that everything is done",
        stage: Stage::Final,
        frequency: Frequency::Always,
        wake: Wake::Always,
        keys: &[Key::new(
            "final_message",
            Shape::Scalar,
            "what the console says in the end, with $UPTIME, $TIMESTAMP, $VERSION and $DATASOURCE",
        )],
    };
    const NOTES: &'static str = include_str!("notes/final_message.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let given = want.final_message.as_ref();
        let text = given.map_or("", |given| given.value.trim());
        match render(text, ctx) {
            Ok(mut words) => {
                words.push(Word::Text("\n".to_owned()));
                Step::new("message", [Effect::Message(words)]).into()
            }
            Err(why) => {
                let place = given.map(|given| given.place.clone());
                let message = format!("final_message: {why}; nothing is said");
                Plan::problem(Problem::warning(place, message))
            }
        }
    }
}

fn render(text: &str, ctx: &Context<'_>) -> Result<Vec<Word>, String> {
    let datasource = format!("DataSource{}", source(&ctx.instance.platform));
    let version = env!("CARGO_PKG_VERSION");
    if text.is_empty() {
        let name = match is_for_cloud_inits_tools(ctx) {
            true => "Cloud-init v. firstlight-",
            false => "firstlight v. ",
        };
        let text = format!(
            "{name}{version} finished at {TIMESTAMP}. Datasource {datasource}.  Up {UPTIME} seconds"
        );
        return Ok(words(&text));
    }
    let pairs = [
        ("uptime", UPTIME),
        ("timestamp", TIMESTAMP),
        ("version", version),
        ("datasource", &datasource),
    ];
    let variables = pairs
        .iter()
        .fold(Variables::default(), |all, (name, value)| {
            all.text(name, value)
                .text(&name.to_ascii_uppercase(), value)
        });
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let text = match kind(first).as_deref() {
        None | Some("jinja") => text,
        Some("basic") => rest,
        Some(_) => return Err("a template is `jinja` or `basic`".to_owned()),
    };
    Ok(words(&(ctx.render)(text, &variables)?))
}

/// Whether the image has tools that wait for what cloud-init says in the end.
fn is_for_cloud_inits_tools(ctx: &Context<'_>) -> bool {
    let section = ctx.config.get("firstlight");
    let said = section.and_then(|section| section.get("cloud_init_compat")?.as_bool());
    said.unwrap_or(false)
}

/// What a first line such as `## template: jinja` names.
fn kind(line: &str) -> Option<String> {
    let line = line.to_ascii_lowercase();
    let kind = line.strip_prefix("##")?.trim_start();
    Some(kind.strip_prefix("template:")?.trim().to_owned())
}

fn words(rendered: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for (number, text) in rendered.split('\u{e000}').enumerate() {
        let word = match text {
            "uptime" if number % 2 == 1 => Word::Uptime,
            "timestamp" if number % 2 == 1 => Word::Timestamp,
            "" => continue,
            text => Word::Text(text.to_owned()),
        };
        words.push(word);
    }
    words
}

/// As cloud-init calls the data source of a platform.
fn source(platform: &str) -> &str {
    match platform {
        "ec2" => "Ec2",
        "nocloud" => "NoCloud",
        "none" => "None",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;

    use super::*;

    fn said(plan: &Plan) -> String {
        let message = plan.effects().find_map(|effect| match effect {
            Effect::Message(words) => Some(words),
            _ => None,
        });
        let words = message.into_iter().flatten().map(|word| match word {
            Word::Text(text) => text.clone(),
            Word::Uptime => "[up]".to_owned(),
            Word::Timestamp => "[time]".to_owned(),
        });
        words.collect()
    }

    #[test]
    fn a_message_names_what_is_known_and_what_is_known_only_later() {
        let version = env!("CARGO_PKG_VERSION");
        let default = format!(
            "firstlight v. {version} finished at [time]. Datasource DataSourceEc2.  Up [up] seconds\n"
        );
        let theirs = default.replace("firstlight v. ", "Cloud-init v. firstlight-");
        let by = format!("done by DataSourceEc2 {version}\n");
        #[rustfmt::skip]
        let table = [
            ("{}",                                                                    default.as_str()),
            ("final_message: ' '",                                                    &default),
            ("firstlight: {cloud_init_compat: true}",                                 &theirs),
            ("final_message: up {{UPTIME}} seconds at {{timestamp}}",                 "up [up] seconds at [time]\n"),
            ("final_message: done by {{DATASOURCE}} {{version}}",                     &by),
            ("final_message: |\n  ##template:basic\n  two\n  lines\n",              "two\nlines\n"),
        ];
        for (config, wanted) in table {
            let mut setting = Setting::default();
            setting.instance.platform = "ec2".to_owned();
            let plan = setting.plan::<FinalMessage>(config);
            assert_eq!(said(&plan), wanted, "{config}");
            assert_eq!(plan.problems, [], "{config}");
        }
    }

    #[test]
    fn a_message_that_cannot_be_rendered_is_told_and_not_said() {
        #[rustfmt::skip]
        let table = [
            ("final_message: '## template: mako'",    "test:1:16: final_message: a template is `jinja` or `basic`; nothing is said"),
            ("final_message: [a]",                    "test:1:16: final_message: expected a string, found a list"),
        ];
        for (config, says) in table {
            let plan = Setting::default().plan::<FinalMessage>(config);
            assert!(plan.steps.is_empty(), "{config}");
            assert_eq!(plan.problems[0].to_string(), says, "{config}");
        }
    }
}
