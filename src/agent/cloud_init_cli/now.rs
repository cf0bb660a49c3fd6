//! Where this boot is, in cloud-init's words.
//!
//! Source: cloud-init 25.1.4, `cloudinit/cmd/status.py`.

use std::path::Path;

use contract::machine::Probe;
use engine::cloud_init::stages::Stages;
use engine::{kernel, report_file};

use crate::boot;
use crate::session::Session;

/// What cloud-init's tools are told of this boot.
pub(super) struct Now {
    /// Why it runs here, or why it does not.
    pub(super) why: Why,
    /// How it went so far; `None` before it began. An earlier boot's says nothing about this one.
    pub(super) stages: Option<Stages>,
    /// A unit failed, so that nobody goes on with this boot.
    pub(super) is_stuck: bool,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    NotStarted,
    Running,
    Done,
    Disabled,
}

impl Phase {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Running => "running",
            Self::Done => "done",
            Self::Disabled => "disabled",
        }
    }
}

/// A boot status code of cloud-init's, and what it says about it.
pub(super) struct Why {
    pub(super) code: &'static str,
    pub(super) detail: String,
    is_off: bool,
}

impl Now {
    pub(super) fn look(session: &Session) -> Self {
        let host = &session.host;
        let why = why(session);
        let boot_id = system::boot_id(host);
        let report = report_file::read(host).filter(|report| report.boot_id == boot_id);
        let stages = report.as_ref().map(Stages::of);
        let goes_on = !why.is_off && stages.as_ref().is_none_or(|stages| !stages.is_over);
        Self {
            is_stuck: goes_on && boot::is_stuck(host),
            why,
            stages,
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match &self.stages {
            _ if self.why.is_off => Phase::Disabled,
            _ if self.is_stuck => Phase::Done,
            None => Phase::NotStarted,
            Some(stages) if stages.is_over => Phase::Done,
            Some(_) => Phase::Running,
        }
    }
}

/// Whether it runs on this machine: what keeps firstlight from it, in cloud-init's codes.
fn why(session: &Session) -> Why {
    let host = &session.host;
    let exists = |path: &str| host.kind(Path::new(path)).is_ok_and(|kind| kind.is_some());
    let is_systemd = exists("/run/systemd/system");
    let is_marked = boot::MARKERS.iter().any(|path| exists(path));
    let (code, detail, is_off) = match (boot::switched_off(session), kernel::switches_off(host)) {
        (Some(why), _) if is_marked => ("disabled-by-marker-file", why, true),
        (Some(why), Some(_)) => ("disabled-by-kernel-command-line", why, true),
        // As cloud-init's own generator does where it finds no data source.
        (Some(why), None) => ("disabled-by-generator", why, true),
        (None, _) if is_systemd => (
            "enabled-by-generator",
            "firstlight is enabled".to_owned(),
            false,
        ),
        (None, _) => (
            "enabled-by-sysvinit",
            "firstlight is enabled, and systemd does not run here".to_owned(),
            false,
        ),
    };
    Why {
        code,
        detail,
        is_off,
    }
}
