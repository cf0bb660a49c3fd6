//! For the tests of other crates: a machine made of a map, and a short way to a plan.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::effect::{Content, Effect, FileSpec, Target};
use crate::error::EffectError;
use crate::instance::InstanceMetadata;
use crate::machine::{Change, FileKind, Machine, Probe};
use crate::module::{Context, Entry, Module};
use crate::name::InstanceId;
use crate::params::Params;
use crate::plan::Plan;
use crate::user_data::Part;
use crate::yaml;

/// A machine in memory: files are a map, other effects are only noted.
#[derive(Debug, Default)]
pub struct FakeMachine {
    /// Its files.
    pub files: RefCell<BTreeMap<PathBuf, Vec<u8>>>,
    /// Everything that was asked of it, in order: effects, `settle`, `append PATH durable`.
    pub log: RefCell<Vec<String>>,
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

    fn kind(&self, path: &Path) -> io::Result<Option<FileKind>> {
        if self.files.borrow().contains_key(path) {
            return Ok(Some(FileKind::File));
        }
        Ok(self.list(path)?.map(|_| FileKind::Directory))
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

/// Everything that a plan is made from; change what the test is about.
#[derive(Debug)]
pub struct Setting {
    /// Who the machine is.
    pub instance: InstanceMetadata,
    /// The launch parameters.
    pub params: Params,
    /// The scripts of the user data.
    pub scripts: Vec<Part>,
    /// The machine.
    pub machine: FakeMachine,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            instance: instance(),
            params: Params::default(),
            scripts: Vec::new(),
            machine: FakeMachine::default(),
        }
    }
}

impl Setting {
    /// What module `M` wants with this configuration, as YAML text.
    #[must_use]
    pub fn plan<M: Module>(&self, text: &str) -> Plan {
        let config = config(text);
        Entry::of::<M>().plan(&Context {
            instance: &self.instance,
            config: &config,
            params: &self.params,
            scripts: &self.scripts,
            instance_dir: Path::new("/var/lib/firstlight/instances/i-1"),
            probe: &self.machine,
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
            _ => None,
        })
    }

    /// Every effect in one line, in order.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.effects().map(ToString::to_string).collect()
    }
}
