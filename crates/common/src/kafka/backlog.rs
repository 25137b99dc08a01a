//! Gives memory back after a backlog: what waited for brokers, or for who reads the records, has made the heap grow.

use super::native;

/// From so many waiting messages on it is a backlog: a queue that keeps up has fewer.
const DEEP: u64 = 5_000;
/// It is worked off when fewer wait than this.
const SHALLOW: u64 = 500;

/// Looks at a queue now and then.
pub struct Backlog {
    /// A backlog is worked off when so many looks in a row find few messages.
    patience: u32,
    is_deep: bool,
    shallow: u32,
}

impl Backlog {
    /// So many looks in a row have to find few messages: a queue at full speed is almost empty for a moment now and then.
    pub const fn new(patience: u32) -> Self {
        Self { patience, is_deep: false, shallow: 0 }
    }

    /// So many messages wait. Gives memory back when a backlog has been worked off; else it costs nothing.
    pub fn look(&mut self, waiting: u64) {
        if self.is_worked_off(waiting) {
            native::release_memory();
        }
    }

    const fn is_worked_off(&mut self, waiting: u64) -> bool {
        if waiting >= DEEP {
            self.is_deep = true;
        }
        self.shallow = if waiting < SHALLOW { self.shallow + 1 } else { 0 };
        let is_worked_off = self.is_deep && self.shallow >= self.patience;
        if is_worked_off {
            self.is_deep = false;
        }
        is_worked_off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_is_worked_off_once_and_a_shallow_queue_is_none() {
        let mut backlog = Backlog::new(1);
        let waiting = [0, 400, 4_999, 0, 5_000, 20_000, 500, 499, 0];
        let seen = waiting.map(|waiting| backlog.is_worked_off(waiting));
        assert_eq!(seen, [false, false, false, false, false, false, false, true, false]);
    }

    #[test]
    fn a_moment_without_messages_is_not_the_end_of_a_backlog() {
        let mut backlog = Backlog::new(3);
        let seen = [9_000, 0, 0, 800, 0, 0, 0, 0].map(|waiting| backlog.is_worked_off(waiting));
        assert_eq!(seen, [false, false, false, false, false, false, true, false]);
    }
}
