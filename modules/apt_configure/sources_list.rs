//! The distribution's own sources, made anew from a template for the mirrors that count here.
//!
//! Source: cloud-init, `cloudinit/config/cc_apt_configure.py` (`generate_sources_list`).

use contract::effect::Effect;
use contract::module::Context;
use contract::place::Place;
use contract::plan::{Problem, Step};
use contract::template::Variables;
use contract::yaml::Placed;

use crate::distribution;
use crate::files::{self, TEMPLATES};

use super::keyring::Keyring;
use super::mirrors::Mirrors;
use super::suites;
use super::text;
use super::wanted::Wanted;

const LINES: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";
const MIRRORS: &str = "/etc/apt/mirrors";

/// Ubuntu's images keep /etc/apt/sources.list, to say where the sources are now.
const UBUNTU_LINES: &str = "\
# Ubuntu's sources are in /etc/apt/sources.list.d/ubuntu.sources, in the format deb822
# (sources.list(5)).
";

/// The variables of a template: each mirror by its name, in small and in capital letters.
pub(super) fn variables(mirrors: &Mirrors, release: &str) -> Variables {
    let mut variables = Variables::default()
        .text("RELEASE", release)
        .text("codename", release)
        .text("MIRROR", mirrors.get("primary"))
        .text("mirror", mirrors.get("primary"));
    for (name, address) in mirrors.iter() {
        variables = variables
            .text(&name.to_ascii_uppercase(), address)
            .text(&name.to_ascii_lowercase(), address);
    }
    variables
}

/// The files of apt-transport-mirror(1).
pub(super) fn mirrorlists(mirrors: &Mirrors, distribution: &str) -> Step {
    let file = |name: &str, address| {
        text::file(
            &format!("{MIRRORS}/{distribution}{name}.list"),
            &format!("{address}\n"),
        )
    };
    let primary = file("", mirrors.get("primary"));
    Step::new(
        "mirrorlists",
        [primary, file("-security", mirrors.get("security"))],
    )
}

/// A text that sources are made from, and what it is called in messages.
pub(super) struct Template {
    name: String,
    text: Placed<String>,
}

/// What `sources_list` says, or else the image's own.
pub(super) fn template(wanted: &Wanted, distribution: &str, ctx: &Context<'_>) -> Option<Template> {
    if let Some(own) = &wanted.sources_list {
        return Some(Template {
            name: "apt.sources_list".to_owned(),
            text: own.clone(),
        });
    }
    let names = [format!(".{distribution}.deb822"), String::new()];
    names.iter().find_map(|name| {
        let name = format!("{TEMPLATES}/sources.list{name}.tmpl");
        let text = files::text(ctx.probe, &name)?;
        Some(Template {
            text: Placed::new(text, Place::whole(name.as_str())),
            name,
        })
    })
}

/// What the distribution's own sources depend on.
pub(super) struct SourcesList<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) distribution: &'a str,
    pub(super) ctx: &'a Context<'a>,
}

impl SourcesList<'_> {
    /// The keys of the mirrors, and the sources.
    pub(super) fn step(
        &self,
        template: &Template,
        variables: Variables,
        problems: &mut Vec<Problem>,
    ) -> Option<Step> {
        let mut step = Step::new("sources_list", []);
        let variables = self.keys(variables, &mut step, problems);
        let rendered = match text::rendered(&template.text, &variables, self.ctx) {
            Ok(rendered) => rendered,
            Err(why) => {
                let place = Some(template.text.place.clone());
                problems.push(Problem::error(place, format!("{}: {why}", template.name)));
                return None;
            }
        };
        let release = distribution::codename(self.ctx.probe);
        let text = suites::without(&self.wanted.disable_suites, &rendered, &release);
        if !suites::is_deb822(&rendered) {
            step.effects.push(text::file(LINES, &text));
            return Some(step);
        }
        let file = format!("{PARTS}/{}.sources", self.distribution);
        step.effects.push(text::file(&file, &text));
        // Else its sources would count as well.
        if files::exists(self.ctx.probe, LINES) {
            step.effects.push(match self.distribution {
                "ubuntu" => Effect::file(LINES, UBUNTU_LINES),
                _ => Effect::Absent { at: LINES.into() },
            });
        }
        Some(step)
    }

    /// The keys of the mirrors go into the step, and where they are among the variables.
    fn keys(
        &self,
        mut variables: Variables,
        step: &mut Step,
        problems: &mut Vec<Problem>,
    ) -> Variables {
        let of_kinds = [
            ("primary", &self.wanted.primary),
            ("security", &self.wanted.security),
        ];
        for (kind, mirrors) in of_kinds {
            // Of several keys the last one stays, as they are in one file.
            let last = mirrors.iter().rev().find_map(|mirror| mirror.key.as_ref());
            let Some(key) = last else { continue };
            match Keyring::of(key, kind, false, &format!("apt.{kind}"), self.ctx) {
                Ok(keyring) => {
                    variables = variables.text(&format!("{kind}_key"), &keyring.path);
                    step.effects.extend(keyring.effects);
                }
                Err(problem) => problems.push(problem),
            }
        }
        variables
    }
}
