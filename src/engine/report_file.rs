//! What everybody may read about this boot and this instance, below `/run/firstlight`.

use std::collections::BTreeMap;
use std::path::Path;

use contract::effect::{Effect, Mode};
use contract::error::EffectError;
use contract::instance::InstanceMetadata;
use contract::machine::{Machine, Probe};
use contract::module::Stage;
use contract::params::Params;
use contract::report::Report;
use contract::secret::Secret;
use serde_json::{Value, json};

use crate::environment;

const STATUS: &str = "/run/firstlight/status.json";
const RESULT: &str = "/run/firstlight/result.json";
const INSTANCE: &str = "/run/firstlight/instance.json";
const SENSITIVE: &str = "/run/firstlight/instance-sensitive.json";
const METADATA_ENV: &str = "/run/firstlight/metadata.env";
const PARAMS_ENV: &str = "/run/firstlight/params.env";

/// Writes `status.json`, and `result.json` once the final stage is over.
///
/// # Errors
/// When the machine could not write.
pub fn write(machine: &dyn Machine, report: &Report) -> Result<(), EffectError> {
    let text = format!("{}\n", serde_json::to_string(report).unwrap_or_default());
    machine.apply(&Effect::file(STATUS, text.as_str()))?;
    let is_over = |stage: Stage| {
        report
            .stages
            .iter()
            .any(|known| known.stage == stage && known.finished.is_some())
    };
    if is_over(Stage::Final) {
        machine.apply(&Effect::file(RESULT, text))?;
    }
    Ok(())
}

/// The report of the boot so far, if there is one that can be read.
pub fn read(probe: &dyn Probe) -> Option<Report> {
    parse(probe, STATUS)
}

/// What is known about the instance: all of it for whoever may read that, else what everybody may
/// know.
pub fn read_instance(probe: &dyn Probe) -> Option<Value> {
    parse(probe, SENSITIVE).or_else(|| parse(probe, INSTANCE))
}

/// What everybody may know about the instance.
pub fn read_public(probe: &dyn Probe) -> Option<Value> {
    parse(probe, INSTANCE)
}

/// The files that tell who this instance is: `instance.json` from an allow-list, all of it and the
/// launch parameters for root alone, and environment files (systemd.exec(5), EnvironmentFile=) of
/// either.
#[must_use]
pub fn instance_files(metadata: &InstanceMetadata, params: &Params) -> Vec<Effect> {
    let public = public(metadata);
    let pairs: BTreeMap<&str, &str> = params.iter().collect();
    let all = json!({"v1": public, "ds": metadata.rest, "params": pairs});
    vec![
        Effect::file(INSTANCE, format!("{}\n", json!({"v1": public}))),
        Effect::secret_file(
            SENSITIVE,
            Secret::new(format!("{all}\n").into()),
            Mode::PRIVATE,
        ),
        Effect::file(METADATA_ENV, environment(&public)),
        Effect::secret_file(
            PARAMS_ENV,
            Secret::new(environment::parameters(params).0.into()),
            Mode::PRIVATE,
        ),
    ]
}

/// What everybody may know of an instance. Source of the names: cloud-init,
/// `cloudinit/sources/__init__.py`, `_get_standardized_metadata`.
pub(crate) fn public(metadata: &InstanceMetadata) -> BTreeMap<String, Value> {
    let cloud = if metadata.platform == "ec2" {
        "aws"
    } else {
        metadata.platform.as_str()
    };
    let all = [
        ("instance_id", json!(metadata.instance_id)),
        ("cloud_name", json!(cloud)),
        ("platform", json!(metadata.platform)),
        ("region", json!(metadata.region)),
        ("availability_zone", json!(metadata.availability_zone)),
        ("local_hostname", json!(metadata.local_hostname)),
        ("launch_index", json!(metadata.launch_index)),
        ("reservation_id", json!(metadata.reservation_id)),
        ("public_ssh_keys", json!(metadata.public_keys)),
    ];
    let known = all.into_iter().filter(|(_, value)| !value.is_null());
    known
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn environment(public: &BTreeMap<String, Value>) -> String {
    let mut text = String::new();
    for (name, value) in public {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        // What systemd would take for syntax is left out rather than quoted wrongly.
        if value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c))
        {
            text.push_str(&format!("FIRSTLIGHT_{}={value}\n", name.to_uppercase()));
        }
    }
    text
}

fn parse<T: serde::de::DeserializeOwned>(probe: &dyn Probe, path: &str) -> Option<T> {
    let bytes = probe.read(Path::new(path)).ok()??;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, instance};

    use super::*;

    #[test]
    fn a_parameter_is_in_no_file_that_everybody_may_read() {
        let mut params = Params::default();
        params.insert("token", "hunter2");
        let machine = FakeMachine::default();
        for effect in instance_files(&instance(), &params) {
            machine.apply(&effect).unwrap();
        }
        assert!(machine.text(SENSITIVE).unwrap().contains("hunter2"));
        assert!(!machine.text(INSTANCE).unwrap().contains("hunter2"));
        let environment = machine.text(METADATA_ENV).unwrap();
        assert!(
            environment.contains("FIRSTLIGHT_INSTANCE_ID=i-1\n"),
            "{environment}"
        );
        assert_eq!(read_instance(&machine).unwrap()["v1"]["instance_id"], "i-1");
    }

    #[test]
    fn a_result_is_written_only_when_the_final_stage_is_over() {
        let machine = FakeMachine::default();
        write(&machine, &Report::new()).unwrap();
        assert_eq!(read(&machine), Some(Report::new()));
        assert_eq!(machine.text(RESULT), None);
    }
}
