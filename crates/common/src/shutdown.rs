//! Signals as state: what was asked of the process, readable from any thread at the cost of one atomic load.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::exit::Exit;

const RUNNING: u8 = 0;
const INTERRUPT: u8 = 1;
const TERMINATE: u8 = 2;
/// Set on top of the first signal by the second one.
const AT_ONCE: u8 = 4;

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
pub struct Shutdown(Arc<AtomicU8>);

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
        if self.0.compare_exchange(RUNNING, bit, Ordering::AcqRel, Ordering::Acquire).is_err() {
            self.0.fetch_or(AT_ONCE, Ordering::AcqRel);
        }
    }

    /// The first signal, if there was one: stop taking new work and drain.
    pub fn requested(&self) -> Option<Signal> {
        match self.0.load(Ordering::Acquire) & !AT_ONCE {
            RUNNING => None,
            INTERRUPT => Some(Signal::Interrupt),
            _ => Some(Signal::Terminate),
        }
    }

    /// Whether a second signal came: give up the drain.
    pub fn at_once(&self) -> bool {
        self.0.load(Ordering::Acquire) & AT_ONCE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
