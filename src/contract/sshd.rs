//! What sshd's configuration says of a user's authorized keys (sshd_config(5)).

use std::path::{Path, PathBuf};

use crate::machine::{Account, Probe};

const CONFIG: &str = "/etc/ssh/sshd_config";
/// The package's, which sshd of SUSE reads where there is none of the machine's own. Source: cloud-init,
/// <https://github.com/canonical/cloud-init/pull/6105>.
const VENDORS: &str = "/usr/etc/ssh/sshd_config";
/// Where sshd looks if nobody says otherwise, and where keys go if nothing else will do.
const DEFAULT: &str = ".ssh/authorized_keys";
/// More files are not read: some include each other.
const MAX_FILES: usize = 256;

/// The file that sshd begins with; the machine's own if there is none.
#[must_use]
pub fn config(probe: &dyn Probe) -> &'static Path {
    let [own, vendors] = [CONFIG, VENDORS].map(Path::new);
    let is_there = |path| matches!(probe.kind(path), Ok(Some(_)));
    match !is_there(own) && is_there(vendors) {
        true => vendors,
        false => own,
    }
}

/// What a setting is for everybody: its first value, as sshd takes it, from included files as well
/// and never from a `Match` block.
#[must_use]
pub fn setting(probe: &dyn Probe, keyword: &str) -> Option<String> {
    find(probe, config(probe), keyword, &mut MAX_FILES.clone())
}

/// Whether sshd refuses files that others could have written (`StrictModes`).
#[must_use]
pub fn is_strict(probe: &dyn Probe) -> bool {
    setting(probe, "StrictModes").is_none_or(|value| !value.eq_ignore_ascii_case("no"))
}

/// The files of `AuthorizedKeysFile` that are a user's own, as paths, in their order; at last the
/// one in the home directory that sshd knows by itself.
///
/// Source: cloud-init, `cloudinit/ssh_util.py` (`extract_authorized_keys`).
#[must_use]
pub fn authorized_keys_files(probe: &dyn Probe, account: &Account) -> Vec<PathBuf> {
    let home = Path::new(&account.home);
    let value = setting(probe, "AuthorizedKeysFile").unwrap_or_default();
    let words = value.split_ascii_whitespace();
    let mut files: Vec<PathBuf> = words
        .map(|word| word.trim_matches('"'))
        .filter(|word| *word != "none")
        .filter_map(|word| own_file(word, home, account))
        .collect();
    let default = home.join(DEFAULT);
    if !files.contains(&default) {
        files.push(default);
    }
    files
}

/// `None`: it is everybody's.
fn own_file(word: &str, home: &Path, account: &Account) -> Option<PathBuf> {
    let mut path = String::new();
    let mut is_own = false;
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            path.push(c);
            continue;
        }
        match rest.next() {
            Some('h') => path.push_str(&account.home),
            Some('u') => path.push_str(&account.name),
            Some('U') => path.push_str(&account.uid.to_string()),
            Some('%') => {
                path.push('%');
                continue;
            }
            _ => return None,
        }
        is_own = true;
    }
    // An absolute path stays what it is.
    let path = home.join(path);
    (is_own || path.starts_with(home)).then_some(path)
}

fn find(probe: &dyn Probe, path: &Path, keyword: &str, left: &mut usize) -> Option<String> {
    *left = left.checked_sub(1)?;
    let bytes = probe.read(path).ok().flatten()?;
    for line in bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        // Most of it is comments.
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let line = String::from_utf8_lossy(line);
        let (name, value) = split(line.trim());
        if name.eq_ignore_ascii_case(keyword) {
            return Some(value.to_owned());
        }
        if name.eq_ignore_ascii_case("Match") {
            // The rest of this file is for some alone; a file that includes it goes on.
            return None;
        }
        if name.eq_ignore_ascii_case("Include") {
            let patterns = value.split_ascii_whitespace();
            let mut files = patterns.flat_map(|word| matching(probe, word.trim_matches('"')));
            if let Some(found) = files.find_map(|file| find(probe, &file, keyword, left)) {
                return Some(found);
            }
        }
    }
    None
}

/// Keyword and value of a line, which stand apart by blanks or one `=`.
fn split(line: &str) -> (&str, &str) {
    let end = line.find([' ', '\t', '=']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    (name, rest.strip_prefix('=').unwrap_or(rest).trim())
}

/// The files that an `Include` names, in the order of glob(7); only the last name has wildcards.
fn matching(probe: &dyn Probe, pattern: &str) -> Vec<PathBuf> {
    let path = Path::new("/etc/ssh").join(pattern);
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let name = name.to_string_lossy();
    if !name.contains(['*', '?']) {
        return vec![path.clone()];
    }
    let names = probe.list(dir).ok().flatten().unwrap_or_default();
    let fits = |own: &&String| !own.starts_with('.') && is_like(own.as_bytes(), name.as_bytes());
    names.iter().filter(fits).map(|own| dir.join(own)).collect()
}

/// Whether a name has the form of a pattern with `*` and `?`.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            (0..=name.len()).any(|skipped| is_like(name.get(skipped..).unwrap_or_default(), rest))
        }
        ([b'?', rest @ ..], [_, name @ ..]) => is_like(name, rest),
        ([own, rest @ ..], [first, name @ ..]) => own == first && is_like(name, rest),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeMachine;

    fn ada() -> Account {
        Account {
            name: "ada".into(),
            uid: 1000,
            gid: 1000,
            home: "/home/ada".into(),
            shell: "/bin/sh".into(),
        }
    }

    #[test]
    fn keys_go_where_sshd_looks_for_the_users_own() {
        let default = "/home/ada/.ssh/authorized_keys";
        #[rustfmt::skip]
        let table: [(&str, &[&str]); 11] = [
            ("",                                                        &[default]),
            ("AuthorizedKeysFile .ssh/authorized_keys .ssh/authorized_keys2",
                                                                        &[default, "/home/ada/.ssh/authorized_keys2"]),
            ("AuthorizedKeysFile %h/.ssh/authorized_keys",              &[default]),
            ("authorizedkeysfile=/etc/ssh/keys/%u",                     &["/etc/ssh/keys/ada", default]),
            ("AuthorizedKeysFile /srv/%U/100%%",                        &["/srv/1000/100%", default]),
            ("AuthorizedKeysFile \"/home/ada/keys\"",                   &["/home/ada/keys", default]),
            ("AuthorizedKeysFile /etc/ssh/everybodys /etc/ssh/%u",      &["/etc/ssh/ada", default]),
            ("AuthorizedKeysFile none",                                 &[default]),
            ("AuthorizedKeysFile /etc/%x",                              &[default]),
            ("#AuthorizedKeysFile /a/%u\nAuthorizedKeysFile /b/%u\nAuthorizedKeysFile /c/%u",
                                                                        &["/b/ada", default]),
            ("Match User bob\nAuthorizedKeysFile /etc/ssh/%u",          &[default]),
        ];
        for (config, files) in table {
            let machine = FakeMachine::with(&[(CONFIG, config)]);
            let found = authorized_keys_files(&machine, &ada());
            assert_eq!(
                found,
                files.iter().map(PathBuf::from).collect::<Vec<_>>(),
                "{config}"
            );
        }
    }

    #[test]
    fn the_first_value_counts_wherever_it_stands() {
        let main = "Include /etc/ssh/sshd_config.d/*.conf\nStrictModes yes\n";
        let machine = FakeMachine::with(&[
            (CONFIG, main),
            (
                "/etc/ssh/sshd_config.d/10-match.conf",
                "Match all\nStrictModes yes\n",
            ),
            (
                "/etc/ssh/sshd_config.d/20-ours.conf",
                "Include more/?.conf\n",
            ),
            ("/etc/ssh/sshd_config.d/30-late.conf", "StrictModes yes\n"),
            ("/etc/ssh/sshd_config.d/off", "StrictModes maybe\n"),
            ("/etc/ssh/more/1.conf", "strictmodes = no\n"),
        ]);
        assert_eq!(setting(&machine, "StrictModes").as_deref(), Some("no"));
        assert!(!is_strict(&machine));
        let vendors = FakeMachine::with(&[
            (VENDORS, main),
            ("/etc/ssh/sshd_config.d/a.conf", "StrictModes no\n"),
        ]);
        assert!(!is_strict(&vendors));
        let turning = FakeMachine::with(&[(CONFIG, "Include /etc/ssh/sshd_config\n")]);
        assert_eq!(setting(&turning, "StrictModes"), None);
        assert!(is_strict(&turning));
    }
}
