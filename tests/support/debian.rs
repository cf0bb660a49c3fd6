//! A throw-away Debian, which the binary works on as root with the system's real tools.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Names the script that makes such a root; `tests/run` sets it for root.
pub(crate) const SCRIPT: &str = "FIRSTLIGHT_DEBIAN_ROOT";

/// What the binary answered: its exit code, -1 if it was killed, and all that it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) text: String,
}

/// A fresh copy of the Debian tree, which is removed when this is dropped.
pub(crate) struct Debian {
    script: PathBuf,
    root: PathBuf,
}

impl Debian {
    /// A copy with this configuration baked in; `None` where none can be made, which is said.
    pub(crate) fn with_image(image: &str) -> Option<Self> {
        lab::program(SCRIPT).map(|script| Self::new(&script, image))
    }

    /// A copy that `script` makes, with this configuration baked in.
    pub(crate) fn new(script: &Path, image: &str) -> Self {
        let made = Command::new(script).arg("make").output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let root = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        let debian = Self {
            script: script.to_owned(),
            root,
        };
        // An RSA key costs seconds; `tests/ssh.rs` asks for one.
        debian.write(
            "etc/firstlight/config.d/10-quick.yaml",
            "ssh_genkeytypes: [ed25519]\n",
        );
        debian.write("etc/firstlight/config.d/50-web.yaml", image);
        debian
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file below the root.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a file of this mode below the root.
    pub(crate) fn write_as(&self, path: &str, mode: u32, text: &str) {
        self.write(path, text);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Writes a program below the root.
    pub(crate) fn program(&self, path: &str, text: &str) {
        self.write_as(path, 0o755, text);
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn lines(&self, path: &str) -> usize {
        self.text(path).lines().count()
    }

    /// Permission bits of a file, the last link not followed.
    pub(crate) fn mode(&self, path: &str) -> u32 {
        self.found(path).permissions().mode() & 0o7777
    }

    /// User and group id of a file.
    pub(crate) fn owner(&self, path: &str) -> (u32, u32) {
        let found = self.found(path);
        (found.uid(), found.gid())
    }

    fn found(&self, path: &str) -> fs::Metadata {
        fs::symlink_metadata(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The fields of somebody's line in a file such as etc/passwd; `None` without one.
    pub(crate) fn entry(&self, file: &str, name: &str) -> Option<Vec<String>> {
        let text = self.text(file);
        let mut lines = text.lines().map(|line| line.split(':'));
        let line = lines.find(|fields| fields.clone().next() == Some(name))?;
        Some(line.map(ToOwned::to_owned).collect())
    }

    /// What one of the tree's own programs says; it has to succeed.
    pub(crate) fn chroot(&self, argv: &[&str]) -> String {
        let output = Command::new("chroot")
            .arg(&self.root)
            .args(argv)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{argv:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The binary in this root as on a running machine: `/` is its root, and the host's name, network
    /// and mounts are not this machine's.
    pub(crate) fn live(&self, args: &[&str]) -> Said {
        let binary = self.path("usr/bin/firstlight");
        if !binary.exists() {
            fs::copy(env!("CARGO_BIN_EXE_firstlight"), &binary).unwrap();
        }
        let output = Command::new("unshare")
            .args(["--uts", "--net", "--mount", "chroot"])
            .arg(&self.root)
            .arg("/usr/bin/firstlight")
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        said(&output)
    }

    /// As [`Self::live`], with /proc of its own, and a systemctl that has nobody to ask.
    pub(crate) fn booted(&self, args: &[&str]) -> Said {
        let (binary, systemctl) = ("usr/bin/firstlight", "usr/local/sbin/systemctl");
        if !self.path(binary).exists() {
            fs::copy(env!("CARGO_BIN_EXE_firstlight"), self.path(binary)).unwrap();
            self.program(systemctl, "#!/bin/sh\n");
        }
        let own = "--uts --net --mount --pid --fork --kill-child sh -c";
        let within = r#"mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/firstlight "$@""#;
        let mut command = Command::new("unshare");
        command.args(own.split(' ')).arg(within).arg(&self.root);
        let output = command.args(args).stdin(Stdio::null()).output();
        said(&output.unwrap())
    }

    /// [`Self::booted`], called by another name.
    pub(crate) fn called(&self, name: &str, args: &[&str]) -> Said {
        self.booted(&["--version"]);
        let link = self.path("usr/bin").join(name);
        if !link.exists() {
            std::os::unix::fs::symlink("firstlight", link).unwrap();
        }
        let own = "--uts --net --mount --pid --fork --kill-child sh -c";
        let within = r#"mount -t proc proc "$0/proc" && exec chroot "$0" "$@""#;
        let mut command = Command::new("unshare");
        command.args(own.split(' ')).arg(within).arg(&self.root);
        let output = command.arg(name).args(args).stdin(Stdio::null()).output();
        said(&output.unwrap())
    }

    /// [`Self::booted`] with a seed of this user data for instance `i-1`.
    pub(crate) fn booted_with(&self, user_data: &str, args: &[&str]) -> Said {
        self.write("seed/user-data", user_data);
        self.write("seed/meta-data", "instance-id: i-1\nlocal-hostname: one\n");
        self.booted(&[&["--seed", "/seed"], args].concat())
    }

    /// The binary on this root.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_firstlight"));
        let output = command
            .arg("--root")
            .arg(&self.root)
            .args(args)
            .output()
            .unwrap();
        said(&output)
    }

    /// The binary on this root, with a seed of this user data and metadata.
    pub(crate) fn run_with(&self, user_data: &str, meta_data: &str, args: &[&str]) -> Said {
        self.write("seed/user-data", user_data);
        self.write("seed/meta-data", meta_data);
        let seed = self.path("seed");
        let mut all = vec!["--seed", seed.to_str().unwrap()];
        all.extend(args);
        self.run(&all)
    }

    /// The binary as on a live machine: inside the tree, which is its root then, with a host name
    /// and a console of its own. The console is the file `console`.
    pub(crate) fn run_inside(&self, args: &[&str]) -> Said {
        self.inside(args, &[])
    }

    /// The same, as systemd starts it.
    pub(crate) fn started_inside(&self, args: &[&str]) -> Said {
        self.inside(args, &[("JOURNAL_STREAM", "8:1")])
    }

    fn inside(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        fs::copy(
            env!("CARGO_BIN_EXE_firstlight"),
            self.path("usr/bin/firstlight"),
        )
        .unwrap();
        for file in ["console", "dev/console"] {
            let path = self.path(file);
            fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap();
        }
        // chroot(8) alone would show the console of the machine that runs the tests.
        let line = "mount --bind \"$0/console\" \"$0/dev/console\" && exec chroot \"$0\" firstlight \"$@\"";
        let output = Command::new("unshare")
            .args(["--mount", "--uts", "sh", "-c", line])
            .envs(variables.iter().copied())
            .arg(&self.root)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Said {
            code: output.status.code().unwrap_or(-1),
            text,
        }
    }

    /// A boot of instance `i-1` with this user data, whose status has to be `done`.
    pub(crate) fn boot_well(&self, user_data: &str) {
        let meta_data = "instance-id: i-1\nlocal-hostname: one\n";
        let said = self.run_with(user_data, meta_data, &["boot"]);
        assert_eq!(said.code, 0, "{said:?}");
        let status = self.run(&["status"]);
        assert_eq!(status.code, 0, "{status:?}");
    }
}

fn said(output: &Output) -> Said {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    Said {
        code: output.status.code().unwrap_or(-1),
        text,
    }
}

impl Drop for Debian {
    fn drop(&mut self) {
        let _ = Command::new(&self.script)
            .arg("remove")
            .arg(&self.root)
            .status();
    }
}
