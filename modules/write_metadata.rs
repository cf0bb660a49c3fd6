//! Files that hold what the cloud says, such as the variables of Amazon Linux's repositories.
//!
//! Source: Amazon Linux 2023, /etc/cloud/cloud.cfg.d/10_aws_dnfvars.cfg, which is the one place where
//! its cloud-init is told so.

use std::path::PathBuf;

use contract::effect::Effect;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::fields::{Fields, wrong};

const NAME: &str = "write_metadata";

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::List(&Shape::Map(&[
        Key::new("path", Shape::Text, "an absolute path").required(),
        Key::new(
            "data",
            Shape::List(&Shape::OneOf(&[
                Shape::Text,
                Shape::Map(&[
                    Key::new(
                        "metadata",
                        Shape::Text,
                        "an item of the metadata, such as services/domain",
                    ),
                    Key::new(
                        "identity",
                        Shape::Text,
                        "a field of the identity document, such as region",
                    ),
                ]),
            ])),
            "what may be in it: the first that there is",
        )
        .required(),
    ])),
    "files that hold what the cloud says",
)
.once_called(&["write-metadata"])];

/// Writes what the cloud says.
pub(crate) struct WriteMetadata;

/// `write_metadata:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    write_metadata: Option<Value>,
    #[serde(rename = "write-metadata")]
    old: Option<Value>,
}

impl Module for WriteMetadata {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "write files that hold what the cloud says",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/write_metadata.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let Some(given) = want.write_metadata.or(want.old) else {
            return plan;
        };
        let Some(entries) = given.as_list() else {
            return Plan::problem(wrong(NAME, &given, "a list"));
        };
        for (index, entry) in entries.iter().enumerate() {
            let name = format!("{NAME}[{index}]");
            let fields = Fields::of(&name, entry, &mut plan.problems);
            let file = fields.and_then(|fields| file(&fields, ctx, &mut plan.problems));
            if let Some((path, text)) = file {
                plan.push(Step::new(
                    path.clone(),
                    [Effect::file(PathBuf::from(path), text)],
                ));
            }
        }
        plan
    }
}

/// The path and the text of an entry; nothing if the cloud says none of it.
fn file(
    fields: &Fields<'_>,
    ctx: &Context<'_>,
    told: &mut Vec<Problem>,
) -> Option<(String, String)> {
    let missing = |key: &str| {
        let message = format!("{}: it is missing", fields.name(key));
        Problem::error(fields.place(), message)
    };
    if fields.get("path").is_none() {
        told.push(missing("path"));
    }
    let path = fields.text("path", told)?;
    if !path.value.starts_with('/') || path.value.contains('\0') {
        let message = format!("{}: expected an absolute path", fields.name("path"));
        told.push(Problem::error(Some(path.place), message));
        return None;
    }
    let Some(data) = fields.get("data") else {
        told.push(missing("data"));
        return None;
    };
    let Some(choices) = data.as_list() else {
        told.push(wrong(&fields.name("data"), data, "a list"));
        return None;
    };
    for (index, choice) in choices.iter().enumerate() {
        match value(choice, ctx) {
            Ok(Some(text)) => return Some((path.value, format!("{text}\n"))),
            Ok(None) => {}
            Err(wanted) => {
                let name = format!("{}[{index}]", fields.name("data"));
                told.push(wrong(&name, choice, wanted));
            }
        }
    }
    let message = format!(
        "{}: the cloud says none of it, so the file is not written",
        fields.name("data")
    );
    told.push(Problem::warning(Some(data.place.clone()), message));
    None
}

/// What one of the choices comes to; nothing if the cloud does not say it.
fn value(choice: &Value, ctx: &Context<'_>) -> Result<Option<String>, &'static str> {
    let instance = ctx.instance;
    let Kind::Map(map) = &choice.kind else {
        return choice.to_text().map(Some).ok_or("a string, or a mapping");
    };
    let key = |name: &str| map.get(name).and_then(Value::as_str);
    let (root, path) = match (key("metadata"), key("identity")) {
        (Some(path), None) => (instance.rest.get("meta-data"), path),
        // What the data source knows of another place counts as well.
        (None, Some("region")) if instance.region.is_some() => return Ok(instance.region.clone()),
        (None, Some(field)) => {
            let dynamic = instance.rest.get("dynamic");
            let identity = dynamic.and_then(|dynamic| dynamic.get("instance-identity"));
            (
                identity.and_then(|identity| identity.get("document")),
                field,
            )
        }
        _ => return Err("one of `metadata` and `identity`"),
    };
    let steps = path.split('/').filter(|step| !step.is_empty());
    let found = steps.fold(root, |tree, step| tree?.get(step));
    Ok(found.and_then(|found| Some(found.as_str()?.to_owned())))
}

#[cfg(test)]
mod tests {
    use contract::testing::Setting;
    use serde_json::json;

    use super::*;

    fn setting() -> Setting {
        let mut setting = Setting::default();
        setting.instance.rest = json!({
            "meta-data": {"services": {"domain": "amazonaws.com.cn"}},
            "dynamic": {"instance-identity": {"document": {"region": "cn-north-1", "accountId": "1"}}},
        });
        setting
    }

    #[test]
    fn the_repositories_of_amazon_linux_know_where_they_are() {
        let config = "
write_metadata:
  - path: /etc/dnf/vars/awsregion
    data:
      - identity: region
      - default
  - path: /etc/dnf/vars/awsdomain
    data:
      - metadata: services/domain
      - amazonaws.com
";
        let files = |plan: &Plan| {
            let names = ["awsregion", "awsdomain"];
            names.map(|name| plan.text_of(&format!("/etc/dnf/vars/{name}")).unwrap())
        };
        let plan = setting().plan::<WriteMetadata>(config);
        assert_eq!(files(&plan), ["cn-north-1\n", "amazonaws.com.cn\n"]);
        let plan = Setting::default().plan::<WriteMetadata>(config);
        assert_eq!(files(&plan), ["default\n", "amazonaws.com\n"]);
        assert_eq!(plan.problems, []);
    }

    #[test]
    fn what_is_wrong_costs_itself_alone() {
        #[rustfmt::skip]
        let table = [
            // an entry                                            files  says
            ("{data: [a]}",                                        0,     "test:1:18: write_metadata[0].path: it is missing"),
            ("{path: a, data: [b]}",                               0,     "test:1:25: write_metadata[0].path: expected an absolute path"),
            ("{path: /a}",                                         0,     "test:1:18: write_metadata[0].data: it is missing"),
            ("{path: /a, data: b}",                                0,     "test:1:35: write_metadata[0].data: expected a list, found a string"),
            ("{path: /a, data: [{metadata: no/such}]}",            0,     "test:1:35: write_metadata[0].data: the cloud says none of it, so the file is not written"),
            ("{path: /a, data: [{region: b}, c]}",                 1,     "test:1:36: write_metadata[0].data[0]: expected one of `metadata` and `identity`, found a mapping"),
            ("{path: /a, data: [[], c]}",                          1,     "test:1:36: write_metadata[0].data[0]: expected a string, or a mapping, found a list"),
            ("/a",                                                 0,     "test:1:18: write_metadata[0]: expected a mapping, found a string"),
        ];
        for (entry, count, says) in table {
            let plan = setting().plan::<WriteMetadata>(&format!("write_metadata: [{entry}]"));
            assert_eq!(plan.steps.len(), count, "{entry}");
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            assert_eq!(said, [says], "{entry}");
        }
    }
}
