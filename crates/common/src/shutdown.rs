//! Signals as state: what was asked of the process, readable from any thread at the cost of one atomic load.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::exit::Exit;

const RUNNING: u8 = 0;
const INTERRUPT: u8 = 1;
const TERMINATE: u8 = 2;
/// Set on top of the first signal by the second one.
const AT_ONCE: u8 = 4;

/// As good as never.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The signal that asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: a person at a terminal.
    Interrupt,
    /// SIGTERM: Kubernetes, before it kills the pod.
    Terminate,
}

impl Signal {
    /// The exit code when this signal came before the work was done.
    pub const fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }

    /// The signal's name as people know it.
    pub const fn name(self) -> &'static str {
        match self {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        }
    }
}

/// Whether, and how urgently, the process was asked to end. Clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    signals: AtomicU8,
    /// When the first signal came. Written before `signals`, so that whoever sees the signal finds its time.
    since: OnceLock<Instant>,
}

impl Shutdown {
    /// A process nobody has asked to end.
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a signal: the first asks for a drain, any further one for the end at once.
    pub fn request(&self, signal: Signal) {
        let bit = match signal {
            Signal::Interrupt => INTERRUPT,
            Signal::Terminate => TERMINATE,
        };
        self.0.since.get_or_init(Instant::now);
        if self.0.signals.compare_exchange(RUNNING, bit, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.0.signals.fetch_or(AT_ONCE, Ordering::AcqRel);
        }
    }

    /// The first signal, if there was one: stop taking new work and drain.
    pub fn requested(&self) -> Option<Signal> {
        match self.0.signals.load(Ordering::Acquire) & !AT_ONCE {
            RUNNING => None,
            INTERRUPT => Some(Signal::Interrupt),
            _ => Some(Signal::Terminate),
        }
    }

    /// The end of the drain: `limit` after the first signal, or after now where no signal came. Draining, purging and aborting
    /// share this one deadline; none of them starts it again.
    pub fn drain(&self, limit: Duration) -> Deadline {
        Deadline::after(self.0.since.get().copied().unwrap_or_else(Instant::now), limit)
    }

    /// Whether a second signal came: give up the drain.
    pub fn at_once(&self) -> bool {
        self.0.signals.load(Ordering::Acquire) & AT_ONCE != 0
    }
}

/// A moment by which something has to be over. Copied from one step to the next, so that all steps share one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// `limit` after `start`; centuries later where the clock cannot count that far.
    pub fn after(start: Instant, limit: Duration) -> Self {
        Self(start.checked_add(limit).unwrap_or(start + FAR))
    }

    /// The moment itself.
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The time that is left, zero when there is none.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether it has passed.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_starts_with_the_first_signal_and_never_again() {
        let shutdown = Shutdown::new();
        shutdown.request(Signal::Terminate);
        let first = shutdown.drain(Duration::from_secs(60));
        shutdown.request(Signal::Terminate);
        assert_eq!(shutdown.drain(Duration::from_secs(60)), first);
        assert!(shutdown.drain(Duration::ZERO).is_over() && !first.is_over());
        assert!(shutdown.drain(Duration::MAX) > first, "a limit beyond the clock is no panic");
    }

    #[test]
    fn first_signal_drains_and_second_stops_at_once() {
        let shutdown = Shutdown::new();
        assert_eq!(shutdown.requested(), None);
        shutdown.request(Signal::Terminate);
        assert_eq!(shutdown.requested(), Some(Signal::Terminate));
        assert!(!shutdown.at_once());
        shutdown.request(Signal::Interrupt);
        assert_eq!(shutdown.requested(), Some(Signal::Terminate), "the first signal decides the exit code");
        assert!(shutdown.at_once());
    }
}
