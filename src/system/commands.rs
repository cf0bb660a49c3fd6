//! The one place that starts processes.

use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use contract::effect::{CommandSpec, Program};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use nix::fcntl::OFlag;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::host::Host;

/// Where a child looks for programs. Source: cloud-init, `cloudinit/cmd/main.py` runs with
/// systemd's default path (systemd.exec(5)).
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the output of user code goes, 0640.
const OUTPUT_LOG: &str = "/var/log/firstlight-output.log";

/// signal(7)
const SIGTERM: i32 = 15;

/// How often a child with a time limit is looked at.
const POLL: Duration = Duration::from_millis(20);

/// What the tools of the system said at most, in bytes, when they failed.
const TAIL: usize = 300;

/// Runs what user data or the image asked for, its output appended to the output log.
pub(crate) fn run(host: &Host, spec: &CommandSpec) -> Result<Change, EffectError> {
    let argv = argv(&spec.program);
    if let Some(why) = cannot_run(host, host, &spec.program) {
        return Ok(Change::NotDone(why));
    }
    let mut command = child(host, &argv);
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    let log = open_log(host);
    let output = |log: &Option<File>| match log.as_ref().and_then(|log| log.try_clone().ok()) {
        Some(log) => Stdio::from(log),
        None => Stdio::inherit(),
    };
    command
        .stdout(output(&log))
        .stderr(output(&log))
        .process_group(0);
    let start = |source| EffectError::Start {
        program: spec.label.clone(),
        source,
    };
    let begun = Instant::now();
    let mut running = command.spawn().map_err(start)?;
    let status = match spec.timeout {
        None => running.wait().map_err(start)?,
        Some(limit) => loop {
            if let Some(status) = running.try_wait().map_err(start)? {
                break status;
            }
            if begun.elapsed() >= limit {
                let group = i32::try_from(running.id()).unwrap_or(i32::MAX);
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
                let _ = running.wait();
                return Err(EffectError::Command {
                    program: spec.label.clone(),
                    ended: format!(
                        "did not end within {} s and was killed",
                        limit.as_secs_f64()
                    ),
                    code: None,
                });
            }
            thread::sleep(POLL);
        },
    };
    if status.success() {
        let note = format!("exit 0 in {:.1} s", begun.elapsed().as_secs_f64());
        return Ok(Change::Made { note: Some(note) });
    }
    if status.signal() == Some(SIGTERM) && host.is_live() && is_stopping() {
        return Err(EffectError::EndedByShutdown {
            program: spec.label.clone(),
        });
    }
    Err(EffectError::Command {
        program: spec.label.clone(),
        ended: ended(status),
        code: status.code(),
    })
}

/// Runs a tool of the system and waits for it; what it says on stderr is part of the error.
pub(crate) fn tool(host: &Host, argv: &[&str]) -> Result<(), EffectError> {
    let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
    let program = argv.first().cloned().unwrap_or_default();
    let output = child(host, &argv)
        .output()
        .map_err(|source| EffectError::Start {
            program: program.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().take(TAIL).collect();
    let ended = format!("{}: {said}", ended(output.status));
    Err(EffectError::Command {
        program,
        ended,
        code: output.status.code(),
    })
}

/// Why this program is not run here, if it is not. `probe` sees the machine as it will be then.
pub(crate) fn cannot_run(host: &Host, probe: &dyn Probe, program: &Program) -> Option<NotDone> {
    if host.is_live() {
        return None;
    }
    let interpreter = match program {
        Program::Shell(_) => Some(PathBuf::from("/bin/sh")),
        Program::Argv(words) => words.first().and_then(|word| find(probe, word)),
        Program::Script(path) => interpreter(probe, path),
    };
    let there = interpreter.is_some_and(|path| probe.is_there(&path));
    (!there || !host.is_root()).then_some(NotDone::NeedsLiveMachine)
}

/// The full path of a program.
pub(crate) fn find(probe: &dyn Probe, name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name));
    }
    PATH.split(':')
        .map(|dir| Path::new(dir).join(name))
        .find(|path| probe.is_there(path))
}

/// Whether there is something at a path.
trait IsThere {
    fn is_there(&self, path: &Path) -> bool;
}

impl<P: Probe + ?Sized> IsThere for P {
    fn is_there(&self, path: &Path) -> bool {
        // Links are followed: /bin/sh is one, and /bin itself.
        self.kind(path).is_ok_and(|kind| kind.is_some())
    }
}

fn interpreter(probe: &dyn Probe, script: &Path) -> Option<PathBuf> {
    let bytes = probe.read(script).ok()??;
    match bytes.strip_prefix(b"#!") {
        Some(rest) => {
            let line = rest.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            line.split_whitespace().next().map(PathBuf::from)
        }
        // The kernel says what is wrong with it.
        None => Some(script.to_owned()),
    }
}

fn argv(program: &Program) -> Vec<String> {
    match program {
        Program::Argv(words) => words.clone(),
        Program::Shell(line) => vec!["/bin/sh".into(), "-c".into(), line.clone()],
        Program::Script(path) => vec![path.to_string_lossy().into_owned()],
    }
}

/// A child that inherits nothing of ours but its place in the tree of processes.
fn child(host: &Host, argv: &[String]) -> Command {
    let (program, arguments) = argv
        .split_first()
        .map_or(("", argv), |(first, rest)| (first.as_str(), rest));
    let mut command = if host.is_live() {
        Command::new(program)
    } else {
        let mut chroot = Command::new("chroot");
        chroot.arg(host.root()).arg(program);
        chroot
    };
    command
        .args(arguments)
        .stdin(Stdio::null())
        .current_dir("/")
        .env_clear()
        .env("PATH", PATH);
    if let Some(language) = host.language() {
        command.env("LANG", language);
    }
    command
}

fn open_log(host: &Host) -> Option<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_APPEND | OFlag::O_NOFOLLOW;
    let path = Path::new(OUTPUT_LOG);
    let opened = host
        .paths()
        .make_dirs(Path::new("/var/log"))
        .and_then(|_| host.paths().open_path(path, flags, 0o640));
    match opened {
        Ok(fd) => Some(File::from(fd)),
        Err(error) => {
            tracing::warn!("cannot open {OUTPUT_LOG}: {error}");
            None
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => String::from("ended without an exit code"),
    }
}

fn is_stopping() -> bool {
    let asked: io::Result<_> = Command::new("systemctl").arg("is-system-running").output();
    asked.is_ok_and(|output| output.stdout.starts_with(b"stopping"))
}
