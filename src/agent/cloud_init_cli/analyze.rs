//! `cloud-init analyze`
//!
//! Source: cloud-init 25.1.4, `cloudinit/analyze/__init__.py` and `cloudinit/analyze/show.py`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use contract::calendar::Utc;
use contract::effect::Effect;
use contract::machine::{Machine as _, Probe};
use engine::cloud_init::query::to_json;
use engine::report_file;
use system::Host;

use super::events::{self, Event};
use crate::cli::table;
use crate::{offline, session};

/// Show how long this boot took: `firstlight timeline` draws it.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Analyze {
    /// The modules, the slowest first.
    Blame(Files),
    /// Stages and modules in their order.
    Show {
        /// How a module is shown: %d how long it took, %D what it is, %E when it began, %I an indent,
        /// %n its name, %r how it went, %t the time.
        #[arg(short, long, default_value = "%I%D @%Es +%ds")]
        format: String,
        #[command(flatten)]
        files: Files,
    },
    /// Starts and ends, in JSON.
    Dump(Files),
    /// When the kernel, systemd and firstlight began.
    Boot(Files),
}

#[derive(Debug, clap::Args)]
pub(super) struct Files {
    /// Read what `analyze dump` wrote, instead of this boot's report.
    #[arg(short, long, value_name = "FILE")]
    infile: Option<PathBuf>,
    /// Write into this file.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    outfile: PathBuf,
}

const BLAME: &str = "     %ds (%n)";

impl Analyze {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Blame(files) => {
                let lines = events::lines(&files.events()?, BLAME).into_iter();
                let lines = lines.filter(|line| line.is_module);
                let mut lines: Vec<String> = lines.map(|line| line.text).collect();
                lines.sort_unstable_by(|a, b| b.cmp(a));
                files.write(&format!("{}{}\n\n{END}", head(), lines.join("\n")))
            }
            Self::Show { format, files } => {
                let lines = events::lines(&files.events()?, &format).into_iter();
                let lines: Vec<String> = lines.map(|line| line.text).collect();
                let (head, lines) = (head(), lines.join("\n"));
                files.write(&format!(
                    "{head}Behind \"@\" stands when it began, behind \"+\" how long it took.\n\n{lines}\n{END}"
                ))
            }
            Self::Dump(files) => {
                let events = serde_json::to_value(files.events()?)?;
                files.write(&format!("{}\n", to_json(&events)))
            }
            Self::Boot(files) => {
                let host = super::machine()?.host;
                files.write(&boot(&host)?)
            }
        }
    }
}

fn head() -> String {
    "-- Boot Record 01 --\n".to_owned()
}

const END: &str = "1 boot records analyzed\n";

impl Files {
    fn events(&self) -> anyhow::Result<Vec<Event>> {
        if let Some(file) = &self.infile {
            let shown = file.display();
            return serde_json::from_slice(&offline::read(file)?).with_context(|| {
                format!("{shown} is not what `analyze dump` writes, and logs are not read")
            });
        }
        let host = super::machine()?.host;
        let report = report_file::read(&host);
        let report = report.filter(|report| report.boot_id == system::boot_id(&host));
        let report = report.context("there is no report of this boot yet")?;
        Ok(events::of(&report))
    }

    fn write(&self, text: &str) -> anyhow::Result<ExitCode> {
        if self.outfile == Path::new("-") {
            table::bytes(text.as_bytes());
        } else {
            let file = std::path::absolute(&self.outfile)?;
            super::machine()?.host.apply(&Effect::file(file, text))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Source of the properties: systemd's D-Bus interfaces, org.freedesktop.systemd1(5).
fn boot(host: &Host) -> anyhow::Result<String> {
    let monotonic = |argv: &[&str]| {
        let said = system::ask(host, argv)?;
        let (_, value) = said.trim().split_once('=')?;
        value.parse().ok().map(events::seconds)
    };
    let userspace = ["systemctl", "show", "-p", "UserspaceTimestampMonotonic"];
    let unit = "firstlight.service";
    let activated = [
        "systemctl",
        "show",
        unit,
        "-p",
        "InactiveExitTimestampMonotonic",
    ];
    let (Some(userspace), Some(activated)) = (monotonic(&userspace), monotonic(&activated)) else {
        bail!("systemd cannot be asked when it began");
    };
    let uptime = host.read(Path::new("/proc/uptime"))?.unwrap_or_default();
    let uptime = String::from_utf8_lossy(&uptime).into_owned();
    let uptime = uptime
        .split_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    let kernel = session::now() - uptime.context("/proc/uptime tells no uptime")?;
    let began =
        report_file::read(host).and_then(|report| report.stages.first().map(|stage| stage.started));
    let began = began.map_or_else(|| "not yet".to_owned(), time);
    Ok(format!(
        "-- Most Recent Boot Record --\n    \
         Kernel Started at: {}\n    \
         Kernel ended boot at: {}\n    \
         Kernel time to boot (seconds): {userspace}\n    \
         Cloud-init activated by systemd at: {}\n    \
         Time between Kernel end boot and Cloud-init activation (seconds): {}\n    \
         Cloud-init start: {began}\n",
        time(kernel),
        time(kernel + userspace),
        time(kernel + activated),
        activated - userspace,
    ))
}

/// `2026-11-25 13:30:00.250000+00:00`
fn time(unix: f64) -> String {
    let time = std::time::Duration::try_from_secs_f64(unix).unwrap_or_default();
    let utc = Utc::at(time.as_secs());
    let date = format!("{}-{:02}-{:02}", utc.year, utc.month, utc.day);
    let clock = format!("{:02}:{:02}:{:02}", utc.hour, utc.minute, utc.second);
    format!("{date} {clock}.{:06}+00:00", time.subsec_micros())
}
