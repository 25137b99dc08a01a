//! Exemplars: for each bucket of a histogram the trace of the last sampled observation in it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::DURATION_BUCKETS;

/// One observation that has a trace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar {
    /// What was observed, in seconds.
    pub seconds: f64,
    /// The trace that it belongs to.
    pub trace_id: [u8; 16],
    /// When it was observed, in seconds since 1970.
    pub at: f64,
}

/// The exemplars of one histogram over [`DURATION_BUCKETS`]. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Exemplars(Arc<Mutex<[Option<Exemplar>; DURATION_BUCKETS.len() + 1]>>);

impl Exemplars {
    /// Remembers a sampled observation, in seconds, as the last one in its bucket. For sampled observations only: it takes a lock
    /// and asks for the time.
    pub fn record(&self, seconds: f64, trace_id: [u8; 16]) {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let bucket = DURATION_BUCKETS.iter().take_while(|bound| seconds > **bound).count();
        self.buckets()[bucket] = (!seconds.is_nan()).then_some(Exemplar { seconds, trace_id, at });
    }

    /// The exemplar of each bucket, in the order of their bounds; the last is that of all that is longer.
    pub fn all(&self) -> [Option<Exemplar>; DURATION_BUCKETS.len() + 1] {
        *self.buckets()
    }

    fn buckets(&self) -> MutexGuard<'_, [Option<Exemplar>; DURATION_BUCKETS.len() + 1]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_of_each_bucket_is_kept() {
        let exemplars = Exemplars::default();
        for (seconds, trace) in [(0.001, 1), (0.005, 2), (0.0051, 3), (10.0, 4), (10.1, 5), (-1.0, 6)] {
            exemplars.record(seconds, [trace; 16]);
        }
        let kept = exemplars.all().map(|exemplar| exemplar.map(|exemplar| exemplar.trace_id[0]));
        let mut expected = [None; DURATION_BUCKETS.len() + 1];
        (expected[0], expected[1], expected[13], expected[14]) = (Some(6), Some(3), Some(4), Some(5));
        assert_eq!(kept, expected);
        assert!(exemplars.all()[1].is_some_and(|exemplar| exemplar.seconds == 0.0051 && exemplar.at > 1.7e9));
    }
}
