//! Numbers in ranges: what was not acknowledged is mostly a few long stretches, and a report has room for some of them.

use std::collections::BTreeMap;

/// More ranges than this are not kept: a report shows far fewer.
const MOST: usize = 4096;

/// Numbers as ranges that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// The last number of a range by its first.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds a number. One that would be a range too many is left out.
    pub fn insert(&mut self, number: u64) {
        self.insert_range(number, number);
    }

    /// Adds all numbers from `first` to `last`.
    pub fn insert_range(&mut self, mut first: u64, mut last: u64) {
        // Those that overlap it, or touch it.
        while let Some((from, to)) = self.touching(first, last) {
            (first, last) = (first.min(from), last.max(to));
            self.ranges.remove(&from);
        }
        if self.ranges.len() < MOST {
            self.ranges.insert(first, last);
        }
    }

    fn touching(&self, first: u64, last: u64) -> Option<(u64, u64)> {
        let (from, to) = self.ranges.range(..=last.saturating_add(1)).next_back()?;
        (to.saturating_add(1) >= first).then_some((*from, *to))
    }

    /// How many numbers there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// First and last number of each range, the lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// The first ranges, and whether there are more of them.
    pub fn first(&self, most: usize) -> (Vec<(u64, u64)>, bool) {
        (self.iter().take(most).collect(), self.ranges.len() > most)
    }

    /// Whether all numbers from `first` to `last` are there.
    pub fn covers(&self, first: u64, last: u64) -> bool {
        self.ranges.range(..=first).next_back().is_some_and(|(_, end)| *end >= last)
    }
}

impl FromIterator<(u64, u64)> for Ranges {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(iter: T) -> Self {
        let mut ranges = Self::default();
        iter.into_iter().for_each(|(first, last)| ranges.insert_range(first, last));
        ranges
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ranges_that_touch_become_one() {
        let mut ranges = Ranges::default();
        for number in [5, 3, 1, 4, 9, u64::MAX, 5] {
            ranges.insert(number);
        }
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(1, 1), (3, 5), (9, 9), (u64::MAX, u64::MAX)]);
        ranges.insert_range(2, 8);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(1, 9), (u64::MAX, u64::MAX)]);
        assert!(ranges.covers(1, 9) && ranges.covers(4, 4) && !ranges.covers(1, 10) && !ranges.covers(0, 0));
    }

    #[test]
    fn they_hold_what_was_put_in_in_any_order() {
        let mut rng = fastrand::Rng::with_seed(7);
        for round in 0..500 {
            let (mut ranges, mut numbers) = (Ranges::default(), BTreeSet::new());
            for _ in 0..rng.u64(0..60) {
                let first = rng.u64(0..200);
                let last = first + rng.u64(0..10);
                ranges.insert_range(first, last);
                numbers.extend(first..=last);
            }
            let held: Vec<u64> = ranges.iter().flat_map(|(first, last)| first..=last).collect();
            assert_eq!(held, numbers.iter().copied().collect::<Vec<_>>(), "round {round}");
            assert_eq!(ranges.count(), numbers.len() as u64, "round {round}");
            let apart = ranges.iter().zip(ranges.iter().skip(1)).all(|(one, next)| one.1 + 1 < next.0);
            assert!(apart, "round {round}: {ranges:?}");
        }
    }

    #[test]
    fn there_is_an_end_to_what_is_kept() {
        let mut ranges = Ranges::default();
        (0..100_000).for_each(|number| ranges.insert(2 * number));
        assert_eq!(ranges.count(), MOST as u64);
        // What closes a gap needs no room.
        ranges.insert(1);
        assert_eq!(ranges.count(), MOST as u64 + 1);
    }
}
