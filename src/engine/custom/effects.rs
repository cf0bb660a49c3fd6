//! The effects that a custom module may want, as its answer spells them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use contract::base64;
use contract::effect::{
    AuthorizedKeysSpec, CommandSpec, Content, Effect, FileSpec, Mode, Owner, Program, ToolSpec,
    UnitVerb, UserSpec,
};
use contract::name::{AuthorizedKey, BadName, UserName};
use contract::secret::Secret;
use serde::Deserialize;

/// One effect: exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    file: Option<File>,
    #[serde(default)]
    directory: Option<Directory>,
    #[serde(default)]
    link: Option<Link>,
    #[serde(default)]
    absent: Option<Absent>,
    #[serde(default)]
    group: Option<Group>,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    member: Option<Member>,
    #[serde(default)]
    authorized_keys: Option<AuthorizedKeys>,
    #[serde(default)]
    packages: Option<Packages>,
    #[serde(default)]
    unit: Option<Unit>,
    #[serde(default)]
    tool: Option<Tool>,
    #[serde(default)]
    run: Option<Run>,
    #[serde(default)]
    console: Option<Console>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    #[serde(default)]
    content: Option<Secret<String>>,
    #[serde(default)]
    content_base64: Option<Secret<String>>,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    secret: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Directory {
    path: String,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    owner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    path: String,
    to: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Absent {
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct User {
    name: String,
    #[serde(default)]
    gecos: Option<String>,
    #[serde(default)]
    primary_group: Option<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    homedir: Option<String>,
    #[serde(default)]
    shell: Option<String>,
    #[serde(default)]
    uid: Option<u32>,
    #[serde(default)]
    system: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Member {
    user: String,
    group: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizedKeys {
    user: String,
    keys: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Packages {
    names: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unit {
    verb: Verb,
    name: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Start,
    Restart,
    TryRestart,
    TryReloadOrRestart,
    Stop,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tool {
    what: String,
    argv: Vec<String>,
    #[serde(default)]
    stdin: Secret<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    creates: Option<String>,
    #[serde(default)]
    live_only: bool,
    #[serde(default)]
    timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    label: String,
    argv: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, Secret<String>>,
    #[serde(default)]
    timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Console {
    text: String,
}

/// Makes effects of what is wanted.
pub(super) struct Maker<'a> {
    /// Whether a secret of the configuration is in a text.
    pub(super) is_secret: &'a dyn Fn(&str) -> bool,
    pub(super) packages: &'a dyn Fn(&[&str]) -> Option<Effect>,
}

/// What is wrong, from behind the effect on: `.file.path: expected an absolute path`.
type Made<T> = Result<T, String>;

impl Maker<'_> {
    pub(super) fn effect(&self, wanted: Wanted) -> Made<Effect> {
        let Wanted {
            file,
            directory,
            link,
            absent,
            group,
            user,
            member,
            authorized_keys,
            packages,
            unit,
            tool,
            run,
            console,
        } = wanted;
        let made = [
            file.map(|file| self.file(file)),
            directory.map(directory_of),
            link.map(link_of),
            absent.map(|absent| {
                let at = path(".absent.path", &absent.path)?.into();
                Ok(Effect::Absent { at })
            }),
            group.map(|group| Ok(Effect::Group(name(".group.name", &group.name)?))),
            user.map(user_of),
            member.map(|member| {
                Ok(Effect::Member {
                    user: name(".member.user", &member.user)?,
                    group: name(".member.group", &member.group)?,
                })
            }),
            authorized_keys.map(keys_of),
            packages.map(|packages| self.packages(&packages)),
            unit.map(unit_of),
            tool.map(tool_of),
            run.map(run_of),
            console.map(|console| {
                let text = line(".console.text", &console.text)? + "\n";
                Ok(Effect::Console { text })
            }),
        ];
        let mut made = made.into_iter().flatten();
        match (made.next(), made.next()) {
            (Some(made), None) => made,
            _ => Err(": expected exactly one effect, such as `file`".to_owned()),
        }
    }

    fn file(&self, file: File) -> Made<Effect> {
        let mode = mode(".file.mode", file.mode.as_deref(), Mode::PUBLIC)?;
        let (bytes, holds_secret) = match (file.content, file.content_base64) {
            (Some(text), None) => {
                let holds_secret = (self.is_secret)(text.expose());
                (text.into_inner().into_bytes(), holds_secret)
            }
            (None, Some(text)) => {
                let bytes = base64::decode(text.expose());
                let wrong = || ".file.content_base64: that is no base64".to_owned();
                let bytes = bytes.ok_or_else(wrong)?;
                // Bytes are one as base64, too.
                let holds_secret = (self.is_secret)(&String::from_utf8_lossy(&bytes))
                    || (self.is_secret)(text.expose());
                (bytes, holds_secret)
            }
            _ => return Err(".file: expected either `content` or `content_base64`".to_owned()),
        };
        let is_secret = file.secret || holds_secret || mode.is_private();
        if holds_secret && !mode.is_private() {
            let why = ".file.mode: everybody could read a secret of the configuration";
            return Err(why.to_owned());
        }
        Ok(Effect::File(FileSpec {
            at: path(".file.path", &file.path)?.into(),
            content: match is_secret {
                true => Content::Secret(Secret::new(bytes)),
                false => Content::Plain(bytes),
            },
            mode,
            owner: owner(".file.owner", file.owner.as_deref())?,
        }))
    }

    fn packages(&self, packages: &Packages) -> Made<Effect> {
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        let is_name =
            |name: &&str| !name.is_empty() && !name.starts_with('-') && !name.contains(is_odd);
        let names: Vec<&str> = packages.names.iter().map(String::as_str).collect();
        if names.is_empty() || !names.iter().all(is_name) {
            return Err(".packages.names: expected names of packages".to_owned());
        }
        (self.packages)(&names)
            .ok_or_else(|| ".packages: no package manager of this distribution is known".to_owned())
    }
}

fn directory_of(directory: Directory) -> Made<Effect> {
    Ok(Effect::Directory {
        at: path(".directory.path", &directory.path)?.into(),
        mode: mode(
            ".directory.mode",
            directory.mode.as_deref(),
            Mode::PUBLIC_DIR,
        )?,
        owner: owner(".directory.owner", directory.owner.as_deref())?,
    })
}

fn link_of(link: Link) -> Made<Effect> {
    if link.to.is_empty() || !is_path(&link.to) {
        return Err(format!(".link.to: expected a path {PLAIN}"));
    }
    Ok(Effect::Link {
        at: path(".link.path", &link.path)?.into(),
        to: PathBuf::from(link.to),
    })
}

fn user_of(user: User) -> Made<Effect> {
    let mut spec = UserSpec::new(name(".user.name", &user.name)?);
    let optional = |field, text: Option<String>| text.map(|text| path(field, &text)).transpose();
    // passwd(5)
    let is_field = |text: &String| !text.contains(|c: char| c == ':' || c.is_control());
    for (field, text) in [
        ("gecos", &user.gecos),
        ("homedir", &user.homedir),
        ("shell", &user.shell),
    ] {
        if !text.iter().all(is_field) {
            return Err(format!(".user.{field}: expected one line without a colon"));
        }
    }
    spec.gecos = user.gecos;
    let group = user.primary_group.as_deref();
    spec.primary_group = group
        .map(|group| name(".user.primary_group", group))
        .transpose()?;
    let groups = user.groups.iter().map(|group| name(".user.groups", group));
    spec.groups = groups.collect::<Made<_>>()?;
    spec.homedir = optional(".user.homedir", user.homedir)?;
    spec.shell = optional(".user.shell", user.shell)?;
    spec.uid = user.uid;
    spec.system = user.system;
    spec.create_home = !user.system;
    Ok(Effect::user(spec))
}

fn keys_of(keys: AuthorizedKeys) -> Made<Effect> {
    let all = keys.keys.iter();
    let all = all.map(|key| named::<AuthorizedKey>(".authorized_keys.keys", key));
    Ok(Effect::AuthorizedKeys(AuthorizedKeysSpec {
        user: name(".authorized_keys.user", &keys.user)?,
        keys: all.collect::<Made<_>>()?,
        options: None,
    }))
}

fn unit_of(unit: Unit) -> Made<Effect> {
    // systemd.unit(5)
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b":-_.\\@".contains(&b);
    let name = unit.name;
    if !(name.contains('.') && name.len() <= 255 && name.bytes().all(is_inner)) {
        return Err(".unit.name: expected a unit's name, such as `nginx.service`".to_owned());
    }
    let verb = match unit.verb {
        Verb::Start => UnitVerb::Start,
        Verb::Restart => UnitVerb::Restart,
        Verb::TryRestart => UnitVerb::TryRestart,
        Verb::TryReloadOrRestart => UnitVerb::Reload,
        Verb::Stop => UnitVerb::Stop,
    };
    Ok(Effect::Unit { verb, name })
}

fn tool_of(tool: Tool) -> Made<Effect> {
    let mut spec = ToolSpec::new(
        line(".tool.what", &tool.what)?,
        argv(".tool.argv", tool.argv)?,
    );
    spec.stdin = tool.stdin.map(String::into_bytes);
    for (name, value) in tool.env {
        spec.env.push(variable(".tool.env", name, value)?);
    }
    if let Some(creates) = &tool.creates {
        spec.creates = Some(path(".tool.creates", creates)?);
    }
    spec.is_live_only = tool.live_only;
    if let Some(timeout) = seconds(".tool.timeout", tool.timeout)? {
        spec.timeout = timeout;
    }
    Ok(Effect::tool(spec))
}

fn run_of(run: Run) -> Made<Effect> {
    let mut env = Vec::new();
    for (name, value) in run.env {
        env.push(variable(".run.env", name, value.into_inner())?);
    }
    Ok(Effect::Run(CommandSpec {
        label: line(".run.label", &run.label)?,
        program: Program::Argv(argv(".run.argv", run.argv)?),
        env,
        timeout: seconds(".run.timeout", run.timeout)?,
    }))
}

/// An absolute path that stays where it says.
fn path(field: &str, text: &str) -> Made<PathBuf> {
    let is_fine =
        text.starts_with('/') && is_path(text) && text.split('/').all(|name| name != "..");
    match is_fine {
        true => Ok(PathBuf::from(text)),
        false => Err(format!(
            "{field}: expected an absolute path without `..`, {PLAIN}"
        )),
    }
}

/// What is asked of every path: plans and reports show it in one line.
const PLAIN: &str = "of at most 4095 bytes and no control characters";

/// Source: `PATH_MAX`, path_resolution(7).
fn is_path(text: &str) -> bool {
    text.len() < 4096 && !text.contains(char::is_control)
}

/// JSON has no octal numbers, so it is text.
fn mode(field: &str, text: Option<&str>, default: Mode) -> Made<Mode> {
    let Some(text) = text else {
        return Ok(default);
    };
    let is_octal =
        (3..=5).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    let bits = u32::from_str_radix(text, 8).ok();
    let bits = bits.filter(|bits| is_octal && *bits <= 0o7777);
    bits.map(Mode::new)
        .ok_or_else(|| format!("{field}: expected octal digits, such as \"0644\""))
}

/// `USER` or `USER:GROUP`
fn owner(field: &str, text: Option<&str>) -> Made<Owner> {
    let Some(text) = text.filter(|text| *text != "root" && *text != "root:root") else {
        return Ok(Owner::Root);
    };
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    for text in [Some(user), group].into_iter().flatten() {
        name(field, text)?;
    }
    Ok(Owner::Named {
        user: user.to_owned(),
        group: group.map(str::to_owned),
    })
}

fn name(field: &str, text: &str) -> Made<UserName> {
    named(field, text)
}

fn named<T: FromStr<Err = BadName>>(field: &str, text: &str) -> Made<T> {
    text.parse().map_err(|error| format!("{field}: {error}"))
}

fn line(field: &str, text: &str) -> Made<String> {
    match !text.is_empty() && text.len() <= 500 && !text.contains(char::is_control) {
        true => Ok(text.to_owned()),
        false => Err(format!("{field}: expected one line of at most 500 bytes")),
    }
}

fn argv(field: &str, words: Vec<String>) -> Made<Vec<String>> {
    let is_program = words.first().is_some_and(|word| !word.is_empty());
    match is_program && words.iter().all(|word| !word.contains('\0')) {
        true => Ok(words),
        false => Err(format!("{field}: expected a program and its arguments")),
    }
}

fn variable(field: &str, name: String, value: String) -> Made<(String, String)> {
    let is_inner = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    match !name.is_empty() && name.bytes().all(is_inner) && !value.contains('\0') {
        true => Ok((name, value)),
        false => Err(format!("{field}: expected names of variables, and text")),
    }
}

fn seconds(field: &str, number: Option<u64>) -> Made<Option<Duration>> {
    match number {
        Some(0 | 86_401..) => Err(format!("{field}: expected 1 to 86400 seconds")),
        number => Ok(number.map(Duration::from_secs)),
    }
}
