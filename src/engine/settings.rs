//! The image's top-level key `firstlight`: how firstlight itself behaves.

use std::time::Duration;

use contract::config::Config;
use contract::keys::KeyServers;
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::Value;

use crate::near::nearest;

/// What to do when something that is done for this instance would be done from other inputs now:
/// user data can be edited while an instance is stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnChange {
    /// Nothing, in silence.
    Ignore,
    /// Say so.
    #[default]
    Report,
    /// Do it again, scripts too.
    Rerun,
}

/// How firstlight itself behaves on this image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    gate_budget: Duration,
    script_timeout: Option<Duration>,
    package_lock_timeout: Duration,
    on_interrupt_rerun: bool,
    on_change: OnChange,
    script_home: bool,
    /// Whether what tools look for that know cloud-init is kept on disk, and read. Default no.
    pub cloud_init_compat: bool,
    /// Whether part handlers in user data are run; `None`, the default, if they are not.
    pub part_handlers: Option<PartHandlers>,
    /// Where the public keys of people are.
    pub key_servers: KeyServers,
    /// How launch parameters are read.
    pub parameters: Parameters,
}

/// How part handlers are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartHandlers {
    /// What runs them: `python3`.
    pub interpreter: String,
    /// How long one may take. Default 120 s.
    pub timeout: Duration,
}

impl Default for PartHandlers {
    fn default() -> Self {
        Self {
            interpreter: PYTHON.to_owned(),
            timeout: PART_HANDLER_TIMEOUT,
        }
    }
}

/// How long a part handler may take unless the image says otherwise.
const PART_HANDLER_TIMEOUT: Duration = Duration::from_mins(2);

/// What part handlers are written for.
const PYTHON: &str = "python3";

/// How launch parameters are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// What text without any known header is.
    pub format: Format,
    /// What separates the fields of different instances of one launch, if they are separated.
    pub select: Option<Select>,
}

/// How launch parameters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `name=value` or a JSON object, whichever it is; text that is neither is no parameters.
    Auto,
    /// `name=value` on lines, or separated by `;` or `,`.
    KeyValue,
    /// A JSON object.
    Json,
    /// A YAML mapping.
    Yaml,
    /// Fields separated by commas (RFC 4180): the parameters `p1`, `p2` and so forth.
    Csv,
    /// Anything: the parameter `text`.
    Opaque,
    /// There are no parameters.
    None,
}

impl Format {
    /// All, by the names that the image's configuration has for them.
    const ALL: [(&str, Self); 7] = [
        ("auto", Self::Auto),
        ("key-value", Self::KeyValue),
        ("json", Self::Json),
        ("yaml", Self::Yaml),
        ("csv", Self::Csv),
        ("opaque", Self::Opaque),
        ("none", Self::None),
    ];
}

/// How one instance of a launch finds its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Select {
    /// What separates the fields: `|`.
    pub delimiter: String,
    /// The launch index that takes the first field.
    pub first_index: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            gate_budget: Duration::from_mins(1),
            script_timeout: None,
            package_lock_timeout: Duration::from_mins(10),
            on_interrupt_rerun: false,
            on_change: OnChange::Report,
            script_home: false,
            cloud_init_compat: false,
            part_handlers: None,
            key_servers: KeyServers::default(),
            parameters: Parameters {
                format: Format::Auto,
                select: None,
            },
        }
    }
}

impl Settings {
    /// The settings of an image; what cannot be read keeps its default and is a problem.
    #[must_use]
    pub fn of(config: &Config) -> (Self, Vec<Problem>) {
        let mut settings = Self::default();
        let mut reader = Reader::default();
        if let Some(section) = config.get("firstlight") {
            settings.read(section, &mut reader);
        }
        (settings, reader.problems)
    }

    /// How long logins wait for this boot at most. Default 60 s.
    #[must_use]
    pub const fn gate_budget(&self) -> Duration {
        self.gate_budget
    }

    /// How long a script of the user may take; `None` is as long as it takes, the default.
    #[must_use]
    pub const fn script_timeout(&self) -> Option<Duration> {
        self.script_timeout
    }

    /// How long a lock that another package manager holds is waited for. Default 10 min.
    #[must_use]
    pub const fn package_lock_timeout(&self) -> Duration {
        self.package_lock_timeout
    }

    /// Whether code that was interrupted is run again. Default no.
    #[must_use]
    pub const fn reruns_interrupted(&self) -> bool {
        self.on_interrupt_rerun
    }

    /// Whether scripts get `HOME`, root's. Default no, as with cloud-init.
    #[must_use]
    pub const fn gives_home(&self) -> bool {
        self.script_home
    }

    /// What to do about edited user data. Default: say so.
    #[must_use]
    pub const fn on_change(&self) -> OnChange {
        self.on_change
    }

    fn read(&mut self, section: &Value, reader: &mut Reader) {
        let known = [
            "gate_budget",
            "script_timeout",
            "package_lock_timeout",
            "user_data",
            "on_change",
            "on_interrupt",
            "part_handlers",
            "part_handler_timeout",
            "hostname_from",
            "runcmd",
            "script_home",
            "cloud_init_compat",
            "ssh_import_id",
        ];
        let mut handlers = PartHandlers::default();
        let mut run_handlers = false;
        for (key, value) in reader.pairs(section, "firstlight", &known) {
            match key {
                "gate_budget" => match duration(value) {
                    Some(Some(budget)) => self.gate_budget = budget,
                    _ => reader.wrong(value, "firstlight.gate_budget", "seconds such as `60s`"),
                },
                "script_timeout" => match duration(value) {
                    Some(timeout) => self.script_timeout = timeout,
                    None => {
                        let wanted = "seconds such as `600s`, or `infinity`";
                        reader.wrong(value, "firstlight.script_timeout", wanted);
                    }
                },
                "package_lock_timeout" => match duration(value) {
                    Some(Some(timeout)) => self.package_lock_timeout = timeout,
                    _ => {
                        let wanted = "seconds such as `600s`";
                        reader.wrong(value, "firstlight.package_lock_timeout", wanted);
                    }
                },
                "on_change" => match value.as_str() {
                    Some("ignore") => self.on_change = OnChange::Ignore,
                    Some("report") => self.on_change = OnChange::Report,
                    Some("rerun") => self.on_change = OnChange::Rerun,
                    _ => {
                        let wanted = "`ignore`, `report` or `rerun`";
                        reader.wrong(value, "firstlight.on_change", wanted);
                    }
                },
                "ssh_import_id" => key_servers(&mut self.key_servers, value, reader),
                "on_interrupt" => match value.as_str() {
                    Some("rerun") => self.on_interrupt_rerun = true,
                    Some("skip") => self.on_interrupt_rerun = false,
                    _ => reader.wrong(value, "firstlight.on_interrupt", "`skip` or `rerun`"),
                },
                "part_handlers" => match value.as_str() {
                    Some(PYTHON) => run_handlers = true,
                    Some("off") => run_handlers = false,
                    _ if value.as_bool() == Some(false) || value.is_null() => run_handlers = false,
                    _ => reader.wrong(value, "firstlight.part_handlers", "`python3` or `off`"),
                },
                "part_handler_timeout" => match duration(value) {
                    Some(Some(timeout)) => handlers.timeout = timeout,
                    _ => {
                        let wanted = "seconds such as `60s`";
                        reader.wrong(value, "firstlight.part_handler_timeout", wanted);
                    }
                },
                "script_home" => match value.as_bool() {
                    Some(has_home) => self.script_home = has_home,
                    None => reader.wrong(value, "firstlight.script_home", "true or false"),
                },
                "cloud_init_compat" => match value.as_bool() {
                    Some(is_on) => self.cloud_init_compat = is_on,
                    None => reader.wrong(value, "firstlight.cloud_init_compat", "true or false"),
                },
                // Whoever runs the scripts reads it.
                "runcmd" => {
                    if !matches!(value.as_str(), Some("strict" | "lenient")) {
                        reader.wrong(value, "firstlight.runcmd", "`strict` or `lenient`");
                    }
                }
                // Whoever sets the host name reads it.
                "hostname_from" => {
                    let key = value.as_str().and_then(|text| text.strip_prefix("tag:"));
                    if key.is_none_or(str::is_empty) {
                        reader.wrong(value, "firstlight.hostname_from", "`tag:NAME`");
                    }
                }
                _ => {
                    for (_, value) in reader.pairs(value, "firstlight.user_data", &["parameters"]) {
                        self.parameters.read(value, reader);
                    }
                }
            }
        }
        self.part_handlers = run_handlers.then_some(handlers);
    }
}

impl Parameters {
    fn read(&mut self, section: &Value, reader: &mut Reader) {
        let path = "firstlight.user_data.parameters";
        for (key, value) in reader.pairs(section, path, &["format", "select_by_launch_index"]) {
            if key == "format" {
                let known = |(name, _): &&(&str, Format)| value.as_str() == Some(*name);
                match Format::ALL.iter().find(known) {
                    Some((_, format)) => self.format = *format,
                    None => {
                        let names = Format::ALL.map(|(name, _)| name).join("`, `");
                        reader.wrong(
                            value,
                            &format!("{path}.format"),
                            &format!("one of `{names}`"),
                        );
                    }
                }
                continue;
            }
            let path = format!("{path}.select_by_launch_index");
            let mut select = Select {
                delimiter: "|".to_owned(),
                first_index: 1,
            };
            for (key, value) in reader.pairs(value, &path, &["delimiter", "first_index"]) {
                match (key, value.as_str(), value.as_int().map(u32::try_from)) {
                    ("delimiter", Some(text), _) if !text.is_empty() => {
                        text.clone_into(&mut select.delimiter);
                    }
                    ("first_index", _, Some(Ok(index))) => select.first_index = index,
                    ("delimiter", ..) => reader.wrong(value, &format!("{path}.delimiter"), "text"),
                    _ => reader.wrong(value, &format!("{path}.first_index"), "a number from 0"),
                }
            }
            self.select = Some(select);
        }
    }
}

/// Addresses up to the path, each with or without a slash at its end.
fn key_servers(servers: &mut KeyServers, section: &Value, reader: &mut Reader) {
    let path = "firstlight.ssh_import_id";
    for (key, value) in reader.pairs(section, path, &["gh", "lp"]) {
        let place = match key {
            "gh" => &mut servers.github,
            _ => &mut servers.launchpad,
        };
        match value.as_str() {
            Some(url) if url.starts_with("https://") || url.starts_with("http://") => {
                url.trim_end_matches('/').clone_into(place);
            }
            _ => reader.wrong(value, &format!("{path}.{key}"), "an address of `https://`"),
        }
    }
}

/// Seconds as a number, `60s`, `5m`, `1h`; `Some(None)` is `infinity`.
pub(crate) fn duration(value: &Value) -> Option<Option<Duration>> {
    let text = value.to_text()?;
    if text == "infinity" {
        return Some(None);
    }
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)? {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds = digits.parse::<u64>().ok()?.checked_mul(factor)?;
    Some(Some(Duration::from_secs(seconds)))
}

#[derive(Default)]
struct Reader {
    problems: Vec<Problem>,
}

impl Reader {
    /// The pairs with a known key; others are warnings.
    fn pairs<'v>(
        &mut self,
        section: &'v Value,
        path: &str,
        known: &[&str],
    ) -> Vec<(&'v str, &'v Value)> {
        if section.is_null() {
            return Vec::new();
        }
        let Some(map) = section.as_map() else {
            self.wrong(section, path, "a mapping");
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (key, value) in map.iter() {
            match key.as_str() {
                Some(name) if known.contains(&name) => pairs.push((name, value)),
                name => self.unknown(&key.place, path, name.unwrap_or("?"), known),
            }
        }
        pairs
    }

    fn unknown(&mut self, place: &Place, path: &str, name: &str, known: &[&str]) {
        let problem = Problem::warning(Some(place.clone()), format!("unknown key `{path}.{name}`"));
        self.problems
            .push(match nearest(name, known.iter().copied()) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("known are `{}`", known.join("`, `"))),
            });
    }

    fn wrong(&mut self, value: &Value, path: &str, wanted: &str) {
        let message = format!("{path}: expected {wanted}; the default stays");
        self.problems
            .push(Problem::warning(Some(value.place.clone()), message));
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::config;

    use super::*;

    #[test]
    fn durations_are_seconds_or_have_a_unit() {
        for (text, want) in [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600)] {
            let (settings, problems) =
                Settings::of(&config(&format!("firstlight: {{gate_budget: {text}}}")));
            assert_eq!(settings.gate_budget(), Duration::from_secs(want), "{text}");
            assert!(problems.is_empty(), "{text}");
        }
    }

    #[test]
    fn key_servers_are_addresses() {
        let text = "firstlight: {ssh_import_id: {gh: 'https://ghe.example.com/api/v3/', lp: here}}";
        let (settings, problems) = Settings::of(&config(text));
        assert_eq!(
            settings.key_servers.github,
            "https://ghe.example.com/api/v3"
        );
        assert_eq!(settings.key_servers.launchpad, "https://launchpad.net");
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            [
                "test:1:73: firstlight.ssh_import_id.lp: expected an address of `https://`; the default stays"
            ]
        );
    }

    #[test]
    fn an_unknown_key_is_a_warning_that_suggests_the_nearest_one() {
        let (settings, problems) = Settings::of(&config("firstlight: {gate_bugdet: 5s}"));
        assert_eq!(settings, Settings::default());
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            text,
            ["test:1:14: unknown key `firstlight.gate_bugdet` (did you mean `gate_budget`?)"]
        );
    }

    #[test]
    fn selection_by_launch_index_has_the_guides_defaults() {
        let text = "firstlight: {user_data: {parameters: {select_by_launch_index: {}}}}";
        let (settings, _) = Settings::of(&config(text));
        let select = Select {
            delimiter: "|".into(),
            first_index: 1,
        };
        assert_eq!(settings.parameters.select, Some(select));
    }
}
