//! Liveness from the work loop's progress, readiness from what the loop says of itself.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The health of one process, written by its work loop and read by the admin server. Clones share the state.
#[derive(Clone, Debug)]
pub struct Health(Arc<State>);

#[derive(Debug)]
struct State {
    started: Instant,
    /// How long the loop may stand still before the process counts as dead.
    stall_limit: Duration,
    /// Milliseconds after `started` when the loop last moved.
    progress_ms: AtomicU64,
    draining: AtomicBool,
    /// Why the process is not ready; `None` when it is.
    unready: Mutex<Option<String>>,
}

impl Health {
    /// A process that starts, not ready for the reason given; the loop may stand still for `stall_limit`.
    pub fn new(stall_limit: Duration, reason: &str) -> Self {
        Self(Arc::new(State {
            started: Instant::now(),
            stall_limit,
            progress_ms: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            unready: Mutex::new(Some(reason.to_owned())),
        }))
    }

    /// The work loop moved.
    pub fn progress(&self) {
        let now = u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.progress_ms.store(now, Ordering::Relaxed);
    }

    /// The process can do its work.
    pub fn ready(&self) {
        *self.unready() = None;
    }

    /// The process cannot do its work now, and why.
    pub fn not_ready(&self, reason: &str) {
        let mut unready = self.unready();
        if unready.as_deref() != Some(reason) {
            *unready = Some(reason.to_owned());
        }
    }

    /// The process is ending: never ready again.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// `Ok` while the work loop moves, else how long it has stood still.
    pub fn live(&self) -> Result<(), String> {
        let moved = Duration::from_millis(self.0.progress_ms.load(Ordering::Relaxed));
        let stalled = self.0.started.elapsed().saturating_sub(moved);
        if stalled <= self.0.stall_limit {
            return Ok(());
        }
        Err(format!(
            "the work loop has not moved for {} s, the limit is {} s",
            stalled.as_secs(),
            self.0.stall_limit.as_secs()
        ))
    }

    /// `Ok` when work can be done, else the reason.
    pub fn readiness(&self) -> Result<(), String> {
        if self.0.draining.load(Ordering::Relaxed) {
            return Err("draining: the process is ending".to_owned());
        }
        match &*self.unready() {
            None => Ok(()),
            Some(reason) => Err(reason.clone()),
        }
    }

    fn unready(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.unready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_says_why_and_draining_wins() {
        let health = Health::new(Duration::from_secs(60), "starting");
        assert_eq!(health.readiness(), Err("starting".to_owned()));
        health.ready();
        assert_eq!(health.readiness(), Ok(()));
        health.drain();
        assert!(health.readiness().is_err());
        health.ready();
        assert!(health.readiness().is_err(), "a draining process is never ready again");
    }

    #[test]
    fn liveness_fails_only_beyond_the_limit() {
        let health = Health::new(Duration::from_secs(60), "starting");
        assert_eq!(health.live(), Ok(()));
        let stalled = Health::new(Duration::ZERO, "starting");
        while stalled.live().is_ok() {
            std::thread::yield_now();
        }
        assert!(stalled.live().is_err());
    }
}
