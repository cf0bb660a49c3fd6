//! One user: what is said of them becomes effects.
//! Source: cloud-init, `cloudinit/config/cc_users_groups.py` and `cloudinit/distros/__init__.py`
//! (`create_user`).

use std::path::{Path, PathBuf};

use contract::effect::{AuthorizedKeysSpec, Effect, Password, UserSpec};
use contract::machine::Probe;
use contract::module::Context;
use contract::name::{AuthorizedKey, UserName};
use contract::plan::{Problem, Step};
use contract::secret::Secret;
use contract::yaml::Kind;

use super::fields::Fields;
use super::rules;
use crate::accounts::Account;
use crate::ssh_keys;

/// A user without home has no place for what these keys give.
const NEED_HOME: [&str; 3] = ["ssh_authorized_keys", "ssh_import_id", "ssh_redirect_user"];
const NO_HOME: [&str; 2] = ["no_create_home", "system"];

/// What one user needs, and what is wrong with what was said of them.
pub(super) fn plan(
    account: &Account,
    default: Option<&UserName>,
    ctx: &Context<'_>,
) -> (Option<Step>, Vec<Problem>) {
    let fields = Fields::new(&account.name, &account.keys);
    let name = match account.name.parse::<UserName>() {
        Ok(name) => name,
        Err(bad) => {
            let message = format!("users: {bad}");
            return (
                None,
                vec![Problem::error(Some(account.place.clone()), message)],
            );
        }
    };
    let mut user = User {
        is_there: ctx
            .probe
            .user(name.as_str())
            .is_ok_and(|user| user.is_some()),
        name,
        fields,
        ctx,
    };
    let effects = user.effects(account, default);
    let step = effects.map(|effects| Step::new(account.name.as_str(), effects));
    (step, user.fields.problems)
}

struct User<'a> {
    name: UserName,
    /// Whether the account is there already: then what makes one does not count.
    is_there: bool,
    fields: Fields<'a>,
    ctx: &'a Context<'a>,
}

impl User<'_> {
    /// `None`: this user is not made.
    fn effects(&mut self, account: &Account, default: Option<&UserName>) -> Option<Vec<Effect>> {
        // Without `name` the entry is the default user's, whom nothing may cost.
        if let Some(value) = self.fields.get("snapuser") {
            let what = "snapd, which would make this user, does not run yet; it is ignored";
            self.fields.warn("snapuser", value, what);
        }
        if let Some(what) = self.contradiction() {
            let message = format!("users: `{}`: {what}; this user is not made", self.name);
            self.fields
                .problems
                .push(Problem::error(Some(account.place.clone()), message));
            return None;
        }
        let mut effects = if self.is_there {
            Vec::new()
        } else {
            self.account()?
        };
        // Keys before all that may fail: they are how most people get in.
        effects.extend(self.keys());
        effects.extend(self.redirection(default));
        effects.extend(self.password());
        effects.extend(self.doas());
        effects.extend(self.sudo());
        if effects.is_empty() {
            // So that the report shows the user.
            effects.push(Effect::user(UserSpec::new(self.name.clone())));
        }
        Some(effects)
    }

    /// What cannot be had together.
    fn contradiction(&self) -> Option<String> {
        let given = |keys: &[&'static str]| -> Vec<&'static str> {
            keys.iter()
                .copied()
                .filter(|key| self.fields.is_true(key))
                .collect()
        };
        let (home, no_home) = (given(&NEED_HOME), given(&NO_HOME));
        if let (Some(home), Some(no_home)) = (home.first(), no_home.first()) {
            return Some(format!(
                "`{home}` needs a home directory, and `{no_home}` makes none"
            ));
        }
        if !self.fields.is_true("ssh_redirect_user") {
            return None;
        }
        let redirect = self.fields.get("ssh_redirect_user")?;
        let keys = ["ssh_authorized_keys", "ssh_import_id"];
        if let Some(key) = keys.iter().find(|key| self.fields.get(key).is_some()) {
            return Some(format!(
                "`ssh_redirect_user` cannot be together with `{key}`"
            ));
        }
        let is_good = redirect.as_bool() == Some(true) || redirect.as_str() == Some("default");
        (!is_good).then(|| "ssh_redirect_user: expected true, `default` or false".to_owned())
    }

    /// The account itself, with the groups that it needs.
    fn account(&mut self) -> Option<Vec<Effect>> {
        let uid = match self.fields.get("uid") {
            None => None,
            Some(value) => match value
                .to_text()
                .and_then(|text| text.trim().parse::<u32>().ok())
            {
                Some(uid) if uid != u32::MAX => Some(uid),
                _ => {
                    let what = "expected an integer from 0 to 4294967294; this user is not made";
                    self.fields.error("uid", value, what);
                    return None;
                }
            },
        };
        let fields = &mut self.fields;
        let gecos = fields.field("gecos", |_| true, "expected one line without a colon");
        let homedir = fields.field(
            "homedir",
            |text| text.starts_with('/'),
            "expected an absolute path without a colon; this user is not made",
        );
        let shell = fields.field(
            "shell",
            |text| text.starts_with(['/', '*']),
            "expected an absolute path without a colon; this user is not made",
        );
        let inactive = fields.field(
            "inactive",
            |text| text.trim().parse::<i64>().is_ok_and(|days| days >= -1),
            "expected a number of days, or -1 for never; this user is not made",
        );
        let (Ok(homedir), Ok(shell), Ok(inactive)) = (homedir, shell, inactive) else {
            return None;
        };
        let system = fields.flag("system", false);
        let no_home = fields.flag("no_create_home", false);
        let spec = UserSpec {
            name: self.name.clone(),
            gecos: gecos.unwrap_or_default(),
            primary_group: fields.parsed("primary_group"),
            groups: fields.groups("groups"),
            no_user_group: fields.flag("no_user_group", false),
            homedir: homedir.map(PathBuf::from),
            create_home: !no_home && !system,
            shell: shell.map(PathBuf::from),
            uid,
            system,
            inactive,
            expiredate: fields.text("expiredate"),
            selinux_user: fields.text("selinux_user"),
            no_log_init: fields.flag("no_log_init", false),
        };
        let groups = spec.groups.iter().chain(&spec.primary_group).cloned();
        let mut effects = Vec::new();
        if fields.flag("create_groups", true) {
            effects.extend(groups.map(Effect::Group));
        }
        effects.push(Effect::user(spec));
        Some(effects)
    }

    /// `ssh_authorized_keys`: given and empty, it makes an empty file.
    fn keys(&mut self) -> Option<Effect> {
        self.fields.get("ssh_authorized_keys")?;
        let mut keys: Vec<AuthorizedKey> = Vec::new();
        for (line, value) in self.fields.lines("ssh_authorized_keys") {
            match line.parse() {
                Ok(key) if keys.contains(&key) => {}
                Ok(key) => keys.push(key),
                Err(bad) => self
                    .fields
                    .error("ssh_authorized_keys", value, &bad.to_string()),
            }
        }
        Some(self.authorize(keys, None))
    }

    /// The launch's keys, which only name the default user.
    fn redirection(&mut self, default: Option<&UserName>) -> Option<Effect> {
        let value = self
            .fields
            .get("ssh_redirect_user")
            .filter(|_| self.fields.is_true("ssh_redirect_user"))?;
        let Some(default) = default else {
            let missing = "there is no default user to name; it is ignored";
            self.fields.warn("ssh_redirect_user", value, missing);
            return None;
        };
        let keys = &self.ctx.instance.public_keys;
        if keys.is_empty() {
            self.fields.no_launch_key("ssh_redirect_user", value);
            return None;
        }
        let options = ssh_keys::redirect(default.as_str(), self.name.as_str());
        Some(self.authorize(keys.clone(), Some(options)))
    }

    fn authorize(&self, keys: Vec<AuthorizedKey>, options: Option<String>) -> Effect {
        Effect::AuthorizedKeys(AuthorizedKeysSpec {
            user: self.name.clone(),
            keys,
            options,
        })
    }

    /// The password, and whether it is locked. Of several the last counts, as if each were set.
    fn password(&mut self) -> Vec<Effect> {
        let locks = self.fields.flag("lock_passwd", true);
        let first = self.fields.secret("passwd");
        let plain = self.fields.secret("plain_text_passwd");
        let hashed = self.fields.secret("hashed_passwd");
        let is_given = plain.is_some() || hashed.is_some() || (!self.is_there && first.is_some());
        if self.is_there && !is_given && first.is_some() {
            self.ignored();
        }
        let wanted =
            |secret: Option<Secret<String>>| secret.filter(|text| !text.expose().is_empty());
        let first = wanted(first).filter(|_| !self.is_there);
        let text = match (wanted(hashed), wanted(plain), first) {
            (Some(hash), ..) | (None, None, Some(hash)) => {
                Some(Password::Hash(locked(hash, locks)))
            }
            (None, Some(plain), _) => Some(Password::Plain(plain)),
            (None, None, None) => None,
        };
        let more = match (&text, locks) {
            (Some(Password::Hash(_)), _) | (Some(_), false) => None,
            (_, true) => Some(Password::Locked),
            (None, false) if is_given || (self.is_there && self.has_password()) => {
                Some(Password::Unlocked)
            }
            (None, false) => {
                self.stays_locked();
                None
            }
        };
        let user = self.name.clone();
        let states = text.into_iter().chain(more);
        states
            .map(|state| Effect::password(user.clone(), state))
            .collect()
    }

    fn ignored(&mut self) {
        let Some(value) = self.fields.get("passwd") else {
            return;
        };
        let hash = value.to_text().unwrap_or_default();
        let now = password_of(self.ctx.probe, self.name.as_str());
        // After a run that made the user it is what was asked for.
        if now.as_deref().map(|now| now.trim_start_matches('!')) != Some(hash.as_str()) {
            let what = "it is for users who are not there yet, and this one is; it is ignored";
            self.fields.warn("passwd", value, what);
        }
    }

    fn has_password(&self) -> bool {
        let now = password_of(self.ctx.probe, self.name.as_str());
        !now.is_some_and(|now| now.is_empty() || now == "!")
    }

    fn stays_locked(&mut self) {
        let Some(value) = self.fields.get("lock_passwd") else {
            return;
        };
        let what = "there is no password to unlock; give one with `hashed_passwd`";
        self.fields.warn("lock_passwd", value, what);
    }

    fn doas(&mut self) -> Option<Effect> {
        let value = self
            .fields
            .get("doas")
            .filter(|_| self.fields.is_true("doas"))?;
        let rules: Vec<String> = self
            .fields
            .lines("doas")
            .into_iter()
            .map(|(rule, _)| rule)
            .collect();
        let effect = rules::doas(&self.name, &rules);
        if effect.is_none() {
            let what =
                "expected rules such as `permit nopass NAME`, about this user; none is written";
            self.fields.error("doas", value, what);
        }
        effect
    }

    fn sudo(&mut self) -> Vec<Effect> {
        let Some(value) = self.fields.get("sudo") else {
            return Vec::new();
        };
        match &value.kind {
            Kind::Bool(false) => {
                let message = format!("users: `{}`: sudo: false is an old spelling", self.name);
                let notice = Problem::notice(Some(value.place.clone()), message);
                self.fields
                    .problems
                    .push(notice.hint("write null, or leave it out"));
                return Vec::new();
            }
            Kind::String(rule) if !rule.is_empty() => {
                return rules::sudo(&self.name, std::slice::from_ref(rule), self.ctx.probe);
            }
            Kind::String(_) => return Vec::new(),
            Kind::List(_) => {}
            _ => {
                self.fields
                    .wrong("sudo", value, "expected a rule, or a list of rules");
                return Vec::new();
            }
        }
        let rules: Vec<String> = self
            .fields
            .lines("sudo")
            .into_iter()
            .map(|(rule, _)| rule)
            .collect();
        if rules.is_empty() {
            return Vec::new();
        }
        rules::sudo(&self.name, &rules, self.ctx.probe)
    }
}

/// The hash with a lock before it, or without the one that it has.
fn locked(hash: Secret<String>, locks: bool) -> Secret<String> {
    hash.map(|hash| match (hash.strip_prefix('!'), locks) {
        (None, true) => format!("!{hash}"),
        (Some(bare), false) => bare.to_owned(),
        _ => hash,
    })
}

/// The second field of somebody's row of /etc/shadow (shadow(5)); `None` if it cannot be seen.
fn password_of(probe: &dyn Probe, user: &str) -> Option<String> {
    let text = probe.read(Path::new("/etc/shadow")).ok()??;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(user)).then(|| fields.next().unwrap_or("").to_owned())
    })
}
