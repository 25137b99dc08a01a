//! What the members of a group have logged: each record once, again or never, and how long each partition stood still.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;

/// Where the lines of all members of a group are counted.
#[derive(Clone, Default)]
pub struct Shared(Arc<Mutex<Logged>>);

impl Shared {
    /// The count, also after a thread that held it has failed.
    pub fn lock(&self) -> MutexGuard<'_, Logged> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record line, as far as it matters here.
#[derive(Deserialize)]
struct Line<'a> {
    partition: i32,
    offset: u64,
    #[serde(borrow)]
    run_id: Option<Cow<'a, str>>,
}

/// The count.
#[derive(Default)]
pub struct Logged {
    partitions: BTreeMap<i32, Partition>,
    distinct: u64,
    repeated: u64,
    broken: Option<String>,
    last: Option<Instant>,
    run: Option<String>,
}

#[derive(Default)]
struct Partition {
    seen: Vec<u64>,
    last: Option<Instant>,
    gap: Duration,
}

impl Logged {
    /// Takes one line of a member's stdout that came at this time.
    pub fn line(&mut self, text: &[u8], at: Instant) {
        let line: Line<'_> = match serde_json::from_slice(text) {
            Ok(line) => line,
            Err(error) => {
                self.broken.get_or_insert_with(|| format!("{error}: {}", String::from_utf8_lossy(text)));
                return;
            }
        };
        if self.run.is_some() && line.run_id.as_deref() != self.run.as_deref() {
            return;
        }
        self.last = Some(at);
        let partition = self.partitions.entry(line.partition).or_default();
        if !partition.mark(line.offset) {
            self.repeated += 1;
            return;
        }
        self.distinct += 1;
        if let Some(before) = partition.last.replace(at) {
            partition.gap = partition.gap.max(at.saturating_duration_since(before));
        }
    }

    /// Begins anew, with the records of one run alone: the topic is another one.
    pub fn follow(&mut self, run: &str) {
        *self = Self { run: Some(run.to_owned()), ..Self::default() };
    }

    /// Different records.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Lines that repeat a record.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The longest time without a new record of a partition that has had one, over all partitions.
    pub fn gap(&self) -> Duration {
        self.partitions.values().map(|partition| partition.gap).max().unwrap_or_default()
    }

    /// The first line that is no record line, and why.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// When the last line came.
    pub fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Partitions of which an offset was not logged although a later one was, and the first such offset.
    pub fn holes(&self) -> Vec<(i32, u64)> {
        let hole = |(number, partition): (&i32, &Partition)| partition.hole().map(|offset| (*number, offset));
        self.partitions.iter().filter_map(hole).collect()
    }
}

impl Partition {
    /// Whether the offset is new.
    fn mark(&mut self, offset: u64) -> bool {
        let (word, bit) = (usize::try_from(offset / 64).unwrap_or(usize::MAX), 1 << (offset % 64));
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    /// The first offset that was not logged although a later one was.
    fn hole(&self) -> Option<u64> {
        let has =
            |offset: u64| usize::try_from(offset / 64).is_ok_and(|word| self.seen[word] & (1 << (offset % 64)) != 0);
        let end = self.seen.len() as u64 * 64;
        let last = (0..end).rfind(|offset| has(*offset))?;
        (0..last).find(|offset| !has(*offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(partition: i32, offset: u64) -> Vec<u8> {
        format!(r#"{{"event":"record","partition":{partition},"offset":{offset},"seq":7}}"#).into_bytes()
    }

    #[test]
    fn repeats_holes_and_the_longest_gap_are_seen() {
        let mut logged = Logged::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (partition, offset, seconds) in [(0, 0, 0), (0, 1, 1), (1, 0, 1), (0, 1, 5), (0, 3, 9), (1, 1, 3)] {
            logged.line(&line(partition, offset), at(seconds));
        }
        assert_eq!((logged.distinct(), logged.repeated()), (5, 1));
        // A repeated record does not end a gap.
        assert_eq!(logged.gap(), Duration::from_secs(8));
        assert_eq!(logged.holes(), [(0, 2)]);
        assert_eq!(logged.broken(), None);
        logged.line(b"{\"partition\":0", at(9));
        assert!(logged.broken().is_some());
    }
}
