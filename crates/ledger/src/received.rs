//! What was read of a topic, record by record: for each attempt which numbers came, which of them twice, and which out of order.

use std::collections::{BTreeSet, HashMap};

use crate::bitmap::Bitmap;
use crate::places::Spot;
use crate::{MOST_MESSAGES, Mark};

/// Places that are kept of records out of order: some of them may turn out to be records that were written twice.
const KEPT: usize = 1000;

/// The records of one run, and how many others there were.
pub struct Received {
    /// Numbers of the run are below this.
    limit: u64,
    records: u64,
    pub(crate) others: u64,
    pub(crate) unstamped: u64,
    pub(crate) damaged: u64,
    pub(crate) damaged_at: Spots,
    pub(crate) out_of_order_at: Spots,
    attempts: Vec<Attempt>,
    by_number: HashMap<u32, usize>,
    /// Records come in runs of one attempt.
    last: usize,
}

/// What one process sent.
pub(crate) struct Attempt {
    pub number: u32,
    pub came: Bitmap,
    /// Those that came more than once, and how many records that were in all.
    pub twice: Bitmap,
    pub repeats: u64,
    /// Those that came behind a higher one of their partition.
    pub out_of_order: Bitmap,
    /// The highest number of each partition.
    highest: HashMap<i32, u64>,
}

/// The first places, by partition and offset.
#[derive(Default)]
pub(crate) struct Spots(BTreeSet<Spot>);

impl Spots {
    fn keep(&mut self, spot: Spot) {
        self.0.insert(spot);
        if self.0.len() > KEPT {
            self.0.pop_last();
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Spot> {
        self.0.iter().copied()
    }
}

impl Received {
    /// Nothing yet of a run of so many messages, where that is known. A higher number is one that cannot be.
    pub fn new(expected: Option<u64>) -> Self {
        Self {
            limit: expected.unwrap_or(MOST_MESSAGES).min(MOST_MESSAGES),
            records: 0,
            others: 0,
            unstamped: 0,
            damaged: 0,
            damaged_at: Spots::default(),
            out_of_order_at: Spots::default(),
            attempts: Vec::new(),
            by_number: HashMap::new(),
            last: 0,
        }
    }

    /// Takes a record. Those of one partition come in the order of their offsets.
    pub fn note(&mut self, partition: i32, offset: i64, mark: Mark) {
        match mark {
            Mark::Other => self.others += 1,
            Mark::Unstamped => self.unstamped += 1,
            Mark::Unreadable => {
                self.records += 1;
                self.damage(Spot { partition, offset, message: None });
            }
            Mark::Message { attempt, seq, is_whole } => {
                self.records += 1;
                let spot = Spot { partition, offset, message: Some((attempt, seq)) };
                if !is_whole || seq >= self.limit {
                    self.damage(spot);
                }
                if seq < self.limit && self.attempt(attempt).note(partition, seq) {
                    self.out_of_order_at.keep(spot);
                }
            }
        }
    }

    /// Records of the run that came.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The attempts that records came of.
    pub(crate) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// An attempt by its number.
    pub(crate) fn find(&self, number: u32) -> Option<&Attempt> {
        self.attempts.get(*self.by_number.get(&number)?)
    }

    fn damage(&mut self, spot: Spot) {
        self.damaged += 1;
        self.damaged_at.keep(spot);
    }

    fn attempt(&mut self, number: u32) -> &mut Attempt {
        if self.attempts.get(self.last).is_none_or(|attempt| attempt.number != number) {
            self.last = *self.by_number.entry(number).or_insert_with(|| {
                self.attempts.push(Attempt::new(number));
                self.attempts.len() - 1
            });
        }
        &mut self.attempts[self.last]
    }
}

impl Attempt {
    /// Nothing came of it yet.
    pub fn new(number: u32) -> Self {
        Self {
            number,
            came: Bitmap::default(),
            twice: Bitmap::default(),
            repeats: 0,
            out_of_order: Bitmap::default(),
            highest: HashMap::new(),
        }
    }

    /// Takes a number; `true` when a higher one of its partition came before it.
    fn note(&mut self, partition: i32, seq: u64) -> bool {
        if !self.came.insert(seq) {
            self.twice.insert(seq);
            self.repeats += 1;
        }
        let highest = self.highest.entry(partition).or_insert(seq);
        let is_late = seq < *highest;
        *highest = seq.max(*highest);
        if is_late {
            self.out_of_order.insert(seq);
        }
        is_late
    }
}
