//! A form that is sent to somebody who wants to know of this machine.

use std::fmt;

use crate::fetch::shown;
use crate::secret::Secret;

/// What is sent by an HTTP POST, once the machine runs: below another root nobody is told anything.
#[derive(Clone, PartialEq, Eq)]
pub struct PostSpec {
    /// `https://` or `http://`. Its query string may be a secret.
    pub url: Secret<String>,
    /// Names and values, in their order; sent as `application/x-www-form-urlencoded`. Never secret.
    pub form: Vec<(String, String)>,
    /// How many tries there are at most, whatever is answered: 1 is no second one.
    pub tries: u32,
}

/// `instance_id, hostname sent to https://example.com/hello`
impl fmt::Display for PostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.form.iter().map(|(name, _)| name.as_str()).collect();
        let url = shown(self.url.expose());
        write!(f, "{} sent to {url}", names.join(", "))
    }
}

impl fmt::Debug for PostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostSpec({self})")
    }
}
