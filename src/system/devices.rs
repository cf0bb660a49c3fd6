//! Waiting for udev(7), which at a boot may not have looked at every disk yet.
//!
//! Source: systemd, `src/udev/udev-manager.c` (the files below /run/udev), `src/udev/udevadm-settle.c`.

use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// There while it runs, and while it has something to do.
const CONTROL: &str = "/run/udev/control";
const QUEUE: &str = "/run/udev/queue";

/// What hangs in udev for longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// Short beside what it takes a disk to be found; this is not waited for on a boot that sets up no disk.
const PAUSE: Duration = Duration::from_millis(10);

/// Whether udev is still waited for.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    is_patience_spent: OnceLock<()>,
}

impl Devices {
    /// Waits until `record` is there, or with `None` until udev has nothing to do.
    pub(crate) fn wait(&self, record: Option<&Path>) {
        let is_there = |path: &str| Path::new(path).exists();
        if is_there(CONTROL) {
            self.wait_until(|| record.map_or_else(|| !is_there(QUEUE), Path::exists));
        }
    }

    fn wait_until(&self, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() && self.is_patience_spent.get().is_none() {
            if begun.elapsed() > PATIENCE {
                let _ = self.is_patience_spent.set(());
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_comes_is_waited_for_and_nothing_is_once_it_took_too_long() {
        let devices = Devices::default();
        let looks = Cell::new(0);
        let is_third = || looks.replace(looks.get() + 1) == 2;
        devices.wait_until(is_third);
        assert_eq!(looks.get(), 3);
        devices.is_patience_spent.set(()).unwrap();
        looks.set(0);
        devices.wait_until(is_third);
        assert_eq!(looks.get(), 1);
    }
}
