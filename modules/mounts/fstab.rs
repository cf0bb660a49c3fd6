//! /etc/fstab: lines of ours between those of others.

use std::path::Path;

use contract::effect::{Effect, Mode};
use contract::machine::Probe;
use contract::plan::Problem;
use contract::secret::{Secret, is_secret_name};

use crate::hidden;

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

    /// The file with this text, which is not shown if it has a password. Everybody may read it: mount(8)
    /// and others do so for every user.
    pub(super) fn file(&self, text: String) -> Effect {
        let has_secret = |text: &str| text.lines().any(has_secret);
        if has_secret(&text) || has_secret(&self.text) {
            return Effect::secret_file(PATH, Secret::new(text.into_bytes()), Mode::PUBLIC);
        }
        Effect::file(PATH, text)
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

/// Whether a line has a password: in its address or, such as `password=...`, among its options.
pub(super) fn has_secret(line: &str) -> bool {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (source, options) = (fields.first(), fields.get(3));
    let is_secret = |option: &str| {
        let pair = option.split_once('=');
        pair.is_some_and(|(name, value)| !value.is_empty() && is_secret_name(name))
    };
    // `key=passphrase:passphrase_passwd=...` of ecryptfs(7) is several in one.
    let are_secret = |options: &&str| options.split([',', ':']).any(is_secret);
    // `//user:password@host/share`
    let share = |source: &str| Some(source.strip_prefix("//")?.split('/').next()?.contains('@'));
    !line.starts_with('#')
        && (source.is_some_and(|it| hidden::has_password(it) || share(it) == Some(true))
            || options.is_some_and(are_secret))
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

#[cfg(test)]
mod tests {
    use contract::testing::{FakeMachine, Setting};

    use super::super::Mounts;

    #[test]
    fn a_line_with_a_password_is_told_of_and_not_shown() {
        #[rustfmt::skip]
        let table = [
            ("[//srv/x, /mnt/x, cifs, 'username=u,password=hunter2']", true),
            ("[//u:hunter2@srv/x, /mnt/x, cifs]",                      true),
            ("[/a, /mnt/x, ecryptfs, 'key=passphrase:passphrase_passwd=hunter2']", true),
            ("[//srv/x@1, /mnt/x, cifs]",                              false),
            ("[//srv/x, /mnt/x, cifs, 'username=u,pass=hunter2']",     true),
            ("[/dev/x, /mnt/x, ceph, 'name=u,secret=hunter2']",        true),
            ("['https://u:hunter2@srv/', /mnt/x, davfs]",              true),
            ("[//srv/x, /mnt/x, cifs, 'credentials=/etc/smb']",        false),
            ("['srv:/x', /mnt/x, nfs, 'password=']",                   false),
        ];
        for (entry, is_secret) in table {
            let setting = Setting {
                machine: FakeMachine::with(&[("/proc/self/mountinfo", "")]),
                ..Setting::default()
            };
            let plan = setting.plan::<Mounts>(&format!("mounts: [{entry}]"));
            // Its mode is that of every other: mount(8) reads it for everybody.
            let line = "file /etc/fstab (0644)".to_owned();
            assert!(plan.lines().contains(&line), "{entry}");
            let shown = plan.text_of("/etc/fstab");
            assert_eq!(shown.is_none(), is_secret, "{entry}");
            let said: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
            let told = "test:1:10: mounts[0]: everybody can read the password, for it stands in /etc/fstab \
                        (for cifs write it to a file of mode 0600 and give `credentials=FILE`)";
            let wanted: &[&str] = if is_secret { &[told] } else { &[] };
            assert_eq!(said, wanted, "{entry}");
        }
    }
}
