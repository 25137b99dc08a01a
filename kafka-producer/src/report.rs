//! What is in the report on a run: counts that always add up, rate, latencies, errors by name.

use std::collections::BTreeMap;

use common::kafka::promises::Guarantees;
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
    /// What the counts are worth, if settings took something from it.
    #[serde(flatten)]
    guarantees: Guarantees,
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

impl<'a> Outcome<'a> {
    /// The outcome of a run whose books are closed.
    pub fn new(run_id: &'a str, topic: &'a str, counts: Counts) -> Self {
        let seconds = counts.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { counts.delivered as f64 / seconds } else { 0.0 };
        Self {
            run_id,
            topic,
            requested: counts.requested,
            delivered: counts.delivered,
            failed: counts.failed,
            unsent: counts.unsent,
            bytes: counts.bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            messages_per_second: rate.round() as u64,
            guarantees: Guarantees::default(),
            delivery_ms: counts.latencies_us.map(|values| {
                let [p50, p95, p99, max] = values.map(|micros| micros as f64 / 1e3);
                Latencies { p50, p95, p99, max }
            }),
            errors: counts.errors,
        }
    }

    /// Says which promises the settings gave up.
    pub fn with(mut self, guarantees: &Guarantees) -> Self {
        self.guarantees = guarantees.clone();
        self
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
        rows.extend(self.guarantees.acks.iter().map(|acks| ("acks", acks.clone())));
        rows.extend(self.guarantees.idempotence.iter().map(|_| ("idempotent", "no".to_owned())));
        rows.extend(self.errors.iter().map(|(error, count)| ("error", format!("{error}: {count}"))));
        rows
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_shows_the_counts_and_the_rate() {
        let counts = Counts {
            requested: 10,
            delivered: 5,
            failed: 2,
            unsent: 3,
            elapsed: Duration::from_millis(500),
            latencies_us: Some([1500, 2000, 3000, 4000]),
            ..Counts::default()
        };
        let outcome = Outcome::new("run", "test", counts);
        assert_eq!((outcome.requested, outcome.delivered, outcome.failed, outcome.unsent), (10, 5, 2, 3));
        assert_eq!((outcome.seconds, outcome.messages_per_second), (0.5, 10));
        assert_eq!(outcome.delivery_ms.map(|values| values.p50), Some(1.5));
    }
}
