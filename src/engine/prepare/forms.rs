//! Parts that are no plain document: a patch of the earlier ones, and a template.

use contract::instance::LaunchIndex;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::user_data::{Part, PartKind};
use contract::yaml::{Kind, Value};

use super::{Reader, USED};
use crate::json_patch::Patch;
use crate::{jinja, merge, user_data};

impl Reader<'_> {
    /// Applies a patch to the configuration of the parts before it.
    pub(super) fn patch(&mut self, part: &Part, config: &mut merge::Parts) -> String {
        let Ok(text) = std::str::from_utf8(part.body.expose()) else {
            return self.ignore(part, "not UTF-8", None);
        };
        let name = self.called(part);
        let before = Value::new(
            Kind::Map(config.config.clone()),
            Place::whole(name.as_str()),
        );
        let patched = Patch::parse(text.trim_start(), &name, part.first_line.max(1))
            .and_then(|patch| patch.apply(&before));
        match patched.map(|value| value.kind) {
            Ok(Kind::Map(map)) => {
                config.config = map;
                USED.to_owned()
            }
            Ok(_) => self.ignore(part, "it leaves no mapping", None),
            Err(error) => {
                self.out.problems.push(error.warning());
                "ignored: it cannot be applied".to_owned()
            }
        }
    }

    /// Renders a template, and takes what it became. Source: cloud-init,
    /// `cloudinit/handlers/jinja_template.py`.
    pub(super) fn template(
        &mut self,
        part: &Part,
        index: &mut Option<LaunchIndex>,
        config: &mut merge::Parts,
    ) -> String {
        let name = self.called(part);
        let Ok(text) = std::str::from_utf8(part.body.expose()) else {
            return self.ignore(part, "not UTF-8", None);
        };
        let line = part.first_line.max(1).saturating_add(1);
        let Some(template) = jinja::body(text) else {
            let hint = "begin it with the line `## template: jinja`";
            return self.ignore(part, "a template without its header", Some(hint));
        };
        let variables = jinja::variables(self.metadata, &self.out.params, self.around.probe);
        let rendered = match jinja::render(template, &variables) {
            Ok(rendered) => rendered,
            Err(fault) => {
                let line = line.saturating_add(fault.line.saturating_sub(1));
                let message = format!(
                    "part ignored: the template cannot be rendered: {}",
                    fault.message
                );
                let problem = Problem::warning(Some(Place::new(name, line, 1)), message);
                self.out.problems.push(problem);
                return "ignored: it cannot be rendered".to_owned();
            }
        };
        let missing = rendered.missing.iter();
        let missing = missing.map(|missing| jinja::missing(missing, &name));
        self.out.problems.extend(missing);
        match user_data::sniffed(rendered.text.as_bytes()) {
            Some(kind @ (PartKind::CloudConfig | PartKind::Script | PartKind::BootHook)) => {
                let part = Part {
                    kind,
                    first_line: line,
                    body: Secret::new(rendered.text.into_bytes()),
                    ..part.clone()
                };
                // Whether it is for this instance was decided before it was a document.
                self.rendered = true;
                let decision = self.take(part, index, config);
                self.rendered = false;
                decision
            }
            _ => {
                let why =
                    "the template renders to neither a cloud-config nor a script nor a boothook";
                self.ignore(part, why, None)
            }
        }
    }
}
