//! The system console, which EC2's get-console-output shows.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use contract::effect::Word;
use contract::machine::{Change, NotDone, Probe};
use contract::secret::Secret;
use nix::libc::{O_NOCTTY, O_NONBLOCK};

use crate::clock;
use crate::host::Host;
use crate::output;

pub(crate) const CONSOLE: &str = "/dev/console";
/// A serial line takes some kilobytes a second; one that takes nothing must not hold the boot.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes to the console, and to our own output where there is no console that takes it: a
/// container may have none. Source: cloud-init, `cloudinit/log/log_util.py` (`multi_log`).
pub(crate) fn write(host: &Host, text: &str) -> Change {
    if let Some(why) = why_not(host) {
        return Change::NotDone(why);
    }
    if let Err(error) = open().and_then(|console| patiently(&console, text.as_bytes(), PATIENCE)) {
        tracing::warn!("cannot write to {CONSOLE}: {error}");
        // Nobody is left to be told when this fails as well.
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }
    Change::MADE
}

/// Writes a message as it is now, which leaves the machine as it was.
pub(crate) fn say(host: &Host, words: &[Word]) -> Change {
    let text = spelled(host, words);
    if let Err(error) = output::note(host, &text) {
        tracing::warn!("cannot write to {}: {error}", host.output_log.display());
    }
    match write(host, &text) {
        Change::Made { .. } => Change::AlreadySo,
        other => other,
    }
}

/// The text of a message as it is now.
fn spelled(probe: &dyn Probe, words: &[Word]) -> String {
    let words = words.iter().map(|word| match word {
        Word::Text(text) => text.clone(),
        Word::Uptime => clock::uptime(probe),
        Word::Timestamp => clock::timestamp(),
    });
    words.collect()
}

/// Why nothing is written here; `None` if it is.
pub(crate) fn why_not(host: &Host) -> Option<NotDone> {
    if !host.is_live() {
        // A console device of another root would be this machine's own.
        return Some(NotDone::NeedsLiveMachine);
    }
    (!host.privileged).then_some(NotDone::NeedsRoot)
}

/// Shows a line of our own log on the console of this machine, whatever becomes of it; a console that
/// is not there, or takes nothing now, gets nothing.
pub fn show_on_console(line: &[u8]) {
    if let Ok(mut console) = open() {
        let _ = console.write_all(line);
    }
}

/// Writes to the console and nowhere else, whatever becomes of it.
pub(crate) fn show(console: &File, text: &Secret<String>) -> io::Result<()> {
    patiently(console, text.expose().as_bytes(), PATIENCE)
}

pub(crate) fn open() -> io::Result<File> {
    OpenOptions::new()
        // Some containers have a file in its place.
        .append(true)
        .custom_flags(O_NOCTTY | O_NONBLOCK)
        .open(CONSOLE)
}

fn patiently(mut console: &File, mut bytes: &[u8], patience: Duration) -> io::Result<()> {
    let begun = Instant::now();
    while !bytes.is_empty() {
        match console.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if begun.elapsed() >= patience {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "for tests only")]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::thread;

    use nix::fcntl::OFlag;
    use nix::unistd::pipe2;

    use super::*;

    /// A line on which nobody waits, such as a console opened with `O_NONBLOCK`.
    fn line() -> (File, File) {
        let (read, write): (OwnedFd, OwnedFd) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).unwrap();
        (File::from(read), File::from(write))
    }

    #[test]
    fn a_slow_console_gets_every_byte() {
        let text = vec![b'x'; 300 * 1024];
        let (mut read, write) = line();
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            let mut some = [0; 4096];
            loop {
                match read.read(&mut some) {
                    Ok(0) => return all.len(),
                    Ok(n) => all.extend_from_slice(&some[..n]),
                    Err(_) => thread::yield_now(),
                }
            }
        });
        patiently(&write, &text, PATIENCE).unwrap();
        drop(write);
        assert_eq!(reader.join().unwrap(), text.len());
    }

    #[test]
    fn a_console_that_takes_nothing_ends_the_wait() {
        let (_read, write) = line();
        let text = vec![b'x'; 300 * 1024];
        let error = patiently(&write, &text, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
