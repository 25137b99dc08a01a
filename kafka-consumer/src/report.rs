//! The verdict on a one-shot run, as one JSON object on stderr: stdout belongs to the records.

use serde::Serialize;

use crate::config::{Config, Subscription};
use crate::poll::Polled;

/// What was read.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    event: &'static str,
    topics: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<u64>,
    records: u64,
    bytes: u64,
    seconds: f64,
    records_per_second: u64,
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Report {
    /// Makes the report.
    pub fn new(config: &Config, polled: Polled) -> Self {
        let topics = match &config.subscription {
            Subscription::Group { topics } => topics.clone(),
            Subscription::Partitions { topic, .. } => vec![topic.clone()],
        };
        let seconds = polled.elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { polled.records as f64 / seconds } else { 0.0 };
        Self {
            event: "report",
            topics,
            requested: config.max_records,
            records: polled.records,
            bytes: polled.bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            records_per_second: rate.round() as u64,
            outcome: polled.exit.outcome(),
            exit_code: polled.exit.code(),
            message: polled.message,
        }
    }

    /// Prints it on one line of stderr.
    pub fn show(&self) {
        // Numbers and strings always serialise.
        eprintln!("{}", serde_json::to_string(self).unwrap_or_default());
    }
}
