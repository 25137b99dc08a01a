//! What was seen of a row: the numbers, and what of it must not be.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::terminal::grouped;

/// A row that has run.
#[derive(Default)]
pub struct Seen {
    /// The row's name.
    pub name: &'static str,
    /// What was done.
    pub what: &'static str,
    /// What is worth saying beside it: which broker, how many members.
    pub note: String,
    /// How long the fault lasted, repairs included.
    pub fault: Duration,
    /// Records on the topic; `None` where the row has no load.
    pub records: Option<u64>,
    /// Records that were logged.
    pub logged: u64,
    /// Records that were logged again.
    pub repeated: u64,
    /// The longest time from send to acknowledgement.
    pub acknowledged: Option<Duration>,
    /// The longest time without a record of a partition.
    pub gap: Option<Duration>,
    /// How long a member was not ready, at most.
    pub not_ready: Duration,
    /// How often a member's `/livez` was not 200.
    pub not_live: u64,
    /// Whether all members were ready at the end.
    pub ready_again: bool,
    /// By how many KiB a member's memory has grown at most.
    pub consumer_growth: Option<i64>,
    /// The same of the producer.
    pub producer_growth: Option<i64>,
    /// WARN and ERROR lines, by event.
    pub lines: BTreeMap<String, u64>,
    /// Of the producer's report: requested, delivered, failed, unsent.
    pub report: Option<[u64; 4]>,
    /// How the audit ended.
    pub audit: Option<i32>,
    /// What the audit said, where it did not end with 0.
    pub audit_said: String,
    /// Children that were started and have ended.
    pub ended: usize,
    /// What must not be.
    pub problems: Vec<String>,
    /// It did not come to its end: nobody knows in which state the brokers are.
    pub unfinished: bool,
}

impl Seen {
    /// One line for the terminal.
    pub fn line(&self) -> String {
        let cells = self.cells();
        let names = ["", "", "records", "again", "ack", "gap", "not ready", "memory", "lines", "audit"];
        let named = names.iter().zip(&cells).skip(2).filter(|(_, cell)| *cell != "-" && !cell.is_empty());
        let named: Vec<_> = named.map(|(name, cell)| format!("{name} {cell}")).collect();
        let fault = format!("fault {:.1} s", self.fault.as_secs_f64());
        let note = if self.note.is_empty() { String::new() } else { format!(" ({})", self.note) };
        format!("{fault}{note}; {}", named.join("; "))
    }

    /// The cells of the document's table.
    pub fn cells(&self) -> [String; 10] {
        let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
        let none = || "-".to_owned();
        let growth = |kib: Option<i64>| kib.map_or_else(none, |kib| format!("{:+.1}", kib as f64 / 1024.0));
        let with_load = self.records.is_some();
        let memory = match (self.consumer_growth, self.producer_growth) {
            (None, None) => none(),
            (consumer, producer) => format!("{} / {}", growth(consumer), growth(producer)),
        };
        let lines: Vec<_> = self.lines.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let what = if self.note.is_empty() { self.what.to_owned() } else { format!("{} ({})", self.what, self.note) };
        [
            self.name.to_owned(),
            what,
            self.records.map_or_else(none, grouped),
            if with_load { grouped(self.repeated) } else { none() },
            self.acknowledged.map_or_else(none, seconds),
            self.gap.map_or_else(none, seconds),
            if with_load { seconds(self.not_ready) } else { none() },
            memory,
            if lines.is_empty() { none() } else { lines.join(", ") },
            self.audit.map_or_else(none, |code| code.to_string()),
        ]
    }
}
