//! The steps of a configuration of apt, in their order.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`apply_apt`).

use std::cell::OnceCell;

use contract::effect::Effect;
use contract::module::Context;
use contract::plan::{Plan, Problem, Step};
use contract::template::Variables;
use contract::yaml::Placed;

use crate::debconf;
use crate::distribution;
use crate::files;
use crate::packages;
use crate::pattern::Pattern;

use super::mirrors::Mirrors;
use super::source_files::SourceFiles;
use super::sources_list::{self, SourcesList};
use super::text;
use super::wanted::{Key, Source, Wanted};

const PROXY_FILE: &str = "/etc/apt/apt.conf.d/90cloud-init-aptproxy";
const CONF_FILE: &str = "/etc/apt/apt.conf.d/94cloud-init-config";

/// `ppa:OWNER/NAME`, `cloud-archive:NAME`.
const REPOSITORY: &str = r"^[\w-]+:\w";

/// What is planned so far.
pub(super) struct Planner<'a> {
    wanted: &'a Wanted,
    distribution: &'a str,
    /// Whether somebody says anything of apt.
    is_asked: bool,
    ctx: &'a Context<'a>,
    plan: &'a mut Plan,
    /// Once they are chosen, which may take asking for names.
    mirrors: OnceCell<Option<Mirrors>>,
}

impl<'a> Planner<'a> {
    /// What is wrong with `wanted` itself is in `plan` already.
    pub(super) const fn new(
        wanted: &'a Wanted,
        distribution: &'a str,
        is_asked: bool,
        ctx: &'a Context<'a>,
        plan: &'a mut Plan,
    ) -> Self {
        Self {
            wanted,
            distribution,
            is_asked,
            ctx,
            plan,
            mirrors: OnceCell::new(),
        }
    }

    /// Everything, in cloud-init's order.
    pub(super) fn all(&mut self) {
        self.debconf();
        let pattern = self.pattern();
        self.dependencies(pattern.as_ref());
        if self.wanted.writes_mirrorlists {
            self.mirrorlists();
        } else if !self.wanted.preserves_sources {
            self.sources_of_the_distribution();
        }
        self.settings();
        self.sources(pattern.as_ref());
    }

    fn debconf(&mut self) {
        if self.wanted.debconf.is_empty() {
            return;
        }
        let texts = self.wanted.debconf.iter().map(|(_, text)| text.as_str());
        let text = texts.collect::<Vec<_>>().join("\n");
        let names: Vec<&str> = self
            .wanted
            .debconf
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let what = format!("answers of {} for debconf", names.join(", "));
        let Some(told) = debconf::answers(&what, &text, self.ctx.probe) else {
            return;
        };
        self.plan.push(Step::new("debconf", [told]));
        let installed = debconf::installed(&text, self.ctx.probe);
        if !installed.is_empty() {
            let place = self
                .wanted
                .debconf
                .first()
                .map(|(_, text)| text.place.clone());
            let message = format!(
                "apt.debconf_selections: what is installed already is not configured anew: {}",
                installed.join(", ")
            );
            let hint =
                "`dpkg-reconfigure` does that, if the package asks debconf and not its files";
            self.plan
                .problems
                .push(Problem::warning(place, message).hint(hint));
        }
    }

    fn pattern(&mut self) -> Option<Pattern> {
        let given = self.wanted.add_apt_repo_match.as_ref();
        if given.is_none() && self.wanted.sources.is_none() {
            return None;
        }
        let text = given.map_or(REPOSITORY, |given| given.value.as_str());
        match Pattern::read(text) {
            Ok(pattern) => Some(pattern),
            Err(why) => {
                let message = format!("apt.add_apt_repo_match: not a regular expression: {why}");
                let place = given.map(|given| given.place.clone());
                let problem = Problem::error(place, message);
                let hint = "sources are taken for what they are by default";
                self.plan.problems.push(problem.hint(hint));
                Pattern::read(REPOSITORY).ok()
            }
        }
    }

    /// The tools that the rest needs and that are not there.
    fn dependencies(&mut self, pattern: Option<&Pattern>) {
        let sources = self.wanted.sources.iter().flatten();
        let mirrors = self.wanted.primary.iter().chain(&self.wanted.security);
        let mirrors = mirrors.filter(|_| !self.wanted.preserves_sources);
        let mut keys = mirrors
            .map(|mirror| &mirror.key)
            .chain(sources.clone().map(|one| &one.key));
        let asks = keys.any(|key| matches!(key, Some(Key::Id { .. })));
        let is_repository =
            |source: &Placed<String>| pattern.is_some_and(|pattern| pattern.is_in(source));
        let mut texts = sources.filter_map(|one| one.source.as_ref());
        let adds = texts.any(is_repository);
        let is_missing = |tool: &str| !distribution::has_program(self.ctx.probe, tool);
        let mut missing = Vec::new();
        if asks && is_missing("gpg") {
            missing.push("gnupg");
        }
        if adds && is_missing("add-apt-repository") {
            missing.push("software-properties-common");
        }
        if !missing.is_empty() {
            let installed = packages::needed(&missing, self.ctx);
            self.plan.push(Step::new("dependencies", installed));
        }
    }

    fn mirrorlists(&mut self) {
        let distribution = self.distribution;
        if let Some(mirrors) = self.mirrors() {
            let step = sources_list::mirrorlists(mirrors, distribution);
            self.plan.push(step);
        }
    }

    fn sources_of_the_distribution(&mut self) {
        let Some(template) = sources_list::template(self.wanted, self.distribution, self.ctx)
        else {
            // An image without cloud-init's templates keeps its sources, unless somebody wants others.
            let names_mirrors =
                !(self.wanted.primary.is_empty() && self.wanted.security.is_empty());
            if self.is_asked && names_mirrors {
                let message =
                    "apt: there is no template in /etc/cloud/templates to make sources from";
                let problem = Problem::warning(None, message);
                self.plan
                    .problems
                    .push(problem.hint("give one as `sources_list`"));
            }
            return;
        };
        let Some(variables) = self.variables() else {
            return;
        };
        let list = SourcesList {
            wanted: self.wanted,
            distribution: self.distribution,
            ctx: self.ctx,
        };
        let step = list.step(&template, variables, &mut self.plan.problems);
        step.into_iter().for_each(|step| self.plan.push(step));
    }

    /// The mirrors; without them no source can be written.
    fn mirrors(&mut self) -> Option<&Mirrors> {
        let problems = &mut self.plan.problems;
        let chosen = self.mirrors.get_or_init(|| {
            let chosen = Mirrors::choose(self.wanted, self.distribution, self.ctx, problems);
            if chosen.is_none() {
                let message = "apt: no mirror of this distribution is known";
                let problem = Problem::error(None, message);
                problems.push(problem.hint("name one as `primary`"));
            }
            chosen
        });
        chosen.as_ref()
    }

    /// What templates and sources may name.
    fn variables(&mut self) -> Option<Variables> {
        let release = distribution::codename(self.ctx.probe);
        if release.is_empty() {
            let message =
                "apt: /etc/os-release does not say `VERSION_CODENAME`, the release's name";
            self.plan.problems.push(Problem::error(None, message));
            return None;
        }
        Some(sources_list::variables(self.mirrors()?, &release))
    }

    /// A file of what an earlier instance said goes.
    fn settings(&mut self) {
        let proxies = self.wanted.proxies.concat();
        let conf = self.wanted.conf.clone().unwrap_or_default();
        for (name, path, text) in [("proxy", PROXY_FILE, proxies), ("conf", CONF_FILE, conf)] {
            let is_there = || files::exists(self.ctx.probe, path);
            if !text.is_empty() {
                self.plan.push(Step::new(name, [text::file(path, &text)]));
            } else if is_there() {
                self.plan
                    .push(Step::new(name, [Effect::Absent { at: path.into() }]));
            }
        }
    }

    fn sources(&mut self, pattern: Option<&Pattern>) {
        let Some(sources) = &self.wanted.sources else {
            return;
        };
        let needs = |entry: &&Source| {
            let source = entry.source.as_ref();
            source.is_some_and(|source| text::needs_variables(source))
        };
        let variables = match sources.iter().find(needs) {
            Some(_) => self.variables(),
            None => None,
        };
        let (is_known, variables) = (variables.is_some(), variables.unwrap_or_default());
        let mut files = SourceFiles::new(self.ctx, &variables, pattern);
        // Why the variables of the others are not known has been told.
        for entry in sources.iter().filter(|entry| is_known || !needs(entry)) {
            match files.step(entry) {
                Ok(step) => self.plan.push(step),
                Err(problem) => self.plan.problems.push(problem),
            }
        }
        if files.changes {
            let lists = packages::fresh_lists(self.ctx);
            self.plan.push(Step::new("update", lists));
        }
    }
}
