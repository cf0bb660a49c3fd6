//! /etc/fstab: lines of ours between those of others.

use contract::machine::Probe;

use crate::files;

pub(super) const PATH: &str = "/etc/fstab";
/// What marks our lines, as it marks those of cloud-init.
pub(super) const MARK: &str = "comment=cloudconfig";

/// What stands in /etc/fstab.
pub(super) struct Fstab {
    pub(super) text: String,
    /// The lines that are not ours.
    kept: Vec<String>,
}

impl Fstab {
    pub(super) fn read(probe: &dyn Probe) -> Self {
        let text = files::text(probe, PATH).unwrap_or_default();
        let lines = text.lines();
        let kept = lines.filter(|line| !line.contains(MARK) && !line.trim().is_empty());
        let kept = kept.map(ToOwned::to_owned).collect();
        Self { text, kept }
    }

    /// Whether a line of others is about this device.
    pub(super) fn has(&self, source: &str) -> bool {
        let mut first = self
            .kept
            .iter()
            .filter_map(|line| line.split_whitespace().next());
        first.any(|own| own == source)
    }

    /// Whether a line is there, as it stands.
    pub(super) fn has_line(&self, line: &str) -> bool {
        self.kept.iter().any(|own| own == line)
    }

    /// The text with these lines of ours, and with one for swap space last.
    pub(super) fn with(&self, ours: impl Iterator<Item = String>, swap: Option<&str>) -> String {
        let kept = self.kept.iter().filter(|line| Some(line.as_str()) != swap);
        let mut lines: Vec<String> = kept.cloned().collect();
        lines.extend(ours);
        lines.extend(swap.map(ToOwned::to_owned));
        lines.join("\n") + "\n"
    }
}

/// A path with the blanks in it as fstab(5) wants them, and as the kernel shows them.
pub(super) fn escaped(path: &str) -> String {
    path.replace(' ', "\\040")
}
