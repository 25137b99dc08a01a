//! When to stop taking new messages, and by when all has to be over: a signal, and the run's deadline.

use std::time::{Duration, Instant};

use common::shutdown::{Deadline, Shutdown};

/// Says that no new message is wanted, and how long what is in flight may take.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Signals.
    pub shutdown: Shutdown,
    /// The end of `--timeout`.
    pub deadline: Option<Instant>,
    /// How long draining, purging and aborting may take in all.
    pub drain_timeout: Duration,
}

impl Stop {
    /// Stops on a signal, and when `timeout` from now has passed.
    pub fn new(shutdown: Shutdown, timeout: Option<Duration>, drain_timeout: Duration) -> Self {
        Self { shutdown, deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)), drain_timeout }
    }

    /// Whether no new message is wanted.
    pub fn requested(&self, now: Instant) -> bool {
        self.shutdown.requested().is_some() || self.overdue(now)
    }

    /// Whether the run's deadline has passed.
    pub fn overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    /// By when all has to be over: counted from the first signal, or from now where there was none. To be asked once for an
    /// end, so that its steps share one budget; a signal that comes later has one of its own.
    pub fn drain(&self) -> Deadline {
        self.shutdown.drain(self.drain_timeout)
    }
}
