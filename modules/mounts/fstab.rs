//! /etc/fstab: lines of ours between those of others.

use std::path::Path;

use contract::machine::Probe;
use contract::plan::Problem;

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
    /// # Errors
    /// When it cannot be read whole: what others wrote there would be lost.
    pub(super) fn read(probe: &dyn Probe) -> Result<Self, Problem> {
        let failed = |why: String| {
            let message = format!("{PATH} cannot be read, and stays as it is: {why}");
            Problem::error(None, message)
        };
        let bytes = probe.read(Path::new(PATH));
        let bytes = bytes.map_err(|error| failed(error.to_string()))?;
        let text = String::from_utf8(bytes.unwrap_or_default());
        let text = text.map_err(|error| failed(error.to_string()))?;
        let lines = text.lines();
        let kept = lines.filter(|line| !line.contains(MARK) && !line.trim().is_empty());
        let kept = kept.map(ToOwned::to_owned).collect();
        Ok(Self { text, kept })
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

/// Tags that name a device, and where udev has links by them (fstab(5), udev's 60-persistent-storage.rules).
const TAGS: [(&str, &str); 4] = [
    ("LABEL=", "by-label"),
    ("UUID=", "by-uuid"),
    ("PARTLABEL=", "by-partlabel"),
    ("PARTUUID=", "by-partuuid"),
];

/// The path of what a line is about, also where it is named by a tag.
pub(super) fn device(source: &str) -> String {
    let link = |(tag, dir): &(&str, &str)| {
        let value = source.strip_prefix(tag)?.trim_matches('"');
        Some(format!("/dev/disk/{dir}/{value}"))
    };
    TAGS.iter()
        .find_map(link)
        .unwrap_or_else(|| source.to_owned())
}
