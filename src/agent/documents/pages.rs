//! The manual pages of the command and of each subcommand: what `--help` says, and around it what
//! man-pages(7) expects.

use std::io;

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// The section of commands (man(1)).
const COMMANDS: &str = "1";

/// The command that this program is when it is called by its own name.
const OURS: &str = "firstlight";

/// Codes that the command itself may end with, and what they say.
const CODES: [(&str, &str); 4] = [
    ("0", "Done; of plan: nothing would change."),
    ("1", "An error; of status: something failed."),
    (
        "2",
        "Of plan: something would change. Of status: done, with warnings.",
    ),
    ("64", "The command line was wrong."),
];

const FILES: [(&str, &str); 7] = [
    (
        "/etc/firstlight/config.yaml, /etc/firstlight/config.d/*.yaml",
        "What every instance of the image has in common: firstlight.yaml(5).",
    ),
    (
        "/etc/cloud/cloud.cfg, /etc/cloud/cloud.cfg.d/*.cfg",
        "The same, as cloud-init's images have it.",
    ),
    (
        "/etc/firstlight/disabled",
        "Where this file is, nothing is done at boot.",
    ),
    (
        "/var/lib/firstlight/instances/ID/",
        "What the data source gave, what has been done, and the scripts of an instance. Root's alone.",
    ),
    (
        "/run/firstlight/status.json, /run/firstlight/instance.json",
        "How the boot went, and what everybody may know of the instance.",
    ),
    (
        "/run/firstlight/role.env",
        "The role of this instance, for units to read (EnvironmentFile).",
    ),
    (
        "/var/log/firstlight-output.log",
        "What scripts and commands of the user printed.",
    ),
];

/// The page of `command` and of every subcommand that is not hidden, each with its path.
///
/// # Errors
/// None but those of memory: it writes to a vector.
pub(super) fn of(command: clap::Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, None, &mut pages)?;
    Ok(pages)
}

fn add(
    command: &clap::Command,
    above: Option<&str>,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let below: Vec<_> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .collect();
    let mut related: Vec<_> = above.into_iter().map(|name| (name, COMMANDS)).collect();
    related.extend(below.iter().map(|command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        (name, COMMANDS)
    }));
    let is_ours = name == OURS;
    if is_ours {
        related.extend([("firstlight.yaml", "5"), ("systemd", COMMANDS)]);
    } else if above.is_none() {
        related.push((OURS, COMMANDS));
    }

    let man = Man::new(command.clone()).manual(OURS);
    let source = concat!("firstlight ", env!("CARGO_PKG_VERSION"));
    let man = man.source(source);
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if !below.is_empty() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = Roff::new();
    if is_ours {
        definitions(&mut rest, "EXIT STATUS", &CODES);
        definitions(&mut rest, "FILES", &FILES);
    }
    see_also(&mut rest, &related);
    rest.to_writer(&mut page)?;
    pages.push((format!("man/man{COMMANDS}/{name}.{COMMANDS}"), page));

    for command in below {
        add(command, Some(name), pages)?;
    }
    Ok(())
}

fn definitions(roff: &mut Roff, heading: &str, rows: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, text) in rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}

/// Pages by name and section.
pub(super) fn see_also(roff: &mut Roff, related: &[(&str, &str)]) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (name, section) in related {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(*name), roman(format!("({section})"))]);
    }
    roff.text(line);
}
