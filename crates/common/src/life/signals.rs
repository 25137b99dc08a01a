//! The handlers of SIGTERM and SIGINT: the first thing that a program does.

use std::io;

use tokio::signal::unix::{self, SignalKind};

use crate::shutdown::Signal;

/// Signals to the process, in the order in which they are seen.
pub(super) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
}

impl Signals {
    /// Installs the handlers. From here on no signal kills the process, and none is lost: what comes before the first
    /// [`Signals::next`] is kept. Needs the context of a runtime, but no thread.
    pub(super) fn listen() -> io::Result<Self> {
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
