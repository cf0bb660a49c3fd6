//! Who shall be on the machine: the forms in which `users` and its kin are written, made one.
//! Source: cloud-init, `cloudinit/distros/ug_util.py`.

use contract::config::Config;
use contract::machine::Probe;
use contract::name::UserName;
use contract::place::Place;
use contract::plan::Problem;
use contract::yaml::{Kind, Mapping, Value};

use crate::fields;

mod default_user;
pub(crate) mod keys;

/// The keys that say it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wishes<'a> {
    /// `users`: nobody but the default user if it is absent.
    pub(crate) users: Option<&'a Value>,
    /// `user`: what is different about the default user.
    pub(crate) user: Option<&'a Value>,
    /// `system_info`, for its `default_user`.
    pub(crate) system_info: Option<&'a Value>,
}

/// Everybody who shall be there.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    /// In the order in which they are made; the default user is the last.
    pub(crate) list: Vec<Account>,
    /// The name of the default user, if one is wanted.
    pub(crate) default: Option<UserName>,
    /// What could not be made sense of.
    pub(crate) problems: Vec<Problem>,
}

/// Somebody who shall be there.
#[derive(Debug)]
pub(crate) struct Account {
    /// As it was written, not checked.
    pub(crate) name: String,
    /// Where it was written.
    pub(crate) place: Place,
    /// What is said of them, the keys with `_` for `-` and without `name`.
    pub(crate) keys: Mapping,
}

/// The names of all who shall be there, as they are written, each with its place; the default user
/// has none.
#[must_use]
pub fn accounts_of(config: &Config, probe: &dyn Probe) -> Vec<(String, Option<Place>)> {
    let wishes = Wishes {
        users: config.get("users"),
        user: config.get("user"),
        system_info: config.get("system_info"),
    };
    let accounts = wishes.accounts(probe);
    let default = accounts.default;
    let named = accounts.list.into_iter().map(|account| {
        let is_default = default
            .as_ref()
            .is_some_and(|name| name.as_str() == account.name);
        (account.name, Some(account.place).filter(|_| !is_default))
    });
    named.collect()
}

impl Wishes<'_> {
    /// Everybody who shall be there, each once.
    pub(crate) fn accounts(&self, probe: &dyn Probe) -> Accounts {
        let mut found = Accounts::default();
        let old = self.old_user(&mut found.problems);
        self.collect(&mut found);
        for account in &mut found.list {
            account.keys = normalized(&account.keys);
        }
        let is_default = |account: &Account| account.name == "default";
        let place = found.list.iter().find(|account| is_default(account));
        let place = place.map(|account| account.place.clone());
        let place = place.or_else(|| Some(self.user?.place.clone()).filter(|_| !old.is_empty()));
        let Some(place) =
            place.or_else(|| self.users.is_none().then(|| Place::whole("configuration")))
        else {
            return found;
        };
        let given = found.take("default").unwrap_or_default();
        let image = self.image_user(&mut found.problems);
        let image = image.unwrap_or_else(|| default_user::keys(probe));
        let mut base = overlay(old, image);
        let name = base.remove("name");
        let name = name.and_then(|name| checked(&name, &mut found.problems));
        let Some(name) = name.or_else(|| default_user::name(probe).parse().ok()) else {
            return found;
        };
        let mut own = found.take(name.as_str()).unwrap_or_default();
        let groups = base.remove("groups");
        if let Some(groups) = joined(own.get("groups"), groups.as_ref()) {
            own.insert(Value::new("groups".into(), groups.place.clone()), groups);
        }
        found.list.push(Account {
            name: name.to_string(),
            place,
            keys: overlay(base, overlay(given, own)),
        });
        found.default = Some(name);
        found
    }

    /// `user`, as a mapping.
    fn old_user(&self, problems: &mut Vec<Problem>) -> Mapping {
        let Some(user) = self.user else {
            return Mapping::default();
        };
        let told = |message: &str| Problem::notice(Some(user.place.clone()), message);
        match &user.kind {
            Kind::Map(keys) => normalized(keys),
            Kind::String(name) if name.is_empty() => Mapping::default(),
            Kind::String(_) => {
                let notice = told("user: a name alone is an old spelling");
                problems.push(notice.hint("write `user: {name: NAME}`"));
                let key = Value::new("name".into(), user.place.clone());
                std::iter::once((key, user.clone())).collect()
            }
            other => {
                let message = format!(
                    "user: expected a string or a mapping, found {}",
                    other.name()
                );
                problems.push(Problem::error(Some(user.place.clone()), message));
                Mapping::default()
            }
        }
    }

    /// `system_info.default_user`, if the image describes one.
    fn image_user(&self, problems: &mut Vec<Problem>) -> Option<Mapping> {
        let info = self.system_info?;
        let (path, wrong) = match &info.kind {
            Kind::Map(info) => match info.get("default_user") {
                None => return None,
                Some(user) => match &user.kind {
                    Kind::Null => return None,
                    Kind::Map(keys) => return Some(normalized(keys)),
                    _ => ("system_info.default_user", user),
                },
            },
            _ => ("system_info", info),
        };
        problems.push(fields::wrong(path, wrong, "a mapping"));
        None
    }

    fn collect(&self, found: &mut Accounts) {
        let Some(users) = self.users else { return };
        match &users.kind {
            Kind::List(entries) => entries.iter().for_each(|entry| found.entry(entry)),
            Kind::String(names) => {
                found.old_form(users);
                let mut names = words(names);
                names.sort_unstable();
                names
                    .iter()
                    .for_each(|name| found.add(name, &users.place, Mapping::default()));
            }
            Kind::Map(map) => {
                found.old_form(users);
                map.iter().for_each(|(name, value)| found.pair(name, value));
            }
            other => {
                let message = format!("users: expected a list, found {}", other.name());
                found
                    .problems
                    .push(Problem::error(Some(users.place.clone()), message));
            }
        }
    }
}

impl Accounts {
    fn old_form(&mut self, users: &Value) {
        let message = format!("users: {} is an old spelling", users.kind.name());
        let notice = Problem::notice(Some(users.place.clone()), message);
        self.problems
            .push(notice.hint("write a list, `- name: NAME` for each user"));
    }

    /// An entry of the list: names, or a mapping, which is about the default user without a name.
    fn entry(&mut self, entry: &Value) {
        match &entry.kind {
            Kind::String(names) => {
                for name in words(names) {
                    self.add(name, &entry.place, Mapping::default());
                }
            }
            Kind::List(names) => {
                for name in names {
                    match name.as_str() {
                        Some(text) => self.add(text.trim(), &name.place, Mapping::default()),
                        None => self.wrong(name, "expected a name"),
                    }
                }
            }
            Kind::Map(keys) => {
                let mut keys = keys.clone();
                match keys.remove("name") {
                    None => self.add("default", &entry.place, keys),
                    Some(name) => match name.to_text() {
                        Some(text) => self.add(&text, &name.place, keys),
                        None => self.wrong(&name, "name: expected a string"),
                    },
                }
            }
            _ => self.wrong(entry, "expected a name or a mapping"),
        }
    }

    /// An entry of a mapping: a user who is wanted or not, or what is said of one.
    fn pair(&mut self, name: &Value, value: &Value) {
        let Some(text) = name.to_text() else {
            return self.wrong(name, "expected a name");
        };
        match &value.kind {
            Kind::Map(keys) => {
                let mut keys = keys.clone();
                keys.remove("name");
                self.add(&text, &name.place, keys);
            }
            Kind::Bool(_) | Kind::Int(_) | Kind::Float(_) | Kind::String(_) => {
                let word = value.to_text().unwrap_or_default().to_ascii_lowercase();
                if ["true", "1", "on", "yes"].contains(&word.trim()) {
                    for name in words(&text) {
                        self.add(name, &value.place, Mapping::default());
                    }
                }
            }
            _ => self.wrong(value, "expected true, false or a mapping"),
        }
    }

    /// Of what is said of somebody twice, the first counts.
    fn add(&mut self, name: &str, place: &Place, keys: Mapping) {
        match self.list.iter_mut().find(|account| account.name == name) {
            Some(account) => account.keys = overlay(std::mem::take(&mut account.keys), keys),
            None => self.list.push(Account {
                name: name.to_owned(),
                place: place.clone(),
                keys,
            }),
        }
    }

    fn take(&mut self, name: &str) -> Option<Mapping> {
        let at = self.list.iter().position(|account| account.name == name)?;
        Some(self.list.remove(at).keys)
    }

    fn wrong(&mut self, value: &Value, what: &str) {
        let message = format!("users: {what}, found {}", value.kind.name());
        self.problems
            .push(Problem::error(Some(value.place.clone()), message));
    }
}

/// A mapping in which keys have `_` for `-`; of two that are the same then, the last counts.
fn normalized(keys: &Mapping) -> Mapping {
    let named = |key: &Value| {
        key.as_str()
            .map(|name| name.replace('-', "_").trim().to_owned())
    };
    keys.iter()
        .filter_map(|(key, value)| {
            Some((
                Value::new(named(key)?.into(), key.place.clone()),
                value.clone(),
            ))
        })
        .collect()
}

/// What `over` says, and what `under` says beside it; mappings are joined key by key.
fn overlay(mut over: Mapping, under: Mapping) -> Mapping {
    for (key, value) in under {
        match (key.as_str().and_then(|name| over.get_mut(name)), value.kind) {
            (
                Some(Value {
                    kind: Kind::Map(own),
                    ..
                }),
                Kind::Map(other),
            ) => {
                *own = overlay(std::mem::take(own), other);
            }
            (Some(_), _) => {}
            (None, kind) => {
                over.insert(key, Value::new(kind, value.place));
            }
        }
    }
    over
}

/// The groups of two values, sorted, as one string.
fn joined(own: Option<&Value>, more: Option<&Value>) -> Option<Value> {
    let place = own.or(more)?.place.clone();
    let mut all: Vec<String> = own.into_iter().chain(more).flat_map(group_names).collect();
    all.sort_unstable();
    all.dedup();
    Some(Value::new(all.join(",").into(), place))
}

/// The names in a string with commas, a list, or the keys of a mapping.
pub(crate) fn group_names(value: &Value) -> Vec<String> {
    match &value.kind {
        Kind::String(text) => words(text).into_iter().map(ToOwned::to_owned).collect(),
        Kind::List(entries) => entries.iter().filter_map(Value::to_text).collect(),
        Kind::Map(map) => map.keys().filter_map(Value::to_text).collect(),
        _ => Vec::new(),
    }
}

/// The words between commas.
fn words(text: &str) -> Vec<&str> {
    let words = text.split(',').map(str::trim);
    words.filter(|word| !word.is_empty()).collect()
}

fn checked(name: &Value, problems: &mut Vec<Problem>) -> Option<UserName> {
    let parsed = name.to_text().map(|text| text.parse::<UserName>());
    let what = match parsed {
        Some(Ok(name)) => return Some(name),
        Some(Err(bad)) => bad.to_string(),
        None => format!("expected a string, found {}", name.kind.name()),
    };
    let message = format!("the default user's name: {what}; the distribution's own is taken");
    problems.push(Problem::error(Some(name.place.clone()), message));
    None
}
