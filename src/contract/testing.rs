//! For the tests of other crates: a machine made of a map, and a short way to a plan.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};

use crate::config::Config;
use crate::custom::Nobody;
use crate::effect::{Content, Effect, FileSpec, Target, Text};
use crate::error::EffectError;
use crate::instance::InstanceMetadata;
use crate::machine::{Change, FileKind, Machine, Probe};
use crate::module::{Context, Entry, Module};
use crate::name::InstanceId;
use crate::params::Params;
use crate::part_handler::PartHandler;
use crate::plan::Plan;
use crate::schema::Key;
use crate::template::Variables;
use crate::user_data::Part;
use crate::yaml;

/// A machine in memory: files are a map, other effects are only noted.
#[derive(Debug, Default)]
pub struct FakeMachine {
    /// Its files.
    pub files: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
    /// Its symbolic links, and what they hold.
    pub links: BTreeMap<PathBuf, PathBuf>,
    /// The bytes that are free on its file system.
    pub free: Option<u64>,
    /// Everything that was asked of it, in order: effects, `settle`, `append PATH durable`.
    pub log: RefCell<Vec<String>>,
    /// What appears when udev(7) is waited for.
    pub late: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
    /// The hosts whose names are known.
    pub hosts: Vec<&'static str>,
    /// An effect whose line begins with this fails.
    pub refuses: Option<String>,
}

impl FakeMachine {
    /// A machine with these files.
    #[must_use]
    pub fn with(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()));
        Self {
            files: RefCell::new(files.collect()),
            ..Self::default()
        }
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<String> {
        let files = self.files.borrow();
        files
            .get(Path::new(path))
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }
}

impl Probe for FakeMachine {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.borrow().get(path).cloned())
    }

    fn list(&self, path: &Path) -> io::Result<Option<Vec<String>>> {
        let files = self.files.borrow();
        let below = files.keys().filter_map(|file| file.strip_prefix(path).ok());
        let first = below.filter_map(|rest| rest.components().next());
        let mut names: Vec<String> = first
            .map(|name| name.as_os_str().to_string_lossy().into_owned())
            .collect();
        names.dedup();
        Ok((!names.is_empty()).then_some(names))
    }

    fn resolves(&self, host: &str) -> Option<bool> {
        Some(self.hosts.contains(&host))
    }

    fn wait_for_udev(&self, _: Option<&Path>) {
        self.files.borrow_mut().append(&mut self.late.borrow_mut());
    }

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        if self.links.contains_key(path) {
            return Ok(Some(FileKind::Link));
        }
        if self.files.borrow().contains_key(path) {
            return Ok(Some(FileKind::File));
        }
        Ok(self.list(path)?.map(|_| FileKind::Directory))
    }

    fn link(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        Ok(self.links.get(path).cloned())
    }

    fn free(&self, _: &Path) -> io::Result<Option<u64>> {
        Ok(self.free)
    }
}

impl Machine for FakeMachine {
    fn apply(&self, effect: &Effect) -> Result<Change, EffectError> {
        let line = effect.to_string();
        if self
            .refuses
            .as_ref()
            .is_some_and(|start| line.starts_with(start.as_str()))
        {
            return Err(EffectError::System {
                what: "do that",
                source: io::Error::other("refused"),
            });
        }
        self.log.borrow_mut().push(line);
        if let Effect::File(FileSpec {
            at: Target::Path(path),
            content,
            ..
        }) = effect
        {
            let bytes = content.bytes().to_vec();
            let old = self.files.borrow_mut().insert(path.clone(), bytes.clone());
            return Ok(if old == Some(bytes) {
                Change::AlreadySo
            } else {
                Change::MADE
            });
        }
        Ok(Change::MADE)
    }

    fn settle(&self) -> Result<(), EffectError> {
        self.log.borrow_mut().push("settle".into());
        Ok(())
    }

    fn append(&self, path: &Path, bytes: &[u8], durable: bool) -> Result<(), EffectError> {
        let word = if durable { " durable" } else { "" };
        self.log
            .borrow_mut()
            .push(format!("append {}{word}", path.display()));
        self.files
            .borrow_mut()
            .entry(path.to_owned())
            .or_default()
            .extend_from_slice(bytes);
        Ok(())
    }
}

/// An instance `i-1` of which nothing else is known.
///
/// # Panics
/// Never: the id is a good one.
#[must_use]
#[expect(
    clippy::expect_used,
    reason = "for tests only, and the id is a constant"
)]
pub fn instance() -> InstanceMetadata {
    let id: InstanceId = "i-1".parse().expect("a good id");
    InstanceMetadata::new(id, "test")
}

/// The configuration that this YAML text is.
///
/// # Panics
/// When the text is not a YAML mapping.
#[must_use]
#[expect(clippy::panic, reason = "for tests only")]
pub fn config(text: &str) -> Config {
    let document = yaml::parse(text, "test", &yaml::Limits::default());
    match document.map(|document| document.value.kind) {
        Ok(yaml::Kind::Map(root)) => Config::new(root),
        Ok(yaml::Kind::Null) => Config::default(),
        other => panic!("not a mapping: {other:?}"),
    }
}

/// The fields that a derived `T` reads, aliases among them; none if it is no struct.
#[must_use]
pub fn fields<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut found: &'static [&'static str] = &[];
    // It has nothing to give: it is only asked.
    let _ = T::deserialize(Asked(&mut found));
    found
}

/// Checks that a schema describes exactly the fields that a derived `T` reads.
///
/// # Panics
/// When it does not: that is the test.
pub fn assert_described<T: DeserializeOwned>(schema: &[Key]) {
    let sorted = |names: &mut dyn Iterator<Item = &'static str>| {
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        names
    };
    assert_eq!(
        sorted(&mut schema.iter().flat_map(Key::names)),
        sorted(&mut fields::<T>().iter().copied())
    );
}

struct Asked<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = serde::de::value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(Self::Error::custom("only asked"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Self::Error::custom("only asked"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Everything that a plan is made from; change what the test is about.
#[derive(Debug)]
pub struct Setting {
    /// Who the machine is.
    pub instance: InstanceMetadata,
    /// The launch parameters.
    pub params: Params,
    /// The scripts of the user data.
    pub scripts: Vec<Part>,
    /// Its part handlers.
    pub handlers: Vec<PartHandler>,
    /// The machine.
    pub machine: FakeMachine,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            instance: instance(),
            params: Params::default(),
            scripts: Vec::new(),
            handlers: Vec::new(),
            machine: FakeMachine::default(),
        }
    }
}

/// Renders names alone, `{{name}}` and `$name`: what is in a template besides is the engine's.
fn names(text: &str, variables: &Variables) -> Result<String, String> {
    let mut text = text.to_owned();
    for (name, value) in variables.as_map() {
        let value = value.as_str().unwrap_or("?");
        text = text.replace(&format!("{{{{{name}}}}}"), value);
        text = text.replace(&format!("${name}"), value);
    }
    Ok(text)
}

/// Paths with what is in them.
pub type Files<'a> = &'a [(&'a str, &'a str)];

impl Setting {
    /// On the distribution of this id (os-release(5)), with these files.
    #[must_use]
    pub fn on(id: &str, files: Files<'_>) -> Self {
        let release = format!("ID={id}\n");
        let release = [("/etc/os-release", release.as_str())];
        Self {
            machine: FakeMachine::with(&[&release, files].concat()),
            ..Self::default()
        }
    }

    /// What module `M` wants with this configuration, as YAML text.
    #[must_use]
    pub fn plan<M: Module>(&self, text: &str) -> Plan {
        let config = config(text);
        Entry::of::<M>().plan(&Context {
            instance: &self.instance,
            config: &config,
            params: &self.params,
            scripts: &self.scripts,
            handlers: &self.handlers,
            instance_dir: Path::new("/var/lib/firstlight/instances/i-1"),
            scripts_dir: Path::new("/var/lib/firstlight/instances/i-1/scripts"),
            probe: &self.machine,
            ask: &Nobody,
            render: names,
        })
    }
}

impl Plan {
    /// The text of a planned file.
    #[must_use]
    pub fn text_of(&self, path: &str) -> Option<String> {
        self.effects().find_map(|effect| match effect {
            Effect::File(FileSpec {
                at,
                content: Content::Plain(bytes),
                ..
            }) if at.to_string() == path => Some(String::from_utf8_lossy(bytes).into_owned()),
            Effect::Block(block) if block.at == Path::new(path) => match &block.text {
                Text::All(text) => Some(text.clone()),
                Text::Added { .. } | Text::Settings { .. } => None,
            },
            Effect::Write(file) if file.path == Path::new(path) => match &file.content {
                Some(Content::Plain(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
                _ => None,
            },
            _ => None,
        })
    }

    /// The settings that are put into a file, as `section/name = value`.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        let settings = self.effects().find_map(|effect| match effect {
            Effect::Block(block) => match &block.text {
                Text::Settings { settings, .. } => Some(settings),
                _ => None,
            },
            _ => None,
        });
        let settings = settings.into_iter().flatten().map(|setting| {
            let section = setting.section.as_deref().unwrap_or("");
            format!("{section}/{} = {}", setting.name, setting.value.expose())
        });
        settings.collect()
    }

    /// Every effect in one line, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.effects().map(ToString::to_string).collect()
    }
}
