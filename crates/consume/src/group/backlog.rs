//! Whether a backlog has just been worked off, so that the memory of its records can be given back.

/// From so many waiting records on it is a backlog: a queue that keeps up has fewer.
const DEEP: i64 = 5_000;
/// It is worked off when fewer wait than this.
const SHALLOW: i64 = 500;

/// Looks at each emission of the statistics.
#[derive(Default)]
pub(crate) struct Backlog {
    is_deep: bool,
}

impl Backlog {
    /// So many records wait to be polled. `true` once when a backlog has been worked off.
    pub const fn is_worked_off(&mut self, waiting: i64) -> bool {
        if waiting >= DEEP {
            self.is_deep = true;
        }
        let is_worked_off = self.is_deep && waiting < SHALLOW;
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
        let mut backlog = Backlog::default();
        let seen: Vec<bool> =
            [0, 400, 4_999, 0, 5_000, 20_000, 500, 499, 0].map(|waiting| backlog.is_worked_off(waiting)).into();
        assert_eq!(seen, [false, false, false, false, false, false, false, true, false]);
    }
}
