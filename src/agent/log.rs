//! Where the log goes: structured to the journal when systemd started us, else lines on stderr.

use std::env;
use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts the log. `verbose` counts how often more was asked for.
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
    let journal = journal.map(|layer| layer.with_field_prefix(Some("FIRSTLIGHT".into())));
    tracing_subscriber::registry()
        .with(journal.with_filter(level))
        .with(stderr.with_filter(level))
        .init();
}
