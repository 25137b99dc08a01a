//! The report on a round trip: the producer's, with what was read back.

use std::sync::Arc;

use auditor::{Fields, Summary};
use common::exit::Exit;
use common::life::{self, Farewell};
use common::report::Report;
use common::text::grouped;
use common::verdict::Verdict;
use serde::Serialize;

use super::Shared;
use crate::account;
use crate::report::{Latencies, Outcome};

/// Both sides.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome<'a>,
    /// From sending to reading, of what was read while the run was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_to_end_ms: Option<Latencies>,
    /// What was found in the topic; absent when the run ended before it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<Fields<'a>>,
}

/// The account of a round trip.
pub struct Account {
    published: account::Account,
    shared: Arc<Shared>,
}

impl Account {
    /// Both halves of the run.
    pub fn new(published: account::Account, shared: Arc<Shared>) -> Self {
        Self { published, shared }
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        let outcome = self.published.outcome();
        let end_to_end_ms = self.shared.state.latencies_us().map(Latencies::of);
        let summary = self.shared.summary();
        let fields = summary.as_ref().map(Fields::of);
        let short = fields.as_ref().map(Fields::short);
        let mut rows = outcome.rows();
        rows.extend(end_to_end_ms.map(|latencies| ("end to end", latencies.row())));
        rows.extend(summary.iter().flat_map(|summary| read_back(summary, self.shared.state.partitions(), verdict)));
        let cut = outcome.cut();
        let whole = Whole { outcome: &outcome, end_to_end_ms, audit: fields };
        Report::new("round_trip", &whole, rows, verdict)
            .or(&Whole { outcome: &cut, end_to_end_ms, audit: short }, verdict)
    }

    fn undone(&self) -> Option<String> {
        let published = self.published.undone();
        published.or_else(|| Some(format!("{} messages read back", grouped(self.shared.state.records()))))
    }

    fn farewell(&self, exit: Exit) -> Option<Farewell> {
        self.published.farewell(exit)
    }
}

/// What was read back, for people.
fn read_back(summary: &Summary, partitions: usize, verdict: &Verdict) -> Vec<(&'static str, String)> {
    let from = format!("{} of {} partitions", grouped(summary.findings.distinct), partitions);
    let mut rows = vec![("received", from)];
    // The rows that an audit has for reports of several attempts say nothing here.
    let known = ["missing", "lost", "written twice", "reordered", "damaged", "unproven"];
    rows.extend(auditor::rows(summary).into_iter().filter(|(name, _)| known.contains(name)));
    if verdict.exit == Exit::Ok {
        rows.push(("proven", "every message was received exactly once, whole and in order".to_owned()));
    }
    rows
}
