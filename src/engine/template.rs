//! Templates in the image's configuration: rendered after parsing, so that a parameter can never
//! add structure.

use std::cell::LazyCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use contract::config::Config;
use contract::instance::InstanceMetadata;
use contract::params::Params;
use contract::plan::Problem;
use contract::yaml::{Kind, Mapping, Value};
use minijinja::value::{Object, Value as Var};
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use crate::image::OURS;

/// The top-level keys in whose values templates are rendered.
const KEYS: [&str; 3] = ["content", "election", "firstlight"];
const FUEL: u64 = 50_000;
const MAX_TEXT: usize = 64 << 10;

/// Renders the templates of `root`; a key with one that cannot be rendered is spoilt.
pub(crate) fn render(mut root: Mapping, metadata: &InstanceMetadata, params: &Params) -> Config {
    // Few images have one.
    let renderer = LazyCell::new(|| Renderer::new(metadata, params));
    let mut broken = Vec::new();
    for key in KEYS {
        if let Some(value) = root.get_mut(key)
            && let Err(problem) = walk(value, &|text| renderer.text(text))
        {
            broken.push((key, *problem));
        }
    }
    let mut config = Config::new(root);
    broken
        .into_iter()
        .for_each(|(key, problem)| config.spoil(key, problem));
    config
}

fn walk(
    value: &mut Value,
    render: &dyn Fn(&str) -> Result<String, String>,
) -> Result<(), Box<Problem>> {
    match &mut value.kind {
        Kind::String(text) if value.place.source.starts_with(OURS) => {
            if text.contains("{{") || text.contains("{%") {
                let rendered = render(text)
                    .map_err(|why| Box::new(Problem::error(Some(value.place.clone()), why)))?;
                *text = rendered;
            }
            Ok(())
        }
        Kind::List(entries) => entries.iter_mut().try_for_each(|entry| walk(entry, render)),
        Kind::Map(map) => map
            .iter_mut()
            .try_for_each(|(_, value)| walk(value, render)),
        _ => Ok(()),
    }
}

struct Renderer {
    environment: Environment<'static>,
    variables: Var,
    given: Arc<Given>,
}

impl Renderer {
    fn new(metadata: &InstanceMetadata, params: &Params) -> Self {
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let pairs = params
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let given = Arc::new(Given {
            values: pairs.collect(),
            missed: Mutex::default(),
        });
        let known = crate::report_file::public(metadata).into_iter();
        let known = known.filter_map(|(name, value)| Some((name, variable(&value)?)));
        let known: BTreeMap<String, Var> = known.collect();
        let mut variables = BTreeMap::from([
            (
                "params".to_owned(),
                Var::from_dyn_object(Arc::clone(&given)),
            ),
            ("v1".to_owned(), Var::from(known)),
        ]);
        if let Some(index) = metadata.launch_index {
            let role = if index.is_first() {
                "leader"
            } else {
                "follower"
            };
            variables.insert("role".to_owned(), Var::from(role));
        }
        Self {
            environment,
            variables: Var::from(variables),
            given,
        }
    }

    fn text(&self, text: &str) -> Result<String, String> {
        if text.len() > MAX_TEXT {
            return Err("template is larger than 64 KiB".to_owned());
        }
        self.given.lock().take();
        // The error's own text may quote values, which are the user's secrets.
        let rendered = self.environment.render_str(text, self.variables.clone());
        match rendered.map_err(|error| error.kind()) {
            Ok(text) if text.len() > MAX_TEXT => {
                Err("template renders to more than 64 KiB".to_owned())
            }
            Ok(text) => Ok(text),
            Err(ErrorKind::UndefinedError) => Err(match self.given.lock().take() {
                Some(name) => format!("parameter `{name}` is not given"),
                None => "template names a variable that does not exist".to_owned(),
            }),
            Err(kind) => Err(format!("template cannot be rendered: {kind}")),
        }
    }
}

fn variable(value: &serde_json::Value) -> Option<Var> {
    match value {
        serde_json::Value::String(text) => Some(Var::from(text.as_str())),
        serde_json::Value::Number(number) => number.as_i64().map(Var::from),
        _ => None,
    }
}

/// The parameters, which note the last name that was asked for in vain.
#[derive(Debug)]
struct Given {
    values: BTreeMap<String, String>,
    missed: Mutex<Option<String>>,
}

impl Given {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Object for Given {
    fn get_value(self: &Arc<Self>, key: &Var) -> Option<Var> {
        let name = key.as_str()?;
        let value = self.values.get(name);
        if value.is_none() {
            *self.lock() = Some(name.to_owned());
        }
        value.map(|text| Var::from(text.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, instance};

    use super::*;

    fn rendered(path: &str, text: &str) -> Config {
        let machine = FakeMachine::with(&[(path, text)]);
        let mut params = Params::default();
        params.insert("bucket", "acme\"site");
        let root = crate::image::load(&machine).config.root().clone();
        render(root, &instance(), &params)
    }

    fn content(config: &Config) -> Option<String> {
        config
            .section::<BTreeMap<String, String>>(&["content"])
            .ok()?
            .remove("content")
    }

    #[test]
    fn a_template_of_the_image_takes_parameters_and_metadata() {
        let text = "content: 's3://{{ params.bucket }}/{{ v1.instance_id }}'";
        let config = rendered("/etc/firstlight/config.yaml", text);
        assert_eq!(content(&config).as_deref(), Some("s3://acme\"site/i-1"));
        let text = "content: '{{ params.none | default(\"x\") }}'";
        assert_eq!(
            content(&rendered("/etc/firstlight/config.yaml", text)).as_deref(),
            Some("x")
        );
    }

    #[test]
    fn a_file_of_cloud_init_is_not_a_template() {
        let config = rendered("/etc/cloud/cloud.cfg", "content: '{{ params.bucket }}'");
        assert_eq!(content(&config).as_deref(), Some("{{ params.bucket }}"));
    }

    #[test]
    fn an_undefined_parameter_spoils_its_key_and_names_itself() {
        let config = rendered(
            "/etc/firstlight/config.yaml",
            "content: '{{ params.nobody }}'",
        );
        let problems = config
            .section::<BTreeMap<String, String>>(&["content"])
            .unwrap_err();
        let text = "/etc/firstlight/config.yaml:1:10: parameter `nobody` is not given";
        assert_eq!(
            problems.first().map(ToString::to_string).as_deref(),
            Some(text)
        );
    }
}
