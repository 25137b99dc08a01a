//! The verdict on a run: one object that always adds up, shown as JSON or as a table.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use common::exit::Exit;
use common::kafka::promises::Guarantees;
use serde::Serialize;

use crate::args::ReportFormat;
use crate::tally::Counts;

/// Kubernetes shows at most this much of a termination log, in bytes.
const TERMINATION_LOG_BYTES: usize = 4096;
/// The message of a failure in the report, in bytes: it must not push the numbers out of the termination log.
const MESSAGE_BYTES: usize = 1500;

/// What became of the messages. `requested = delivered + failed + unsent`, always.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    event: &'static str,
    run_id: String,
    topic: String,
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
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// Milliseconds from send, or scheduled send, to acknowledgement.
#[derive(Clone, Copy, Debug, Serialize)]
struct Latencies {
    p50: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

/// How a run ended.
pub struct Ending {
    /// Messages that this process was to publish.
    pub requested: u64,
    /// Messages handed to librdkafka.
    pub enqueued: u64,
    /// What librdkafka reported of them.
    pub counts: Counts,
    /// From the first message to the last acknowledgement.
    pub elapsed: Duration,
    /// The verdict.
    pub exit: Exit,
    /// Why, if not well.
    pub message: Option<String>,
}

impl Report {
    /// Makes the report; what was handed over and never reported back counts as failed, the rest as unsent.
    pub fn new(run_id: &str, topic: &str, ending: Ending) -> Self {
        let Ending { requested, enqueued, counts, elapsed, exit, message } = ending;
        let settled = counts.delivered + counts.failed + counts.unsent;
        let failed = counts.failed + enqueued.saturating_sub(settled);
        let unsent = requested.saturating_sub(counts.delivered + failed);
        let seconds = elapsed.as_secs_f64();
        let rate = if seconds > 0.0 { counts.delivered as f64 / seconds } else { 0.0 };
        Self {
            event: "report",
            run_id: run_id.to_owned(),
            topic: topic.to_owned(),
            requested,
            delivered: counts.delivered,
            failed,
            unsent,
            bytes: counts.bytes,
            seconds: (seconds * 1e3).round() / 1e3,
            messages_per_second: rate.round() as u64,
            guarantees: Guarantees::default(),
            delivery_ms: counts.latencies_us.map(|values| {
                let [p50, p95, p99, max] = values.map(|micros| micros as f64 / 1e3);
                Latencies { p50, p95, p99, max }
            }),
            errors: counts.errors,
            outcome: exit.outcome(),
            exit_code: exit.code(),
            message: message.map(|message| cut(message, MESSAGE_BYTES)),
        }
    }

    /// Says which promises the settings gave up.
    pub fn with(mut self, guarantees: Guarantees) -> Self {
        self.guarantees = guarantees;
        self
    }

    /// The verdict.
    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// One JSON object on one line.
    pub fn json(&self) -> String {
        // Numbers, strings and maps of strings always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn table(&self) -> String {
        let mut rows = vec![
            ("run", self.run_id.clone()),
            ("topic", self.topic.clone()),
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
        if let Some(acks) = &self.guarantees.acks {
            rows.push(("acks", acks.clone()));
        }
        if self.guarantees.idempotence.is_some() {
            rows.push(("idempotent", "no".to_owned()));
        }
        for (error, count) in &self.errors {
            rows.push(("error", format!("{error}: {count}")));
        }
        rows.push(("outcome", format!("{} (exit code {})", self.outcome, self.exit_code)));
        if let Some(message) = &self.message {
            rows.push(("because", message.clone()));
        }
        rows.iter().map(|(name, value)| format!("{name:>10}  {value}\n")).collect()
    }

    /// Shows the report on stdout, and on stderr too when stdout cannot take it; the verdict stays what it is.
    pub fn show(&self, format: ReportFormat) {
        let table = match format {
            ReportFormat::Table => true,
            ReportFormat::Json => false,
            ReportFormat::Auto => std::io::stdout().is_terminal(),
        };
        let text = if table { self.table() } else { format!("{}\n", self.json()) };
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            tracing::error!(event = "report_unwritten", report = self.json(), "stdout cannot take the report: {error}");
        }
    }

    /// Leaves the report where Kubernetes looks for it, if that place exists; it is never made.
    pub fn leave(&self, path: &Path) {
        let file = std::fs::OpenOptions::new().write(true).truncate(true).open(path);
        let text = cut(self.json(), TERMINATION_LOG_BYTES - 1);
        let written = match file {
            Ok(mut file) => file.write_all(text.as_bytes()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(event = "termination_log_unwritten", path = %path.display(), "{error}");
        }
    }
}

/// The text, cut at a character's boundary.
fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(requested: u64, enqueued: u64, delivered: u64, failed: u64, unsent: u64) -> Report {
        let counts = Counts { delivered, failed, unsent, ..Counts::default() };
        let ending =
            Ending { requested, enqueued, counts, elapsed: Duration::from_millis(500), exit: Exit::Ok, message: None };
        Report::new("run", "test", ending)
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
            let report = report(requested, enqueued, delivered, failed, unsent);
            assert_eq!(report.requested, report.delivered + report.failed + report.unsent, "{report:?}");
        }
        assert_eq!(report(10, 7, 3, 2, 1).failed, 3, "handed over and never heard of: may have been transmitted");
    }

    #[test]
    fn a_long_message_leaves_room_in_the_termination_log() {
        let ending = Ending {
            requested: 1,
            enqueued: 1,
            counts: Counts::default(),
            elapsed: Duration::ZERO,
            exit: Exit::Refused,
            message: Some("ä".repeat(5000)),
        };
        let json = Report::new("run", "test", ending).json();
        assert!(json.len() < TERMINATION_LOG_BYTES, "{}", json.len());
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    }
}
