//! What is in the report on a run: counts that always add up, rate, latencies, errors by name.

use std::collections::BTreeMap;
use std::time::Duration;

use common::report::Report;
use common::verdict::Verdict;
use serde::Serialize;

use crate::tally::Counts;

/// What became of the messages. `requested = delivered + failed + unsent`, always.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome<'a> {
    run_id: &'a str,
    topic: &'a str,
    requested: u64,
    delivered: u64,
    failed: u64,
    unsent: u64,
    bytes: u64,
    seconds: f64,
    messages_per_second: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_ms: Option<Latencies>,
    errors: BTreeMap<String, u64>,
}

/// Milliseconds from send, or scheduled send, to acknowledgement.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latencies {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Messages that this process was to publish.
    pub requested: u64,
    /// Messages handed to librdkafka.
    pub enqueued: u64,
    /// From the first message to the last acknowledgement.
    pub elapsed: Duration,
}

impl<'a> Outcome<'a> {
    /// Adds up: what was handed over and never reported back counts as failed, the rest as unsent.
    pub fn new(run_id: &'a str, topic: &'a str, progress: Progress, counts: Counts) -> Self {
        let Progress { requested, enqueued, elapsed } = progress;
        let settled = counts.delivered + counts.failed + counts.unsent;
        let failed = counts.failed + enqueued.saturating_sub(settled);
        let unsent = requested.saturating_sub(counts.delivered + failed);
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { counts.delivered as f64 / seconds } else { 0.0 };
        Self {
            run_id,
            topic,
            requested,
            delivered: counts.delivered,
            failed,
            unsent,
            bytes: counts.bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            messages_per_second: rate.round() as u64,
            delivery_ms: counts.latencies_us.map(|values| {
                let [p50, p95, p99, max] = values.map(|micros| micros as f64 / 1e3);
                Latencies { p50, p95, p99, max }
            }),
            errors: counts.errors,
        }
    }

    /// The report, with the verdict.
    pub fn report(&self, verdict: &Verdict) -> Report {
        Report::new(self, self.rows(), verdict)
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("run", self.run_id.to_owned()),
            ("topic", self.topic.to_owned()),
            ("requested", self.requested.to_string()),
            ("delivered", self.delivered.to_string()),
            ("failed", self.failed.to_string()),
            ("unsent", self.unsent.to_string()),
            ("bytes", self.bytes.to_string()),
            ("time", format!("{:.3} s, {} messages/s", self.seconds, self.messages_per_second)),
        ];
        if let Some(ms) = self.delivery_ms {
            rows.push((
                "delivery",
                format!("p50 {} ms, p95 {} ms, p99 {} ms, max {} ms", ms.p50, ms.p95, ms.p99, ms.max),
            ));
        }
        rows.extend(self.errors.iter().map(|(error, count)| ("error", format!("{error}: {count}"))));
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(requested: u64, enqueued: u64, delivered: u64, failed: u64, unsent: u64) -> Outcome<'static> {
        let counts = Counts { delivered, failed, unsent, ..Counts::default() };
        Outcome::new("run", "test", Progress { requested, enqueued, elapsed: Duration::from_millis(500) }, counts)
    }

    #[test]
    fn it_always_adds_up() {
        for (requested, enqueued, delivered, failed, unsent) in [
            (10, 10, 10, 0, 0),
            (10, 7, 3, 2, 1),
            (10, 7, 0, 0, 0),
            (10, 0, 0, 0, 0),
            (10, 10, 4, 0, 6),
            (10, 10, 9, 0, 0),
        ] {
            let outcome = outcome(requested, enqueued, delivered, failed, unsent);
            assert_eq!(outcome.requested, outcome.delivered + outcome.failed + outcome.unsent, "{outcome:?}");
        }
        assert_eq!(outcome(10, 7, 3, 2, 1).failed, 3, "handed over and never heard of: may have been transmitted");
    }
}
