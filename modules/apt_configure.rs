//! Where apt finds packages, and how: mirrors, sources, their keys, proxies, and answers for debconf.
//!
//! Source: cloud-init 25.1, `cloudinit/config/cc_apt_configure.py`.

use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem};
use contract::yaml::{Kind, Mapping, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::fields::wrong;

use old::{New, Old};
use planner::Planner;
use wanted::Wanted;

mod keyring;
mod mirrors;
mod old;
mod planner;
mod schema;
mod source_files;
mod sources_list;
mod suites;
mod text;
mod wanted;

#[cfg(test)]
mod tests;

const NAME: &str = "apt_configure";

/// Configures apt.
pub(crate) struct AptConfigure;

/// `apt`, and what was written before there was such a mapping.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    apt: Option<Value>,
    apt_sources: Option<Value>,
    apt_mirror: Option<Value>,
    apt_mirror_search: Option<Value>,
    apt_mirror_search_dns: Option<Value>,
    apt_proxy: Option<Value>,
    apt_http_proxy: Option<Value>,
    apt_ftp_proxy: Option<Value>,
    apt_https_proxy: Option<Value>,
    apt_preserve_sources_list: Option<Value>,
    apt_custom_sources_list: Option<Value>,
    add_apt_repo_match: Option<Value>,
    #[expect(
        dead_code,
        reason = "wakes the module on images whose sources follow their cloud"
    )]
    system_info: Option<Value>,
}

impl Module for AptConfigure {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "say where apt finds packages, and how",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: schema::KEYS,
    };
    const NOTES: &'static str = include_str!("notes/apt_configure.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let apt = match want.mapping(&mut plan.problems) {
            Ok(apt) => apt,
            Err(problem) => {
                plan.problems.push(problem);
                return plan;
            }
        };
        let is_asked = apt.is_some();
        let apt = apt.unwrap_or_default();
        if !is_asked && !follows_its_cloud(ctx) {
            return plan;
        }
        let wanted = Wanted::read(&apt, &mut plan.problems);
        let distribution = distribution::name(ctx);
        Planner::new(&wanted, &distribution, is_asked, ctx, &mut plan).all();
        plan
    }
}

/// Of a list of sources, which should be a mapping, takes away what is no source, and tells of the list once.
fn without_odd_sources(apt: &mut Mapping, problems: &mut Vec<Problem>) {
    let Some(sources) = apt.get("sources") else {
        return;
    };
    let list = sources.as_list().unwrap_or_default();
    let is_good = |entry: &&Value| entry.as_map().is_some();
    let good: Vec<Value> = list.iter().filter(is_good).cloned().collect();
    if good.len() == list.len() {
        return;
    }
    problems.push(wrong("apt.sources", sources, "a mapping"));
    let place = sources.place.clone();
    let key = Value::new(Kind::String("sources".to_owned()), place.clone());
    apt.insert(key, Value::new(Kind::List(good), place));
}

impl Section {
    /// What there is to read; an empty mapping is as if there were none.
    fn mapping(&self, problems: &mut Vec<Problem>) -> Result<Option<Mapping>, Problem> {
        let old = self.old();
        if let Some(apt) = &self.apt {
            old::told_beside_apt(&old, problems);
            let Kind::Map(map) = &apt.kind else {
                return Err(wrong("apt", apt, "a mapping"));
            };
            let mut map = map.clone();
            without_odd_sources(&mut map, problems);
            return Ok(Some(map).filter(|map| !map.is_empty()));
        }
        Ok((!old.is_empty()).then(|| old::as_apt(&old, problems)))
    }

    /// cloud-init mixes up `apt_ftp_proxy` and `apt_https_proxy`.
    fn old(&self) -> Vec<Old<'_>> {
        let all = [
            ("apt_sources", New::Key("sources"), &self.apt_sources),
            ("apt_mirror", New::Mirror("uri"), &self.apt_mirror),
            (
                "apt_mirror_search",
                New::Mirror("search"),
                &self.apt_mirror_search,
            ),
            (
                "apt_mirror_search_dns",
                New::Mirror("search_dns"),
                &self.apt_mirror_search_dns,
            ),
            ("apt_proxy", New::Key("proxy"), &self.apt_proxy),
            (
                "apt_http_proxy",
                New::Key("http_proxy"),
                &self.apt_http_proxy,
            ),
            ("apt_ftp_proxy", New::Key("ftp_proxy"), &self.apt_ftp_proxy),
            (
                "apt_https_proxy",
                New::Key("https_proxy"),
                &self.apt_https_proxy,
            ),
            (
                "apt_preserve_sources_list",
                New::Key("preserve_sources_list"),
                &self.apt_preserve_sources_list,
            ),
            (
                "apt_custom_sources_list",
                New::Key("sources_list"),
                &self.apt_custom_sources_list,
            ),
            (
                "add_apt_repo_match",
                New::Key("add_apt_repo_match"),
                &self.add_apt_repo_match,
            ),
        ];
        let is_given = |value: &Value| value.as_str() != Some("");
        let all = all.into_iter().filter_map(|(name, new, value)| {
            let value = value.as_ref().filter(|value| is_given(value))?;
            Some(Old { name, new, value })
        });
        all.collect()
    }
}

/// Whether the sources are made anew for each instance though nobody asks for it: where the image
/// says which mirrors a cloud has, and has apt.
fn follows_its_cloud(ctx: &Context<'_>) -> bool {
    mirrors::are_known_to(ctx.config)
        && distribution::family(ctx.probe) == Family::Debian
        && ["apt-get", "apt"]
            .iter()
            .any(|apt| distribution::has_program(ctx.probe, apt))
}
