//! From what the image and the cloud say to what shall be done.

use contract::config::Config;
use contract::instance::{InstanceMetadata, LaunchIndex};
use contract::params::Params;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::user_data::{Part, PartKind, UserData};
use contract::yaml::{self, Kind, Limits, Mapping};
use sha2::{Digest, Sha256};

use crate::image::Image;
use crate::settings::Settings;
use crate::user_data::params::Selected;
use crate::{environment, merge, output, template, user_data, vendor};

/// Everything that a boot is planned from.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// What was asked for, from all sources.
    pub config: Config,
    /// The launch parameters that concern this instance.
    pub params: Params,
    /// The scripts that concern this instance, in their order.
    pub scripts: Vec<Part>,
    /// Every part of the user data and what became of it.
    pub parts: Vec<PartRow>,
    /// What is wrong with user data and templates; never quotes a value.
    pub problems: Vec<Problem>,
}

/// One part of the user data, for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartRow {
    /// Its name.
    pub name: String,
    /// Its position among all parts, from 1.
    pub number: usize,
    /// Its format: `cloud-config`, `script`, `parameters`, or another's name.
    pub kind: String,
    /// Its content type as cloud-init names it: `text/cloud-config`, `text/x-shellscript` ...
    pub mime: String,
    /// The decoded payload.
    pub body: Secret<Vec<u8>>,
    /// For which instance of the launch it is.
    pub launch_index: Option<LaunchIndex>,
    /// What became of it: `used`, `for another launch index`, `ignored: ...`.
    pub decision: String,
}

impl PartRow {
    /// The SHA-256 of the decoded payload, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        let digest = Sha256::digest(self.body.expose());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Makes of image, metadata, user data and vendor data what a boot is planned from. User data
/// wins over vendor data, and that over the image.
#[must_use]
pub fn prepare(
    image: &Image,
    settings: &Settings,
    metadata: &InstanceMetadata,
    user_data: &UserData,
    vendor_data: Option<&UserData>,
) -> Prepared {
    let allowed = image.config.root().get("allow_userdata");
    let allowed = allowed.is_none_or(vendor::is_true);
    let mut reader = Reader {
        settings,
        index: metadata.launch_index,
        out: Prepared::default(),
    };
    let mut user = Mapping::new();
    if allowed {
        user = reader.read(user_data, "user-data");
    } else if !user_data.bytes().is_empty() {
        let place = image.config.place("allow_userdata").cloned();
        let message = "user data is ignored: `allow_userdata` is false";
        reader.out.problems.push(Problem::warning(place, message));
    }
    let mut root = Mapping::new();
    reader.below(&mut root, user, "user data");
    if let Some(vendor_data) = vendor_data {
        let vendor = reader.read_vendor(vendor_data, &root, image);
        reader.below(&mut root, vendor, "vendor data");
    }
    let image = image.config.root().clone();
    reader.below(&mut root, image, "image configuration");
    let mut prepared = reader.out;
    let (_, odd) = environment::parameters(&prepared.params);
    prepared.problems.extend(odd);
    prepared.config = template::render(root, metadata, &prepared.params);
    let odd = output::problems(&prepared.config);
    prepared.problems.extend(odd);
    prepared
}

struct Reader<'a> {
    settings: &'a Settings,
    index: Option<LaunchIndex>,
    out: Prepared,
}

impl Reader<'_> {
    fn read(&mut self, data: &UserData, what: &str) -> Mapping {
        let (parts, problems) = user_data::parts(data, what, &self.settings.parameters);
        self.out.problems.extend(problems);
        let mut config = merge::Parts::default();
        for part in parts {
            let mut row = PartRow {
                name: part.name.clone(),
                number: part.number,
                kind: kind_name(&part.kind).to_owned(),
                mime: user_data::mime_of(&part.kind).to_owned(),
                body: part.body.clone(),
                launch_index: part.launch_index,
                decision: String::new(),
            };
            row.decision = self.take(part, &mut row.launch_index, &mut config);
            self.out.parts.push(row);
        }
        config.config
    }

    /// Launch indexes do not filter vendor data, and its scripts and parameters are not taken. User
    /// data and image may switch it off.
    fn read_vendor(&mut self, data: &UserData, user: &Mapping, image: &Image) -> Mapping {
        let mut decided = user.clone();
        // What is odd in it is told when the image's turn comes.
        let _ = merge::below(&mut decided, image.config.root().clone());
        let (wanted, odd) = vendor::Wanted::of(&decided, "vendor_data");
        self.out.problems.extend(odd);
        if !wanted.enabled {
            return Mapping::new();
        }
        let (parts, problems) = user_data::parts(data, "vendor-data", &self.settings.parameters);
        self.out.problems.extend(problems);
        let mut config = merge::Parts::default();
        for part in parts {
            if wanted.leaves_out(&part.kind) {
                continue;
            }
            let place = Some(Place::whole(format!("vendor-data/{}", part.name)));
            if part.kind == PartKind::CloudConfig {
                let name = format!("vendor-data/{}", part.name);
                if let Some(own) = self.parse(&part, &name) {
                    self.merge(&mut config, own, part.merge_type.as_deref(), &name);
                }
            } else {
                let message = format!("vendor part ignored: {}", kind_name(&part.kind));
                self.out.problems.push(Problem::warning(place, message));
            }
        }
        config.config
    }

    fn take(
        &mut self,
        part: Part,
        index: &mut Option<LaunchIndex>,
        config: &mut merge::Parts,
    ) -> String {
        let own = match part.kind {
            PartKind::CloudConfig => {
                let Some(mut own) = self.parse(&part, &part.name) else {
                    return "ignored: not a YAML mapping".to_owned();
                };
                let payload = own.remove("launch-index").and_then(|value| value.as_int());
                let payload = payload.and_then(|index| u32::try_from(index).ok());
                *index = index.or(payload.map(LaunchIndex));
                Some(own)
            }
            _ => None,
        };
        if let (Some(wanted), Some(ours)) = (*index, self.index)
            && wanted != ours
        {
            return "for another launch index".to_owned();
        }
        let place = Some(Place::whole(part.name.as_str()));
        match part.kind {
            PartKind::CloudConfig => {
                let own = own.unwrap_or_default();
                if !self.merge(config, own, part.merge_type.as_deref(), &part.name) {
                    return "ignored: it cannot be merged".to_owned();
                }
            }
            PartKind::Script => self.out.scripts.push(part),
            PartKind::Parameters => return self.parameters(&part),
            PartKind::Unsupported(format) => {
                let message = format!("part ignored: format `{format}` is not supported");
                self.out.problems.push(Problem::warning(place, message));
                return format!("ignored: {format} is not supported");
            }
            PartKind::Unknown(mime) => {
                let message = format!("part ignored: nobody handles type `{mime}`");
                let hint = "begin it with `#cloud-config` or `#!`, or write `key=value` lines";
                self.out
                    .problems
                    .push(Problem::warning(place, message).hint(hint));
                return "ignored: unknown format".to_owned();
            }
        }
        "used".to_owned()
    }

    fn parameters(&mut self, part: &Part) -> String {
        let text = String::from_utf8_lossy(part.body.expose());
        let select = self.settings.parameters.select.as_ref();
        match user_data::params::select(&text, self.index, select) {
            Selected::Text(text, lines) => {
                let line = part.first_line.max(1).saturating_add(lines);
                let format = self.settings.parameters.format;
                let params = &mut self.out.params;
                let odd = user_data::params::read(text, format, &part.name, line, params);
                self.out.problems.extend(odd);
                "used".to_owned()
            }
            Selected::Nothing => "no field for this launch index".to_owned(),
            Selected::Beyond(fields) => {
                let message = format!(
                    "launch index {} takes no parameters: there are only {fields} fields",
                    self.index.map_or(0, |index| index.0)
                );
                let place = Some(Place::whole(part.name.as_str()));
                self.out.problems.push(Problem::warning(place, message));
                "no field for this launch index".to_owned()
            }
        }
    }

    fn parse(&mut self, part: &Part, source: &str) -> Option<Mapping> {
        let whole = || Some(Place::whole(source));
        let Ok(text) = std::str::from_utf8(part.body.expose()) else {
            self.out
                .problems
                .push(Problem::warning(whole(), "part ignored: not UTF-8"));
            return None;
        };
        match yaml::parse_at(text, source, part.first_line.max(1), &Limits::default()) {
            Ok(document) => {
                let odd = document.warnings.into_iter();
                self.out
                    .problems
                    .extend(odd.map(|odd| Problem::warning(Some(odd.place), odd.message)));
                let place = document.value.place.clone();
                let Kind::Map(map) = document.value.kind else {
                    let found = document.value.kind.name();
                    let message = format!("part ignored: expected a mapping, found {found}");
                    self.out
                        .problems
                        .push(Problem::warning(Some(place), message));
                    return None;
                };
                Some(map)
            }
            Err(error) => {
                let message = format!("part ignored: {}", error.message);
                let problem = Problem::warning(Some(error.place), message);
                self.out.problems.push(Problem {
                    hint: error.hint,
                    ..problem
                });
                None
            }
        }
    }

    /// Lays a source below those that win over it.
    fn below(&mut self, root: &mut Mapping, lower: Mapping, what: &str) {
        let merged = merge::below(root, lower);
        let odd = merged.unwrap_or_else(|error| vec![error.warning(what)]);
        self.out.problems.extend(odd);
    }

    /// Merges a part into the earlier ones; whether that could be done.
    fn merge(
        &mut self,
        config: &mut merge::Parts,
        own: Mapping,
        header: Option<&str>,
        part: &str,
    ) -> bool {
        let merged = config.add(own, header, part);
        let is_merged = merged.is_ok();
        self.out.problems.extend(match merged {
            Ok(odd) => odd,
            Err(error) => vec![error.warning("part")],
        });
        is_merged
    }
}

fn kind_name(kind: &PartKind) -> &str {
    match kind {
        PartKind::CloudConfig => "cloud-config",
        PartKind::Script => "script",
        PartKind::Parameters => "parameters",
        PartKind::Unsupported(format) => format,
        PartKind::Unknown(mime) => mime,
    }
}

#[cfg(test)]
mod tests;
