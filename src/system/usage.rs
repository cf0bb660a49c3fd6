//! What this process has used of the machine.

use std::fs;
use std::sync::OnceLock;

use contract::report::Usage;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// Processor time, in microseconds, that this process had used before it was this program.
static BEFORE: OnceLock<u64> = OnceLock::new();

/// Counts processor time from here on: a process is older than the program in it (execve(2)), and
/// what systemd-executor(8) does before it starts a unit's program is not that program's.
pub fn count_usage() {
    BEFORE.get_or_init(|| own_cpu_us().unwrap_or(0));
}

fn own_cpu_us() -> Option<u64> {
    let own = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(micros(own.user_time()) + micros(own.system_time()))
}

/// What this process has used so far, and the children that it has waited for. Source:
/// getrusage(2); proc_pid_status(5) for the memory, as what getrusage tells of it counts from
/// before the program was started.
pub fn usage() -> Option<Usage> {
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    // This process is the host's, whatever root it works below.
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(Usage {
        cpu_us: own_cpu_us()?.saturating_sub(BEFORE.get().copied().unwrap_or(0)),
        children_cpu_us: micros(children.user_time()) + micros(children.system_time()),
        peak_memory_kib: peak_memory(&status)?,
    })
}

fn micros(time: TimeVal) -> u64 {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    seconds * 1_000_000 + u64::try_from(time.tv_usec()).unwrap_or(0)
}

/// The line `VmHWM:      6312 kB`.
fn peak_memory(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_is_told_in_microseconds_and_kib() {
        assert_eq!(
            peak_memory("VmPeak:\t   9000 kB\nVmHWM:\t    6312 kB\nVmRSS:\t    6000 kB\n"),
            Some(6312)
        );
        assert_eq!(micros(TimeVal::new(2, 5)), 2_000_005);
        let used = usage().unwrap();
        assert!(used.peak_memory_kib > 500, "{used:?}");
    }
}
