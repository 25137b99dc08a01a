//! What is in the report on a run: counts that always add up, rate, latencies, errors by name.

use std::collections::BTreeMap;

use common::kafka::promises::Guarantees;
use common::report::Report;
use common::verdict::Verdict;
use ledger::Share;
use serde::Serialize;

use crate::tally::Counts;

/// Ranges of messages that were not acknowledged in a report, and in what of it a termination log has room for.
const RANGES: usize = 50;
const FEW_RANGES: usize = 10;

/// Which run and which process a report is of.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The run.
    pub run_id: String,
    /// Where its messages went.
    pub topic: String,
    /// The process, as in its stamps; `None` when messages carry none.
    pub attempt: Option<String>,
    /// When it started, as RFC 3339.
    pub started: String,
    /// Its part of the run.
    pub share: Share,
    /// Messages of the whole run, where that was known from the start.
    pub messages: Option<u64>,
}

/// What became of the messages. `requested = delivered + failed + unsent`, always.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome<'a> {
    run_id: &'a str,
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<&'a str>,
    started: &'a str,
    /// Messages of the whole run, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shards: Option<u64>,
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
    #[serde(flatten)]
    unacknowledged: Option<Unacknowledged>,
}

/// Which messages were not acknowledged.
#[derive(Clone, Debug, Serialize)]
struct Unacknowledged {
    /// The first number of each range, and the last. Those in between that are another process's do not count.
    unacknowledged: Vec<(u64, u64)>,
    /// Whether there are more than these.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unacknowledged_cut: bool,
}

impl Unacknowledged {
    fn of(counts: &Counts, share: Share) -> Self {
        let (ranges, is_more) = counts.unacknowledged.first(RANGES);
        let is_unknown = counts.unacknowledged.count() < counts.failed + counts.unsent;
        Self {
            unacknowledged: ranges.iter().map(|(from, to)| (share.sequence(*from), share.sequence(*to))).collect(),
            unacknowledged_cut: is_more || is_unknown,
        }
    }

    /// The same with fewer ranges.
    fn cut(mut self) -> Self {
        self.unacknowledged_cut |= self.unacknowledged.len() > FEW_RANGES;
        self.unacknowledged.truncate(FEW_RANGES);
        self
    }
}

/// Milliseconds from send, or scheduled send, to acknowledgement.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latencies {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl Latencies {
    /// From percentiles and maximum in microseconds.
    pub fn of(micros: [u64; 4]) -> Self {
        let [p50, p95, p99, max] = micros.map(|micros| micros as f64 / 1e3);
        Self { p50, p95, p99, max }
    }

    /// For people.
    pub fn row(&self) -> String {
        format!("p50 {} ms, p95 {} ms, p99 {} ms, max {} ms", self.p50, self.p95, self.p99, self.max)
    }
}

impl<'a> Outcome<'a> {
    /// The outcome of a run whose books are closed.
    pub fn new(identity: &'a Identity, counts: Counts) -> Self {
        let Identity { run_id, topic, attempt, started, share, messages } = identity;
        let is_alone = share.count == 1;
        // An input may end before the number that was asked for.
        let is_all = messages.is_some_and(|total| share.of(total) == counts.requested);
        let seconds = counts.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { counts.delivered as f64 / seconds } else { 0.0 };
        Self {
            run_id,
            topic,
            attempt: attempt.as_deref(),
            started,
            total: if is_alone { counts.is_total.then_some(counts.requested) } else { messages.filter(|_| is_all) },
            shard: (!is_alone).then_some(share.index),
            shards: (!is_alone).then_some(share.count),
            unacknowledged: attempt.as_ref().map(|_| Unacknowledged::of(&counts, *share)),
            requested: counts.requested,
            delivered: counts.delivered,
            failed: counts.failed,
            unsent: counts.unsent,
            bytes: counts.bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            messages_per_second: rate.round() as u64,
            guarantees: Guarantees::default(),
            delivery_ms: counts.latencies_us.map(Latencies::of),
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
        Report::new("report", self, self.rows(), verdict).or(&self.cut(), verdict)
    }

    /// The same for a termination log, which has no room for all ranges.
    pub fn cut(&self) -> Self {
        Self { unacknowledged: self.unacknowledged.clone().map(Unacknowledged::cut), ..self.clone() }
    }

    /// For people.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
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
            rows.push(("delivery", ms.row()));
        }
        rows.extend(self.guarantees.acks.iter().map(|acks| ("acks", acks.clone())));
        rows.extend(self.guarantees.idempotence.iter().map(|_| ("idempotent", "no".to_owned())));
        rows.extend(self.errors.iter().map(|(error, count)| ("error", format!("{error}: {count}"))));
        rows
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::time::Duration;

    use common::exit::Exit;
    use serde_json::Value;

    use super::*;

    fn identity(share: Share, messages: Option<u64>) -> Identity {
        let text = str::to_owned;
        let (attempt, started) = (Some(text("0badcafe")), text("2026-11-23T13:25:28.307Z"));
        Identity { run_id: text("run"), topic: text("test"), attempt, started, share, messages }
    }

    fn json(identity: &Identity, counts: Counts) -> Value {
        serde_json::from_str(Outcome::new(identity, counts).report(&Verdict::ok()).json()).unwrap()
    }

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
        let identity = identity(Share::WHOLE, Some(10));
        let outcome = Outcome::new(&identity, counts);
        assert_eq!((outcome.requested, outcome.delivered, outcome.failed, outcome.unsent), (10, 5, 2, 3));
        assert_eq!((outcome.seconds, outcome.messages_per_second), (0.5, 10));
        assert_eq!(outcome.delivery_ms.map(|values| values.p50), Some(1.5));
    }

    #[test]
    fn the_total_is_told_only_where_it_is_known() {
        let third = Share { index: 1, count: 3 };
        let counts = |requested, is_total| Counts { requested, is_total, ..Counts::default() };
        for (share, messages, counts, total) in [
            (Share::WHOLE, Some(10), counts(10, true), Some(10)),
            (Share::WHOLE, None, counts(7, true), Some(7)),
            (Share::WHOLE, None, counts(7, false), None),
            (Share::WHOLE, Some(10), counts(4, true), Some(4)),
            (third, Some(10), counts(3, true), Some(10)),
            (third, Some(10), counts(2, true), None),
            (third, None, counts(2, true), None),
        ] {
            let report = json(&identity(share, messages), counts);
            assert_eq!(report.get("total").and_then(Value::as_u64), total, "{report}");
            assert_eq!(report.get("shards").and_then(Value::as_u64), (share.count > 1).then_some(3), "{report}");
        }
    }

    #[test]
    fn ranges_are_those_of_the_whole_run_and_there_is_an_end_to_them() {
        let share = Share { index: 1, count: 3 };
        let counts = |numbers: &[(u64, u64)], failed| Counts {
            requested: 1000,
            failed,
            unacknowledged: numbers.iter().copied().collect(),
            ..Counts::default()
        };
        let report = json(&identity(share, Some(3000)), counts(&[(0, 2), (7, 7)], 4));
        assert_eq!(report["unacknowledged"], serde_json::json!([[1, 7], [22, 22]]));
        assert_eq!(report.get("unacknowledged_cut"), None);
        assert_eq!(json(&identity(share, Some(3000)), counts(&[(0, 2)], 4))["unacknowledged_cut"], true);
        let many: Vec<(u64, u64)> = (0..60).map(|number| (2 * number, 2 * number)).collect();
        let report = json(&identity(share, Some(3000)), counts(&many, 60));
        assert_eq!(
            (report["unacknowledged"].as_array().unwrap().len(), &report["unacknowledged_cut"]),
            (50, &true.into())
        );
        let mut unstamped = identity(share, Some(3000));
        unstamped.attempt = None;
        let report = json(&unstamped, counts(&many, 60));
        assert_eq!((report.get("attempt"), report.get("unacknowledged")), (None, None));
    }

    #[test]
    fn the_longest_report_fits_into_a_termination_log() {
        let far = 900_000_000_000_000_000;
        let mut identity = identity(Share { index: 99_998, count: 99_999 }, Some(far));
        (identity.run_id, identity.topic) = ("r".repeat(200), "t".repeat(249));
        let unacknowledged =
            (0..60).map(|number| (2 * number + 8_000_000_000_000, 2 * number + 8_000_000_000_000)).collect();
        let counts = Counts { requested: far / 99_999, failed: far / 99_999, unacknowledged, ..Counts::default() };
        let verdict = Verdict::new(Exit::Refused, "x".repeat(3000));
        let file = tempfile::NamedTempFile::new().unwrap();
        let report = Outcome::new(&identity, counts).report(&verdict);
        assert!(report.json().len() > 4096);
        report.leave(file.path());
        let left: Value = serde_json::from_str(&std::fs::read_to_string(file.path()).unwrap()).unwrap();
        assert_eq!((&left["exit_code"], &left["unacknowledged_cut"]), (&4.into(), &true.into()));
    }
}
