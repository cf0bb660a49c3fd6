//! authorized_keys files. The bytes are those that cloud-init's `update_authorized_keys` makes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use contract::machine::Machine;

use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIaaaa a";
const A_NEW: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIaaaa new";
const A_ALONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIaaaa";
const B: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAAbbbb b";
const OPTIONS: &str = r#"no-pty,command="echo \"x y\"""#;
const FORCED: &str = r#"command="no""#;

fn key(line: &str) -> AuthorizedKey {
    line.parse().unwrap()
}

#[test]
fn the_file_becomes_what_cloud_init_makes_of_it() {
    let with = |options: &str, line: &str| format!("{options} {line}");
    let with_a = with(OPTIONS, A);
    let spaced = "  ssh-ed25519   AAAAC3NzaC1lZDI1NTE5AAAAIaaaa   two words  ";
    #[rustfmt::skip]
    let table: Vec<(String, Vec<&str>, Option<&str>, String)> = vec![
        // before                     keys                 options       after
        (String::new(),               vec![],              None,         String::new()),
        (String::new(),               vec![A],             None,         format!("{A}\n")),
        ("# note\n".into(),           vec![A],             None,         format!("# note\n{A}\n")),
        ("# note".into(),             vec![A],             None,         format!("# note\n{A}\n")),
        ("\n\n".into(),               vec![A],             None,         format!("\n\n{A}\n")),
        (format!("{A}\n{B}\n"),       vec![A_NEW],         None,         format!("{A_NEW}\n{B}\n")),
        (format!("{B}\n"),            vec![A, B],          None,         format!("{B}\n{A}\n")),
        (format!("{with_a}\n"),       vec![A],             None,         format!("{A}\n")),
        (format!("{A}\n"),            vec![&with_a],       None,         format!("{with_a}\n")),
        (format!("{A}\n{A}\n"),       vec![A_NEW],         None,         format!("{A_NEW}\n{A_NEW}\n")),
        (String::new(),               vec![A, A_NEW],      None,         format!("{A}\n{A_NEW}\n")),
        ("junk here\n".into(),        vec![A],             None,         format!("junk here\n{A}\n")),
        (format!("#{A}\n"),           vec![A],             None,         format!("#{A}\n{A}\n")),
        (format!("{B}\n\n# end\n"),   vec![A],             None,         format!("{B}\n\n# end\n{A}\n")),
        (String::new(),               vec![A],             Some(FORCED), format!("{FORCED} {A}\n")),
        (format!("{A}\n"),            vec![A],             Some(FORCED), format!("{FORCED} {A}\n")),
        (String::new(),               vec![&with_a],       Some(FORCED), format!("{FORCED} {A}\n")),
        (String::new(),               vec![spaced],        None,         format!("{A_ALONE} two words\n")),
        (String::new(),               vec![A_ALONE],       None,         format!("{A_ALONE}\n")),
    ];
    for (before, keys, options, after) in table {
        let spec = AuthorizedKeysSpec {
            user: "me".parse().unwrap(),
            keys: keys.iter().copied().map(key).collect(),
            options: options.map(ToOwned::to_owned),
        };
        let lines = lines(&spec);
        let merged = merge(before.as_bytes(), &lines, Held::Replaced);
        let text = String::from_utf8(merged.clone()).unwrap();
        assert_eq!(text, after, "{before:?} {keys:?} {options:?}");
        assert_eq!(
            merge(&merged, &lines, Held::Replaced),
            merged,
            "a second time: {after:?}"
        );
    }
}

#[test]
fn options_that_do_not_fit_in_a_line_let_nobody_in() {
    let spec = AuthorizedKeysSpec {
        user: "root".parse().unwrap(),
        keys: vec![key(A)],
        options: Some("no-pty\nssh-rsa".into()),
    };
    assert_eq!(lines(&spec), []);
}

/// A machine with one account, whose home is there.
struct Tree {
    root: PathBuf,
    account: Account,
}

impl Tree {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("firstlight-keys-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join("home/me/.ssh")).unwrap();
        fs::set_permissions(root.join("home/me/.ssh"), fs::Permissions::from_mode(0o700)).unwrap();
        let found = fs::metadata(&root).unwrap();
        let tree = Self {
            root,
            account: Account {
                name: "me".into(),
                uid: found.uid(),
                gid: found.gid(),
                home: "/home/me".into(),
                shell: "/bin/sh".into(),
            },
        };
        let (uid, gid) = (found.uid(), found.gid());
        tree.write(
            "etc/passwd",
            &format!("me:x:{uid}:{gid}::/home/me:/bin/sh\n"),
        );
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.root.join(path)).unwrap().mode() & 0o7777
    }

    fn add(&self) -> Result<Change, EffectError> {
        let host = Host::new(&self.root).unwrap();
        add(&host, &self.account, &[key(A)], Held::Replaced)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn keys_go_into_the_file_that_sshd_reads_if_it_can_be_trusted() {
    const HOME: &str = "home/me/.ssh/authorized_keys";
    const GLOBAL: &str = "etc/ssh/keys/me";
    type Prepare = fn(&Tree);
    let far = "AuthorizedKeysFile /etc/ssh/keys/%u .ssh/authorized_keys\n";
    let lax = "StrictModes no\nAuthorizedKeysFile /etc/ssh/keys/%u\n";
    #[rustfmt::skip]
    let table: [(&str, &str, Prepare, &str); 7] = [
        ("nothing said",            "",  |_| {}, HOME),
        ("no directory yet",        far, |_| {}, GLOBAL),
        ("a directory",             far, |t| t.write("etc/ssh/keys/x", ""), GLOBAL),
        ("a link to a directory",   far, |t| {
            fs::create_dir(t.root.join("srv")).unwrap();
            symlink("/srv", t.root.join("etc/ssh/keys")).unwrap();
        }, HOME),
        ("others may write",        far, |t| {
            t.write("etc/ssh/keys/x", "");
            t.chmod("etc/ssh/keys", 0o777);
        }, HOME),
        ("others may, and sshd does not mind", lax, |t| {
            t.write("etc/ssh/keys/x", "");
            t.chmod("etc/ssh/keys", 0o777);
        }, GLOBAL),
        ("a directory in its place", far, |t| t.write("etc/ssh/keys/me/x", ""), HOME),
    ];
    for (when, config, prepare, file) in table {
        let tree = Tree::new();
        tree.write("etc/ssh/sshd_config", config);
        for path in ["etc", "etc/ssh"] {
            tree.chmod(path, 0o755);
        }
        prepare(&tree);
        tree.add().unwrap();
        assert_eq!(
            tree.text(file).as_deref(),
            Some(&*format!("{A}\n")),
            "{when}"
        );
        assert_eq!(tree.mode(file), 0o600, "{when}");
        let other = if file == HOME { GLOBAL } else { HOME };
        assert_eq!(tree.text(other), None, "{when}");
        assert_eq!(tree.add().unwrap(), Change::AlreadySo, "{when}");
    }
}

#[test]
fn a_link_or_a_second_name_in_the_home_directory_is_never_followed() {
    type Prepare = fn(&Tree);
    #[rustfmt::skip]
    let table: [(&str, Prepare); 4] = [
        ("the file is a link",      |t| symlink("/secret", t.root.join("home/me/.ssh/authorized_keys")).unwrap()),
        ("the file has two names",  |t| fs::hard_link(t.root.join("secret"), t.root.join("home/me/.ssh/authorized_keys")).unwrap()),
        ("the directory is a link", |t| {
            fs::remove_dir(t.root.join("home/me/.ssh")).unwrap();
            symlink("/", t.root.join("home/me/.ssh")).unwrap();
        }),
        ("the file is a pipe",      |t| {
            let path = t.root.join("home/me/.ssh/authorized_keys");
            nix::unistd::mkfifo(&path, Mode::S_IRWXU).unwrap();
        }),
    ];
    for (when, prepare) in table {
        let tree = Tree::new();
        tree.write("secret", "root:$6$hash\n");
        prepare(&tree);
        let error = tree.add().unwrap_err();
        assert!(
            matches!(error, EffectError::Refused { .. }),
            "{when}: {error}"
        );
        assert_eq!(
            tree.text("secret").as_deref(),
            Some("root:$6$hash\n"),
            "{when}"
        );
        assert_eq!(tree.text("authorized_keys"), None, "{when}");
    }
}

#[test]
fn a_file_that_is_there_keeps_its_mode_unless_others_may_write_to_it() {
    for (before, after) in [
        (0o644, 0o644),
        (0o400, 0o400),
        (0o666, 0o600),
        (0o620, 0o600),
    ] {
        let tree = Tree::new();
        let file = "home/me/.ssh/authorized_keys";
        tree.write(file, "# mine\n");
        tree.chmod(file, before);
        tree.add().unwrap();
        assert_eq!(tree.mode(file), after, "{before:o}");
        assert_eq!(tree.text(file).unwrap(), format!("# mine\n{A}\n"));
    }
}

#[test]
fn a_user_without_keys_has_an_empty_file() {
    let tree = Tree::new();
    let host = Host::new(&tree.root).unwrap();
    let spec = AuthorizedKeysSpec {
        user: "me".parse().unwrap(),
        keys: Vec::new(),
        options: None,
    };
    let effect = effect::Effect::AuthorizedKeys(spec);
    assert_eq!(host.apply(&effect).unwrap(), Change::MADE);
    assert_eq!(
        tree.text("home/me/.ssh/authorized_keys").as_deref(),
        Some("")
    );
}
