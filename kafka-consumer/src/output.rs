//! Standard output: large writes, and what a closed pipe, a full disk or a slow reader mean.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A batch is written when it has grown to this, or when no record waits: one system call for some hundred records.
pub const BATCH_BYTES: usize = 64 * 1024;
/// A buffer that one huge record made larger than this is given back. Not less: memory given back for every record of a
/// megabyte, and taken again for the next, costs more than the record's line.
const KEEP_BYTES: usize = 4 * 1024 * 1024;

/// Lines that wait to be written, in one buffer that is used again.
#[derive(Default)]
pub struct Output {
    /// The lines.
    pub buffer: Vec<u8>,
}

/// Why nothing more can be written.
#[derive(Debug)]
pub enum Unwritable {
    /// Nobody reads any more, as after `| head`.
    Closed,
    /// The disk is full, or worse.
    Failed(io::Error),
}

impl Output {
    /// Whether the batch is large enough.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= BATCH_BYTES
    }

    /// Writes everything, however long the reader takes, and returns how many bytes that were.
    ///
    /// # Errors
    /// When nothing more can be written; how much of the batch was is then unknown, so none of it may be stored.
    pub fn write(&mut self) -> Result<usize, Unwritable> {
        let stdout = rustix::stdio::stdout();
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            match rustix::io::write(stdout, rest) {
                Ok(0) => return Err(Unwritable::Failed(io::ErrorKind::WriteZero.into())),
                Ok(written) => rest = &rest[written..],
                Err(rustix::io::Errno::INTR) => {}
                // Somebody made the pipe non-blocking: wait for room, as a blocking write would.
                Err(rustix::io::Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&stdout, PollFlags::OUT)], None);
                }
                Err(rustix::io::Errno::PIPE) => return Err(Unwritable::Closed),
                Err(error) => return Err(Unwritable::Failed(error.into())),
            }
        }
        let written = self.buffer.len();
        self.buffer.clear();
        if self.buffer.capacity() > KEEP_BYTES {
            self.buffer.shrink_to(BATCH_BYTES);
        }
        Ok(written)
    }

    /// Whether the reader has gone. A write would say so, but at a trickle the next one may be hours away.
    pub fn is_closed(&self) -> bool {
        let stdout = rustix::stdio::stdout();
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        matches!(poll(&mut watched, Some(&at_once)), Ok(1)) && watched[0].revents().contains(PollFlags::ERR)
    }
}
