//! Ends programs of ours that do not end in time.
//!
//! Whoever waits for a program sleeps until it has ended, and is not woken in between: logins may be
//! waiting, and looking again and again would be late and cost more than the program. So another
//! thread minds the time; there is none before the first program with a limit.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

static WATCH: Mutex<Watch> = Mutex::new(Watch::new());
static CHANGED: Condvar = Condvar::new();

struct Watch {
    running: Vec<Running>,
    /// Until when the thread sleeps if nobody wakes it; `None` before there is one.
    sleeps: Option<Option<Instant>>,
}

struct Running {
    group: Pid,
    deadline: Instant,
    is_killed: bool,
}

/// Waits for a program that leads a process group of its own. `None`: it had not ended by
/// `deadline`, and its process group was killed.
pub(crate) fn wait(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    let group = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    if let Err(error) = watch(group, deadline) {
        child.kill()?;
        child.wait()?;
        return Err(error);
    }
    // Nobody else gets its number while it is dead and not buried, so that nobody else is killed.
    let ended = loop {
        match waitid(Id::Pid(group), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Err(Errno::EINTR) => {}
            other => break other,
        }
    };
    let is_killed = forget(group);
    ended?;
    let status = child.wait()?;
    Ok((!is_killed).then_some(status))
}

/// Whether a program goes on; one that has ended is left to be waited for.
pub(crate) fn is_running(child: &Child) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let found = i32::try_from(child.id()).map(|id| waitid(Id::Pid(Pid::from_raw(id)), flags));
    matches!(found, Ok(Ok(WaitStatus::StillAlive)))
}

fn watch(group: Pid, deadline: Instant) -> io::Result<()> {
    let mut watch = lock();
    match watch.sleeps {
        None => {
            thread::Builder::new()
                .name("watchdog".to_owned())
                .stack_size(64 << 10)
                .spawn(mind)?;
            watch.sleeps = Some(None);
        }
        // It wakes early enough by itself.
        Some(Some(until)) if until <= deadline => {}
        Some(_) => CHANGED.notify_one(),
    }
    watch.running.push(Running {
        group,
        deadline,
        is_killed: false,
    });
    Ok(())
}

/// Whether it was killed.
fn forget(group: Pid) -> bool {
    let mut watch = lock();
    let own = watch.running.iter().position(|own| own.group == group);
    own.is_some_and(|at| watch.running.swap_remove(at).is_killed)
}

fn mind() {
    let mut watch = lock();
    loop {
        let now = Instant::now();
        for own in &mut watch.running {
            if own.deadline <= now && !own.is_killed {
                // It may have ended this moment.
                let _ = killpg(own.group, Signal::SIGKILL);
                own.is_killed = true;
            }
        }
        let alive = watch.running.iter().filter(|own| !own.is_killed);
        let next = alive.map(|own| own.deadline).min();
        watch.sleeps = Some(next);
        watch = match next {
            None => CHANGED.wait(watch).unwrap_or_else(PoisonError::into_inner),
            Some(next) => {
                let left = next.saturating_duration_since(now);
                let woken = CHANGED.wait_timeout(watch, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}

fn lock() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    const fn new() -> Self {
        Self {
            running: Vec::new(),
            sleeps: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    fn run(script: &str, limit: Duration) -> Option<i32> {
        let mut shell = Command::new("sh");
        let mut child = shell.args(["-c", script]).process_group(0).spawn().unwrap();
        let status = wait(&mut child, Instant::now() + limit).unwrap();
        status.map(|status| status.code().unwrap())
    }

    #[test]
    fn a_program_that_was_seen_to_have_ended_can_be_waited_for() {
        let mut shell = Command::new("sh");
        let mut child = shell
            .args(["-c", "exit 3"])
            .process_group(0)
            .spawn()
            .unwrap();
        while is_running(&child) {
            thread::yield_now();
        }
        let end = Instant::now() + Duration::from_secs(600);
        let status = wait(&mut child, end).unwrap().unwrap();
        assert_eq!(status.code(), Some(3));
    }

    #[test]
    fn a_program_ends_by_itself_or_at_its_limit_with_all_that_it_began() {
        let long = Duration::from_secs(600);
        let short = Duration::from_millis(30);
        // A later program may have less time than the one that the thread sleeps for.
        let table = [
            ("exit 3", long, Some(3)),
            ("sleep 600 & wait", short, None),
            ("exit 4", long, Some(4)),
            ("sleep 600", Duration::ZERO, None),
            ("exit 5", long, Some(5)),
        ];
        for (script, limit, code) in table {
            assert_eq!(run(script, limit), code, "{script}");
        }
        // Several at once.
        let table = [("sleep 600", short, None), ("exit 6", long, Some(6))];
        let threads = table.map(|(script, limit, code)| {
            thread::spawn(move || assert_eq!(run(script, limit), code, "{script}"))
        });
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
