//! Where the output of children goes.
//!
//! A stream is a file itself, not a pipe to us: a daemon that a script leaves behind outlives us.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use contract::machine::Probe;
use contract::output::{Output, Stream};
use nix::fcntl::OFlag;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, fchown};

use crate::host::Host;
use crate::program::{PATH, SHELL, elsewhere, inside};
use crate::redirection::Opened;

/// What is passed on of one child's output.
const ECHO_LIMIT: u64 = 1024 * 1024;
/// What is kept of a tool's last words.
const LAST_LIMIT: u64 = 500;

/// The streams of one child.
pub(crate) struct Streams {
    log: Option<File>,
    before: Option<u64>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
    /// Where it belongs, if `log` is the child's own until its end.
    whole: Option<File>,
}

/// The streams for the next child. What cannot be opened is told, and the log takes its place.
pub(crate) fn streams(host: &Host) -> Streams {
    let mut redirection = host.output();
    let wanted = redirection.wanted.clone();
    let (out, err) = redirection.opened.get_or_insert_with(|| {
        let out = open(host, &wanted.out);
        let err = match &wanted.err {
            None => again(&out),
            Some(err) => open(host, err),
        };
        (out, err)
    });
    let mut log = log(host)
        .inspect_err(|error| tracing::warn!("cannot open {}: {error}", host.output_log.display()))
        .ok();
    let before = log.as_mut().and_then(|log| log.seek(SeekFrom::End(0)).ok());
    let given = |stream: &Opened| match stream {
        Opened::Given(fd) => fd.try_clone().ok(),
        Opened::Log => None,
    };
    Streams {
        before,
        out: given(out),
        err: given(err),
        log,
        whole: None,
    }
}

/// Streams for a child that runs beside others: its output comes into the log in one piece.
pub(crate) fn streams_aside(host: &Host) -> Streams {
    let own = memfd_create("output", MFdFlags::MFD_CLOEXEC).map(File::from);
    Streams {
        before: Some(0),
        out: None,
        err: None,
        log: own.ok(),
        whole: log(host).ok(),
    }
}

impl Streams {
    pub(crate) fn out(&self) -> Stdio {
        self.stdio(self.out.as_ref())
    }

    pub(crate) fn err(&self) -> Stdio {
        self.stdio(self.err.as_ref())
    }

    /// Writes to the stream of errors what a child wrote elsewhere.
    pub(crate) fn pass_on(&self, bytes: &[u8]) {
        let given = self.err.as_ref().and_then(|fd| fd.try_clone().ok());
        let log = || self.log.as_ref()?.try_clone().ok();
        if let Some(mut file) = given.map(File::from).or_else(log) {
            // A reader that is gone misses it; the child's own word would have been lost as well.
            let _ = file.write_all(bytes);
        }
    }

    fn stdio(&self, given: Option<&OwnedFd>) -> Stdio {
        let given = given.and_then(|fd| fd.try_clone().ok()).map(Stdio::from);
        let log = || self.log.as_ref()?.try_clone().ok().map(Stdio::from);
        given.or_else(log).unwrap_or_else(Stdio::null)
    }

    /// What the child writes to its standard output, to be read, and how long that is before; `None`
    /// if it is no file.
    pub(crate) fn written(&self) -> Option<(File, u64)> {
        let file = match &self.out {
            None => self.log.as_ref()?.try_clone().ok()?,
            Some(out) => {
                let out = File::from(out.try_clone().ok()?);
                out.metadata().ok().filter(std::fs::Metadata::is_file)?;
                // Opened anew: the child's own stream may only be written to.
                File::open(format!("/proc/self/fd/{}", out.as_raw_fd())).ok()?
            }
        };
        let length = file.metadata().ok()?.len();
        Some((file, length))
    }

    /// The last line of what the child wrote to the log, if it is not too long: a piece of a line may be
    /// a piece of a secret, which nobody would know as one.
    pub(crate) fn last_line(&self) -> Option<String> {
        let mut log = self.log.as_ref()?.try_clone().ok()?;
        let before = self.before?;
        let from = log.metadata().ok()?.len().saturating_sub(LAST_LIMIT);
        log.seek(SeekFrom::Start(from.max(before))).ok()?;
        let mut bytes = Vec::new();
        log.take(LAST_LIMIT).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let whole = match from > before {
            true => text.split_once('\n').map_or("", |(_, whole)| whole),
            false => &text,
        };
        let line = whole
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty());
        line.map(|line| line.chars().filter(|c| !c.is_control()).collect())
    }

    /// Puts what a child wrote aside into the log.
    pub(crate) fn gather(&mut self) {
        if let (Some(own), Some(whole)) = (&mut self.log, &mut self.whole) {
            // What a full disk does not hold is lost, and no fault of the child.
            let _ = own.rewind().and_then(|()| io::copy(own, whole));
        }
    }

    /// Passes on to our own output what the child wrote to the log.
    pub(crate) fn echo(&mut self) {
        let (Some(log), Some(before)) = (&mut self.log, self.before) else {
            return;
        };
        if log.seek(SeekFrom::Start(before)).is_ok() {
            let mut out = io::stdout().lock();
            // The log has it all; a closed terminal is no fault of the command.
            let _ = io::copy(&mut log.take(ECHO_LIMIT), &mut out);
            let _ = out.flush();
        }
    }
}

fn again(stream: &Opened) -> Opened {
    match stream {
        Opened::Given(fd) => fd.try_clone().map_or(Opened::Log, Opened::Given),
        Opened::Log => Opened::Log,
    }
}

fn open(host: &Host, stream: &Stream) -> Opened {
    let opened = match stream {
        Stream::Log => return Opened::Log,
        Stream::Append(path) => file(host, path, OFlag::O_APPEND),
        Stream::Replace(path) => file(host, path, OFlag::O_TRUNC),
        Stream::Pipe(line) => pipe(host, line),
    };
    match opened {
        Ok(fd) => Opened::Given(fd),
        Err(error) => {
            let log = host.output_log.display();
            tracing::warn!("output goes to {log}: {stream:?} cannot be opened: {error}");
            Opened::Log
        }
    }
}

/// Source of the mode: cloud-init, `cloudinit/util.py` (umask 037).
fn file(host: &Host, path: &Path, how: OFlag) -> io::Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | how;
    if let Some(parent) = path.parent() {
        host.root.directory(parent, true)?;
    }
    let fresh = host.stat(path)?.is_none();
    let fd = host.root.open(path, flags, 0o600)?;
    if fresh {
        dress(host, &fd)?;
    }
    Ok(fd)
}

/// The standard input of a command of the shell, which lives as long as somebody writes to it. What it
/// writes holds what our own files of output hold. Source: cloud-init, `cloudinit/util.py`
/// (`set_subprocess_umask_and_gid`).
fn pipe(host: &Host, line: &str) -> io::Result<OwnedFd> {
    if elsewhere(host, host, &[SHELL.to_owned()]).is_some() {
        return Err(io::Error::other("needs the live machine"));
    }
    let mut command = inside(host, SHELL);
    let line = format!("umask 037\n{line}");
    command.args(["-c", &line]).env_clear().env("PATH", PATH);
    command.current_dir("/").process_group(0);
    if let Some(adm) = administrators(host)? {
        command.gid(adm);
    }
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    stdin
        .map(OwnedFd::from)
        .ok_or(io::ErrorKind::BrokenPipe.into())
}

fn log(host: &Host) -> io::Result<File> {
    let path = host.output_log.as_path();
    host.root.directory(Path::new("/var/log"), true)?;
    let fresh = host.stat(path)?.is_none();
    let flags = OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_NOFOLLOW;
    let fd = host.root.open(path, flags, 0o600)?;
    if fresh {
        dress(host, &fd)?;
    }
    Ok(File::from(fd))
}

/// Notes a message where a child would have written it to its standard error, if that is no log of our
/// own or one that takes messages. No command is started for it.
pub(crate) fn note(host: &Host, text: &str) -> io::Result<()> {
    let is_open = |stream: &Stream, opened: bool| match stream {
        Stream::Log => false,
        Stream::Pipe(_) => opened,
        Stream::Append(_) | Stream::Replace(_) => true,
    };
    let is_elsewhere = {
        let redirection = host.output();
        let Output { out, err } = &redirection.wanted;
        is_open(err.as_ref().unwrap_or(out), redirection.opened.is_some())
    };
    if is_elsewhere {
        streams(host).pass_on(text.as_bytes());
    } else if host.logs_messages {
        log(host)?.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Output may be read by administrators, and by nobody else.
fn dress(host: &Host, fd: &OwnedFd) -> io::Result<()> {
    if let Some(adm) = administrators(host)? {
        fchown(fd, None, Some(Gid::from_raw(adm)))?;
    }
    Ok(fchmod(fd, Mode::from_bits_truncate(0o640))?)
}

/// The group of those who may read output; `None` where there is none, or nobody may be given to it.
fn administrators(host: &Host) -> io::Result<Option<u32>> {
    if host.privileged {
        host.group("adm")
    } else {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory;

    #[test]
    fn last_words_are_a_whole_line() {
        let long = "hunter2".repeat(100);
        let many = "a line\n".repeat(100) + "failed\n";
        let after_long = format!("{long}\nfailed\n");
        #[rustfmt::skip]
        let table = [
            // what was there before, what the child wrote     what is told
            ("",         "one\ntwo\n\n",                    Some("two")),
            ("",         "two",                                Some("two")),
            (&*many,     "",                                   None),
            (&*many,     "two\n",                             Some("two")),
            ("",         &*many,                               Some("failed")),
            ("",         &*after_long,                         Some("failed")),
            ("",         &*long,                               None),
        ];
        for (there, said, wanted) in table {
            let streams = Streams {
                log: memory::text(format!("{there}{said}").as_bytes()).ok(),
                before: u64::try_from(there.len()).ok(),
                out: None,
                err: None,
                whole: None,
            };
            assert_eq!(streams.last_line().as_deref(), wanted, "{said}");
        }
    }
}
