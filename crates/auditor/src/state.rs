//! What an audit has read, and what keeps it from being sure: written by the work, read by whoever reports.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::Histogram;
use ledger::{Findings, Judgement, Mark, Received};

use crate::plan::{Beginning, Plan};

/// Partitions that a reason names.
const NAMED: usize = 3;

/// Latencies up to this, in microseconds, are told apart; longer ones count as this.
const LONGEST_US: u64 = 3_600_000_000;

/// A record that waits to be noted.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its own time, in milliseconds since 1970; only of a partition's first record.
    pub first_ms: Option<i64>,
    /// How long the message took, in microseconds, where that is measured.
    pub latency_us: Option<u64>,
    /// What it is to the run.
    pub mark: Mark,
}

/// How a partition was read.
#[derive(Clone, Copy, Debug, Default)]
struct Partition {
    /// Where its log starts.
    earliest: i64,
    /// Where reading started.
    start: i64,
    /// The time of the first record that was read.
    first_ms: Option<i64>,
    /// The offset to go on from.
    next: i64,
    /// Whether a message of the run came of it.
    has_messages: bool,
}

/// The one state of an audit.
pub struct State(Mutex<Inner>);

struct Inner {
    received: Received,
    partitions: BTreeMap<i32, Partition>,
    from: Beginning,
    /// Records that retention deleted while they were read.
    skipped: u64,
    /// Why the topic was not read to its end.
    cut_short: Option<String>,
    /// Whether the topic was read to its end at least once.
    is_read: bool,
    /// How long messages took from being sent to being read, in microseconds.
    latencies: Option<Histogram<u64>>,
}

/// What an audit comes to.
pub struct Summary {
    /// What is wrong.
    pub findings: Findings,
    /// Why nothing is proven.
    pub unproven: Vec<String>,
    /// The verdict.
    pub judgement: Judgement,
}

impl State {
    /// Nothing was read yet.
    pub fn new(expected: Option<u64>, from: Beginning) -> Self {
        Self(Mutex::new(Inner::new(expected, from)))
    }

    /// Forgets all that was read: it is read again from here.
    pub fn start_over(&self, expected: Option<u64>, from: Beginning) {
        *self.inner() = Inner::new(expected, from);
    }

    /// Notes a batch of records.
    pub fn note(&self, batch: &[Noted]) {
        let mut inner = self.inner();
        let inner = &mut *inner;
        for Noted { partition, offset, first_ms, latency_us, mark } in batch.iter().copied() {
            inner.received.note(partition, offset, mark);
            let seen = inner.partitions.entry(partition).or_default();
            seen.first_ms = seen.first_ms.or(first_ms);
            seen.next = offset + 1;
            seen.has_messages |= matches!(mark, Mark::Message { .. });
            if let (Some(micros), Some(latencies)) = (latency_us, &mut inner.latencies) {
                latencies.saturating_record(micros.max(1));
            }
        }
    }

    /// A partition is read, from `start` of a log that starts at `earliest`, up to `end`.
    pub fn assigned(&self, partition: i32, start: Option<i64>, earliest: Option<i64>, end: Option<i64>) {
        let mut inner = self.inner();
        let earliest = earliest.unwrap_or(0);
        let by_time = matches!(inner.from, Beginning::Time(_));
        // Unknown is where the log starts, or that there is nothing since the time.
        let start = start.unwrap_or(if by_time { end.unwrap_or(earliest) } else { earliest });
        // One that goes on has its start already.
        inner.partitions.entry(partition).or_insert(Partition { earliest, start, next: start, ..Partition::default() });
    }

    /// Retention deleted records before they were read.
    pub fn skipped(&self, records: u64) {
        self.inner().skipped += records;
    }

    /// The topic was read to its end, or why not.
    pub fn ended(&self, cut_short: Option<String>) {
        let mut inner = self.inner();
        inner.is_read |= cut_short.is_none();
        inner.cut_short = cut_short;
    }

    /// Where each partition goes on.
    pub fn positions(&self) -> HashMap<i32, i64> {
        self.inner().partitions.iter().map(|(partition, seen)| (*partition, seen.next)).collect()
    }

    /// Whether something that was sent is not there.
    pub fn is_short(&self, plan: &Plan) -> bool {
        let findings = self.inner().received.findings(plan.expected, &plan.sent);
        findings.missing.count > 0 || findings.lost.count > 0
    }

    /// How many records of the run were read.
    pub fn records(&self) -> u64 {
        self.inner().received.records()
    }

    /// How many partitions messages of the run came of.
    pub fn partitions(&self) -> usize {
        self.inner().partitions.values().filter(|partition| partition.has_messages).count()
    }

    /// 50th, 95th, 99th percentile and maximum of the time that messages took from end to end, in microseconds; `None` when none
    /// was measured.
    pub fn latencies_us(&self) -> Option<[u64; 4]> {
        let inner = self.inner();
        let latencies = inner.latencies.as_ref().filter(|latencies| !latencies.is_empty())?;
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|quantile| latencies.value_at_quantile(quantile));
        Some([p50, p95, p99, latencies.max()])
    }

    /// What it all comes to.
    pub fn summary(&self, plan: &Plan) -> Summary {
        let inner = self.inner();
        let findings = inner.received.findings(plan.expected, &plan.sent);
        let is_short = findings.missing.count > 0 || findings.lost.count > 0;
        let mut unproven: Vec<String> = inner.cut_short.iter().cloned().collect();
        if inner.skipped > 0 {
            unproven.push(format!("retention deleted {} records while the topic was read", inner.skipped));
        }
        if !inner.is_read && unproven.is_empty() {
            unproven.push(format!("topic {} was not read to its end", plan.topic));
        }
        if is_short {
            unproven.extend(inner.late(plan));
        }
        let is_all_read = unproven.is_empty();
        for (attempt, messages) in &findings.uncertain {
            unproven.push(format!(
                "the report of attempt {attempt:08x} does not list all that was not acknowledged: {messages} messages that are \
                 not there may have been"
            ));
        }
        if plan.expected.is_none() {
            unproven.push("how many messages were sent is not known (--no-expect)".to_owned());
        }
        let judgement = findings.judgement(is_all_read, !unproven.is_empty());
        Summary { findings, unproven, judgement }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn new(expected: Option<u64>, from: Beginning) -> Self {
        Self {
            received: Received::new(expected),
            partitions: BTreeMap::new(),
            from,
            skipped: 0,
            cut_short: None,
            is_read: false,
            latencies: Histogram::new_with_bounds(1, LONGEST_US, 3).ok(),
        }
    }

    /// Partitions of which earlier records may have been the run's, as reasons.
    fn late(&self, plan: &Plan) -> Vec<String> {
        let (mut deleted, mut passed_over) = (Vec::new(), Vec::new());
        for (partition, seen) in &self.partitions {
            let name = format!("{}[{partition}] at {}", plan.topic, seen.start);
            let is_after_start = |ms: i64| plan.started_ms.is_none_or(|started| ms > started);
            match self.from {
                Beginning::Time(ms) if seen.start > seen.earliest && is_after_start(ms) => passed_over.push(name),
                Beginning::Time(_) if seen.start > seen.earliest => {}
                // A record from before the run is still there: what was deleted is older.
                Beginning::BeforeRun => {}
                _ if seen.earliest > 0 && seen.first_ms.is_none_or(is_after_start) => deleted.push(name),
                _ => {}
            }
        }
        let reason = |names: Vec<String>, what: &str| (!names.is_empty()).then(|| format!("{}: {what}", shown(&names)));
        [
            reason(deleted, "the log starts later than the run, so what is missing may have been deleted"),
            reason(passed_over, "--from is later than the run's start, so what is missing may be before it"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn shown(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}
