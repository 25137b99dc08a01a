//! Standard input that can be left: a read ends when the run is to stop, though the pipe stays open and silent.

use std::io::{self, Read};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::stop::Stop;

/// How long one look at the pipe takes at most, and so how late a stop can be seen.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Reads standard input until its end or until the run is to stop. That is an error, as it must not look like the end: the
/// part of a line that was read until then is no line, and the work is not done.
pub(super) struct StoppableStdin {
    stop: Stop,
    stdin: io::Stdin,
}

/// The error that says so.
#[derive(Debug, thiserror::Error)]
#[error("the run is to stop")]
struct Stopped;

/// Whether a read ended because the run is to stop.
pub(super) fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

impl StoppableStdin {
    pub fn new(stop: Stop) -> Self {
        Self { stop, stdin: io::stdin() }
    }
}

impl Read for StoppableStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.stop.requested(Instant::now()) {
                return Err(io::Error::other(Stopped));
            }
            let mut watched = [PollFd::new(&self.stdin, PollFlags::IN)];
            match poll(&mut watched, Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                // Past the library's own buffer, which would hide from `poll` what it has read ahead.
                Ok(_) => return Ok(rustix::io::read(&self.stdin, buffer)?),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
