//! What is in the report on a run: what was read of what was asked for.

use std::sync::Arc;

use common::life;
use common::report::Report;
use common::verdict::Verdict;
use consume::{Subscription, Tally};
use serde::Serialize;

use crate::config::Config;

/// What was read.
#[derive(Clone, Debug, Serialize)]
struct Outcome<'a> {
    topics: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<u64>,
    records: u64,
    /// Those that match what was looked for, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<u64>,
    bytes: u64,
    seconds: f64,
    records_per_second: u64,
}

/// The counts of a run with what its report says beside them.
pub struct Account {
    topics: Vec<String>,
    requested: Option<u64>,
    is_matching: bool,
    tally: Arc<Tally>,
}

impl Account {
    /// The account of a run that begins.
    pub fn new(config: &Config, tally: Arc<Tally>) -> Self {
        let topics = match &config.run.subscription {
            Subscription::Group { topics, .. } | Subscription::Partitions { topics, .. } => topics.clone(),
        };
        Self { topics, requested: config.run.max_records, is_matching: config.matching.is_some(), tally }
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        let counts = self.tally.counts();
        let consume::Counts { records, bytes, elapsed, .. } = counts;
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { records as f64 / seconds } else { 0.0 };
        let outcome = Outcome {
            topics: &self.topics,
            requested: self.requested,
            records,
            shown: self.is_matching.then(|| counts.shown()),
            bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            records_per_second: rate.round() as u64,
        };
        let mut rows = vec![("records", records.to_string())];
        rows.extend(outcome.shown.map(|shown| ("shown", shown.to_string())));
        rows.push(("bytes", outcome.bytes.to_string()));
        Report::new("report", &outcome, rows, verdict)
    }

    fn undone(&self) -> Option<String> {
        // Even when all was read: then the offsets are not committed, or the group was not left.
        let counts = self.tally.counts();
        Some(match self.requested {
            Some(requested) if self.is_matching => format!("{} of {requested} records shown", counts.shown()),
            Some(requested) => format!("{} of {requested} records read", counts.records),
            None => format!("{} records read", counts.records),
        })
    }
}
