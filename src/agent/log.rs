//! Where the log goes: structured to the journal when systemd started us, else lines on stderr.

use std::env;
use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log. `verbose` counts how often more was asked for.
///
/// What is wrong is also shown on the console, as with cloud-init: where a login fails, it is all there is to read.
///
/// The journal's fields are `FIRSTLIGHT_MODULE`, `FIRSTLIGHT_STAGE`, `FIRSTLIGHT_OUTCOME` and
/// `FIRSTLIGHT_DURATION_US`. JOURNAL_STREAM is set by systemd for what it starts (systemd.exec(5)).
pub(crate) fn start(verbose: u8) {
    let started_by_systemd = env::var_os("JOURNAL_STREAM").is_some();
    let journal = started_by_systemd
        .then(tracing_journald::layer)
        .and_then(Result::ok);
    let level = match (started_by_systemd, verbose) {
        (true, 0) | (false, 1) => LevelFilter::INFO,
        (false, 0) => LevelFilter::WARN,
        _ => LevelFilter::DEBUG,
    };
    let stderr = journal.is_none().then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(false)
            .with_target(false)
            .without_time()
    });
    let console = started_by_systemd.then(|| {
        tracing_subscriber::fmt::layer()
            .with_writer(|| Console)
            .with_ansi(false)
            .with_target(false)
            .without_time()
    });
    let journal = journal.map(|layer| layer.with_field_prefix(Some("FIRSTLIGHT".into())));
    tracing_subscriber::registry()
        .with(journal.with_filter(level))
        .with(stderr.with_filter(level))
        .with(console.with_filter(LevelFilter::WARN))
        .init();
}

/// The system console, line by line.
struct Console;

impl Write for Console {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        system::show_on_console(&[b"firstlight: ", line].concat());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
