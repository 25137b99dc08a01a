//! A process that gets a share of the processor only, as under a CPU limit: it is stopped and continued in turn. Unlike a
//! control group this needs no rights and is the same on every system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::capture::Shared;

/// A turn of running and standing still, as long as the kernel's for a CPU limit.
const PERIOD: Duration = Duration::from_millis(100);

/// Holds a process back until it is dropped.
pub struct Throttle {
    process: Pid,
    seen: Shared,
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Throttle {
    pub(super) fn start(process: Pid, seen: Shared, share: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ending, watched) = (Arc::clone(&stop), seen.clone());
        let running = PERIOD.mul_f64(share.clamp(0.01, 1.0));
        let thread = thread::spawn(move || {
            while !ending.load(Ordering::Relaxed) && signal(&watched, process, Signal::STOP) {
                thread::sleep(PERIOD - running);
                signal(&watched, process, Signal::CONT);
                thread::sleep(running);
            }
        });
        Self { process, seen, thread: Some(thread), stop }
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        signal(&self.seen, self.process, Signal::CONT);
    }
}

/// Sends a signal to a process that has not ended; `false` when it has. Under the lock nobody reaps it meanwhile, so the
/// process id is its own.
fn signal(seen: &Shared, process: Pid, signal: Signal) -> bool {
    let seen = seen.lock();
    !seen.exited && kill_process(process, signal).is_ok()
}
