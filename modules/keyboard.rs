//! The keyboard at the console.
//!
//! Source: cloud-init, `cloudinit/config/cc_keyboard.py` and `set_keymap` of
//! `cloudinit/distros/{__init__,debian,alpine}.py`; keyboard(5), localectl(1).

use std::path::{Path, PathBuf};

use contract::effect::{Effect, ToolSpec, UnitVerb};
use contract::machine::{FileKind, Probe};
use contract::module::{Context, Facts, Frequency, Module, Stage, Wake};
use contract::plan::{Plan, Problem, Step};
use contract::schema::{Key, Shape};
use contract::yaml::{Kind, Value};
use serde::Deserialize;

use crate::distribution::{self, Family};
use crate::fields::Fields;
use crate::files;
use crate::services;

const NAME: &str = "keyboard";

const KEYS: &[Key] = &[Key::new(
    NAME,
    Shape::Map(&[
        Key::new(
            "layout",
            Shape::Text,
            "such as `us`; in quotes if it is 'no'",
        )
        .required(),
        Key::new("model", Shape::Text, "such as pc104; not on Alpine").or("pc105"),
        Key::new(
            "variant",
            Shape::Text,
            "such as nodeadkeys; on Alpine it is needed",
        ),
        Key::new("options", Shape::Text, "such as ctrl:nocaps; not on Alpine"),
    ]),
    "the keyboard at the console",
)];

/// Where Debian's are told, and who reads it again.
const DEBIAN_CONF: &str = "/etc/default/keyboard";
const CONSOLE_SETUP: &str = "console-setup";
/// Where localectl(1) keeps what it was told.
const X11_CONF: &str = "/etc/X11/xorg.conf.d/00-keyboard.conf";
const ALPINE_MAPS: &str = "/usr/share/bkeymaps";
const ALPINE_CONF: &str = "/etc/conf.d/loadkmap";

/// Sets the keyboard.
pub(crate) struct Keyboard;

/// `keyboard:`
#[derive(Debug, Deserialize)]
pub(crate) struct Section {
    keyboard: Option<Value>,
}

/// What somebody sits before; a field that is not given is empty.
struct Wanted {
    layout: String,
    model: Option<String>,
    variant: String,
    options: String,
}

impl Module for Keyboard {
    const FACTS: Facts = Facts {
        name: NAME,
        summary: "set the keyboard at the console",
        stage: Stage::Config,
        frequency: Frequency::Instance,
        wake: Wake::OnKeys,
        keys: KEYS,
    };
    const NOTES: &'static str = include_str!("notes/keyboard.md");
    type Section = Section;

    fn plan(want: Section, ctx: &Context<'_>) -> Plan {
        let mut plan = Plan::nothing();
        let told = &mut plan.problems;
        let Some(section) = want.keyboard else {
            return plan;
        };
        let Some(wanted) =
            Fields::of(NAME, &section, told).and_then(|fields| Wanted::of(&fields, &section, told))
        else {
            return plan;
        };
        let step = match distribution::family(ctx.probe) {
            Family::Debian => Ok(wanted.debian(ctx.probe)),
            Family::Alpine => wanted.alpine(ctx.probe, &section, told),
            Family::RedHat | Family::Suse | Family::Arch => Ok(wanted.localectl(ctx.probe)),
            Family::Other => {
                let message = "keyboard: how it is set on this distribution is not known";
                told.push(Problem::error(Some(section.place.clone()), message).of_machine());
                return plan;
            }
        };
        match step {
            Ok(step) => plan.push(step),
            Err(message) => {
                let message = format!("keyboard: {message}");
                let problem = Problem::error(Some(section.place.clone()), message);
                plan.problems.push(problem);
            }
        }
        plan
    }
}

impl Wanted {
    fn of(fields: &Fields<'_>, section: &Value, told: &mut Vec<Problem>) -> Option<Self> {
        let before = told.len();
        let mut field = |key: &str| {
            let value = fields.get(key)?;
            let is_switch = matches!(value.kind, Kind::Bool(_));
            let text = value.to_text().filter(|text| is_good(text) && !is_switch);
            if text.is_none() {
                let message = format!("{}: expected one word", fields.name(key));
                let problem = Problem::error(Some(value.place.clone()), message);
                told.push(match is_switch {
                    true => problem.hint("YAML reads a bare `no` as false: write it in quotes"),
                    false => problem,
                });
            }
            text
        };
        let layout = field("layout");
        let model = field("model");
        let variant = field("variant").unwrap_or_default();
        let options = field("options").unwrap_or_default();
        if told.len() > before {
            return None;
        }
        let Some(layout) = layout.filter(|layout| !layout.is_empty()) else {
            let message = "keyboard.layout: it is missing";
            let problem = Problem::error(Some(section.place.clone()), message);
            told.push(problem.hint("write one such as `us`"));
            return None;
        };
        Some(Self {
            layout,
            model,
            variant,
            options,
        })
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or("pc105")
    }

    fn debian(&self, probe: &dyn Probe) -> Step {
        let text = format!(
            "# Written by firstlight (keyboard).\n\nXKBMODEL=\"{}\"\nXKBLAYOUT=\"{}\"\n\
             XKBVARIANT=\"{}\"\nXKBOPTIONS=\"{}\"\n\nBACKSPACE=\"guess\"\n",
            self.model(),
            self.layout,
            self.variant,
            self.options
        );
        let mut step = Step::new(NAME, [Effect::file(DEBIAN_CONF, text)]);
        let dirs = [
            "/etc/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ];
        let mut units = dirs
            .iter()
            .map(|dir| format!("{dir}/{CONSOLE_SETUP}.service"));
        if units.any(|unit| {
            probe
                .kind(Path::new(&unit))
                .is_ok_and(|kind| kind.is_some())
        }) {
            let job = services::job(UnitVerb::Restart, CONSOLE_SETUP, probe);
            step.on_change.push(job);
        }
        step
    }

    /// Nothing, if it is so already.
    fn localectl(&self, probe: &dyn Probe) -> Step {
        let now = files::text(probe, X11_CONF).unwrap_or_default();
        let fields = [
            ("XkbLayout", self.layout.as_str()),
            ("XkbModel", self.model()),
            ("XkbVariant", &self.variant),
            ("XkbOptions", &self.options),
        ];
        let is_so = fields.iter().all(|(name, value)| match value.is_empty() {
            true => !now.contains(name),
            false => now.contains(&format!("\"{name}\" \"{value}\"")),
        });
        if is_so {
            return Step::new(NAME, []);
        }
        let words = ["localectl", "set-x11-keymap"];
        let argv = words.into_iter().chain(fields.map(|(_, value)| value));
        // localectl(1) takes layout, model, variant and options in this order.
        let tool = ToolSpec::new(format!("keyboard {}", self.layout), argv);
        Step::new(NAME, [Effect::tool(tool.live_only())])
    }

    fn alpine(
        &self,
        probe: &dyn Probe,
        section: &Value,
        told: &mut Vec<Problem>,
    ) -> Result<Step, String> {
        let dir = Path::new(ALPINE_MAPS).join(&self.layout);
        let kind = |path: &Path| probe.kind(path).ok().flatten();
        if kind(&dir) != Some(FileKind::Directory) {
            return Err(format!(
                "there is no layout `{}` in {ALPINE_MAPS}",
                self.layout
            ));
        }
        if self.variant.is_empty() {
            return Err("on Alpine a `variant` has to be given".to_owned());
        }
        let map: PathBuf = dir.join(format!("{}.bmap.gz", self.variant));
        if kind(&map).is_none() {
            return Err(format!("there is no {}", map.display()));
        }
        for (key, is_given) in [
            ("model", self.model.is_some()),
            ("options", !self.options.is_empty()),
        ] {
            if is_given {
                let message = format!("keyboard.{key}: it is not used on Alpine");
                let place = section.get(key).map(|value| value.place.clone());
                told.push(Problem::warning(place, message));
            }
        }
        let now = files::text(probe, ALPINE_CONF).unwrap_or_default();
        if now.contains(&format!("/{}.bmap.gz", self.variant)) {
            return Ok(Step::new(NAME, []));
        }
        let argv = ["setup-keymap", &self.layout, &self.variant];
        let tool = ToolSpec::new(format!("keyboard {}", self.layout), argv);
        Ok(Step::new(NAME, [Effect::tool(tool)]))
    }
}

/// What names of xkeyboard-config(7) are made of. They go into a file that the shell reads.
fn is_good(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_-.,:+()".contains(&b);
    !text.starts_with('-') && text.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use contract::testing::{Files, Setting};

    use super::*;

    const ALL: &str =
        "keyboard: {layout: de, model: pc104, variant: nodeadkeys, options: 'ctrl:nocaps'}";
    const MAP: (&str, &str) = ("/usr/share/bkeymaps/de/de-nodeadkeys.bmap.gz", "");
    const SETUP: (&str, &str) = ("/usr/lib/systemd/system/console-setup.service", "");

    fn lines(plan: &Plan) -> Vec<String> {
        let argv = |effect: &Effect| match effect {
            Effect::Tool(tool) => format!("{:?}", tool.argv),
            other => other.to_string(),
        };
        plan.effects().map(argv).collect()
    }

    #[test]
    fn each_distribution_is_told_in_its_own_way() {
        let file = "file /etc/default/keyboard (0644)";
        let tool = r#"["localectl", "set-x11-keymap", "de", "pc104", "nodeadkeys", "ctrl:nocaps"]"#;
        let short = r#"["localectl", "set-x11-keymap", "us", "pc105", "", ""]"#;
        #[rustfmt::skip]
        let table: [(&str, Files<'_>, &str, &[&str]); 6] = [
            ("debian", &[SETUP],  ALL, &[file, "restart console-setup.service"]),
            ("ubuntu", &[],       ALL, &[file]),
            ("amzn",   &[],       ALL, &[tool]),
            ("sles",   &[],       "keyboard: {layout: us}", &[short]),
            ("arch",   &[],       ALL, &[tool]),
            ("alpine", &[MAP],    "keyboard: {layout: de, variant: de-nodeadkeys}", &[r#"["setup-keymap", "de", "de-nodeadkeys"]"#]),
        ];
        for (id, files, config, wanted) in table {
            let plan = Setting::on(id, files).plan::<Keyboard>(config);
            assert_eq!(lines(&plan), wanted, "{id}");
            assert_eq!(plan.problems, [], "{id}");
        }
        let text = Setting::on("debian", &[])
            .plan::<Keyboard>(ALL)
            .text_of(DEBIAN_CONF);
        let wanted = "XKBMODEL=\"pc104\"\nXKBLAYOUT=\"de\"\nXKBVARIANT=\"nodeadkeys\"\n\
                      XKBOPTIONS=\"ctrl:nocaps\"\n\nBACKSPACE=\"guess\"\n";
        assert!(text.unwrap().ends_with(wanted));
    }

    #[test]
    fn nothing_is_run_when_it_is_so_already() {
        let x11 = "Section \"InputClass\"\n        Option \"XkbLayout\" \"de\"\n        Option \"XkbModel\" \"pc105\"\nEndSection\n";
        let plan =
            Setting::on("rhel", &[(X11_CONF, x11)]).plan::<Keyboard>("keyboard: {layout: de}");
        assert_eq!(plan, Plan::nothing());
        let plan = Setting::on("rhel", &[(X11_CONF, x11)]).plan::<Keyboard>(ALL);
        assert_eq!(plan.steps.len(), 1);
        let files = [
            MAP,
            (ALPINE_CONF, "KEYMAP=/etc/keymap/de-nodeadkeys.bmap.gz\n"),
        ];
        let config = "keyboard: {layout: de, variant: de-nodeadkeys}";
        let plan = Setting::on("alpine", &files).plan::<Keyboard>(config);
        assert_eq!(plan, Plan::nothing());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        #[rustfmt::skip]
        let table = [
            ("debian", "{layout: no}",                    "test:1:20: keyboard.layout: expected one word (YAML reads a bare `no` as false: write it in quotes)"),
            ("debian", "{layout: 'us\"; reboot; \"'}",    "test:1:20: keyboard.layout: expected one word"),
            ("debian", "{layout: [us]}",                  "test:1:20: keyboard.layout: expected one word"),
            ("debian", "{model: pc105}",                  "test:1:11: keyboard.layout: it is missing (write one such as `us`)"),
            ("rhel",   "{layout: --help}",                "test:1:20: keyboard.layout: expected one word"),
            ("debian", "us",                              "test:1:11: keyboard: expected a mapping, found a string"),
            ("alpine", "{layout: fr}",                    "test:1:11: keyboard: there is no layout `fr` in /usr/share/bkeymaps"),
            ("alpine", "{layout: de}",                    "test:1:11: keyboard: on Alpine a `variant` has to be given"),
            ("alpine", "{layout: de, variant: x}",        "test:1:11: keyboard: there is no /usr/share/bkeymaps/de/x.bmap.gz"),
            ("gentoo", "{layout: de}",                    "test:1:11: keyboard: how it is set on this distribution is not known"),
        ];
        for (id, keyboard, says) in table {
            let plan = Setting::on(id, &[MAP]).plan::<Keyboard>(&format!("keyboard: {keyboard}"));
            assert!(plan.steps.is_empty(), "{keyboard}");
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            assert_eq!(said, [says], "{keyboard}");
        }
    }
}
