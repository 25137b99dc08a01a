//! Where each partition stands, and the last rebalances: for people who look at one process. Written at each flush and at
//! rebalances, never for a record; read by whoever shows it, at any moment.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prometheus::IntCounter;

/// Rebalances that are kept.
const REBALANCES: usize = 10;

/// A change of the assignment, as its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebalanceKind {
    /// Partitions were assigned.
    Assign,
    /// Partitions were revoked, in order.
    Revoke,
    /// Partitions had gone before this process could commit.
    Lost,
}

impl RebalanceKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Assign, Self::Revoke, Self::Lost];

    /// The label's value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Revoke => "revoke",
            Self::Lost => "lost",
        }
    }
}

/// The partitions of this process and its last rebalances.
#[derive(Debug, Default)]
pub struct Board(Mutex<Posted>);

#[derive(Debug, Default)]
struct Posted {
    partitions: Vec<Arc<Standing>>,
    rebalances: VecDeque<Rebalance>,
}

/// Where a partition stands.
#[derive(Debug)]
pub struct Standing {
    /// The topic's name.
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset after the last record that the sink has kept; negative while unknown.
    next: AtomicI64,
    records: IntCounter,
}

/// A change of the assignment by the group.
#[derive(Clone, Copy, Debug)]
pub struct Rebalance {
    /// When.
    pub at: SystemTime,
    /// What happened to the partitions.
    pub kind: RebalanceKind,
    /// How many it happened to.
    pub partitions: usize,
    /// How many were assigned afterwards.
    pub assigned: usize,
}

impl Standing {
    /// The offset after the last record that the sink has kept, or of the first one to read; `None` while unknown.
    pub fn next(&self) -> Option<i64> {
        Some(self.next.load(Ordering::Relaxed)).filter(|offset| *offset >= 0)
    }

    /// Records that the sink has kept since the partition was assigned.
    pub fn records(&self) -> u64 {
        self.records.get()
    }

    /// Everything before this offset is kept.
    pub(crate) fn set(&self, next: i64) {
        self.next.store(next, Ordering::Relaxed);
    }
}

impl Board {
    /// The partitions assigned now.
    pub fn partitions(&self) -> Vec<Arc<Standing>> {
        self.posted().partitions.clone()
    }

    /// The last rebalances, the latest first.
    pub fn rebalances(&self) -> Vec<Rebalance> {
        self.posted().rebalances.iter().copied().collect()
    }

    /// A partition was assigned, to be read from this offset.
    pub(crate) fn add(&self, topic: &str, partition: i32, next: i64, records: IntCounter) -> Arc<Standing> {
        let standing = Arc::new(Standing { topic: topic.to_owned(), partition, next: AtomicI64::new(next), records });
        self.posted().partitions.push(Arc::clone(&standing));
        standing
    }

    /// A partition was revoked.
    pub(crate) fn remove(&self, topic: &str, partition: i32) {
        self.posted().partitions.retain(|standing| standing.partition != partition || standing.topic != topic);
    }

    /// The assignment changed.
    pub(crate) fn rebalanced(&self, kind: RebalanceKind, partitions: usize, assigned: usize) {
        let mut posted = self.posted();
        posted.rebalances.truncate(REBALANCES - 1);
        posted.rebalances.push_front(Rebalance { at: SystemTime::now(), kind, partitions, assigned });
    }

    fn posted(&self) -> MutexGuard<'_, Posted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn the_last_ten_rebalances_are_kept_the_latest_first() {
        let board = Board::default();
        for assigned in 0..25 {
            board.rebalanced(RebalanceKind::Assign, 1, assigned);
        }
        let assigned: Vec<usize> = board.rebalances().iter().map(|rebalance| rebalance.assigned).collect();
        assert_eq!(assigned, (15..25).rev().collect::<Vec<_>>());
    }

    #[test]
    fn a_partition_is_shown_from_its_assignment_to_its_revocation() {
        let board = Board::default();
        let records = IntCounter::new("records_total", "Records").unwrap();
        let standing = board.add("a", 1, -1, records.clone());
        board.add("b", 1, 7, records.clone());
        assert_eq!(standing.next(), None, "an offset that is not known is not guessed");
        standing.set(5);
        records.inc_by(3);
        let shown = board.partitions();
        assert_eq!((shown[0].next(), shown[0].records(), shown[1].next()), (Some(5), 3, Some(7)));
        board.remove("a", 1);
        assert_eq!(board.partitions().iter().map(|standing| standing.topic.as_str()).collect::<Vec<_>>(), ["b"]);
    }
}
