//! A seed directory and a root in a throw-away place, and the built binary on them.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "for tests only"
)]

pub(crate) mod cloud;
pub(crate) mod debian;
pub(crate) mod repository;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// What the binary answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A place that goes when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("firstlight-{}-{number}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A seed and a root.
pub(crate) struct Case {
    scratch: Scratch,
    seed: PathBuf,
}

impl Case {
    /// A seed that the project ships.
    pub(crate) fn example(name: &str) -> Self {
        let seed = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        Self {
            scratch: Scratch::new(),
            seed,
        }
    }

    /// A seed of this user data and metadata, and an image with one account of its own.
    pub(crate) fn made(user_data: &str, meta_data: &str) -> Self {
        let scratch = Scratch::new();
        let seed = scratch.path().join("seed");
        let case = Self { scratch, seed };
        fs::create_dir_all(case.seed.join("root/etc")).unwrap();
        case.write_seed("root/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
        case.write_seed("root/etc/group", "root:x:0:\n");
        case.write_seed("user-data", user_data);
        case.write_seed("meta-data", meta_data);
        case
    }

    pub(crate) fn write_seed(&self, name: &str, text: &str) {
        let path = self.seed.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path(path)).unwrap().permissions().mode()
    }

    /// Every file below the root that holds `text`, with its mode.
    pub(crate) fn files_holding(&self, text: &str) -> Vec<(PathBuf, u32)> {
        let mut found = Vec::new();
        let mut open = vec![self.root()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                if meta.is_dir() {
                    open.push(entry.path());
                } else if meta.is_file() {
                    let bytes = fs::read(entry.path()).unwrap();
                    if String::from_utf8_lossy(&bytes).contains(text) {
                        found.push((entry.path(), meta.permissions().mode()));
                    }
                }
            }
        }
        found
    }

    pub(crate) fn run(&self, args: &[&str]) -> Answer {
        let (root, seed) = (self.root(), self.seed.as_os_str());
        let target = [
            OsStr::new("--root"),
            root.as_os_str(),
            OsStr::new("--seed"),
            seed,
        ];
        answer(target.into_iter().chain(args.iter().map(OsStr::new)))
    }
}

/// The binary with these arguments and nothing else.
pub(crate) fn alone(args: &[&str]) -> Answer {
    answer(args.iter().map(OsStr::new))
}

/// The binary by another name and with these arguments, in a place of its own.
pub(crate) fn called(scratch: &Scratch, name: &str, args: &[&str]) -> Answer {
    let link = scratch.path().join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_firstlight"), &link).unwrap();
    }
    let mut command = Command::new(&link);
    answered(command.args(args).current_dir(scratch.path()))
}

fn answer<'a>(args: impl Iterator<Item = &'a OsStr>) -> Answer {
    answered(Command::new(env!("CARGO_BIN_EXE_firstlight")).args(args))
}

fn answered(command: &mut Command) -> Answer {
    let output = command.stdin(Stdio::null()).output().unwrap();
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
