//! Part handlers: code in user data that takes other parts of it upon itself.
//!
//! Source: cloud-init, `cloudinit/handlers/__init__.py`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::machine::NotDone;
use crate::secret::Secret;
use crate::user_data::Part;

/// When a handler is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Calls {
    /// At every boot.
    Always,
    /// At the first boot of an instance.
    Instance,
    /// It names a frequency at which none is called.
    Never,
}

/// What a handler says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// The content types that it takes, as `list_types()` gives them.
    pub types: Vec<String>,
    /// By its attribute `frequency`.
    pub calls: Calls,
}

/// A handler with the parts that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHandler {
    /// The part that it is: its body is a Python module.
    pub part: Part,
    /// What runs it: `python3`.
    pub interpreter: String,
    /// How long it may take.
    pub timeout: Duration,
    /// When.
    pub calls: Calls,
    /// Its parts, in their order, each with the body that stands in the user data.
    pub takes: Vec<Part>,
}

impl PartHandler {
    /// What it is called with, as JSON: `frequency`, and in `parts` for each part that it takes
    /// `type`, `filename`, `headers` and the `file` that holds its body. `before`: it was called at
    /// an earlier boot of the instance.
    #[must_use]
    pub fn job(&self, before: bool) -> String {
        let frequency = if before {
            "always"
        } else {
            "once-per-instance"
        };
        let part = |part: &Part| {
            json!({
                "type": part.kind.mime(),
                "filename": part.name,
                "file": Self::file_of(part),
                "headers": headers(part),
            })
        };
        let parts: Vec<Value> = self.takes.iter().map(part).collect();
        json!({"frequency": frequency, "parts": parts}).to_string()
    }

    /// The name of the file that holds the body of a part.
    #[must_use]
    pub fn file_of(part: &Part) -> String {
        format!("{:03}.part", part.number)
    }
}

/// The headers of a part as far as they mean something; its type is given for itself.
fn headers(part: &Part) -> Map<String, Value> {
    let disposition = format!("attachment; filename=\"{}\"", part.name);
    let index = part.launch_index.map(|index| index.0.to_string());
    let headers = [
        ("MIME-Version", Some("1.0".to_owned())),
        ("Content-Disposition", Some(disposition)),
        ("Launch-Index", index),
        ("Merge-Type", part.merge_type.clone()),
    ];
    let given = headers.into_iter();
    given
        .filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?))))
        .collect()
}

/// Whoever can ask a handler what it is.
pub trait Examine {
    /// Runs the module as far as it has to be run to know: it is loaded, and `list_types` is called.
    ///
    /// # Errors
    /// When it cannot be run here, or gave no answer.
    fn examine(
        &self,
        module: &Secret<Vec<u8>>,
        interpreter: &str,
        timeout: Duration,
    ) -> Result<Traits, NoAnswer>;
}

/// Why a handler did not say what it is. Never secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It is left undone, and that is no fault.
    #[error("{}", .0.why())]
    NotHere(NotDone),
    /// It went wrong.
    #[error("{0}")]
    Failed(String),
}
