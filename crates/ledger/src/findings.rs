//! What is wrong with a run, each kind told apart, and the verdict on it.
//!
//! A record that came twice is written twice, wherever its second copy stands: it is not also out of order. So the findings do
//! not depend on which copy was read first, and no order of the partitions changes them.

use crate::Sent;
use crate::bitmap::{PIECE, bits};
use crate::places::{Place, Spot};
use crate::received::{Attempt, Received};

/// Places that are shown of each kind.
pub const SHOWN: usize = 20;

/// Faults of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// How many.
    pub count: u64,
    /// The first [`SHOWN`].
    pub first: Vec<T>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { count: 0, first: Vec::new() }
    }
}

impl<T> Found<T> {
    fn add(&mut self, place: T) {
        self.count += 1;
        if self.first.len() < SHOWN {
            self.first.push(place);
        }
    }
}

/// What is wrong with a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Messages of the run; `None` when nobody says.
    pub expected: Option<u64>,
    /// Records of the run.
    pub records: u64,
    /// Different messages of the run.
    pub distinct: u64,
    /// Processes that records came of.
    pub attempts: usize,
    /// Numbers that no attempt has, in ranges: first and last.
    pub missing: Found<(u64, u64)>,
    /// Messages that were acknowledged and are not there, whether or not another attempt's is.
    pub lost: Found<Place>,
    /// Records beyond the first of a message of one attempt; shown once for each message.
    pub written_twice: Found<Place>,
    /// Records of messages that another attempt has too: no fault.
    pub resent: u64,
    /// Messages that stand behind a higher one of the same attempt and partition.
    pub reordered: Found<Spot>,
    /// Records whose bytes are not those that were sent, or whose stamp cannot be.
    pub damaged: Found<Spot>,
    /// Records without a stamp.
    pub unchecked: u64,
    /// Records of other runs.
    pub other_records: u64,
    /// Attempts whose report is cut, and how many of their messages are not there and may have been acknowledged.
    pub uncertain: Vec<(u32, u64)>,
}

/// What the findings come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Every message is there, once, in order and whole.
    Proven,
    /// Something is wrong.
    Faulty,
    /// Nobody knows.
    Unproven,
}

impl Findings {
    /// The verdict. `is_all_read`: what is not there is nowhere. `has_doubts`: there are reasons not to be sure.
    pub fn judgement(&self, is_all_read: bool, has_doubts: bool) -> Judgement {
        let is_wrong =
            [self.written_twice.count, self.reordered.count, self.damaged.count].iter().any(|count| *count > 0);
        let is_short = self.missing.count > 0 || self.lost.count > 0;
        match (is_wrong, is_short) {
            (true, _) => Judgement::Faulty,
            (false, true) if is_all_read => Judgement::Faulty,
            (false, false) if is_all_read && !has_doubts => Judgement::Proven,
            _ => Judgement::Unproven,
        }
    }
}

impl Received {
    /// Compares what came with what was expected: so many messages by any attempt, and what each report says of its own.
    pub fn findings(&self, expected: Option<u64>, reports: &[Sent]) -> Findings {
        let mut findings = Findings {
            expected,
            records: self.records(),
            attempts: self.attempts().len(),
            unchecked: self.unstamped,
            other_records: self.others,
            ..Findings::default()
        };
        self.union(expected.unwrap_or(0), &mut findings);
        let came: u64 = self.attempts().iter().map(|attempt| attempt.came.len()).sum();
        findings.resent = came - findings.distinct;
        for report in reports {
            self.lost(report, &mut findings);
        }
        findings.lost.first.sort_unstable();
        findings.lost.first.truncate(SHOWN);
        self.written_twice(&mut findings);
        self.reordered(&mut findings);
        findings.damaged.count = self.damaged;
        findings.damaged.first = self.damaged_at.iter().take(SHOWN).collect();
        findings
    }

    /// Counts the numbers that any attempt has, and those below `expected` that none has.
    fn union(&self, expected: u64, findings: &mut Findings) {
        let highest = self.attempts().iter().map(|attempt| attempt.came.end()).max().unwrap_or(0);
        let (mut missing, mut open) = (Vec::new(), None::<(u64, u64)>);
        for piece in 0..expected.max(highest).div_ceil(PIECE) {
            if self.attempts().iter().any(|attempt| attempt.came.is_full(piece)) {
                findings.distinct += PIECE;
                continue;
            }
            for index in piece * (PIECE / 64)..(piece + 1) * (PIECE / 64) {
                let came = self.attempts().iter().fold(0, |word, attempt| word | attempt.came.word(index));
                findings.distinct += u64::from(came.count_ones());
                for bit in bits(!came & below(expected, index)) {
                    let number = index * 64 + bit;
                    findings.missing.count += 1;
                    match open {
                        Some((first, last)) if last + 1 == number => open = Some((first, number)),
                        _ => missing.extend(open.replace((number, number))),
                    }
                }
            }
            missing.truncate(SHOWN);
        }
        missing.extend(open);
        missing.truncate(SHOWN);
        findings.missing.first = missing;
    }

    /// What a process was told is written, and is not there.
    fn lost(&self, report: &Sent, findings: &mut Findings) {
        if report.delivered == 0 {
            return;
        }
        let nothing = Attempt::new(report.attempt);
        let came = &self.find(report.attempt).unwrap_or(&nothing).came;
        let end = report.share.end(report.requested);
        let mut absent = Found::default();
        for piece in (0..end.div_ceil(PIECE)).filter(|piece| !came.is_full(*piece)) {
            for index in piece * (PIECE / 64)..(piece + 1) * (PIECE / 64) {
                let absent_here = !came.word(index) & below(end, index);
                let is_listed = |first, last| report.unacknowledged.covers(first, last);
                if absent_here == 0 || is_listed(index * 64, index * 64 + 63) {
                    continue;
                }
                for seq in bits(absent_here).map(|bit| index * 64 + bit) {
                    if report.share.has(seq, report.requested) && !is_listed(seq, seq) {
                        absent.add(Place { seq, attempt: report.attempt });
                    }
                }
            }
        }
        // Of those that are not there, so many may be some that were not acknowledged and are not listed.
        let unlisted = report.unlisted();
        if unlisted > 0 && absent.count > 0 {
            findings.uncertain.push((report.attempt, absent.count.min(unlisted).min(report.delivered)));
            absent.first.clear();
        }
        findings.lost.count += absent.count.saturating_sub(unlisted);
        findings.lost.first.extend(absent.first);
    }

    fn written_twice(&self, findings: &mut Findings) {
        let found = &mut findings.written_twice;
        for attempt in self.attempts() {
            found.count += attempt.repeats;
            let places = attempt.twice.iter().take(SHOWN).map(|seq| Place { seq, attempt: attempt.number });
            found.first.extend(places);
        }
        found.first.sort_unstable();
        found.first.truncate(SHOWN);
    }

    fn reordered(&self, findings: &mut Findings) {
        let found = &mut findings.reordered;
        for attempt in self.attempts() {
            found.count += attempt.out_of_order.iter().filter(|seq| !attempt.twice.contains(*seq)).count() as u64;
        }
        let is_single = |spot: &Spot| {
            let message = spot.message.and_then(|(attempt, seq)| Some((self.find(attempt)?, seq)));
            message.is_some_and(|(attempt, seq)| !attempt.twice.contains(seq))
        };
        found.first = self.out_of_order_at.iter().filter(is_single).take(SHOWN).collect();
    }
}

/// The bits of a word, numbers from `64 * index` on, that stand for numbers below `end`.
fn below(end: u64, index: u64) -> u64 {
    match end.saturating_sub(index * 64) {
        0 => 0,
        count @ 1..64 => (1 << count) - 1,
        _ => u64::MAX,
    }
}
