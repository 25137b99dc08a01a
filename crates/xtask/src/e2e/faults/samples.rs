//! Memory and health of a process, looked at twice a second for as long as it lives.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use testbed::http;
use testbed::process::memory;

const LOOK: Duration = Duration::from_millis(500);

/// What was seen at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: Instant,
    /// The resident memory, in KiB.
    pub rss_kib: u64,
    /// Whether `/livez` answered 200; `None` without an admin server, or while the process stands still.
    pub live: Option<bool>,
    /// The same of `/readyz`.
    pub ready: Option<bool>,
}

/// The samples of one process.
pub struct Samples {
    taken: Arc<Mutex<Vec<Sample>>>,
    silent: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Samples {
    /// Begins to look at a process, and at its admin server if it has one.
    pub fn begin(pid: u32, admin: Option<String>) -> Self {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let (silent, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (into, quiet, over) = (Arc::clone(&taken), Arc::clone(&silent), Arc::clone(&ended));
        let thread = thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let Some(rss_kib) = rss_kib(pid) else { break };
                let ask = |path| {
                    let admin = admin.as_ref().filter(|_| !quiet.load(Ordering::Relaxed))?;
                    Some(http::get(admin.as_str(), path).is_ok_and(|answer| answer.status == 200))
                };
                let (live, ready) = (ask("/livez"), ask("/readyz"));
                // What was asked while it was stopped or ended is no answer of its own.
                let own = !quiet.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed);
                let sample =
                    Sample { at: Instant::now(), rss_kib, live: live.filter(|_| own), ready: ready.filter(|_| own) };
                into.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
                thread::sleep(LOOK);
            }
        });
        Self { taken, silent, ended, thread: Some(thread) }
    }

    /// From now on the process stands still, or goes on: nobody asks it meanwhile.
    pub fn set_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::Relaxed);
    }

    /// From now on the process may be gone.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// All until now.
    pub fn taken(&self) -> Vec<Sample> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Samples {
    fn drop(&mut self) {
        self.end();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Of samples, the resident memory at a moment: the last one until then.
pub fn rss_at(samples: &[Sample], at: Instant) -> Option<u64> {
    samples.iter().rev().find(|sample| sample.at <= at).map(|sample| sample.rss_kib)
}

fn rss_kib(pid: u32) -> Option<u64> {
    Some(memory(pid, "VmRSS")? / 1024)
}
