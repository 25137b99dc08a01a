//! What is left on a Pushgateway: that a run started, and how it ended. A Job is gone before anybody scrapes it.

use std::fmt::Write;

use common::exit::Exit;
use common::life::Farewell;
use common::metrics::Entry;
use common::pushgateway::{Gateway, Pushes};
use common::text::epoch_us;

use crate::NAME;
use crate::config::Config;
use crate::metrics::PREFIX;
use crate::tally::Counts;

const START: (&str, &str) = ("last_start_timestamp_seconds", "When the last run started, in seconds since 1970");
const COMPLETION: (&str, &str) =
    ("last_completion_timestamp_seconds", "When the last run that completed did so, in seconds since 1970");
const REQUESTED: (&str, &str) =
    ("last_run_requested_messages", "Messages that the last completed run was to publish, as far as known");
const DELIVERED: (&str, &str) = ("last_run_delivered_messages", "Messages of the last completed run: acknowledged");
const FAILED: (&str, &str) =
    ("last_run_failed_messages", "Messages of the last completed run: transmitted, not acknowledged");
const UNSENT: (&str, &str) = ("last_run_unsent_messages", "Messages of the last completed run: never transmitted");
const DURATION: (&str, &str) =
    ("last_run_duration_seconds", "From start to completion of the last completed run, in seconds");
const EXIT_CODE: (&str, &str) = ("last_run_exit_code", "Exit code of the last completed run");
const SUCCESS: (&str, &str) =
    ("last_success_timestamp_seconds", "When a run last completed with exit code 0, in seconds since 1970");

/// All series that are pushed, as the documentation shows them.
pub fn catalogue() -> Vec<Entry> {
    let all = [START, COMPLETION, REQUESTED, DELIVERED, FAILED, UNSENT, DURATION, EXIT_CODE, SUCCESS];
    let labels = ["namespace", "topic", "shard"].map(str::to_owned);
    let entry = |(name, help): (&str, &str)| Entry {
        name: format!("{PREFIX}_{name}"),
        kind: "gauge",
        labels: labels.to_vec(),
        help: help.to_owned(),
    };
    all.map(entry).to_vec()
}

/// The pushes of one run.
pub struct RunPushes {
    pushes: Pushes,
    /// Seconds since 1970.
    started: f64,
}

impl RunPushes {
    /// Pushes that the run starts, beside it.
    ///
    /// # Errors
    /// When nothing can be pushed because of the settings.
    pub fn start(gateway: &Gateway, config: &Config) -> Result<Self, String> {
        let namespace = config.namespace.as_deref().unwrap_or_default();
        let shard = config.share.index.to_string();
        // One form for ever: a group with other labels is another group, and nothing on a Pushgateway ends by itself. The pod is
        // none of them: its name is a new one for each run.
        let labels = [("job", NAME), ("namespace", namespace), ("topic", &config.topic), ("shard", &shard)];
        let pushes = Pushes::start(gateway, &labels)?;
        let started = now();
        pushes.push(text(&[(START, started)]));
        Ok(Self { pushes, started })
    }

    /// Pushes how the run ended. The success of an earlier run stays where this one has none.
    pub fn finish(&self, counts: &Counts, exit: Exit) -> Farewell {
        let ended = now();
        let mut series = vec![
            // Again: the first push may have been lost.
            (START, self.started),
            (COMPLETION, ended),
            (REQUESTED, counts.requested as f64),
            (DELIVERED, counts.delivered as f64),
            (FAILED, counts.failed as f64),
            (UNSENT, counts.unsent as f64),
            (DURATION, ((ended - self.started).max(0.0) * 1e3).round() / 1e3),
            (EXIT_CODE, f64::from(exit.code())),
        ];
        if exit == Exit::Ok {
            series.push((SUCCESS, ended));
        }
        Box::pin(self.pushes.finish(text(&series)))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    (epoch_us() / 1000) as f64 / 1e3
}

/// Prometheus' text format.
fn text(series: &[((&str, &str), f64)]) -> String {
    let mut text = String::new();
    for ((name, help), value) in series {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} gauge\n{PREFIX}_{name} {value}");
    }
    text
}
