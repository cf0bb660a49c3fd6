//! What the image says about this data source: `datasource: {Ec2: {...}}`.
//!
//! Source of the names and defaults: cloud-init, `cloudinit/sources/DataSourceEc2.py`.

use std::time::Duration;

use contract::config::Config;
use contract::datasource::SourceError;
use contract::plan::Problem;
use contract::yaml::{Kind, Placed, Value};

/// Settings of the data source; `None` where nothing is said.
#[derive(Debug)]
pub(super) struct Settings {
    /// Where the metadata service is, instead of its link-local addresses.
    pub(super) metadata_urls: Option<Placed<Vec<String>>>,
    /// The budget of everything together.
    pub(super) max_wait: Duration,
    /// The budget of one request.
    pub(super) timeout: Duration,
    /// `false` does without the proof that this is EC2, if no other data source is named.
    pub(super) strict_id: Option<bool>,
}

const MAX_WAIT: Duration = Duration::from_secs(240);
const TIMEOUT: Duration = Duration::from_secs(5);

impl Settings {
    pub(super) fn of(config: &Config) -> Result<Self, SourceError> {
        let section = config
            .get("datasource")
            .and_then(|all| all.get(super::NAME));
        let get = |key: &str| section?.get(key).filter(|value| !value.is_null());
        Ok(Self {
            metadata_urls: get("metadata_urls").map(urls).transpose()?,
            max_wait: get("max_wait").map_or(Ok(MAX_WAIT), |v| seconds("max_wait", v))?,
            timeout: get("timeout").map_or(Ok(TIMEOUT), |v| seconds("timeout", v))?,
            // cloud-init also knows `warn` and `warn,N`, which do not lift the check.
            strict_id: get("strict_id").and_then(Value::as_bool),
        })
    }
}

fn urls(value: &Value) -> Result<Placed<Vec<String>>, SourceError> {
    let entries = value.as_list().unwrap_or(std::slice::from_ref(value));
    let mut urls = Vec::new();
    for entry in entries {
        let Some(url) = entry.as_str() else {
            return Err(wrong("metadata_urls", entry, "a list of URLs"));
        };
        urls.push(url.to_owned());
    }
    Ok(Placed::new(urls, value.place.clone()))
}

fn seconds(key: &str, value: &Value) -> Result<Duration, SourceError> {
    let wanted = "a number of seconds from 0 to 86400";
    let number = match &value.kind {
        Kind::Int(int) => u32::try_from(int.value).ok().map(f64::from),
        Kind::Float(float) => Some(*float),
        _ => None,
    };
    match number {
        Some(number) if (0.0..=86_400.0).contains(&number) => Ok(Duration::from_secs_f64(number)),
        _ => Err(wrong(key, value, wanted)),
    }
}

fn wrong(key: &str, value: &Value, wanted: &str) -> SourceError {
    let found = value.kind.name();
    let message = format!("datasource.Ec2.{key}: expected {wanted}, found {found}");
    SourceError::Written(Problem::error(Some(value.place.clone()), message))
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn settings_have_cloud_inits_names_and_good_defaults() {
        let none = Settings::of(&config("")).unwrap();
        assert_eq!(
            (none.max_wait, none.timeout, none.strict_id),
            (MAX_WAIT, TIMEOUT, None)
        );
        assert!(none.metadata_urls.is_none());

        let text = "datasource: {Ec2: {metadata_urls: ['http://a'], max_wait: 10, timeout: 0.5, \
                    strict_id: false}}";
        let some = Settings::of(&config(text)).unwrap();
        assert_eq!(some.max_wait, Duration::from_secs(10));
        assert_eq!(some.timeout, Duration::from_millis(500));
        assert_eq!(some.strict_id, Some(false));
        assert_eq!(some.metadata_urls.unwrap().value, ["http://a"]);
    }

    #[test]
    fn a_wrong_setting_is_named_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("max_wait: soon",          "test:1:30: datasource.Ec2.max_wait: expected a number of seconds"),
            ("timeout: -1",             "test:1:29: datasource.Ec2.timeout: expected a number of seconds"),
            ("timeout: .inf",           "test:1:29: datasource.Ec2.timeout: expected a number of seconds"),
            ("metadata_urls: [7]",      "test:1:36: datasource.Ec2.metadata_urls: expected a list of URLs"),
        ];
        for (line, message) in table {
            let error = Settings::of(&config(&format!("datasource: {{Ec2: {{{line}}}}}")));
            let error = error.unwrap_err().to_string();
            assert!(error.starts_with(message), "{line}: {error}");
        }
    }
}
