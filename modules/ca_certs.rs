//! Certificate authorities that the machine trusts.
//!
//! Source: cloud-init, `cloudinit/config/cc_ca_certs.py`; update-ca-certificates(8),
//! update-ca-trust(8).

use std::path::{Path, PathBuf};

use contract::effect::{Effect, ToolSpec, Wait};
use contract::machine::{FileKind, Probe};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::secret::Secret;
use contract::yaml::{Placed, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::fields::Fields;
use crate::files;

const NAME: &str = "ca_certs";

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Map(&[
        Key::new(
            "trusted",
            Shape::OneOf(&[Shape::Text, Shape::List(&Shape::Text)]),
            "certificates to trust, in PEM form",
        ),
        Key::new(
            "remove_defaults",
            Shape::Switch,
            "trust none of the distribution's own certificates",
        )
        .or("false")
        .once_called(&["remove-defaults"]),
    ]),
    "certificate authorities that the machine trusts",
)
.once_called(&["ca-certs"])];

/// Where a distribution keeps certificates, and who collects them.
struct Layout {
    family: Family,
    /// Other distributions of the kind, by their id in os-release(5).
    ids: &'static [&'static str],
    /// What stands before and behind the number in the path of a certificate.
    file: (&'static str, &'static str),
    /// The program that collects them.
    update: &'static str,
    defaults: Defaults,
}

/// How the distribution's own certificates are trusted.
enum Defaults {
    /// Those that a file lists without a `!` before them.
    Listed(&'static str),
    /// Those in files below these directories.
    Below(&'static [&'static str]),
    /// They belong to a package, and nothing turns them off.
    Fixed,
}

const LIST: Defaults = Defaults::Listed("/etc/ca-certificates.conf");
const LOCAL: (&str, &str) = (
    "/usr/local/share/ca-certificates/cloud-init-ca-cert-",
    ".crt",
);

/// Source: cloud-init, `cloudinit/config/cc_ca_certs.py` (`DISTRO_OVERRIDES`), whose names of files
/// these are.
const LAYOUTS: &[Layout] = &[
    Layout {
        family: Family::Debian,
        ids: &[],
        file: LOCAL,
        update: "update-ca-certificates",
        defaults: LIST,
    },
    Layout {
        family: Family::Alpine,
        ids: &[],
        file: LOCAL,
        update: "update-ca-certificates",
        defaults: LIST,
    },
    Layout {
        family: Family::RedHat,
        ids: &[],
        file: (
            "/usr/share/pki/ca-trust-source/anchors/cloud-init-ca-cert-",
            ".crt",
        ),
        update: "update-ca-trust",
        // What is collected from them, in /etc/pki/ca-trust/extracted, is made anew.
        defaults: Defaults::Below(&["/etc/pki/ca-trust/source", "/usr/share/pki/ca-trust-source"]),
    },
    Layout {
        family: Family::Suse,
        ids: &[],
        file: ("/usr/share/pki/trust/anchors/cloud-init-ca-cert-", ".crt"),
        update: "update-ca-certificates",
        defaults: Defaults::Fixed,
    },
    Layout {
        family: Family::Other,
        ids: &["photon"],
        file: ("/etc/ssl/certs/cloud-init-ca-cert-", ".pem"),
        update: "rehash_ca_certificates.sh",
        defaults: Defaults::Below(&["/etc/pki/tls/certs", "/etc/ssl/certs"]),
    },
];

/// What Debian's package asks when it is configured, and the answer.
const QUESTION: &str = "ca-certificates/trust_new_crts";
const ANSWER: &[u8] = b"ca-certificates ca-certificates/trust_new_crts select no\n";
const ANSWERS: &str = "/var/cache/debconf/config.dat";
const NOTE: &str = "# firstlight: deselected by ca_certs.remove_defaults";

/// A tree of certificates is not deeper.
const DEEPEST: usize = 8;

/// Trusts certificate authorities.
pub(crate) struct CaCerts;

/// `ca_certs`, and its old spelling.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    ca_certs: Option<Value>,
    #[serde(rename = "ca-certs")]
    old: Option<Value>,
}

impl Module for CaCerts {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "trust certificate authorities",
        stage: Stage::Identity,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/ca_certs.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        if let (Some(_), Some(old)) = (&want.ca_certs, &want.old) {
            let message = "ca-certs: the old spelling is ignored beside `ca_certs`";
            let place = Some(old.place.clone());
            plan.problems.push(Problem::warning(place, message));
        }
        let Some(section) = want.ca_certs.or(want.old) else {
            return plan;
        };
        let Some(fields) = Fields::of(NAME, &section, &mut plan.problems) else {
            return plan;
        };
        let trusted = fields.texts("trusted", &mut plan.problems);
        let trusted = trusted.unwrap_or_default();
        let key = ["remove_defaults", "remove-defaults"]
            .into_iter()
            .find(|key| fields.get(key).is_some());
        let removes = key.is_some_and(|key| fields.switch(key, false, &mut plan.problems));
        check(&trusted, &mut plan.problems);
        let Some(layout) = layout(ctx.probe) else {
            let message = "ca_certs: nothing is known of certificates on this distribution";
            let problem = Problem::error(Some(section.place.clone()), message);
            plan.problems.push(problem.of_machine());
            return plan;
        };
        let mut effects = Vec::new();
        let files = certificates(layout, &trusted);
        if removes {
            match &layout.defaults {
                Defaults::Listed(list) => {
                    effects.extend(deselected(ctx.probe, list));
                    effects.extend(answered(ctx.probe, layout));
                }
                Defaults::Below(dirs) => {
                    let kept: Vec<&Path> = files.iter().filter_map(Effect::path).collect();
                    for dir in *dirs {
                        remove(ctx.probe, Path::new(dir), &kept, DEEPEST, &mut effects);
                    }
                }
                Defaults::Fixed => {
                    let place = key.and_then(|key| fields.get(key));
                    let place = place.map(|value| value.place.clone());
                    let message = "ca_certs.remove_defaults: on SUSE they belong to the package \
                                   ca-certificates-mozilla, and stay";
                    let problem = Problem::warning(place, message);
                    let hint = "leave that package out of the image";
                    plan.problems.push(problem.hint(hint));
                }
            }
        }
        effects.extend(files);
        let mut step = Step::new("certificates", effects);
        let mut update = ToolSpec::new("certificates collected", [layout.update]);
        // Nothing before the end of this stage asks for them.
        update.wait = Wait::Stage;
        step.on_change.push(Effect::tool(update));
        plan.push(step);
        plan
    }
}

fn layout(probe: &dyn Probe) -> Option<&'static Layout> {
    let family = distribution::family(probe);
    if family != Family::Other {
        return LAYOUTS.iter().find(|layout| layout.family == family);
    }
    let id = distribution::id(probe);
    LAYOUTS
        .iter()
        .find(|layout| layout.ids.contains(&id.as_str()))
}

/// Tells of those that the programs which collect certificates leave out.
fn check(trusted: &[Placed<String>], told: &mut Vec<Problem>) {
    for (number, certificate) in (1..).zip(trusted) {
        if !certificate.value.contains("-----BEGIN ") {
            let message = format!(
                "ca_certs.trusted: certificate {number} is not in PEM form, so nobody will take it"
            );
            let problem = Problem::warning(Some(certificate.place.clone()), message);
            told.push(problem.hint("begin it with `-----BEGIN CERTIFICATE-----`"));
        }
    }
}

/// A file for each, by its number in the list.
fn certificates(layout: &Layout, trusted: &[Placed<String>]) -> Vec<Effect> {
    let (before, behind) = layout.file;
    let file = |(number, certificate): (u32, &Placed<String>)| {
        let path = PathBuf::from(format!("{before}{number}{behind}"));
        Effect::file(path, certificate.value.as_bytes())
    };
    (1..).zip(trusted).map(file).collect()
}

/// The list with a `!` before each certificate.
fn deselected(probe: &dyn Probe, list: &str) -> Option<Effect> {
    let now = files::text(probe, list)?;
    let is_off = |line: &str| line.is_empty() || line.starts_with(['#', '!']);
    if now.lines().all(is_off) {
        return None;
    }
    let mut text = String::with_capacity(now.len().saturating_mul(2));
    let mut is_noted = now.lines().any(|line| line == NOTE);
    for line in now.lines() {
        if is_off(line) {
            text.push_str(line);
        } else {
            if !is_noted {
                text.push_str(NOTE);
                text.push('\n');
                is_noted = true;
            }
            text.push('!');
            text.push_str(line);
        }
        text.push('\n');
    }
    Some(Effect::file(list, text))
}

/// That new certificates of Debian's package are not trusted either.
fn answered(probe: &dyn Probe, layout: &Layout) -> Option<Effect> {
    if layout.family != Family::Debian {
        return None;
    }
    let known = files::text(probe, ANSWERS).unwrap_or_default();
    let name = format!("Name: {QUESTION}");
    let mut stanzas = known.split("\n\n");
    let stanza = stanzas.find(|stanza| stanza.lines().any(|line| line == name));
    if stanza.is_some_and(|stanza| stanza.lines().any(|line| line == "Value: no")) {
        return None;
    }
    let what = format!("{QUESTION} answered with no");
    let tool = ToolSpec::new(what, ["debconf-set-selections", "-"]);
    Some(Effect::tool(tool.stdin(Secret::new(ANSWER.to_vec()))))
}

/// No file below a directory but those that are kept. Directories stay: the programs that collect
/// certificates want them.
fn remove(probe: &dyn Probe, dir: &Path, kept: &[&Path], depth: usize, effects: &mut Vec<Effect>) {
    let names = probe.list(dir).ok().flatten().unwrap_or_default();
    for path in names.iter().map(|name| dir.join(name)) {
        match probe.kind(&path) {
            Ok(Some(FileKind::Directory)) if depth > 0 => {
                remove(probe, &path, kept, depth - 1, effects);
            }
            Ok(Some(FileKind::File | FileKind::Link)) if !kept.contains(&path.as_path()) => {
                effects.push(Effect::Absent { at: path.into() });
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
