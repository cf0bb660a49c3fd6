//! From the items of the service to an instance.
//!
//! Source: EC2 User Guide, "Instance metadata categories", "Instance identity documents".

use std::collections::HashMap;

use contract::datasource::{Found, SourceError};
use contract::error::chain;
use contract::instance::{InstanceMetadata, LaunchIndex};
use contract::name::InstanceId;
use contract::user_data::{UserData, VendorData};
use serde_json::{Map, Value, json};

use super::Service;
use crate::fields;

const INSTANCE_ID: &str = "meta-data/instance-id";
const LOCAL_HOSTNAME: &str = "meta-data/local-hostname";
const LAUNCH_INDEX: &str = "meta-data/ami-launch-index";
const LOCAL_IPV4: &str = "meta-data/local-ipv4";
const ZONE: &str = "meta-data/placement/availability-zone";
const REGION: &str = "meta-data/placement/region";
const RESERVATION_ID: &str = "meta-data/reservation-id";
const DOMAIN: &str = "meta-data/services/domain";
const PARTITION: &str = "meta-data/services/partition";
const PUBLIC_KEYS: &str = "meta-data/public-keys/";
const BLOCK_DEVICES: &str = "meta-data/block-device-mapping/";
const DOCUMENT: &str = "dynamic/instance-identity/document";
const USER_DATA: &str = "user-data";

/// What the boot needs and what people most often ask for, as far as nothing else says it.
const ITEMS: [&str; 10] = [
    LOCAL_HOSTNAME,
    LAUNCH_INDEX,
    RESERVATION_ID,
    DOMAIN,
    PARTITION,
    PUBLIC_KEYS,
    DOCUMENT,
    USER_DATA,
    "meta-data/hostname",
    "meta-data/mac",
];

/// What the identity document says too, with its name there: of these only what it leaves out is
/// asked for, together with the launch keys. Clouds that speak as EC2 may have no document.
const IN_DOCUMENT: [(&str, &str); 6] = [
    (INSTANCE_ID, "instanceId"),
    (LOCAL_IPV4, "privateIp"),
    (ZONE, "availabilityZone"),
    (REGION, "region"),
    ("meta-data/ami-id", "imageId"),
    ("meta-data/instance-type", "instanceType"),
];

/// How many launch keys are asked for at most; a launch has one, an import a few.
const MOST_KEYS: usize = 16;

/// How many names of disks are asked for at most; an instance has a few dozens of them.
const MOST_DEVICES: usize = 64;

/// Larger answers than this are no metadata.
const ITEM_LIMIT: usize = 64 << 10;

/// `has_disks`: whether names of disks are worth asking for.
pub(super) fn read(service: &dyn Service, has_disks: bool) -> Result<Found, SourceError> {
    let mut answers = Answers::default();
    let disks = has_disks.then_some(BLOCK_DEVICES);
    let items = ITEMS.into_iter().chain(disks);
    answers.ask(service, &Vec::from_iter(items.clone().map(str::to_owned)));
    let mut errors = Vec::new();
    let user_data = match answers.take(USER_DATA) {
        Ok(bytes) => bytes.map(UserData::new).unwrap_or_default(),
        // The machine must become itself without its user data too: it is how one logs in.
        Err(error @ SourceError::TooLarge { .. }) => {
            errors.push(fields::without_user_data(&error));
            UserData::default()
        }
        Err(error) => return Err(error),
    };
    let document = answers.document();
    let listed = answers.text(PUBLIC_KEYS).unwrap_or_default();
    answers.texts.remove(PUBLIC_KEYS);
    let key_items = listed.lines().filter_map(key_item).take(MOST_KEYS);
    let key_items: Vec<String> = key_items.collect();
    let listed = answers.text(BLOCK_DEVICES).unwrap_or_default();
    answers.texts.remove(BLOCK_DEVICES);
    let devices = listed.lines().filter_map(device_item).take(MOST_DEVICES);
    let mut unsaid = answers.take_from(&document);
    unsaid.extend(devices);
    answers.ask(service, &[key_items.as_slice(), &unsaid].concat());

    let id: InstanceId =
        (answers.need(INSTANCE_ID)?.parse()).map_err(|source| SourceError::Name {
            item: INSTANCE_ID.into(),
            source,
        })?;
    let mut metadata = InstanceMetadata::new(id, "ec2");
    metadata.availability_zone = answers.text(ZONE);
    let zone = metadata.availability_zone.as_deref();
    metadata.region = answers.text(REGION).or_else(|| fields::region_of(zone?));
    metadata.partition = answers.text(PARTITION);
    metadata.service_domain = answers.text(DOMAIN);
    metadata.reservation_id = answers.text(RESERVATION_ID);
    metadata.local_hostname = answers.parsed(LOCAL_HOSTNAME, fields::hostname);
    metadata.launch_index = answers.parsed(LAUNCH_INDEX, str::parse::<LaunchIndex>);
    metadata.addresses = answers.parsed(LOCAL_IPV4, str::parse).into_iter().collect();
    for item in &key_items {
        if let Some(text) = answers.text(item) {
            let lines = &mut metadata.public_keys;
            fields::public_keys(&text, item, lines, &mut answers.warnings);
        }
    }
    // The others are for whoever asks with `query`.
    for item in items.chain(unsaid.iter().map(String::as_str)) {
        answers.text(item);
    }
    for (item, why) in answers.refused {
        // Without them nobody may be able to log in, so it is not a mere warning.
        if item.starts_with(PUBLIC_KEYS) {
            errors.push(format!("the launch keys could not be read, so they open nothing: {why} (when the service answers again: `firstlight boot --stage identity`, then `firstlight run ssh --force`)"));
        } else {
            answers.warnings.push(why);
        }
    }
    metadata.rest = tree(&answers.texts, document);
    Ok(Found {
        metadata,
        user_data,
        vendor_data: VendorData::default(),
        warnings: answers.warnings,
        errors,
    })
}

/// The item of a line of the listing: `0=my-key` is `public-keys/0/openssh-key`.
fn key_item(line: &str) -> Option<String> {
    let number: u32 = line.split('=').next()?.trim().parse().ok()?;
    Some(format!("{PUBLIC_KEYS}{number}/openssh-key"))
}

/// The item of a line of that listing; the root disk, which most instances have alone, is known from
/// what is mounted.
fn device_item(line: &str) -> Option<String> {
    let name = line.trim();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && !matches!(name, "ami" | "root")).then(|| format!("{BLOCK_DEVICES}{name}"))
}

#[derive(Default)]
struct Answers {
    bytes: HashMap<String, super::Answer>,
    texts: HashMap<String, String>,
    warnings: Vec<String>,
    /// Items that the service did not give, and why.
    refused: Vec<(String, String)>,
}

impl Answers {
    /// Asks for all of these at once, if there are any.
    fn ask(&mut self, service: &dyn Service, items: &[String]) {
        if !items.is_empty() {
            let answers = service.get_all(items);
            self.bytes.extend(items.iter().cloned().zip(answers));
        }
    }

    /// Takes items from the identity document, and gives those that it does not say.
    fn take_from(&mut self, document: &Value) -> Vec<String> {
        let mut unsaid = Vec::new();
        for (item, name) in IN_DOCUMENT {
            match document.get(name).and_then(Value::as_str) {
                Some(text) if !text.is_empty() => {
                    self.texts.insert(item.to_owned(), text.to_owned());
                }
                _ => unsaid.push(item.to_owned()),
            }
        }
        unsaid
    }

    /// The bytes of an item without which nothing may be decided, if it is there.
    fn take(&mut self, item: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let unanswered = || SourceError::Answer {
            item: item.to_owned(),
            reason: "was not answered".to_owned(),
        };
        let answer = self.bytes.remove(item).ok_or_else(unanswered)??;
        Ok(answer.map(contract::secret::Secret::into_inner))
    }

    /// A text that must be there.
    fn need(&mut self, item: &str) -> Result<String, SourceError> {
        if let Some(text) = self.texts.get(item) {
            return Ok(text.clone());
        }
        let bytes = self.take(item)?;
        let text = bytes.ok_or_else(|| SourceError::Answer {
            item: item.to_owned(),
            reason: "is not there".to_owned(),
        })?;
        let text = plain(&text).map_err(|reason| SourceError::Answer {
            item: item.to_owned(),
            reason,
        })?;
        self.texts.insert(item.to_owned(), text.clone());
        Ok(text)
    }

    /// A text that may be missing; one that cannot be had is warned of.
    fn text(&mut self, item: &str) -> Option<String> {
        if let Some(text) = self.texts.get(item) {
            return Some(text.clone());
        }
        if !self.bytes.contains_key(item) {
            return None;
        }
        match self.take(item) {
            Ok(bytes) => match plain(&bytes?) {
                Ok(text) => {
                    self.texts.insert(item.to_owned(), text.clone());
                    Some(text)
                }
                Err(reason) => {
                    self.warnings
                        .push(format!("{item} {reason}; it is ignored"));
                    None
                }
            },
            Err(error) => {
                self.refused.push((item.to_owned(), chain(&error)));
                None
            }
        }
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        item: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(item)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.warnings
                    .push(format!("{item}: {error}; it is ignored"));
                None
            }
        }
    }

    /// The identity document, an empty object if it cannot be read.
    fn document(&mut self) -> Value {
        let parsed = self.parsed(DOCUMENT, |text| serde_json::from_str::<Value>(text));
        self.texts.remove(DOCUMENT);
        parsed.filter(Value::is_object).unwrap_or_else(|| json!({}))
    }
}

/// An answer as text, without the blanks around it.
fn plain(bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > ITEM_LIMIT {
        return Err(format!("is larger than {} KiB", ITEM_LIMIT >> 10));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(_) => Err("is not UTF-8 text".to_owned()),
    }
}

/// `{"meta-data": {...}, "dynamic": {...}}` by the items' paths.
fn tree(texts: &HashMap<String, String>, document: Value) -> Value {
    let mut root = Map::new();
    let mut items: Vec<_> = texts.iter().collect();
    items.sort();
    for (item, text) in items {
        let mut steps: Vec<&str> = item.split('/').collect();
        let Some(leaf) = steps.pop() else { continue };
        let folder = steps.iter().try_fold(&mut root, |folder, step| {
            folder
                .entry(*step)
                .or_insert_with(|| json!({}))
                .as_object_mut()
        });
        if let Some(folder) = folder {
            let lines: Vec<&str> = text.lines().collect();
            folder.insert(
                leaf.to_owned(),
                if lines.len() > 1 {
                    json!(lines)
                } else {
                    json!(text)
                },
            );
        }
    }
    root.insert(
        "dynamic".to_owned(),
        json!({"instance-identity": {"document": document}}),
    );
    Value::Object(root)
}

#[cfg(test)]
mod tests;
