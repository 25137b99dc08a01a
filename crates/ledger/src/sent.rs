//! What was sent, by the report of one process.

use crate::Ranges;

/// Which messages of a run are a process's: numbers `index`, `index + count`, `index + 2 * count`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub index: u64,
    /// How many processes there are, 1 or more.
    pub count: u64,
}

impl Share {
    /// All messages.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// How many of `total` messages are this process's.
    pub fn of(self, total: u64) -> u64 {
        (total + self.count - 1 - self.index) / self.count
    }

    /// The number in the whole run of this process's message number `nth`.
    pub fn sequence(self, nth: u64) -> u64 {
        self.index + nth * self.count
    }

    /// What [`sequence`](Self::sequence) made this number of.
    pub fn nth(self, sequence: u64) -> u64 {
        sequence.saturating_sub(self.index) / self.count
    }

    /// Whether the message is among the share's first `messages`.
    pub fn has(self, seq: u64, messages: u64) -> bool {
        seq >= self.index && (seq - self.index).is_multiple_of(self.count) && self.nth(seq) < messages
    }

    /// The number behind the share's first `messages`: all of them are below it.
    pub fn end(self, messages: u64) -> u64 {
        match messages {
            0 => 0,
            messages => (messages - 1).saturating_mul(self.count).saturating_add(self.index).saturating_add(1),
        }
    }
}

/// What one process says of its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The process.
    pub attempt: u32,
    /// Its part of the run.
    pub share: Share,
    /// Messages it was to send.
    pub requested: u64,
    /// Messages acknowledged.
    pub delivered: u64,
    /// Numbers of messages that were not, as far as they are listed: of a range, those of the share.
    pub unacknowledged: Ranges,
}

impl Sent {
    /// How many messages that were not acknowledged are not listed.
    pub fn unlisted(&self) -> u64 {
        let listed: u64 = self.unacknowledged.iter().map(|(first, last)| self.of_share(first, last)).sum();
        self.requested.saturating_sub(self.delivered).saturating_sub(listed)
    }

    /// How many numbers from `first` to `last` are the process's.
    fn of_share(&self, first: u64, last: u64) -> u64 {
        let Share { index, count } = self.share;
        let below = |number: u64| number.saturating_sub(index).div_ceil(count).min(self.requested);
        below(last.saturating_add(1)) - below(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_without_gap_or_overlap() {
        for (total, count) in [(0, 1), (1, 3), (20, 6), (1000, 7), (5, 8)] {
            let mut seen = vec![0; total as usize];
            for index in 0..count {
                let share = Share { index, count };
                for nth in 0..share.of(total) {
                    seen[share.sequence(nth) as usize] += 1;
                    assert_eq!(share.nth(share.sequence(nth)), nth);
                }
            }
            assert!(seen.iter().all(|times| *times == 1), "{total} over {count}: {seen:?}");
        }
    }

    #[test]
    fn a_share_knows_its_numbers() {
        let share = Share { index: 1, count: 3 };
        let own: Vec<u64> = (0..20).filter(|seq| share.has(*seq, 4)).collect();
        assert_eq!(own, [1, 4, 7, 10]);
        assert_eq!((share.end(4), share.end(0), Share::WHOLE.end(20)), (11, 0, 20));
    }

    #[test]
    fn what_is_not_listed_is_counted() {
        let share = Share { index: 1, count: 3 };
        let unacknowledged = Ranges::from_iter([(4, 7), (10, 10)]);
        let mut sent = Sent { attempt: 1, share, requested: 4, delivered: 1, unacknowledged };
        assert_eq!(sent.unlisted(), 0);
        sent.unacknowledged = Ranges::from_iter([(0, 1)]);
        assert_eq!(sent.unlisted(), 2);
        sent.unacknowledged = Ranges::from_iter([(0, 100)]);
        assert_eq!(sent.unlisted(), 0);
    }
}
