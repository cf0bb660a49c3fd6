//! The image's own templates, in /etc/cloud/templates: who wants one rendered, and with what.

use serde_json::{Map, Value, json};

/// Renders the text of a template with these variables. Its error says what is wrong with the
/// template, and in which line.
pub type Render = fn(&str, &Variables) -> Result<String, String>;

/// The variables of a template. One that is not set is not there for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables(Map<String, Value>);

impl Variables {
    /// The same with a text.
    #[must_use]
    pub fn text(mut self, name: &str, text: &str) -> Self {
        self.0.insert(name.to_owned(), json!(text));
        self
    }

    /// The same with a list of texts.
    #[must_use]
    pub fn list(mut self, name: &str, texts: &[String]) -> Self {
        self.0.insert(name.to_owned(), json!(texts));
        self
    }

    /// The same with a mapping of texts.
    #[must_use]
    pub fn pairs(mut self, name: &str, pairs: &[(String, String)]) -> Self {
        let pairs = pairs.iter().map(|(key, text)| (key.clone(), json!(text)));
        let pairs: Map<String, Value> = pairs.collect();
        self.0.insert(name.to_owned(), Value::Object(pairs));
        self
    }

    /// All of them, by name.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}
