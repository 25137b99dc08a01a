//! When a one-shot run ends, and how: from counts and clocks alone, so that each rule has its test.

use std::time::Duration;

use common::exit::Exit;
use common::verdict::Verdict;

use crate::tally::Counts;

/// A one-shot run that has reached no broker for this long gives up, even without `--timeout`.
const SILENCE: Duration = Duration::from_secs(120);

/// The limits of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// Stop after so many records.
    pub max_records: Option<u64>,
    /// Stop at the ends of the partitions.
    pub exit_at_end: bool,
    /// Stop after this time.
    pub timeout: Option<Duration>,
}

/// What a run has come to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Records flushed that count towards the limit.
    pub records: u64,
    /// Records that do not.
    pub passed: u64,
    /// Since the start.
    pub elapsed: Duration,
    /// Whether all partitions were read to the ends they had when they were assigned. False without any partition.
    pub at_end: bool,
    /// Whether partitions were ever assigned, if only to find that there are none for this member.
    pub assigned: bool,
    /// Whether a broker is believed to be reachable.
    pub contact: bool,
}

/// Why the limits end a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    /// All that was asked for was read.
    Done,
    /// The deadline passed, or no broker was there, with work undone: the caller knows the reason best.
    Overdue,
    /// No broker was reached.
    Unreachable,
    /// The partitions ended early.
    Short(Verdict),
}

impl Limits {
    /// Whether the run has an end of its own.
    pub fn is_one_shot(&self) -> bool {
        self.max_records.is_some() || self.exit_at_end
    }

    /// The reason to end, if there is one.
    pub fn reached(&self, progress: &Progress) -> Option<Reached> {
        if !self.is_one_shot() {
            return None;
        }
        if self.max_records.is_some_and(|limit| progress.records >= limit) {
            return Some(Reached::Done);
        }
        if self.exit_at_end && progress.at_end {
            return Some(match self.max_records {
                Some(limit) => Reached::Short(Verdict::new(
                    Exit::Incomplete,
                    format!("{}: the partitions have no more", shares(progress.records, limit, progress.passed)),
                )),
                None => Reached::Done,
            });
        }
        let overdue = self.timeout.is_some_and(|timeout| progress.elapsed >= timeout);
        let silent = !progress.assigned && progress.elapsed >= SILENCE;
        match (progress.contact, overdue, silent) {
            (false, true, _) | (false, _, true) => Some(Reached::Unreachable),
            (true, true, _) => Some(Reached::Overdue),
            _ => None,
        }
    }

    /// What was read of what was asked for: `0 of 5 records`.
    pub fn share(&self, counts: &Counts) -> String {
        match self.max_records {
            Some(limit) => shares(counts.shown(), limit, counts.passed),
            None => format!("{} records read, the end not reached", counts.records),
        }
    }
}

fn shares(records: u64, limit: u64, passed: u64) -> String {
    match passed {
        0 => format!("{records} of {limit} records read"),
        _ => format!("{records} of {limit} records shown, {} read", records + passed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: Progress = Progress {
        records: 5,
        passed: 0,
        elapsed: Duration::from_secs(1),
        at_end: false,
        assigned: true,
        contact: true,
    };

    #[test]
    fn an_endless_run_has_no_limit() {
        let late = Progress { elapsed: SILENCE * 10, contact: false, assigned: false, at_end: true, ..RUN };
        assert_eq!(Limits::default().reached(&late), None);
    }

    #[test]
    fn a_number_of_records_or_the_ends_end_a_run() {
        let five = Limits { max_records: Some(5), ..Limits::default() };
        assert_eq!(five.reached(&RUN), Some(Reached::Done));
        assert_eq!(
            five.reached(&Progress { records: 4, at_end: true, ..RUN }),
            None,
            "ends count only where asked for"
        );
        let ends = Limits { exit_at_end: true, ..Limits::default() };
        assert_eq!(ends.reached(&RUN), None);
        assert_eq!(ends.reached(&Progress { at_end: true, ..RUN }), Some(Reached::Done));
    }

    #[test]
    fn ends_that_come_before_the_number_are_a_shortfall() {
        let both = Limits { max_records: Some(6), exit_at_end: true, timeout: None };
        let Some(Reached::Short(verdict)) = both.reached(&Progress { at_end: true, ..RUN }) else { panic!("short") };
        assert_eq!(
            (verdict.exit, verdict.reason()),
            (Exit::Incomplete, "5 of 6 records read: the partitions have no more")
        );
        let picky = Progress { passed: 10, at_end: true, ..RUN };
        let Some(Reached::Short(verdict)) = both.reached(&picky) else { panic!("short") };
        assert_eq!(verdict.reason(), "5 of 6 records shown, 15 read: the partitions have no more");
    }

    #[test]
    fn a_deadline_ends_a_run_whatever_it_waits_for() {
        let limits = Limits { exit_at_end: true, timeout: Some(Duration::from_secs(1)), max_records: None };
        assert_eq!(limits.reached(&RUN), Some(Reached::Overdue));
        assert_eq!(limits.reached(&Progress { contact: false, ..RUN }), Some(Reached::Unreachable));
        assert_eq!(limits.reached(&Progress { at_end: true, ..RUN }), Some(Reached::Done), "done in time is done");
    }

    #[test]
    fn without_a_deadline_two_minutes_without_a_broker_end_a_run_that_never_began() {
        let limits = Limits { max_records: Some(9), ..Limits::default() };
        let away = Progress { contact: false, assigned: false, elapsed: SILENCE, ..RUN };
        assert_eq!(limits.reached(&away), Some(Reached::Unreachable));
        assert_eq!(limits.reached(&Progress { assigned: true, ..away }), None, "brokers come back");
        assert_eq!(limits.reached(&Progress { contact: true, ..away }), None);
    }
}
