//! When the message at hand is sent, on both clocks: a message needs both, and to ask one of them is enough.

use std::time::{Duration, Instant};

use common::text::epoch_us;

/// The moment at which the message at hand is sent.
pub struct Clock {
    now: Instant,
    us: i64,
    /// When the system's time was asked last, and what it was.
    asked: (Instant, i64),
}

impl Clock {
    /// The system's time is asked again after this long, as it may be corrected meanwhile.
    const VALID: Duration = Duration::from_millis(100);

    /// A clock that shows the present.
    pub fn new() -> Self {
        Self::at(Instant::now(), epoch_us())
    }

    /// A clock that shows this moment.
    pub fn at(now: Instant, us: i64) -> Self {
        Self { now, us, asked: (now, us) }
    }

    /// The message is sent at this instant.
    pub fn set(&mut self, now: Instant) {
        let mut since = now.saturating_duration_since(self.asked.0);
        if since >= Self::VALID {
            self.asked = (Instant::now(), epoch_us());
            since = Duration::ZERO;
        }
        self.now = now;
        self.us = self.asked.1 + since.as_micros() as i64;
    }

    /// The message is sent now: it had to be waited for.
    pub(super) fn tick(&mut self) {
        self.set(Instant::now());
    }

    /// The moment, to measure from.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The moment in microseconds since 1970.
    pub fn us(&self) -> i64 {
        self.us
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_both_clocks() {
        let mut clock = Clock::new();
        let (instant, us) = (clock.now(), clock.us());
        clock.set(instant + Duration::from_micros(1500));
        assert_eq!((clock.now(), clock.us()), (instant + Duration::from_micros(1500), us + 1500));
        clock.set(instant + Clock::VALID);
        assert!((clock.us() - epoch_us()).abs() < 1_000_000, "asked again, not reckoned");
    }
}
