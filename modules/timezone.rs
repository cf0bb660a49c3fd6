//! The time zone of the machine.
//!
//! Source: cloud-init, `cloudinit/config/cc_timezone.py`, `cloudinit/distros/__init__.py`
//! (`set_etc_timezone`) and `cloudinit/distros/rhel.py`; localtime(5).

use std::io;
use std::path::{Path, PathBuf};

use contract::effect::{Effect, Target};
use contract::machine::FileKind;
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Placed, Text};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::files;

const LOCALTIME: &str = "/etc/localtime";
const ETC_TIMEZONE: &str = "/etc/timezone";
const ZONES: &str = "/usr/share/zoneinfo";
/// What a file of a zone begins with (tzfile(5)).
const MAGIC: &[u8] = b"TZif";

/// Sets the time zone.
pub(crate) struct Timezone;

/// `timezone:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    timezone: Option<Placed<Text>>,
}

impl Module for Timezone {
    const FACTS: Facts = Facts {
        name: "timezone",
        summary: "set the time zone",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: &[Key::new(
            "timezone",
            Shape::Scalar,
            "a name below /usr/share/zoneinfo, such as Europe/Paris",
        )],
    };
    const NOTES: &'static str = include_str!("notes/timezone.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let zone = want.timezone.filter(|zone| !zone.value.is_empty());
        let Some(zone) = zone else {
            return Plan::nothing();
        };
        match effects(&zone, ctx) {
            Ok(effects) => Step::new("timezone", effects).into(),
            Err(problem) => Plan::problem(problem),
        }
    }
}

fn effects(zone: &Placed<Text>, ctx: &Context<'_>) -> Result<Vec<Effect>, Problem> {
    let name = &*zone.value.0;
    let (file, bytes) = find(zone, ctx)?;
    let mut effects = Vec::new();
    // Red Hat's and SUSE's have no such file.
    let family = distribution::family(ctx.probe);
    let is_named_beside = !matches!(family, Family::RedHat | Family::Suse);
    if is_named_beside {
        effects.push(Effect::file(ETC_TIMEZONE, format!("{name}\n")));
    }
    // A regular file there stays one: /usr may be on a disk that comes later.
    let now = ctx.probe.kind(Path::new(LOCALTIME));
    let is_copied = is_named_beside && matches!(now, Ok(Some(FileKind::File)));
    effects.push(match is_copied {
        true => Effect::file(LOCALTIME, bytes),
        false => Effect::Link {
            at: Target::from(LOCALTIME),
            to: file,
        },
    });
    Ok(effects)
}

/// The file of a zone, and what is in it.
fn find(zone: &Placed<Text>, ctx: &Context<'_>) -> Result<(PathBuf, Vec<u8>), Problem> {
    let name = &*zone.value.0;
    let wrong = |message: String| {
        Problem::error(Some(zone.place.clone()), message).hint(format!(
            "write a name below {ZONES}, such as `Europe/Paris`"
        ))
    };
    let shown = name.replace(char::is_control, "\u{fffd}");
    let mut parts = name.split('/');
    if parts.any(|part| matches!(part, "" | "." | "..")) || shown != name {
        return Err(wrong(format!("timezone: `{shown}` is no name of a zone")));
    }
    let file = Path::new(ZONES).join(name);
    let unknown = || wrong(format!("timezone: there is no zone `{name}`"));
    match ctx.probe.read(&file) {
        Ok(Some(bytes)) if bytes.starts_with(MAGIC) => Ok((file, bytes)),
        Ok(None) if !files::exists(ctx.probe, ZONES) => {
            let message = format!("timezone: there is no {ZONES} on this machine");
            let problem = Problem::error(Some(zone.place.clone()), message).of_machine();
            Err(problem.hint("install `tzdata` in the image"))
        }
        Ok(_) => Err(unknown()),
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Err(unknown()),
        Err(error) => {
            let message = format!("timezone: cannot read {}: {error}", file.display());
            Err(Problem::error(Some(zone.place.clone()), message).of_machine())
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    /// Paths with what is in them.
    type Files<'a> = &'a [(&'a str, &'a str)];

    fn machine(release: &str, more: Files<'_>) -> Setting {
        let mut files = vec![
            ("/etc/os-release", release),
            ("/usr/share/zoneinfo/Europe/Paris", "TZif2paris"),
            ("/usr/share/zoneinfo/tzdata.zi", "# version 2025a"),
        ];
        files.extend(more);
        Setting {
            machine: FakeMachine::with(&files),
            ..Setting::default()
        }
    }

    #[test]
    fn each_distribution_is_told_in_its_own_way() {
        let link = "link /etc/localtime -> /usr/share/zoneinfo/Europe/Paris";
        let named = "file /etc/timezone (0644)";
        let file = ("/etc/localtime", "TZif2utc");
        #[rustfmt::skip]
        let table: [(&str, Files<'_>, &[&str]); 6] = [
            ("ID=debian\n",             &[],      &[named, link]),
            ("ID=alpine\n",             &[],      &[named, link]),
            ("ID=debian\n",             &[file],  &[named, "file /etc/localtime (0644)"]),
            ("ID=\"amzn\"\n",           &[],      &[link]),
            ("ID=\"amzn\"\n",           &[file],  &[link]),
            ("ID=\"opensuse-leap\"\n",  &[],      &[link]),
        ];
        for (release, files, lines) in table {
            let plan = machine(release, files).plan::<Timezone>("timezone: Europe/Paris");
            assert_eq!(plan.lines(), lines, "{release:?} {files:?}");
        }
        let plan = machine("ID=debian\n", &[file]).plan::<Timezone>("timezone: Europe/Paris");
        assert_eq!(plan.text_of(LOCALTIME).as_deref(), Some("TZif2paris"));
        assert_eq!(
            plan.text_of(ETC_TIMEZONE).as_deref(),
            Some("Europe/Paris\n")
        );
    }

    #[test]
    fn what_is_no_zone_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("timezone: Europe/Pariss",       "test:1:11: timezone: there is no zone `Europe/Pariss` (write a name below"),
            ("timezone: Europe",              "test:1:11: timezone: there is no zone `Europe` ("),
            ("timezone: tzdata.zi",           "test:1:11: timezone: there is no zone `tzdata.zi` ("),
            ("timezone: ../../../etc/shadow", "test:1:11: timezone: `../../../etc/shadow` is no name of a zone"),
            ("timezone: /etc/localtime",      "test:1:11: timezone: `/etc/localtime` is no name of a zone"),
            ("timezone: [UTC]",               "test:1:11: timezone: expected a string, found a list"),
        ];
        for (config, says) in table {
            let plan = machine("ID=debian\n", &[]).plan::<Timezone>(config);
            assert!(plan.steps.is_empty(), "{config}");
            let said = plan.problems[0].to_string();
            assert!(said.starts_with(says), "{config}: {said}");
        }
        let plan = Setting::default().plan::<Timezone>("timezone: UTC");
        assert!(plan.problems[0].to_string().contains("install `tzdata`"));
        assert_eq!(
            machine("", &[]).plan::<Timezone>("timezone: ''"),
            Plan::nothing()
        );
    }
}
