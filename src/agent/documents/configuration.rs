//! firstlight.yaml(5): what the configuration may hold, made from the same facts as the check of a
//! document and the help of `modules NAME`.

use std::collections::HashSet;
use std::io;

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use contract::module::Facts;
use contract::schema::{Key, Shape};

use super::pages::see_also;
use crate::cli::modules::frequency;

const SOURCES: [(&str, &str); 7] = [
    ("1.", "the user data of the launch"),
    ("2.", "vendor data"),
    ("3.", "the kernel command line: cc: YAML end_cc"),
    (
        "4.",
        "/etc/firstlight/config.d/*.yaml, the later name over the earlier, then /etc/firstlight/config.yaml",
    ),
    ("5.", "/run/cloud-init/cloud.cfg"),
    (
        "6.",
        "/etc/cloud/cloud.cfg.d/*.cfg, the later name over the earlier",
    ),
    ("7.", "/etc/cloud/cloud.cfg"),
];

const EXAMPLE: &str = "\
content:
  - source: \"s3://{{ params.bucket }}/site/\"
    dest: /var/www/html
    owner: www-data:www-data
    on_change: [\"systemctl reload nginx\"]
firstlight:
  gate_budget: 90s
packages: [nginx]";

/// The page.
///
/// # Errors
/// None but those of memory: it writes to a vector.
pub(super) fn page() -> io::Result<Vec<u8>> {
    let mut roff = Roff::new();
    let source = concat!("firstlight ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["firstlight.yaml", "5", "", source, "firstlight"]);
    roff.control("SH", ["NAME"]);
    roff.text([roman(
        "firstlight.yaml - what an image and the user data of a launch may say to firstlight",
    )]);
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold("/etc/firstlight/config.yaml")]);
    roff.control("br", []);
    roff.text([bold("/etc/firstlight/config.d/*.yaml")]);
    description(&mut roff);
    keys(&mut roff);
    roff.control("SH", ["EXAMPLE"]);
    roff.control("EX", []);
    roff.text([roman(EXAMPLE)]);
    roff.control("EE", []);
    let related = [
        ("firstlight", "1"),
        ("firstlight-modules", "1"),
        ("firstlight-schema", "1"),
        ("firstlight-validate", "1"),
    ];
    see_also(&mut roff, &related);
    let mut page = Vec::new();
    roff.to_writer(&mut page)?;
    Ok(page)
}

fn description(roff: &mut Roff) {
    roff.control("SH", ["DESCRIPTION"]);
    roff.text(marked(
        "The files hold cloud-config, in YAML 1.1 as cloud-init reads it, and the keys `content`, \
         `election` and `firstlight` beside it. In the values of these three, templates such as \
         `{{ params.bucket }}` are rendered after the file has been parsed: `params` are the launch \
         parameters, `v1` is what is known of the instance, `role` is its role.",
    ));
    roff.control("PP", []);
    roff.text([roman(
        "Mappings of several sources are joined key by key; of a list or of text the higher source's \
         stays. From the highest to the lowest:",
    )]);
    for (number, source) in SOURCES {
        roff.control("IP", [number, "4"]);
        roff.text([roman(source)]);
    }
    roff.control("PP", []);
    roff.text(marked(
        "`firstlight validate --image FILE` checks a file, `firstlight userdata config` shows what became \
         of all of them and where each key comes from.",
    ));
}

/// The keys of each module in the order of the boot, and then those that no module reads. A key
/// that several read is described where it is read first.
fn keys(roff: &mut Roff) {
    roff.control("SH", ["KEYS"]);
    let mut told = HashSet::new();
    for entry in modules::TABLE {
        let facts = entry.facts;
        let new: Vec<_> = facts
            .keys
            .iter()
            .filter(|key| told.insert(key.name))
            .collect();
        if !new.is_empty() {
            section(roff, facts);
            new.into_iter().for_each(|key| describe(roff, key, ""));
        }
    }
    roff.control("SS", ["Data sources and firstlight itself"]);
    let others = datasources::KEYS.iter().chain(engine::validate::KEYS);
    others
        .filter(|key| told.insert(key.name))
        .for_each(|key| describe(roff, key, ""));
}

fn section(roff: &mut Roff, facts: &Facts) {
    roff.control("SS", [facts.name]);
    let stage = facts.stage.as_str();
    let frequency = frequency(facts);
    roff.text(marked(&format!(
        "Module `{}`: {} (stage {stage}, {frequency}).",
        facts.name, facts.summary
    )));
}

/// A key, and each field below it.
fn describe(roff: &mut Roff, key: &Key, above: &str) {
    let path = format!("{above}{}", key.name);
    roff.control("TP", []);
    roff.text([bold(path.as_str()), roman(" "), italic(shape(&key.shape))]);
    let mut text = marked(&key.told(key.summary));
    if let Some(default) = key.default {
        text.extend([roman("; default "), bold(default)]);
    }
    if key.is_required {
        text.push(roman("; needed"));
    }
    roff.text(text);
    below(roff, &key.shape, &path);
}

fn below(roff: &mut Roff, shape: &Shape, path: &str) {
    match shape {
        Shape::Map(fields) | Shape::Open(fields) | Shape::Strict(fields) => {
            let above = format!("{path}.");
            fields.iter().for_each(|key| describe(roff, key, &above));
        }
        Shape::List(of) => below(roff, of, &format!("{path}[]")),
        Shape::Named(of) => below(roff, of, &format!("{path}.NAME")),
        Shape::OneOf(shapes) => shapes.iter().for_each(|shape| below(roff, shape, path)),
        _ => {}
    }
}

/// What it is called, without the marks around words.
fn shape(shape: &Shape) -> String {
    shape.name().replace('`', "")
}

/// Text in which what stands between backticks is bold.
fn marked(text: &str) -> Vec<Inline> {
    let pieces = text.split('`').enumerate();
    pieces
        .map(|(index, piece)| {
            if index % 2 == 0 {
                roman(piece)
            } else {
                bold(piece)
            }
        })
        .collect()
}
