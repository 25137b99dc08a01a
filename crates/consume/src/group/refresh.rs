//! When the client looks at all topics again, because its group may not know one yet that is there.

use std::time::{Duration, Instant};

/// The first pause between two looks.
const FIRST: Duration = Duration::from_millis(250);
/// No look after a longer one: librdkafka looks by itself once a minute.
const LAST: Duration = Duration::from_secs(32);

/// Looks more and more rarely. One is not enough: a topic that has just been created is not known to every broker, and the next
/// look may ask one that does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    due: Instant,
    pause: Duration,
}

impl Refresh {
    /// The first look is due now.
    pub const fn begin(now: Instant) -> Self {
        Self { due: now, pause: FIRST }
    }

    /// Whether a look is due.
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// What follows a look: `None` when it was the last one. One that had no answer does not count.
    pub fn looked(self, now: Instant, was_answered: bool) -> Option<Self> {
        let pause = if was_answered { self.pause * 2 } else { self.pause };
        (self.pause <= LAST).then_some(Self { due: now + self.pause, pause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_become_rarer_and_end_within_about_a_minute() {
        let began = Instant::now();
        let mut next = Some(Refresh::begin(began));
        let mut looks = Vec::new();
        while let Some(refresh) = next {
            assert!(refresh.is_due(refresh.due) && !refresh.is_due(refresh.due - Duration::from_millis(1)));
            looks.push((refresh.due - began).as_millis());
            next = refresh.looked(refresh.due, true);
        }
        assert_eq!(looks, [0, 250, 750, 1750, 3750, 7750, 15_750, 31_750, 63_750]);
    }

    #[test]
    fn a_look_without_an_answer_is_made_again() {
        let began = Instant::now();
        let again = Refresh::begin(began).looked(began, false);
        assert_eq!(again, Some(Refresh { due: began + FIRST, pause: FIRST }));
    }
}
