//! What the mapping `apt` says, each key and each entry read by itself.

use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Mapping, Notation, Placed, Value};

use crate::fields::{self, wrong};
use crate::switch;

/// Everything that `apt` says.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) preserves_sources: bool,
    pub(super) writes_mirrorlists: bool,
    pub(super) primary: Vec<Mirror>,
    pub(super) security: Vec<Mirror>,
    pub(super) sources_list: Option<Placed<String>>,
    pub(super) disable_suites: Vec<String>,
    pub(super) add_apt_repo_match: Option<Placed<String>>,
    /// The lines of apt.conf(5) for proxies, in cloud-init's order.
    pub(super) proxies: Vec<String>,
    pub(super) conf: Option<String>,
    /// In the order of their names.
    pub(super) debconf: Vec<(String, Placed<String>)>,
    /// `None` if the key is not given: then the lists of packages are not fetched.
    pub(super) sources: Option<Vec<Source>>,
}

/// An entry of `primary` or `security`.
#[derive(Debug)]
pub(super) struct Mirror {
    pub(super) place: Place,
    pub(super) arches: Vec<String>,
    pub(super) uri: Option<String>,
    pub(super) search: Vec<String>,
    pub(super) searches_dns: bool,
    pub(super) key: Option<Key>,
}

/// A public key that signs packages.
#[derive(Debug)]
pub(super) enum Key {
    Armored(Placed<String>),
    Id { id: Placed<String>, server: String },
}

/// An entry of `sources`.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is called in messages: `apt.sources.docker`.
    pub(super) path: String,
    pub(super) filename: Placed<String>,
    pub(super) source: Option<Placed<String>>,
    pub(super) appends: bool,
    pub(super) key: Option<Key>,
}

const SERVER: &str = "keyserver.ubuntu.com";

/// Where the source of an old list goes that names no file.
const OLD_FILE: &str = "cloud_config_sources.list";

const PROXIES: [(&str, &str); 4] = [
    ("proxy", "http"),
    ("http_proxy", "http"),
    ("ftp_proxy", "ftp"),
    ("https_proxy", "https"),
];

impl Wanted {
    pub(super) fn read(apt: &Mapping, problems: &mut Vec<Problem>) -> Self {
        let mut reader = Reader { problems };
        let preserve = given(apt, "preserve_sources_list");
        Self {
            preserves_sources: preserve.is_some_and(|value| reader.preserves(value)),
            writes_mirrorlists: reader.is_on(apt, "apt", "generate_mirrorlists", false),
            primary: reader.mirrors(apt, "primary"),
            security: reader.mirrors(apt, "security"),
            sources_list: reader.text(apt, "apt", "sources_list"),
            disable_suites: reader.texts(apt, "apt", "disable_suites"),
            add_apt_repo_match: reader.text(apt, "apt", "add_apt_repo_match"),
            proxies: reader.proxies(apt),
            conf: reader.text(apt, "apt", "conf").map(Placed::into_inner),
            debconf: reader.debconf(apt),
            sources: given(apt, "sources").map(|value| reader.sources(value)),
        }
    }
}

fn given<'a>(map: &'a Mapping, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

struct Reader<'a> {
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn wrong(&mut self, value: &Value, path: &str, wanted: &str) {
        self.problems.push(wrong(path, value, wanted));
    }

    /// A text; none if it is empty.
    fn text(&mut self, map: &Mapping, path: &str, key: &str) -> Option<Placed<String>> {
        let value = given(map, key)?;
        let Some(text) = value.to_text() else {
            self.wrong(value, &format!("{path}.{key}"), "a string");
            return None;
        };
        (!text.is_empty()).then(|| Placed::new(text, value.place.clone()))
    }

    /// A list of texts, or one of them.
    fn texts(&mut self, map: &Mapping, path: &str, key: &str) -> Vec<String> {
        let Some(value) = given(map, key) else {
            return Vec::new();
        };
        let one = std::slice::from_ref(value);
        let mut texts = Vec::new();
        for entry in value.as_list().unwrap_or(one) {
            match entry.to_text() {
                Some(text) => texts.push(text),
                None => self.wrong(entry, &format!("{path}.{key}"), "a list of strings"),
            }
        }
        texts
    }

    /// A text that stays one word of a line.
    fn address(&mut self, map: &Mapping, path: &str, key: &str) -> Option<String> {
        let text = self.text(map, path, key)?;
        if text
            .value
            .contains(|c: char| c.is_whitespace() || c.is_control())
        {
            let message = format!("{path}.{key}: expected an address");
            self.problems
                .push(Problem::error(Some(text.place), message));
            return None;
        }
        Some(text.value)
    }

    fn is_on(&mut self, map: &Mapping, path: &str, key: &str, default: bool) -> bool {
        let path = format!("{path}.{key}");
        switch::or(default, &path, given(map, key), self.problems)
    }

    /// What is neither true nor false leaves the sources alone, as in cloud-init.
    fn preserves(&mut self, value: &Value) -> bool {
        switch::or(
            true,
            "apt.preserve_sources_list",
            Some(value),
            self.problems,
        )
    }

    fn mirrors(&mut self, apt: &Mapping, key: &str) -> Vec<Mirror> {
        let Some(value) = given(apt, key) else {
            return Vec::new();
        };
        let Some(entries) = value.as_list() else {
            self.wrong(value, &format!("apt.{key}"), "a list of mappings");
            return Vec::new();
        };
        let mut mirrors = Vec::new();
        for (index, entry) in entries.iter().enumerate() {
            let path = format!("apt.{key}[{index}]");
            match entry.as_map() {
                Some(map) => mirrors.push(Mirror {
                    place: entry.place.clone(),
                    arches: self.texts(map, &path, "arches"),
                    uri: self.address(map, &path, "uri"),
                    search: self.texts(map, &path, "search"),
                    searches_dns: self.is_on(map, &path, "search_dns", false),
                    key: self.key(map, &path),
                }),
                None => self.wrong(entry, &path, "a mapping"),
            }
        }
        mirrors
    }

    /// A key that is given is not asked for.
    fn key(&mut self, map: &Mapping, path: &str) -> Option<Key> {
        if let Some(text) = self.text(map, path, "key") {
            return Some(Key::Armored(text));
        }
        let value = given(map, "keyid")?;
        // Its digits are not those that were written.
        if let Kind::Int(number) = &value.kind
            && number.notation() != Notation::Decimal
        {
            self.wrong(value, &format!("{path}.keyid"), "a string, in quotes");
            return None;
        }
        let id = self.text(map, path, "keyid")?;
        let server = self.text(map, path, "keyserver").map(Placed::into_inner);
        Some(Key::Id {
            id,
            server: server.unwrap_or_else(|| SERVER.to_owned()),
        })
    }

    fn proxies(&mut self, apt: &Mapping) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, scheme) in PROXIES {
            let Some(proxy) = self.text(apt, "apt", key) else {
                continue;
            };
            // It would end what apt.conf(5) takes for the address.
            if proxy.value.contains(['"', '\n']) {
                let message = format!("apt.{key}: expected an address");
                self.problems
                    .push(Problem::error(Some(proxy.place), message));
                continue;
            }
            lines.push(format!("Acquire::{scheme}::Proxy \"{}\";\n", proxy.value));
        }
        lines
    }

    fn debconf(&mut self, apt: &Mapping) -> Vec<(String, Placed<String>)> {
        let Some(value) = given(apt, "debconf_selections") else {
            return Vec::new();
        };
        let Some(map) = value.as_map() else {
            self.wrong(value, "apt.debconf_selections", "a mapping of strings");
            return Vec::new();
        };
        let mut answers = Vec::new();
        let pairs = fields::sorted(map).into_iter();
        for (name, value) in pairs.filter(|(_, value)| !value.is_null()) {
            let name = name.to_text().unwrap_or_default();
            match value.as_str() {
                Some(text) => {
                    let text = Placed::new(text.to_owned(), value.place.clone());
                    answers.push((name, text));
                }
                None => self.wrong(value, &format!("apt.debconf_selections.{name}"), "a string"),
            }
        }
        answers
    }

    fn sources(&mut self, value: &Value) -> Vec<Source> {
        let mut sources = Vec::new();
        match &value.kind {
            Kind::Map(map) => {
                for (name, entry) in fields::sorted(map) {
                    let place = &name.place;
                    let name = name.to_text().unwrap_or_default();
                    let name = Placed::new(name, place.clone());
                    sources.extend(self.source(entry, format!("apt.sources.{}", *name), name));
                }
            }
            // As `apt_sources` was written once.
            Kind::List(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    let name = Placed::new(OLD_FILE.to_owned(), entry.place.clone());
                    sources.extend(self.source(entry, format!("apt.sources[{index}]"), name));
                }
            }
            _ => self.wrong(value, "apt.sources", "a mapping"),
        }
        sources
    }

    fn source(&mut self, entry: &Value, path: String, name: Placed<String>) -> Option<Source> {
        let Some(map) = entry.as_map() else {
            self.wrong(entry, &path, "a mapping");
            return None;
        };
        Some(Source {
            filename: self.text(map, &path, "filename").unwrap_or(name),
            source: self.text(map, &path, "source"),
            appends: self.is_on(map, &path, "append", true),
            key: self.key(map, &path),
            path,
        })
    }
}
