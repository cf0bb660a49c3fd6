//! Passwords of users who are there, and whether sshd takes passwords.
//!
//! Source: cloud-init, `cloudinit/config/cc_set_passwords.py`.

use contract::effect::{Effect, Password, UnitVerb};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::name::UserName;
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::accounts::Wishes;
use crate::services;
use crate::sshd_config;
use crate::switch;

#[cfg(test)]
mod tests;

const KEYS: &[Key] = &[
    Key::new(
        "password",
        Shape::Scalar,
        "the default user's password, its hash, or `RANDOM`",
    )
    .secret(),
    Key::new(
        "chpasswd",
        Shape::Map(CHPASSWD),
        "passwords of users who are there",
    ),
    Key::new(
        "ssh_pwauth",
        Shape::OneOf(&[Shape::Switch, Shape::Word(&["unchanged"])]),
        "whether sshd takes passwords",
    )
    .or("unchanged"),
];

const CHPASSWD: &[Key] = &[
    Key::new(
        "expire",
        Shape::Switch,
        "whether they have to be changed at the next login",
    )
    .or("true"),
    Key::new(
        "users",
        Shape::List(&Shape::Map(USER)),
        "whose, and what they are",
    ),
    Key::new(
        "list",
        Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
        "the same in an old spelling: `NAME:PASSWORD` on each line",
    )
    .secret(),
];

const USER: &[Key] = &[
    Key::new("name", Shape::Scalar, "the user").required(),
    Key::new("password", Shape::Scalar, "the password or its hash").secret(),
    Key::new(
        "type",
        Shape::Word(&["hash", "text", "RANDOM"]),
        "what the password is",
    )
    .or("hash"),
];

/// Sets passwords.
pub(crate) struct SetPasswords;

/// The keys about passwords.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    password: Option<Value>,
    chpasswd: Option<Value>,
    ssh_pwauth: Option<Value>,
}

/// Who the default user is; what is wrong with it is told by users_groups.
#[derive(Debug, Default, Deserialize)]
struct Users {
    users: Option<Value>,
    user: Option<Value>,
    system_info: Option<Value>,
}

impl Module for SetPasswords {
    const FACTS: Facts = Facts {
        name: "set_passwords",
        summary: "set passwords, and let sshd take them or not",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/set_passwords.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut passwords = Passwords::default();
        if let Some(chpasswd) = &want.chpasswd {
            passwords.chpasswd(chpasswd);
        }
        if let Some(password) = want.password.as_ref().filter(|_| !passwords.is_asked) {
            passwords.of_default_user(password, ctx);
        }
        let mut plan = passwords.plan();
        if let Some(pwauth) = &want.ssh_pwauth {
            let step = ssh_pwauth(pwauth, ctx, &mut plan.problems);
            plan.steps.extend(step);
        }
        plan
    }
}

/// What shall be set, and what is wrong with what was asked for.
struct Passwords {
    /// Each user once, with each of their passwords: texts first, then hashes.
    list: Vec<(UserName, Vec<Password>)>,
    /// Whether `chpasswd` asks for any, good or bad: then `password` does not count.
    is_asked: bool,
    expires: bool,
    problems: Vec<Problem>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            is_asked: false,
            expires: true,
            problems: Vec::new(),
        }
    }
}

impl Passwords {
    fn chpasswd(&mut self, chpasswd: &Value) {
        if chpasswd.as_map().is_none() {
            return self.wrong("chpasswd", chpasswd, "expected a mapping");
        }
        let given = |key: &str| chpasswd.get(key).filter(|value| !value.is_null());
        self.expires = switch::is_on("chpasswd.expire", given("expire"), &mut self.problems);
        if let Some(users) = given("users") {
            match users.as_list() {
                Some(entries) => entries.iter().for_each(|entry| self.user(entry)),
                None => self.wrong("chpasswd.users", users, "expected a list"),
            }
        }
        if let Some(list) = given("list") {
            self.lines(list);
        }
    }

    /// An entry of `chpasswd.users`.
    fn user(&mut self, entry: &Value) {
        self.is_asked = true;
        let path = "chpasswd.users";
        if entry.as_map().is_none() {
            return self.wrong(path, entry, "expected a mapping");
        }
        let given = |key: &str| entry.get(key).filter(|value| !value.is_null());
        let Some(name) = given("name") else {
            return self.error(path, entry, "`name` is missing");
        };
        let password = given("password");
        let kind = given("type");
        let text = password.and_then(Value::to_text);
        let state = match (kind.map_or(Some("hash"), Value::as_str), text) {
            (Some("RANDOM"), _) => Password::Random,
            (Some("hash" | "text"), None) => {
                let at = password.unwrap_or(entry);
                return self.error(path, at, "expected `password`, a string, or `type: RANDOM`");
            }
            (Some("hash"), Some(hash)) => Password::Hash(Secret::new(hash)),
            (Some("text"), Some(text)) => Password::Plain(Secret::new(text)),
            _ => {
                let at = kind.unwrap_or(entry);
                return self.error(path, at, "type: expected `hash`, `text` or `RANDOM`");
            }
        };
        self.add(path, name.to_text(), state, name);
    }

    /// `chpasswd.list`.
    fn lines(&mut self, list: &Value) {
        let path = "chpasswd.list";
        let lines: Vec<(&str, &Value)> = match &list.kind {
            Kind::String(text) => text.lines().map(|line| (line, list)).collect(),
            Kind::List(entries) => {
                let lines = entries
                    .iter()
                    .map(|entry| (entry.as_str().unwrap_or(""), entry));
                lines.collect()
            }
            _ => return self.wrong(path, list, "expected a list of `NAME:PASSWORD`"),
        };
        let is_text = list.as_str().is_some();
        let notice = Problem::notice(
            Some(list.place.clone()),
            "chpasswd.list: this is an old spelling",
        );
        self.problems
            .push(notice.hint("write `users`, each with `name`, `password` and `type`"));
        for (line, value) in lines {
            if is_text && line.trim().is_empty() {
                continue;
            }
            self.is_asked = true;
            match line.split_once(':') {
                Some((name, password)) => {
                    self.add(path, Some(name.to_owned()), read(password), value);
                }
                None => self.error(path, value, "expected `NAME:PASSWORD`"),
            }
        }
    }

    /// `password`.
    fn of_default_user(&mut self, password: &Value, ctx: &Context<'_>) {
        let users: Users = ctx
            .config
            .section(&["users", "user", "system_info"])
            .unwrap_or_default();
        let wishes = Wishes {
            users: users.users.as_ref(),
            user: users.user.as_ref(),
            system_info: users.system_info.as_ref(),
        };
        let Some(text) = password.to_text() else {
            return self.wrong("password", password, "expected a string");
        };
        if text.is_empty() {
            return;
        }
        match wishes.accounts(ctx.probe).default {
            Some(user) => self.add("password", Some(user.into()), read(&text), password),
            None => {
                let message = "password: there is no default user whose it could be; it is ignored";
                let place = Some(password.place.clone());
                self.problems
                    .push(Problem::warning(place, message).hint("add `- default` to `users`"));
            }
        }
    }

    fn add(&mut self, path: &str, name: Option<String>, state: Password, at: &Value) {
        let name: UserName = match name.as_deref().map(str::parse) {
            Some(Ok(name)) => name,
            Some(Err(bad)) => {
                return self.error(path, at, &bad.to_string());
            }
            None => return self.wrong(path, at, "name: expected a string"),
        };
        let unfit = match &state {
            Password::Hash(hash) => hash.expose().contains(['\n', '\r', '\0', ':']),
            Password::Plain(text) => text.expose().contains(['\n', '\r', '\0']),
            _ => false,
        };
        if unfit {
            return self.error(
                path,
                at,
                "this password has a line end in it, or is a hash with a colon",
            );
        }
        let is_hash = matches!(state, Password::Hash(_));
        let position = match self.list.iter().position(|(own, _)| *own == name) {
            Some(position) => position,
            None => {
                self.list.push((name, Vec::new()));
                self.list.len() - 1
            }
        };
        if let Some((_, states)) = self.list.get_mut(position) {
            // The last one counts, and any hash more than any text.
            let hashed = states
                .iter()
                .any(|state| matches!(state, Password::Hash(_)));
            if is_hash || !hashed {
                *states = vec![state];
            }
        }
    }

    fn plan(self) -> Plan {
        let expires = self.expires;
        let steps = self.list.into_iter().map(|(user, states)| {
            let expired = expires.then_some(Password::Expired);
            let states = states.into_iter().chain(expired);
            let effects: Vec<Effect> = states
                .map(|state| Effect::password(user.clone(), state))
                .collect();
            Step::new(user.as_str(), effects)
        });
        let mut plan: Plan = steps.collect();
        plan.problems = self.problems;
        plan
    }

    fn wrong(&mut self, path: &str, value: &Value, expected: &str) {
        let what = format!("{expected}, found {}", value.kind.name());
        self.error(path, value, &what);
    }

    fn error(&mut self, path: &str, value: &Value, what: &str) {
        let message = format!("{path}: {what}");
        self.problems
            .push(Problem::error(Some(value.place.clone()), message));
    }
}

/// What a password without a type is: `R` and `RANDOM` ask for one, and a hash shows itself.
fn read(password: &str) -> Password {
    match password {
        "R" | "RANDOM" => Password::Random,
        hash if is_hash(hash) => Password::Hash(Secret::new(hash.to_owned())),
        text => Password::Plain(Secret::new(text.to_owned())),
    }
}

/// `$1$SALT$HASH` and its kin (crypt(5)). cloud-init does not know `$y$`.
fn is_hash(text: &str) -> bool {
    let kinds = ["$1$", "$2a$", "$2y$", "$5$", "$6$"];
    let rest = kinds.iter().find_map(|kind| text.strip_prefix(kind));
    let is_pair = |rest: &str| {
        let mut inner = rest.char_indices().skip(1);
        inner.any(|(at, c)| c == '$' && at + 1 < rest.len())
    };
    rest.is_some_and(is_pair) && !text.contains(':')
}

/// Whether sshd takes passwords: it is told again if it runs.
fn ssh_pwauth(given: &Value, ctx: &Context<'_>, problems: &mut Vec<Problem>) -> Option<Step> {
    let place = || Some(given.place.clone());
    if given.as_str().is_some() {
        let notice = Problem::notice(place(), "ssh_pwauth: a text is an old spelling");
        problems.push(notice.hint("write true or false, or leave it out"));
    }
    let value = match switch::read(given) {
        Some(true) => "yes",
        Some(false) => "no",
        None => {
            let word = given.as_str().unwrap_or_default();
            if !word.eq_ignore_ascii_case("unchanged") {
                let message =
                    "ssh_pwauth: expected true, false or `unchanged`; sshd is left as it is";
                problems.push(Problem::warning(place(), message));
            }
            return None;
        }
    };
    let effect = sshd_config::set("PasswordAuthentication", value, ctx.probe)?;
    let mut step = Step::new("ssh_pwauth", [effect]);
    let restart = services::job(UnitVerb::TryRestart, &service(ctx), ctx.probe);
    step.on_change.push(restart);
    Some(step)
}

/// The service of the SSH server: where cloud-init leaves it to the image, the image may say.
fn service(ctx: &Context<'_>) -> String {
    let system = ctx.config.get("system_info");
    let named = || system.and_then(|system| system.get("ssh_svcname")?.as_str());
    let named = || named().filter(|name| services::is_name(name));
    let name = services::sshd(ctx.probe).or_else(named).unwrap_or("ssh");
    name.to_owned()
}
