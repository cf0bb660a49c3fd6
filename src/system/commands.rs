//! The one place that starts processes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use contract::effect::{CommandSpec, Program, ToolSpec};
use contract::error::EffectError;
use contract::machine::{Change, NotDone, Probe};
use nix::errno::Errno;

use crate::host::Host;
use crate::kept::{Kept, Which};
use crate::memory;
use crate::output::{self, Streams};
use crate::program::{PATH, SHELL, elsewhere, inside};
use crate::watchdog;

/// As much of a script's first line as the kernel looks at (execve(2)).
const LINE_LIMIT: usize = 255;

/// Runs somebody's code.
pub(crate) fn run(host: &Host, spec: &CommandSpec) -> Result<Change, EffectError> {
    if let Some(why) = why_not(host, host, spec)? {
        return Ok(Change::NotDone(why));
    }
    let argv = match &spec.program {
        Program::Argv(argv) => argv.clone(),
        Program::Shell(line) => vec![SHELL.into(), "-c".into(), line.clone()],
        Program::Script(path) => vec![path.display().to_string()],
        Program::Items(spec) => vec![spec.script.display().to_string()],
    };
    spawn(host, &start(host, spec, &argv)).map(ended_well)
}

/// How somebody's code is started.
pub(crate) fn start<'a>(host: &Host, spec: &'a CommandSpec, argv: &'a [String]) -> Start<'a> {
    Start {
        argv,
        label: &spec.label,
        env: &spec.env,
        stdin: &[],
        timeout: spec.timeout.or(host.code_timeout),
        is_ours: false,
        is_beside: false,
        kept: None,
    }
}

/// What there is to tell of code that ended well.
pub(crate) fn ended_well(took: Duration) -> Change {
    Change::Made {
        note: Some(format!("exit 0 in {:.1} s", took.as_secs_f64())),
    }
}

/// Why code cannot be run here; `None` if it can. `probe` sees the machine as it would be by then:
/// a dry run asks the same.
pub(crate) fn why_not(
    host: &Host,
    probe: &dyn Probe,
    spec: &CommandSpec,
) -> Result<Option<NotDone>, EffectError> {
    let start = |source: io::Error| EffectError::Start {
        program: spec.label.clone(),
        source,
    };
    let script = |path: &Path| {
        let interpreter = interpreter(probe, path).map_err(start)?;
        let path = path.display().to_string();
        Ok(std::iter::once(path).chain(interpreter).collect())
    };
    let needed: Vec<String> = match &spec.program {
        Program::Argv(argv) => argv.first().cloned().into_iter().collect(),
        Program::Shell(_) => vec![SHELL.to_owned()],
        Program::Script(path) => script(path)?,
        Program::Items(items) => script(&items.script)?,
    };
    if needed.is_empty() {
        return Err(start(io::Error::other("the command is empty")));
    }
    Ok(elsewhere(host, probe, &needed))
}

/// What is started, and how long it may take.
pub(crate) struct Start<'a> {
    pub(crate) argv: &'a [String],
    /// What errors call it.
    pub(crate) label: &'a str,
    pub(crate) env: &'a [(String, String)],
    /// Its standard input, which is empty if this is.
    pub(crate) stdin: &'a [u8],
    pub(crate) timeout: Option<Duration>,
    /// Whether it is a tool of the system: its last words say what is wrong, and are no secret.
    pub(crate) is_ours: bool,
    /// Whether others run while it does.
    pub(crate) is_beside: bool,
    /// Keeps one of its streams in memory.
    pub(crate) kept: Option<&'a Kept>,
}

/// A program that was started.
pub(crate) struct Started {
    child: Child,
    label: String,
    timeout: Option<Duration>,
    is_ours: bool,
    begun: Instant,
    streams: Streams,
    kept: Option<Kept>,
    is_live: bool,
}

/// Starts a program and waits for its end; how long that took.
pub(crate) fn spawn(host: &Host, start: &Start<'_>) -> Result<Duration, EffectError> {
    begin(host, start)?.end()
}

/// Starts a program.
pub(crate) fn begin(host: &Host, start: &Start<'_>) -> Result<Started, EffectError> {
    let failed = |source: io::Error| EffectError::Start {
        program: start.label.to_owned(),
        source,
    };
    let mut command = prepared(host, start.argv).map_err(failed)?;
    if host.gives_home
        && !start.is_ours
        && let Ok(Some(root)) = host.user("root")
    {
        command.env("HOME", root.home);
    }
    command.envs(start.env.iter().map(|(name, value)| (name, value)));
    command.stdin(given(start.stdin).map_err(failed)?);
    let streams = if start.is_beside {
        output::streams_aside(host)
    } else {
        output::streams(host)
    };
    command.stdout(streams.out()).stderr(streams.err());
    let kept = start.kept.map(Kept::again).transpose().map_err(failed)?;
    if let Some(kept) = &kept {
        let stdio = kept.stdio().map_err(failed)?;
        match kept.which {
            Which::Out => command.stdout(stdio),
            Which::Err => command.stderr(stdio),
        };
    }
    let begun = Instant::now();
    let child = command.spawn().map_err(failed)?;
    Ok(Started {
        child,
        label: start.label.to_owned(),
        timeout: start.timeout,
        is_ours: start.is_ours,
        begun,
        streams,
        kept,
        is_live: host.is_live(),
    })
}

impl Started {
    /// Whether it goes on.
    pub(crate) fn is_running(&self) -> bool {
        watchdog::is_running(&self.child)
    }

    /// Waits for its end; how long it took.
    pub(crate) fn end(mut self) -> Result<Duration, EffectError> {
        let left = self
            .timeout
            .map(|timeout| timeout.saturating_sub(self.begun.elapsed()));
        let status = wait(&mut self.child, left).map_err(|source| EffectError::Start {
            program: self.label.clone(),
            source,
        })?;
        let took = self.begun.elapsed();
        let errors = self.kept.filter(|kept| kept.which == Which::Err);
        if let Some(errors) = &errors {
            self.streams.pass_on(errors.text().as_bytes());
        }
        self.streams.gather();
        if self.is_live {
            self.streams.echo();
        }
        let words = || match &errors {
            Some(errors) => errors.last_error(),
            None => self.is_ours.then(|| self.streams.last_line()).flatten(),
        };
        ended(self.is_live, &self.label, status, self.timeout, words)?;
        Ok(took)
    }
}

/// Whether a program takes what it is given, which nobody else gets to see.
pub(crate) fn takes(
    host: &Host,
    argv: &[String],
    stdin: &[u8],
    timeout: Duration,
) -> io::Result<bool> {
    let mut command = prepared(host, argv)?;
    command.stdin(given(stdin)?);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    let status = wait(&mut child, Some(timeout))?;
    Ok(status.is_some_and(|status| status.success()))
}

/// Runs a program with everything that this process has, its streams and environment too, as a shell
/// would; its exit code as the shell gives it (sh(1), "Exit Status for Commands").
#[must_use]
pub fn pass_on(program: &OsStr, arguments: &[OsString]) -> u8 {
    match Command::new(program).args(arguments).status() {
        Ok(status) => {
            let code = status.code().or_else(|| Some(128 + status.signal()?));
            code.and_then(|code| u8::try_from(code).ok())
                .unwrap_or(u8::MAX)
        }
        Err(error) => {
            let name = program.to_string_lossy();
            tracing::error!("cannot start `{name}`: {error}");
            if error.kind() == io::ErrorKind::NotFound {
                127
            } else {
                126
            }
        }
    }
}

/// What a program of this machine says, if it ends well within the time of a tool.
#[must_use]
pub fn ask(host: &Host, argv: &[&str]) -> Option<String> {
    let argv: Vec<String> = argv.iter().map(|word| (*word).to_owned()).collect();
    let mut command = prepared(host, &argv).ok()?;
    let kept = Kept::new(Which::Out).ok()?;
    command.stdin(Stdio::null()).stdout(kept.stdio().ok()?);
    let mut child = command.stderr(Stdio::null()).spawn().ok()?;
    let status = wait(&mut child, Some(ToolSpec::TIMEOUT)).ok()??;
    status.success().then(|| kept.text())
}

/// A program with the environment that every child gets.
fn prepared(host: &Host, argv: &[String]) -> io::Result<Command> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(io::Error::other("the command is empty"));
    };
    let mut command = inside(host, program);
    command.args(arguments).env_clear().env("PATH", PATH);
    if let Some(language) = std::env::var_os("LANG") {
        command.env("LANG", language);
    }
    command.envs(host.environment.iter().map(|(name, value)| (name, value)));
    command.current_dir("/").process_group(0);
    Ok(command)
}

/// Runs a program that reads from one file and answers into another; what it says beside that goes
/// where the output of all children goes.
pub(crate) fn converse(
    host: &Host,
    argv: &[String],
    label: &str,
    [stdin, stdout]: [OwnedFd; 2],
    timeout: Duration,
) -> Result<(), EffectError> {
    let failed = |source: io::Error| EffectError::Start {
        program: label.to_owned(),
        source,
    };
    let mut command = prepared(host, argv).map_err(failed)?;
    let mut streams = output::streams(host);
    command.stdin(stdin).stdout(stdout).stderr(streams.err());
    let mut child = command.spawn().map_err(failed)?;
    let status = wait(&mut child, Some(timeout)).map_err(failed)?;
    if host.is_live() {
        streams.echo();
    }
    ended(host.is_live(), label, status, Some(timeout), || None)
}

/// Waits for a program that leads a process group of its own and that others started.
pub(crate) fn end_of(
    host: &Host,
    mut child: Child,
    label: &str,
    timeout: Duration,
) -> Result<(), EffectError> {
    let status = wait(&mut child, Some(timeout)).map_err(|source| EffectError::Start {
        program: label.to_owned(),
        source,
    })?;
    ended(host.is_live(), label, status, Some(timeout), || None)
}

/// What a child may read. A pipe holds 64 KiB (pipe(7)): a child that does not read more would never be
/// waited for.
fn given(bytes: &[u8]) -> io::Result<Stdio> {
    Ok(match bytes {
        [] => Stdio::null(),
        bytes => memory::text(bytes)?.into(),
    })
}

/// What a script names after `#!`, `None` for a program; anything else is no program at all.
/// Without this check execvp(3) would give the file to /bin/sh, whatever it is.
pub(crate) fn interpreter(probe: &dyn Probe, path: &Path) -> io::Result<Option<String>> {
    // A program may be larger than what is read of a file.
    let bytes = probe.read_part(path, 0, LINE_LIMIT + 2)?;
    let bytes = bytes.ok_or(io::ErrorKind::NotFound)?;
    if bytes.starts_with(b"\x7fELF") {
        return Ok(None);
    }
    let Some(line) = bytes.strip_prefix(b"#!") else {
        return Err(Errno::ENOEXEC.into());
    };
    let end = line
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(line.len());
    let first = String::from_utf8_lossy(line.get(..end.min(LINE_LIMIT)).unwrap_or_default());
    Ok(first.split_ascii_whitespace().next().map(ToOwned::to_owned))
}

/// How long this process has waited for programs, in microseconds.
static WAITED: AtomicU64 = AtomicU64::new(0);

/// How long this process has done nothing but wait for programs that it ran.
pub fn time_in_programs() -> Duration {
    Duration::from_micros(WAITED.load(Ordering::Relaxed))
}

/// `None`: it did not end in time, and its process group was killed.
fn wait(child: &mut Child, timeout: Option<Duration>) -> io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    let status = match timeout {
        None => child.wait().map(Some),
        Some(timeout) => watchdog::wait(child, begun + timeout),
    };
    let waited = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    WAITED.fetch_add(waited, Ordering::Relaxed);
    status
}

fn ended(
    is_live: bool,
    label: &str,
    status: Option<ExitStatus>,
    timeout: Option<Duration>,
    last_words: impl FnOnce() -> Option<String>,
) -> Result<(), EffectError> {
    let program = label.to_owned();
    let Some(status) = status else {
        let limit = timeout.unwrap_or_default().as_secs_f64();
        let ended = format!("did not end within {limit} s");
        return Err(EffectError::Command {
            program,
            ended,
            code: None,
        });
    };
    if status.success() {
        return Ok(());
    }
    if status.signal() == Some(nix::libc::SIGTERM) && is_live && shutting_down() {
        return Err(EffectError::EndedByShutdown { program });
    }
    let ended = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended without success".to_owned(),
    };
    let ended = match last_words() {
        Some(words) => format!("{ended}: {words}"),
        None => ended,
    };
    let code = status.code();
    Err(EffectError::Command {
        program,
        ended,
        code,
    })
}

/// By systemd, or by OpenRC, which names the runlevel that it changes to (openrc(8)).
fn shutting_down() -> bool {
    let runlevel = std::fs::read_to_string("/run/openrc/softlevel").unwrap_or_default();
    if matches!(runlevel.trim(), "shutdown" | "reboot") {
        return true;
    }
    let asked = || {
        let mut systemctl = Command::new("systemctl");
        systemctl.arg("is-system-running").stdin(Stdio::null());
        systemctl.output()
    };
    asked().is_ok_and(|out| out.stdout.starts_with(b"stopping"))
}
