//! The handlers of SIGTERM and SIGINT: the first thing that a program does.

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal as Number};
use tokio::signal::unix::{self, SignalKind};

use crate::shutdown::Signal;

/// Signals to the process, in the order in which they are seen.
pub(super) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Installs the handlers. From here on no signal kills the process, and none is lost: what comes before the first
    /// [`Signals::next`] is kept. Needs the context of a runtime, but no thread: a signal that comes meanwhile is held back, because
    /// signal-hook-registry swallows one that it gets between the installation of a handler and the note of who wants to know.
    pub(super) fn listen() -> io::Result<Self> {
        let held = SigSet::from_iter([Number::SIGTERM, Number::SIGINT]);
        let before = held.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let signals = Self::install();
        before.thread_set_mask()?;
        signals
    }

    fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
        })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Signal {
        // The streams end only with the runtime.
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}
