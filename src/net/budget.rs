//! How long to go on trying: a step function over time, which itself neither sleeps nor reads a clock.

use std::time::{Duration, Instant};

/// The first pause.
const FIRST: Duration = Duration::from_millis(200);
/// No pause of our own is longer. The metadata service starts slowly, but seldom takes minutes.
const LONGEST: Duration = Duration::from_secs(5);

/// What is left of a time in which something has to succeed.
#[derive(Debug, Clone)]
pub struct Budget {
    deadline: Instant,
    pause: Duration,
    random: u64,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again after this pause.
    Wait(Duration),
    /// The time is over, or would be before the next try.
    GiveUp,
}

impl Budget {
    /// A budget of `total`, from `now`. `seed` spreads the pauses of machines that start together.
    #[must_use]
    pub fn new(total: Duration, now: Instant, seed: u64) -> Self {
        Self {
            deadline: now + total,
            pause: FIRST,
            random: seed | 1,
        }
    }

    /// What is left at `now`.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// What to do after a failure at `now`. A server that said how long to wait is obeyed.
    ///
    /// A pause of our own doubles from one try to the next, up to five seconds, and between half
    /// and all of it is taken.
    pub fn after_failure(&mut self, now: Instant, asked: Option<Duration>) -> Next {
        let pause = asked.unwrap_or_else(|| self.own_pause());
        if pause >= self.left(now) {
            Next::GiveUp
        } else {
            Next::Wait(pause)
        }
    }

    fn own_pause(&mut self) -> Duration {
        let whole = self.pause;
        self.pause = (whole * 2).min(LONGEST);
        // xorshift64: good enough to spread, and needs no crate.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let half = whole / 2;
        let share = u32::try_from(self.random % 1000).unwrap_or(0);
        half + half * share / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: Duration = Duration::from_secs(30);

    #[test]
    fn pauses_grow_to_a_cap_and_end_with_the_budget() {
        let mut now = Instant::now();
        let mut budget = Budget::new(TOTAL, now, 7);
        let end = now + TOTAL;
        let mut pauses = Vec::new();
        while let Next::Wait(pause) = budget.after_failure(now, None) {
            now += pause;
            pauses.push(pause);
        }
        assert!(now < end, "no try begins after the budget's end");
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses.len() >= 8, "{pauses:?}");
    }

    #[test]
    fn a_server_that_says_how_long_is_obeyed_unless_it_is_too_long() {
        let now = Instant::now();
        let table = [
            (Duration::ZERO, Next::Wait(Duration::ZERO)),
            (Duration::from_secs(12), Next::Wait(Duration::from_secs(12))),
            (Duration::from_secs(30), Next::GiveUp),
            (Duration::MAX, Next::GiveUp),
        ];
        for (asked, next) in table {
            let mut budget = Budget::new(TOTAL, now, 7);
            assert_eq!(budget.after_failure(now, Some(asked)), next, "{asked:?}");
        }
    }
}
