//! Lines on their way to stderr, through a bounded queue: whoever logs never waits, even when nobody reads stderr.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use prometheus::IntCounter;
use tracing_subscriber::fmt::MakeWriter;

use crate::outlet::write_all;

/// Bytes that may wait. A reader that stalls for a moment costs nothing; one that is gone costs no more memory than this.
const ROOM: usize = 1 << 20;

/// The queue and its writing thread, which starts with the first line after [`Lines::release`]. Clones share them.
#[derive(Clone, Default)]
pub struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// A line came.
    came: Condvar,
    /// A line went.
    went: Condvar,
    dropped: OnceLock<IntCounter>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Box<[u8]>>,
    /// Bytes in `queue`.
    bytes: usize,
    /// Lines written or lost by the writing thread, to see that it moves.
    gone: u64,
    /// Lines dropped since this was last told.
    dropped: u64,
    /// The writing thread is in the middle of a line.
    writing: bool,
    /// There may be a writing thread.
    released: bool,
    started: bool,
}

impl Lines {
    /// An empty queue that keeps its lines for now: no thread may start before the process has confined itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on lines are written, those that wait first.
    pub fn release(&self) {
        let mut state = self.state();
        state.released = true;
        if !state.queue.is_empty() {
            self.start(&mut state);
        }
    }

    /// Counts what is dropped in this metric too, from now on.
    pub fn count_dropped(&self, counter: IntCounter) {
        counter.inc_by(self.state().dropped);
        // A second one (tests) is not needed.
        let _ = self.0.dropped.set(counter);
    }

    /// Queues a line, its line break included, or drops and counts it when there is no room.
    pub fn push(&self, line: &[u8]) {
        self.queue(line, ROOM);
    }

    /// Queues a line that is worth more than memory: the one report.
    pub fn push_always(&self, line: &[u8]) {
        self.queue(line, usize::MAX);
    }

    /// Waits until everything is written, for as long as lines keep going; `pause` is the longest wait for one of them, and
    /// `limit` the longest in all.
    pub fn flush(&self, pause: Duration, limit: Duration) {
        self.release();
        let end = Instant::now() + limit;
        let mut state = self.state();
        while state.writing || !state.queue.is_empty() {
            let before = state.gone;
            let wait = pause.min(end.saturating_duration_since(Instant::now()));
            let moved = |state: &mut State| state.gone == before;
            let waited = self.0.went.wait_timeout_while(state, wait, moved).unwrap_or_else(PoisonError::into_inner);
            if waited.1.timed_out() {
                return;
            }
            state = waited.0;
        }
    }

    fn queue(&self, line: &[u8], room: usize) {
        let mut state = self.state();
        self.start(&mut state);
        if (state.released && !state.started) || state.bytes.saturating_add(line.len()) > room {
            self.note_dropped(&mut state);
            return;
        }
        state.bytes += line.len();
        state.queue.push_back(line.into());
        self.0.came.notify_one();
    }

    /// Starts the writing thread, if it may start and has not.
    fn start(&self, state: &mut State) {
        if state.released && !state.started {
            let lines = self.clone();
            let thread = std::thread::Builder::new().name("log".to_owned()).spawn(move || lines.write(&io::stderr()));
            state.started = thread.is_ok();
        }
    }

    fn note_dropped(&self, state: &mut State) {
        state.dropped += 1;
        if let Some(counter) = self.0.dropped.get() {
            counter.inc();
        }
    }

    /// The writing thread: writes line after line, and says how many were dropped meanwhile. Never ends.
    fn write(&self, target: &impl AsFd) {
        loop {
            let line = {
                let mut state = self.state();
                let line = loop {
                    match state.queue.pop_front() {
                        Some(line) => break line,
                        None => state = self.0.came.wait(state).unwrap_or_else(PoisonError::into_inner),
                    }
                };
                state.bytes -= line.len();
                state.writing = true;
                line
            };
            let written = write_all(target, &line);
            let dropped = match written {
                Ok(()) => std::mem::take(&mut self.state().dropped),
                Err(_) => {
                    self.note_dropped(&mut self.state());
                    0
                }
            };
            if dropped > 0 {
                tracing::warn!(
                    event = "log_lines_dropped",
                    lines = dropped,
                    "stderr did not take all lines of the log"
                );
            }
            let mut state = self.state();
            state.writing = false;
            state.gone += 1;
            self.0.went.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// For `tracing`, which writes each event at once.
impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::io::Read;

    use super::*;

    /// A queue that is written to a pipe.
    fn piped() -> (Lines, io::PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::new();
        {
            let mut state = lines.state();
            (state.released, state.started) = (true, true);
        }
        let queue = lines.clone();
        std::thread::spawn(move || queue.write(&writer));
        (lines, reader)
    }

    #[test]
    fn a_pipe_that_nobody_reads_holds_nobody_up_and_what_it_loses_is_counted() {
        let (lines, mut reader) = piped();
        let counter = IntCounter::new("dropped", "dropped").unwrap();
        lines.count_dropped(counter.clone());
        let line = [b'x'; 1000];
        // More than a pipe (64 KiB) and the queue hold.
        let count = (ROOM + (1 << 17)) / line.len();
        for _ in 0..count {
            lines.push(&line);
        }
        assert!(counter.get() > 0);
        let began = Instant::now();
        lines.flush(Duration::from_millis(50), Duration::from_secs(60));
        assert!(began.elapsed() < Duration::from_secs(30), "a stalled pipe is given up");
        let written = (count - usize::try_from(counter.get()).unwrap()) * line.len();
        reader.read_exact(&mut vec![0; written]).unwrap();
        lines.flush(Duration::from_secs(30), Duration::from_secs(60));
        let state = lines.state();
        assert_eq!((state.bytes, state.queue.len(), state.dropped), (0, 0, 0), "the loss was told");
    }

    #[test]
    fn lines_wait_for_their_thread() {
        let lines = Lines::new();
        lines.push(b"");
        assert!(!lines.state().started && lines.state().queue.len() == 1);
        lines.flush(Duration::from_secs(30), Duration::from_secs(30));
        assert!(lines.state().started && lines.state().queue.is_empty());
    }

    #[test]
    fn the_report_gets_through_a_full_queue() {
        let (lines, mut reader) = piped();
        for _ in 0..(ROOM / 1000 + 100) {
            lines.push(&[b'x'; 1000]);
        }
        lines.push_always(b"report\n");
        let (told, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut text = Vec::new();
            let mut chunk = [0; 1 << 16];
            while !text.ends_with(b"report\n") {
                let length = reader.read(&mut chunk).unwrap();
                text.extend_from_slice(&chunk[..length]);
            }
            told.send(()).unwrap();
        });
        heard.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    #[test]
    fn a_closed_pipe_loses_lines_and_does_no_harm() {
        let (lines, reader) = piped();
        drop(reader);
        lines.push(b"one\n");
        lines.flush(Duration::from_secs(30), Duration::from_secs(30));
        assert_eq!(lines.state().dropped, 1);
    }
}
