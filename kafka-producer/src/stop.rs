//! When to stop taking new messages: a signal, or the run's deadline.

use std::time::{Duration, Instant};

use common::shutdown::Shutdown;

/// Tells the publish loop, and a read of standard input, that no new message is wanted. The default never does.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Signals.
    pub shutdown: Shutdown,
    /// The end of `--timeout`.
    pub deadline: Option<Instant>,
}

impl Stop {
    /// Stops on a signal, and when `timeout` from now has passed.
    pub fn new(shutdown: Shutdown, timeout: Option<Duration>) -> Self {
        Self { shutdown, deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)) }
    }

    /// Whether no new message is wanted.
    pub fn requested(&self, now: Instant) -> bool {
        self.shutdown.requested().is_some() || self.overdue(now)
    }

    /// Whether the run's deadline has passed.
    pub fn overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }
}
