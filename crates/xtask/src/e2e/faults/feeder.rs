//! Feeds a producer for as long as a row lasts: its messages come from standard input, at a rate of its own.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use testbed::process::Process;

/// Lines of one write.
const LINES: u64 = 20;

/// Writes lines until it is ended.
pub struct Feeder {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Feeder {
    /// Begins to feed a producer that was started with `--input -`: as fast as it takes lines, which its own rate decides.
    pub fn begin(producer: &mut Process) -> Result<Self> {
        let mut stdin = producer.take_stdin().context("the producer has no standard input")?;
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        let thread = thread::spawn(move || {
            let mut number: u64 = 0;
            while !over.load(Ordering::Relaxed) {
                let lines: String = (number..number + LINES).map(|number| format!("message {number:091}\n")).collect();
                // A producer that has ended is found out by who waits for it.
                if stdin.write_all(lines.as_bytes()).is_err() {
                    return;
                }
                number += LINES;
            }
        });
        Ok(Self { ended, thread: Some(thread) })
    }

    /// Ends the input after what is being written; the producer sends what it has read, and ends.
    pub fn end(mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        // Not waited for: a producer that stands still takes nothing. Its end ends the thread.
        self.ended.store(true, Ordering::Relaxed);
    }
}
