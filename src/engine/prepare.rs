//! From what the image and the cloud say to what shall be done.

mod forms;
mod part;

use contract::config::Config;
use contract::effect::{Effect, Mode};
use contract::hex::hex;
use contract::instance::{InstanceMetadata, LaunchIndex};
use contract::params::Params;
use contract::part_handler::PartHandler;
use contract::place::Place;
use contract::plan::Problem;
use contract::secret::Secret;
use contract::user_data::{Part, PartKind, UserData, VendorData};
use contract::yaml::{Limits, Mapping};
use sha2::{Digest, Sha256};

use self::part::{kind_name, parse, payload_index};
use crate::image::Image;
use crate::part_handlers::{Fate, Handlers};
use crate::settings::Settings;
use crate::user_data::params::Selected;
use crate::user_data::{Decoded, Kept, Surroundings};
use crate::{environment, merge, output, template, user_data, vendor};

/// Everything that a boot is planned from.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// What was asked for, from all sources.
    pub config: Config,
    /// The launch parameters that concern this instance.
    pub params: Params,
    /// The parts that concern this instance and are run, in their order, vendor data's last.
    pub scripts: Vec<Part>,
    /// The part handlers that are let run, in their order, vendor data's last.
    pub handlers: Vec<PartHandler>,
    /// Every part of the user data and what became of it.
    pub parts: Vec<PartRow>,
    /// What the user data alone asked for; only where somebody looks for it.
    pub user_config: Config,
    /// What is wrong with user data and templates; never quotes a value.
    pub problems: Vec<Problem>,
    kept: Vec<Kept>,
}

impl Prepared {
    /// The files that keep what was fetched, for later stages of the boot.
    pub fn kept(&self) -> impl Iterator<Item = Effect> {
        self.kept.iter().map(|(path, body)| match body {
            Some(body) => Effect::secret_file(path.clone(), body.clone(), Mode::PRIVATE),
            None => Effect::Absent {
                at: path.clone().into(),
            },
        })
    }

    /// Lays a configuration over what was merged: it wins over all sources.
    pub fn lay_over(&mut self, mut over: Mapping) {
        let merged = merge::below(&mut over, self.config.root().clone());
        let odd = merged.unwrap_or_else(|error| vec![error.warning("the rest")]);
        self.problems.extend(odd);
        self.config.replace(over);
    }
}

/// One part of the user data, for a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    /// The line of the user data at which it begins, 1-based, where that is known.
    pub first_line: u32,
    /// For which instance of the launch it is.
    pub launch_index: Option<LaunchIndex>,
    /// Whether it is not in the user data itself, but in something that this includes.
    pub is_included: bool,
    /// What became of it: `used`, `for another launch index`, `ignored: ...`.
    pub decision: String,
}

impl PartRow {
    /// The SHA-256 of the decoded payload, in hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        hex(&Sha256::digest(self.body.expose()))
    }
}

/// Makes of image, metadata, user data and vendor data what a boot is planned from. User data
/// wins over vendor data, and that over the image. Nothing is fetched, and what user data includes
/// is left out: see [`prepare_with`].
#[must_use]
pub fn prepare(
    image: &Image,
    settings: &Settings,
    metadata: &InstanceMetadata,
    user_data: &UserData,
    vendor_data: &VendorData,
) -> Prepared {
    let around = Surroundings::none();
    prepare_with(&around, image, settings, metadata, user_data, vendor_data)
}

/// The same with what user data includes from elsewhere, and with its part handlers.
#[must_use]
pub fn prepare_with(
    around: &Surroundings<'_>,
    image: &Image,
    settings: &Settings,
    metadata: &InstanceMetadata,
    user_data: &UserData,
    vendor_data: &VendorData,
) -> Prepared {
    let allowed = image.config.root().get("allow_userdata");
    let allowed = allowed.is_none_or(vendor::is_true);
    let mut reader = Reader {
        settings,
        around,
        metadata,
        index: metadata.launch_index,
        rendered: false,
        handlers: Handlers::default(),
        vendor_parts: 0,
        what: "",
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
    if settings.cloud_init_compat {
        reader.out.user_config = Config::new(user.clone());
    }
    let mut root = Mapping::new();
    reader.below(&mut root, user, "user data");
    let mut decided = root.clone();
    // What is odd in it is told when the image's turn comes.
    let _ = merge::below(&mut decided, image.config.root().clone());
    let (first, second) = (&vendor_data.first, &vendor_data.second);
    let first = reader.read_vendor(first.as_ref(), ["vendor-data", "vendor_data"], &decided);
    let second = reader.read_vendor(second.as_ref(), ["vendor-data2", "vendor_data2"], &decided);
    reader.below(&mut root, second, "the second vendor data");
    reader.below(&mut root, first, "vendor data");
    let image = image.config.root().clone();
    reader.below(&mut root, image, "image configuration");
    reader.handlers_done();
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
    around: &'a Surroundings<'a>,
    metadata: &'a InstanceMetadata,
    index: Option<LaunchIndex>,
    /// Whether what is taken is what a template became.
    rendered: bool,
    /// Of the data that is read now.
    handlers: Handlers,
    /// How many parts of vendor data were read.
    vendor_parts: usize,
    /// What is read now: `user-data`, `vendor-data`.
    what: &'static str,
    out: Prepared,
}

impl Reader<'_> {
    fn read(&mut self, data: &UserData, what: &'static str) -> Mapping {
        let decoded = self.decode(data, what, false);
        let mut config = merge::Parts::default();
        for part in decoded.parts {
            let mut row = PartRow {
                name: part.name.clone(),
                number: part.number,
                kind: kind_name(&part.kind).to_owned(),
                mime: part.kind.mime().to_owned(),
                body: part.body.clone(),
                first_line: part.first_line,
                launch_index: part.launch_index,
                is_included: decoded.included.contains(&part.number),
                decision: String::new(),
            };
            row.decision = self.take(part, &mut row.launch_index, &mut config);
            self.out.parts.push(row);
        }
        config.config
    }

    /// Launch indexes do not filter vendor data, and its parameters are not taken. User data and
    /// image, which are what was decided, may switch it off under its key.
    fn read_vendor(
        &mut self,
        data: Option<&UserData>,
        [what, key]: [&'static str; 2],
        decided: &Mapping,
    ) -> Mapping {
        let Some(data) = data else {
            return Mapping::new();
        };
        let (wanted, odd) = vendor::Wanted::of(decided, key);
        self.out.problems.extend(odd);
        if !wanted.enabled {
            return Mapping::new();
        }
        let decoded = self.decode(data, what, true);
        let mut config = merge::Parts::default();
        // A step of the boot is named by the number: the second vendor data goes on counting.
        let (before, mut last) = (self.vendor_parts, self.vendor_parts);
        for mut part in decoded.parts {
            part.number += before;
            last = part.number;
            if !wanted.leaves_out(&part.kind) {
                self.take(part, &mut None, &mut config);
            }
        }
        self.vendor_parts = last;
        config.config
    }

    fn decode(&mut self, data: &UserData, what: &'static str, vendor: bool) -> Decoded {
        self.what = what;
        let parameters = &self.settings.parameters;
        let (mut decoded, kept) = user_data::decode(data, what, vendor, parameters, self.around);
        self.out.problems.append(&mut decoded.problems);
        self.out.kept.extend(kept);
        self.handlers_done();
        decoded
    }

    fn take(
        &mut self,
        part: Part,
        index: &mut Option<LaunchIndex>,
        config: &mut merge::Parts,
    ) -> String {
        if self.is_for_others(&part, *index) {
            return ANOTHER.to_owned();
        }
        if part.kind == PartKind::HANDLER {
            return self.handler(part);
        }
        // What a template became stays with those who know templates, as with cloud-init.
        let fate = match self.rendered {
            true => Fate::Nobodys,
            false => self.handlers.give(&part),
        };
        if let Fate::Taken(handler) = fate {
            return format!("taken by the part handler {handler}");
        }
        match &part.kind {
            PartKind::CloudConfig => self.cloud_config(&part, index, config),
            PartKind::JsonPatch => self.patch(&part, config),
            PartKind::Script
            | PartKind::BootHook
            | PartKind::PerBoot
            | PartKind::PerInstance
            | PartKind::PerOnce => {
                let mut part = part;
                let body = std::mem::take(&mut part.body).into_inner();
                let body = user_data::script::body(&part.kind, body);
                if let Some((flaw, hint)) = user_data::script::flaw(&body) {
                    let problem = Problem::warning(Some(Place::whole(self.called(&part))), flaw);
                    self.out.problems.push(problem.hint(hint));
                }
                let body = Secret::new(body);
                self.out.scripts.push(Part { body, ..part });
                USED.to_owned()
            }
            PartKind::Parameters if !part.vendor => self.parameters(&part),
            PartKind::Jinja => self.template(&part, index, config),
            // As with cloud-init, nobody misses what is empty.
            _ if part.body.expose().is_empty() => "ignored: empty".to_owned(),
            PartKind::Unsupported(_) | PartKind::Unknown(_) if matches!(fate, Fate::Open) => {
                "left to the part handlers".to_owned()
            }
            PartKind::Unsupported(mime) => {
                let why = format!("type {mime} is not supported");
                self.ignore(&part, &why, None)
            }
            _ if contract::gzip::is_gzip(part.body.expose()) => {
                let why = "gzip that cannot be unpacked: it is damaged, or cut short";
                let hint = "pack it again, and see with `gzip --test` that it is whole";
                self.ignore(&part, why, Some(hint))
            }
            other => {
                let why = format!("nobody handles type {}", other.mime());
                let hint = "begin it with `#cloud-config` or `#!`, or write `key=value` lines";
                self.ignore(&part, &why, Some(hint))
            }
        }
    }

    /// What a part is called in problems.
    fn called(&self, part: &Part) -> String {
        if part.vendor {
            format!("{}/{}", self.what, part.name)
        } else {
            part.name.clone()
        }
    }

    fn handler(&mut self, part: Part) -> String {
        let (name, allowed) = (self.called(&part), self.settings.part_handlers.as_ref());
        let met = self.handlers.meet(part, &name, allowed, self.around);
        self.out.problems.extend(met.problem);
        self.out.kept.extend(met.kept);
        met.decision
    }

    /// What comes now has handlers of its own.
    fn handlers_done(&mut self) {
        let done = std::mem::take(&mut self.handlers).done();
        self.out.handlers.extend(done);
    }

    /// Whether no launch index, or another one than ours, takes the part.
    fn is_for_others(&self, part: &Part, wanted: Option<LaunchIndex>) -> bool {
        let differs = wanted.is_some() && wanted != self.index;
        !part.vendor && self.index.is_some() && (part.for_nobody || differs)
    }

    fn ignore(&mut self, part: &Part, why: &str, hint: Option<&str>) -> String {
        let size = part.body.expose().len();
        let place = Some(Place::whole(self.called(part)));
        let message = format!("part ignored: {why} ({size} bytes)");
        let problem = Problem::warning(place, message);
        self.out.problems.push(match hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
        format!("ignored: {why}")
    }

    fn cloud_config(
        &mut self,
        part: &Part,
        index: &mut Option<LaunchIndex>,
        config: &mut merge::Parts,
    ) -> String {
        if let Some(why) = config.is_full() {
            return self.ignore(part, &why, None);
        }
        let (mut own, odd) = match parse(part, &self.called(part)) {
            Ok((own, odd)) => {
                config.note(own.weight());
                (own, odd)
            }
            Err(problem) => {
                // It may have been read almost to its end. No text holds more values than it has
                // pairs of bytes.
                let most = part.body.expose().len() / 2;
                config.note(most.min(Limits::default().nodes));
                self.out.problems.push(*problem);
                return "ignored: not a YAML mapping".to_owned();
            }
        };
        let payload = own
            .remove("launch-index")
            .and_then(|value| payload_index(&value));
        if let Some(payload) = payload
            && index.is_none()
            && !part.for_nobody
            && !self.rendered
        {
            *index = u32::try_from(payload).ok().map(LaunchIndex);
            let differs = *index != self.index;
            if !part.vendor && self.index.is_some() && differs {
                return ANOTHER.to_owned();
            }
        }
        self.out.problems.extend(odd);
        match config.add(own, part.merge_type.as_deref(), &self.called(part)) {
            Ok(odd) => {
                self.out.problems.extend(odd);
                USED.to_owned()
            }
            Err(error) => {
                self.out.problems.push(error.warning("part"));
                "ignored: it cannot be merged".to_owned()
            }
        }
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

    /// Lays a source below those that win over it.
    fn below(&mut self, root: &mut Mapping, lower: Mapping, what: &str) {
        let merged = merge::below(root, lower);
        let odd = merged.unwrap_or_else(|error| vec![error.warning(what)]);
        self.out.problems.extend(odd);
    }
}

const USED: &str = "used";
const ANOTHER: &str = "for another launch index";

#[cfg(test)]
mod tests;
