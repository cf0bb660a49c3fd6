//! Where the client comes from. Source: cloud-init, `install_chef` of
//! `cloudinit/config/cc_chef.py`.

use std::path::{Path, PathBuf};

use contract::effect::{Effect, Program, ToolSpec};
use contract::module::Context;
use contract::plan::{Problem, Step};

use crate::installer::Installer;
use crate::packages;
use crate::script;
use crate::told::Told;

use super::{NAME, PROGRAM};

pub(super) const OMNIBUS: &str = "https://www.chef.io/chef/install.sh";

/// How it is installed.
pub(super) enum Install {
    /// It is there.
    Nothing,
    /// From the distribution.
    Packages,
    /// By Ruby's gem(1).
    Gems {
        version: Option<String>,
        ruby: String,
    },
    /// By Chef's own installer.
    Omnibus {
        url: String,
        version: Option<String>,
    },
    /// What is said is none of these.
    Unknown,
}

impl Install {
    pub(super) fn of(told: &mut Told<'_>, ctx: &Context<'_>) -> Self {
        let words = [("packages", 0), ("gems", 1), ("omnibus", 2)];
        let kind = told.word("install_type", &words, 0);
        let is_there = ctx.probe.is_executable(Path::new(PROGRAM));
        if is_there.unwrap_or(false) && !told.switch("force_install", false) {
            return Self::Nothing;
        }
        match kind {
            Some(0) => Self::Packages,
            Some(1) => Self::Gems {
                version: told.line("version"),
                ruby: told
                    .line("ruby_version")
                    .unwrap_or_else(|| "1.8".to_owned()),
            },
            Some(_) => Self::Omnibus {
                url: told
                    .line("omnibus_url")
                    .unwrap_or_else(|| OMNIBUS.to_owned()),
                version: told.line("omnibus_version"),
            },
            None => Self::Unknown,
        }
    }

    pub(super) fn step(self, problems: &mut Vec<Problem>, ctx: &Context<'_>) -> Option<Step> {
        match self {
            Self::Nothing | Self::Unknown => None,
            Self::Packages => {
                let packages =
                    packages::wanted(NAME, vec![packages::named(NAME)], false, ctx, problems);
                Some(Step::new("install", packages))
            }
            Self::Gems { version, ruby } => Some(gems(version, &ruby, problems, ctx)),
            Self::Omnibus { url, version } => {
                let arguments = version.into_iter();
                let arguments = arguments.flat_map(|version| ["-v".to_owned(), version]);
                let installer = Installer {
                    name: "chef-omnibus-install",
                    url,
                    arguments: arguments.collect(),
                };
                Some(installer.step(ctx))
            }
        }
    }
}

/// Ruby's packages, its programs under their plain names, and the gem.
fn gems(
    version: Option<String>,
    ruby: &str,
    problems: &mut Vec<Problem>,
    ctx: &Context<'_>,
) -> Step {
    let mut names = vec![format!("ruby{ruby}"), format!("ruby{ruby}-dev")];
    if ruby == "1.8" {
        names.extend(["libopenssl-ruby1.8", "rubygems1.8"].map(ToOwned::to_owned));
    }
    let names = names.iter().map(|name| packages::named(name)).collect();
    let mut effects = Vec::from_iter(packages::wanted(NAME, names, false, ctx, problems));
    // A package that brings the plain name with it comes before.
    for tool in ["gem", "ruby"] {
        let path = PathBuf::from(format!("/usr/bin/{tool}"));
        let what = format!("{} is that of {ruby}", path.display());
        let link = [
            "ln",
            "-s",
            &format!("/usr/bin/{tool}{ruby}"),
            &format!("/usr/bin/{tool}"),
        ];
        let spec = ToolSpec::new(what, link).creates(path);
        effects.push(Effect::tool(spec));
    }
    let mut argv = vec!["/usr/bin/gem", "install", "chef"];
    let option = version.map(|version| format!("-v {version}"));
    argv.extend(option.as_deref());
    argv.extend(["--no-ri", "--no-rdoc", "--bindir", "/usr/bin", "-q"]);
    let argv = argv.into_iter().map(ToOwned::to_owned).collect();
    let gem = script::command("gem install chef", Program::Argv(argv));
    effects.push(Effect::Run(gem));
    Step::new("install", effects)
}
