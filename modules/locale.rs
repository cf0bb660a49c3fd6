//! The language of the system.
//!
//! Source: cloud-init, `cloudinit/config/cc_locale.py` and `apply_locale` of
//! `cloudinit/distros/{debian,rhel,opensuse,alpine,arch}.py`; locale.conf(5).

use std::path::Path;

use contract::effect::{Effect, ToolSpec};
use contract::machine::{FileKind, Probe};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Placed, Text, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::files;
use crate::packages;
use crate::switch;

const LOCALE_CONF: &str = "/etc/locale.conf";
const DEBIAN_CONF: &str = "/etc/default/locale";
const ALPINE_CONF: &str = "/etc/profile.d/50-cloud-init-locale.sh";
const LOCALE_GEN: &str = "/etc/locale.gen";
/// Locales that every C library has in itself.
const BUILT_IN: [&str; 3] = ["c", "c.utf-8", "posix"];

const KEYS: &[Key] = &[
    Key::new(
        "locale",
        Shape::OneOf(&[Shape::Bool, Shape::Text]),
        "the system's language, such as fr_FR.UTF-8; false leaves it alone",
    ),
    Key::new(
        "locale_configfile",
        Shape::Text,
        "the file that says so, instead of the distribution's own",
    ),
];

/// Sets the system's language.
pub(crate) struct Locale;

/// `locale` and `locale_configfile`.
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    locale: Option<Value>,
    locale_configfile: Option<Placed<Text>>,
}

/// What was asked for, and where it shall stand.
struct Wanted<'a> {
    /// `None` if nobody asked: the distribution's own then.
    locale: Option<String>,
    file: Option<&'a str>,
    ctx: &'a Context<'a>,
}

impl Module for Locale {
    const FACTS: Facts = Facts {
        name: "locale",
        summary: "set the system's language",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::Always,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/locale.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let locale = match want.locale.as_ref().map(locale).transpose() {
            Ok(Some(Asked::Nothing)) => return Plan::nothing(),
            Ok(Some(Asked::Locale(name))) => Some(name),
            Ok(Some(Asked::Default) | None) => None,
            Err(problem) => return Plan::problem(problem),
        };
        let file = want.locale_configfile.as_ref();
        if let Some(file) = file.filter(|file| !file.value.starts_with('/')) {
            let message = "locale_configfile: expected an absolute path";
            return Plan::problem(Problem::error(Some(file.place.clone()), message));
        }
        let wanted = Wanted {
            locale,
            file: file.map(|file| &*file.value.0),
            ctx,
        };
        let (step, odd) = match distribution::family(ctx.probe) {
            Family::Debian => (debian(&wanted), None),
            Family::RedHat => (red_hat(&wanted), None),
            Family::Suse => (suse(&wanted), None),
            Family::Alpine => (alpine(&wanted), None),
            Family::Arch => (arch(&wanted), odd_on_arch(file)),
            Family::Other => (other(&wanted), None),
        };
        let mut plan = Plan::nothing();
        plan.problems.extend(odd);
        step.into_iter().for_each(|step| plan.push(step));
        plan
    }
}

/// What `locale` says.
enum Asked {
    Nothing,
    Default,
    Locale(String),
}

fn locale(value: &Value) -> Result<Asked, Problem> {
    match switch::read(value) {
        Some(false) => return Ok(Asked::Nothing),
        Some(true) => return Ok(Asked::Default),
        None => {}
    }
    let name = value.to_text().filter(|name| is_locale(name));
    name.map(Asked::Locale).ok_or_else(|| {
        let message = "locale: expected the name of a locale";
        Problem::error(Some(value.place.clone()), message)
            .hint("write one such as `fr_FR.UTF-8`, or `false` to leave it alone")
    })
}

/// Names go into files that the shell reads, and to a tool that hands them to the shell.
fn is_locale(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-.@".contains(&b);
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(good)
}

/// Nothing is done when the system says so already.
fn debian(wanted: &Wanted<'_>) -> Option<Step> {
    let system =
        files::text(wanted.ctx.probe, DEBIAN_CONF).and_then(|text| value_of(&text, "LANG"));
    let system = system.filter(|system| !system.is_empty());
    let file = wanted.file.unwrap_or(DEBIAN_CONF);
    let asked = wanted.locale.clone();
    let locale = asked.or_else(|| system.clone().filter(|name| is_locale(name)));
    let locale = locale.unwrap_or_else(|| "C.UTF-8".to_owned());
    let is_so = system.is_some_and(|system| system.eq_ignore_ascii_case(&locale));
    if is_so && files::text(wanted.ctx.probe, file).is_some() {
        return None;
    }
    if BUILT_IN.contains(&locale.to_ascii_lowercase().as_str()) {
        // Debian 13 has a link there.
        let is_link = matches!(
            wanted.ctx.probe.kind(Path::new(file)),
            Ok(Some(FileKind::Link))
        );
        let file = if is_link && file == DEBIAN_CONF {
            LOCALE_CONF
        } else {
            file
        };
        return Some(step([lang(wanted.ctx.probe, file, &locale)]));
    }
    let mut effects = Vec::new();
    if !distribution::has_program(wanted.ctx.probe, "locale-gen") {
        effects.extend(packages::needed(&["locales"], wanted.ctx));
    }
    let list = files::text(wanted.ctx.probe, LOCALE_GEN).unwrap_or_default();
    effects.push(Effect::file(LOCALE_GEN, with_locale(&list, &locale)));
    let made = format!("locale {locale}");
    effects.push(Effect::tool(ToolSpec::new(made, ["locale-gen", &locale])));
    let what = format!("LANG={locale} in {file}");
    let argv = [
        "update-locale".to_owned(),
        format!("--locale-file={file}"),
        format!("LANG={locale}"),
    ];
    effects.push(Effect::tool(ToolSpec::new(what, argv)));
    Some(step(effects))
}

fn red_hat(wanted: &Wanted<'_>) -> Option<Step> {
    let system =
        || files::text(wanted.ctx.probe, LOCALE_CONF).and_then(|text| value_of(&text, "LANG"));
    let locale = wanted.locale.clone().or_else(system);
    let locale = locale.unwrap_or_else(|| "en_US.UTF-8".to_owned());
    let file = wanted.file.unwrap_or(LOCALE_CONF);
    Some(step([lang(wanted.ctx.probe, file, &locale)]))
}

fn suse(wanted: &Wanted<'_>) -> Option<Step> {
    let locale = wanted.locale.as_deref().unwrap_or("en_US.UTF-8");
    let file = wanted.file.unwrap_or(LOCALE_CONF);
    Some(step([lang(wanted.ctx.probe, file, locale)]))
}

fn alpine(wanted: &Wanted<'_>) -> Option<Step> {
    let locale = wanted.locale.as_deref().unwrap_or("C.UTF-8");
    let file = wanted.file.unwrap_or(ALPINE_CONF);
    let text = format!("export CHARSET=UTF-8\nexport LANG={locale}\nexport LC_COLLATE=C\n");
    Some(step([Effect::file(file, text)]))
}

fn arch(wanted: &Wanted<'_>) -> Option<Step> {
    let locale = wanted.locale.as_deref().unwrap_or("en_US.UTF-8");
    let list = Effect::file(LOCALE_GEN, format!("{locale} UTF-8\n"));
    let made = ToolSpec::new(format!("locale {locale}"), ["locale-gen"]);
    let mut step = step([list, lang(wanted.ctx.probe, LOCALE_CONF, locale)]);
    step.on_change.push(Effect::tool(made));
    Some(step)
}

fn odd_on_arch(file: Option<&Placed<Text>>) -> Option<Problem> {
    let file = file.filter(|file| &*file.value.0 != LOCALE_CONF)?;
    let message = "locale_configfile: on Arch Linux it is /etc/locale.conf; this one is not used";
    Some(Problem::warning(Some(file.place.clone()), message))
}

/// Where nobody asked, what is not known stays as it is.
fn other(wanted: &Wanted<'_>) -> Option<Step> {
    let locale = wanted.locale.as_deref()?;
    let file = wanted.file.unwrap_or(LOCALE_CONF);
    Some(step([lang(wanted.ctx.probe, file, locale)]))
}

fn step(effects: impl IntoIterator<Item = Effect>) -> Step {
    Step::new("locale", effects)
}

/// `file` with this `LANG`, and with everything else as it is.
fn lang(probe: &dyn Probe, file: &str, locale: &str) -> Effect {
    let now = files::text(probe, file).unwrap_or_default();
    let mut lines: Vec<&str> = now.lines().collect();
    let ours = format!("LANG={locale}");
    let is_lang = |line: &&str| assigned(line, "LANG").is_some();
    match lines.iter().rposition(is_lang) {
        Some(_) if value_of(&now, "LANG").as_deref() == Some(locale) => {}
        Some(at) => {
            if let Some(line) = lines.get_mut(at) {
                *line = &ours;
            }
        }
        None => lines.push(&ours),
    }
    Effect::file(file, format!("{}\n", lines.join("\n")))
}

/// The last value that a file of the shell's assignments gives to a variable.
fn value_of(text: &str, name: &str) -> Option<String> {
    let mut values = text.lines().filter_map(|line| assigned(line, name));
    let value = values.next_back()?.trim();
    Some(value.trim_matches(['"', '\'']).to_owned())
}

fn assigned<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").unwrap_or(line);
    line.strip_prefix(name)?.strip_prefix('=')
}

/// locale-gen(8) makes those of the list. What is not in it among the comments is added.
fn with_locale(list: &str, locale: &str) -> String {
    let is_it = |line: &str| line.split_whitespace().next() == Some(locale);
    if list.lines().any(is_it) {
        return list.to_owned();
    }
    let mut lines: Vec<&str> = list.lines().collect();
    let mut all = lines.iter_mut();
    let told = all.find(|line| comment(line).is_some_and(is_it));
    let charset = locale.split_once('.').map_or("ISO-8859-1", |(_, rest)| {
        rest.split('@').next().unwrap_or(rest)
    });
    let added = format!("{locale} {charset}");
    match told {
        Some(line) => *line = comment(line).unwrap_or(line),
        None => lines.push(&added),
    }
    format!("{}\n", lines.join("\n"))
}

fn comment(line: &str) -> Option<&str> {
    line.strip_prefix('#').map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::*;

    fn plan(release: &str, files: &[(&str, &str)], config: &str) -> Plan {
        let mut all = vec![("/etc/os-release", release)];
        all.extend(files);
        Setting {
            machine: FakeMachine::with(&all),
            ..Setting::default()
        }
        .plan::<Locale>(config)
    }

    #[test]
    fn each_distribution_has_its_file_and_its_default() {
        let french = "locale: fr_FR.UTF-8";
        let elsewhere = "{locale: fr_FR.UTF-8, locale_configfile: /etc/lang}";
        #[rustfmt::skip]
        let table = [
            // os-release       configuration  file           text
            ("ID=debian",       "{}",          DEBIAN_CONF,   Some("LANG=C.UTF-8\n")),
            ("ID=debian",       "locale: C",   DEBIAN_CONF,   Some("LANG=C\n")),
            ("ID=debian",       "locale: true", DEBIAN_CONF,  Some("LANG=C.UTF-8\n")),
            ("ID=amzn",         "{}",          LOCALE_CONF,   Some("LANG=en_US.UTF-8\n")),
            ("ID=amzn",         french,        LOCALE_CONF,   Some("LANG=fr_FR.UTF-8\n")),
            ("ID=amzn",         elsewhere,     "/etc/lang",   Some("LANG=fr_FR.UTF-8\n")),
            ("ID=sles",         "{}",          LOCALE_CONF,   Some("LANG=en_US.UTF-8\n")),
            ("ID=sles",         french,        LOCALE_CONF,   Some("LANG=fr_FR.UTF-8\n")),
            ("ID=alpine",       french,        ALPINE_CONF,   Some("export CHARSET=UTF-8\nexport LANG=fr_FR.UTF-8\nexport LC_COLLATE=C\n")),
            ("ID=arch",         french,        LOCALE_GEN,    Some("fr_FR.UTF-8 UTF-8\n")),
            ("ID=arch",         french,        LOCALE_CONF,   Some("LANG=fr_FR.UTF-8\n")),
            ("ID=gentoo",       "{}",          LOCALE_CONF,   None),
            ("ID=gentoo",       french,        LOCALE_CONF,   Some("LANG=fr_FR.UTF-8\n")),
        ];
        for (release, config, file, text) in table {
            let plan = plan(release, &[], config);
            assert_eq!(plan.text_of(file).as_deref(), text, "{release} {config}");
            assert_eq!(plan.problems, [], "{release} {config}");
        }
        for release in ["debian", "amzn", "sles", "alpine", "arch", "gentoo"] {
            let plan = plan(&format!("ID={release}"), &[], "locale: false");
            assert_eq!(plan, Plan::nothing(), "{release}");
        }
    }

    #[test]
    fn what_the_system_says_already_stays() {
        #[rustfmt::skip]
        let table = [
            // os-release  what there is                             configuration          text
            ("ID=debian",  (DEBIAN_CONF, "LANG=\"de_DE.UTF-8\"\n"),  "{}",                  None),
            ("ID=debian",  (DEBIAN_CONF, "LANG=de_DE.UTF-8\n"),      "locale: de_DE.utf-8", None),
            ("ID=debian",  (DEBIAN_CONF, "#  a comment\nLC_TIME=C\n"), "{}",               Some("#  a comment\nLC_TIME=C\nLANG=C.UTF-8\n")),
            ("ID=debian",  (DEBIAN_CONF, "LANG=de_DE.UTF-8\n"),      "locale: C.UTF-8",     Some("LANG=C.UTF-8\n")),
            ("ID=amzn",    (LOCALE_CONF, "LANG=\"de_DE.UTF-8\"\n"),  "{}",                  Some("LANG=\"de_DE.UTF-8\"\n")),
            ("ID=amzn",    (LOCALE_CONF, "LANG=C\nLC_TIME=C\n"),     "locale: fr_FR.UTF-8", Some("LANG=fr_FR.UTF-8\nLC_TIME=C\n")),
        ];
        for (release, file, config, text) in table {
            let plan = plan(release, &[file], config);
            assert_eq!(plan.text_of(file.0).as_deref(), text, "{release} {config}");
        }
    }

    #[test]
    fn a_locale_that_has_to_be_made_is_made_by_the_systems_tools() {
        let list = (
            LOCALE_GEN,
            "# This file lists\n# fr_FR ISO-8859-1\n# fr_FR.UTF-8 UTF-8\n",
        );
        let tool = ("/usr/sbin/locale-gen", "");
        let bare = plan("ID=debian", &[], "locale: fr_FR.UTF-8");
        assert_eq!(bare.lines()[0], "package locales (apt)");
        assert_eq!(bare.text_of(LOCALE_GEN).unwrap(), "fr_FR.UTF-8 UTF-8\n");
        let plan = plan("ID=debian", &[list, tool], "locale: fr_FR.UTF-8");
        assert_eq!(
            plan.lines(),
            [
                "file /etc/locale.gen (0644)",
                "locale fr_FR.UTF-8",
                "LANG=fr_FR.UTF-8 in /etc/default/locale",
            ]
        );
        let text = plan.text_of(LOCALE_GEN).unwrap();
        assert_eq!(
            text,
            "# This file lists\n# fr_FR ISO-8859-1\nfr_FR.UTF-8 UTF-8\n"
        );
        #[rustfmt::skip]
        let table = [
            ("fr_FR.UTF-8 UTF-8\n",  "fr_FR.UTF-8",  "fr_FR.UTF-8 UTF-8\n"),
            ("# none\n",             "xx_XX.UTF-8",  "# none\nxx_XX.UTF-8 UTF-8\n"),
            ("# none\n",             "xx_XX",        "# none\nxx_XX ISO-8859-1\n"),
            ("",                     "xx_XX.UTF-8@euro", "xx_XX.UTF-8@euro UTF-8\n"),
        ];
        for (list, locale, text) in table {
            assert_eq!(with_locale(list, locale), text, "{locale}");
        }
    }

    #[test]
    fn what_cannot_be_a_locale_reaches_no_tool() {
        let conf = "{locale: C, locale_configfile: lang}";
        let arch = "{locale: C, locale_configfile: /etc/lang}";
        #[rustfmt::skip]
        let table = [
            ("ID=debian", "locale: 'C; reboot'",  "test:1:9: locale: expected the name of a locale (write one such as `fr_FR.UTF-8`"),
            ("ID=debian", "locale: -C",           "test:1:9: locale: expected the name"),
            ("ID=debian", "locale: [C]",          "test:1:9: locale: expected the name"),
            ("ID=debian", conf,                   "test:1:32: locale_configfile: expected an absolute path"),
            ("ID=arch",   arch,                   "test:1:32: locale_configfile: on Arch Linux it is /etc/locale.conf"),
        ];
        for (release, config, says) in table {
            let plan = plan(release, &[], config);
            let said = plan.problems[0].to_string();
            assert!(said.starts_with(says), "{config}: {said}");
            assert_eq!(plan.steps.is_empty(), release == "ID=debian", "{config}");
        }
    }
}
