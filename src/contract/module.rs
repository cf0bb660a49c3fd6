//! What a module is: facts about itself, and a pure function from what is wanted to a plan.

use std::fmt;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::custom::Ask;
use crate::instance::InstanceMetadata;
use crate::machine::Probe;
use crate::params::Params;
use crate::part_handler::PartHandler;
use crate::plan::Plan;
use crate::schema::Key;
use crate::template::Render;
use crate::user_data::Part;

/// A stretch of the boot.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Before the instance is known.
    Early,
    /// Who this machine is; logins wait for its end.
    Identity,
    /// The rest of what needs no other service.
    Config,
    /// After everything else that boots: packages and the user's own code.
    Final,
}

impl Stage {
    /// All, in their order.
    pub const ALL: [Self; 4] = [Self::Early, Self::Identity, Self::Config, Self::Final];

    /// In lower case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Early => "early",
            Self::Identity => "identity",
            Self::Config => "config",
            Self::Final => "final",
        }
    }
}

/// How often a module runs. Source: cloud-init, `cloudinit/settings.py`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Frequency {
    /// At every boot.
    Always,
    /// Once for each instance id.
    Instance,
    /// Once in the life of this machine's disk, whatever instance it becomes.
    Once,
}

impl Frequency {
    /// In lower case, as cloud-init's configuration spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Instance => "instance",
            Self::Once => "once",
        }
    }
}

/// When a module has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Though none of its keys is given.
    Always,
    /// When one of its keys is given.
    OnKeys,
}

/// What is known of a module without running it: help, documentation, the order of the boot and
/// the check for unknown keys are made from it.
#[derive(Debug)]
pub struct Facts {
    /// As in cloud-init's module lists where cloud-init has it.
    pub name: &'static str,
    /// One line: what it does.
    pub summary: &'static str,
    /// When.
    pub stage: Stage,
    /// How often.
    pub frequency: Frequency,
    /// Whether it runs when none of its keys is given.
    pub wake: Wake,
    /// The top-level keys that it reads. Where two modules read the same key, it is described once.
    pub keys: &'static [Key],
}

impl Facts {
    /// The names of its keys, old spellings among them.
    #[must_use]
    pub fn key_names(&self) -> Vec<&'static str> {
        self.keys.iter().flat_map(Key::names).collect()
    }
}

/// What a module may know.
pub struct Context<'a> {
    /// Who this machine is.
    pub instance: &'a InstanceMetadata,
    /// What was asked for, merged from all sources.
    pub config: &'a Config,
    /// The launch parameters that concern this instance.
    pub params: &'a Params,
    /// The scripts of the user data, in their order.
    pub scripts: &'a [Part],
    /// The part handlers of the user data that are let run, in their order.
    pub handlers: &'a [PartHandler],
    /// Where this instance's own state lives, an absolute path on the machine.
    pub instance_dir: &'a Path,
    /// Where the scripts of the user data are, an absolute path on the machine.
    pub scripts_dir: &'a Path,
    /// The machine's eyes.
    pub probe: &'a dyn Probe,
    /// Asks what the image's own modules want.
    pub ask: &'a dyn Ask,
    /// See [`Render`].
    pub render: Render,
}

/// A pure planner. It is never an error for a key to be absent: that is `Option::None`.
pub trait Module: 'static {
    /// What is known of it without running it.
    const FACTS: Facts;

    /// For whoever uses it, in Markdown: an example under `## Example`, and where cloud-init's does
    /// otherwise under `## Differences from cloud-init`. `modules NAME` and docs/modules show it.
    const NOTES: &'static str = "";

    /// The typed view of `FACTS.keys`.
    type Section: DeserializeOwned;

    /// What shall be on this machine. Reads the machine only through [`Context::probe`].
    fn plan(want: Self::Section, ctx: &Context<'_>) -> Plan;
}

/// For a module that reads no keys.
#[derive(Debug, serde::Deserialize)]
pub struct NoKeys {}

/// A module that is known at run time alone: the image brings it along.
pub trait Custom: fmt::Debug + Sync {
    /// What shall be on this machine.
    fn plan(&self, ctx: &Context<'_>) -> Plan;
}

/// Who makes a module's plan.
#[derive(Debug, Clone, Copy)]
enum Planner {
    Own(fn(&Context<'_>) -> Plan),
    Custom(&'static dyn Custom),
}

/// One row of the table of modules: a [`Module`] without its type.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What is known of it without running it.
    pub facts: &'static Facts,
    /// See [`Module::NOTES`].
    pub notes: &'static str,
    /// When: `facts.stage`, unless the configuration's module lists say otherwise.
    pub stage: Stage,
    /// How often: `facts.frequency`, unless the configuration's module lists say otherwise.
    pub frequency: Frequency,
    plan: Planner,
    /// The top-level keys that its section reads.
    #[cfg(any(test, feature = "testing"))]
    pub reads: fn() -> &'static [&'static str],
}

impl Entry {
    /// The row of module `M`.
    #[must_use]
    pub const fn of<M: Module>() -> Self {
        Self {
            facts: &M::FACTS,
            notes: M::NOTES,
            stage: M::FACTS.stage,
            frequency: M::FACTS.frequency,
            plan: Planner::Own(plan::<M>),
            #[cfg(any(test, feature = "testing"))]
            reads: crate::testing::fields::<M::Section>,
        }
    }

    /// The row of a module that few documents wake. What it is made of then stands apart in the program, and
    /// in no memory until it is wanted; nothing else is different.
    #[must_use]
    pub const fn seldom<M: Module>() -> Self {
        Self {
            plan: Planner::Own(plan_seldom::<M>),
            ..Self::of::<M>()
        }
    }

    /// The row of a module that the image brings along.
    #[must_use]
    pub const fn custom(
        facts: &'static Facts,
        notes: &'static str,
        of: &'static dyn Custom,
    ) -> Self {
        Self {
            facts,
            notes,
            stage: facts.stage,
            frequency: facts.frequency,
            plan: Planner::Custom(of),
            #[cfg(any(test, feature = "testing"))]
            reads: || &[],
        }
    }

    /// Whether the image brings it along.
    #[must_use]
    pub const fn is_custom(&self) -> bool {
        matches!(self.plan, Planner::Custom(_))
    }

    /// What the module wants. A section that cannot be read is a problem in the plan.
    #[must_use]
    pub fn plan(&self, ctx: &Context<'_>) -> Plan {
        match self.plan {
            Planner::Own(plan) => plan(ctx),
            Planner::Custom(custom) => custom.plan(ctx),
        }
    }

    /// Whether it has something to do with this configuration.
    #[must_use]
    pub fn is_awake(&self, config: &Config) -> bool {
        match self.facts.wake {
            Wake::Always => true,
            Wake::OnKeys => {
                let mut names = self.facts.keys.iter().flat_map(Key::names);
                names.any(|name| config.get(name).is_some())
            }
        }
    }
}

/// Apart by its name: see `src/agent/layout.ld`.
#[cold]
fn plan_seldom<M: Module>(ctx: &Context<'_>) -> Plan {
    plan::<M>(ctx)
}

#[inline]
fn plan<M: Module>(ctx: &Context<'_>) -> Plan {
    match ctx.config.section::<M::Section>(&M::FACTS.key_names()) {
        Ok(section) => M::plan(section, ctx),
        Err(problems) => Plan {
            steps: Vec::new(),
            problems,
        },
    }
}
