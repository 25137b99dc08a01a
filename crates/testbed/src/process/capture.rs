//! What a process has said and whether it has ended, shared between the threads that watch it and those that wait.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Which of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

/// The state of a process, as far as it was seen.
#[derive(Default)]
pub(super) struct Seen {
    stdout: Output,
    stderr: Output,
    /// The process has ended; it may not be reaped yet.
    pub(super) exited: bool,
}

/// One output: all its bytes, unsplit, so that a million lines cost no more than their bytes.
#[derive(Default)]
pub(super) struct Output {
    pub(super) bytes: Vec<u8>,
    /// More may come.
    pub(super) open: bool,
}

impl Seen {
    pub(super) fn output(&self, stream: Stream) -> &Output {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }

    fn output_mut(&mut self, stream: Stream) -> &mut Output {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

impl Output {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The next line that is complete, from a position that it moves. At the end of the output an unfinished line counts.
    pub(super) fn next_line(&self, position: &mut usize) -> Option<String> {
        let rest = &self.bytes[*position..];
        let length = match rest.iter().position(|byte| *byte == b'\n') {
            Some(length) => length,
            None if !self.open && !rest.is_empty() => rest.len(),
            None => return None,
        };
        *position = (*position + length + 1).min(self.bytes.len());
        Some(String::from_utf8_lossy(&rest[..length]).into_owned())
    }
}

/// [`Seen`] behind its lock, with the bell that rings at each change.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<(Mutex<Seen>, Condvar)>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.0.lock().unwrap()
    }

    /// Changes the state and wakes everybody who waits.
    pub(super) fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.0.1.notify_all();
    }

    /// Waits until `found` gives a value: asked now and after each change. `None` is a missed deadline.
    pub(super) fn wait<T>(&self, timeout: Duration, mut found: impl FnMut(&Seen) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut seen = self.lock();
        loop {
            if let Some(value) = found(&seen) {
                return Some(value);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            seen = self.0.1.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Reads one output to its end, in a thread of its own.
    pub(super) fn read(&self, stream: Stream, mut source: impl Read + Send + 'static) {
        self.lock().output_mut(stream).open = true;
        let shared = self.clone();
        thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(length @ 1..) = source.read(&mut chunk) {
                shared.change(|seen| seen.output_mut(stream).bytes.extend_from_slice(&chunk[..length]));
            }
            shared.change(|seen| seen.output_mut(stream).open = false);
        });
    }
}
