//! Whether the group has told this member its part, be it that it has none.

use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::native::{GroupAnswer, generation};
use common::verdict::Verdict;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::context::Context;

/// A member's partitions come right after its admission: with none after this time it has none for now.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two questions about the group, while this member has no partitions.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Watches a member that has no partitions. With KIP-848 an assignment that stays empty is no rebalance, and a classic
/// cooperative group hands out an empty list first: only the coordinator's own word tells that there are none.
#[derive(Default)]
pub(crate) struct Membership {
    joined: bool,
    admitted: Option<Instant>,
    asked: Option<Instant>,
    /// The last question has no answer yet: while the coordinator is away it waits for it.
    is_waiting: bool,
    /// Since when the coordinator has said that this member has nothing in a stable group.
    idle: Option<Instant>,
    alone: bool,
}

impl Membership {
    /// Whether this member has been told its part.
    pub const fn has_joined(&self) -> bool {
        self.joined
    }

    /// Partitions were assigned, or the statistics say that the member is steady.
    pub fn join(&mut self) {
        self.joined = true;
    }

    /// The group has gone on without this member.
    pub fn lost(&mut self) {
        *self = Self { is_waiting: self.is_waiting, ..Self::default() };
    }

    /// Looks whether the group has admitted this member a while ago. `true`: ask the coordinator about the group.
    pub fn tend(&mut self, consumer: &BaseConsumer<Context>, has_partitions: bool, now: Instant) -> bool {
        if has_partitions {
            (self.admitted, self.idle, self.alone) = (None, None, false);
            return false;
        }
        if generation(consumer.client()) <= 0 {
            (self.admitted, self.idle) = (None, None);
            return false;
        }
        let admitted = *self.admitted.get_or_insert(now);
        if now.saturating_duration_since(admitted) >= PATIENCE {
            self.joined = true;
        }
        let due = !self.is_waiting && self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= ASK_EVERY);
        if due {
            self.asked = Some(now);
            self.is_waiting = true;
        }
        due
    }

    /// The question has an answer, or has failed.
    pub const fn heard(&mut self) {
        self.is_waiting = false;
    }

    /// The coordinator's answer.
    pub fn answered(&mut self, answer: &GroupAnswer, now: Instant) {
        if answer.is_stable && answer.own_partitions == Some(0) {
            self.idle.get_or_insert(now);
            self.alone = answer.members == 1;
        } else {
            self.idle = None;
        }
    }

    /// Whether this is the only member of a stable group, and has nothing: nothing matches what it subscribed to.
    pub fn matches_nothing(&self, now: Instant) -> bool {
        self.alone && self.is_idle(now)
    }

    /// The verdict on a one-shot run that has no share of the partitions.
    pub fn no_share(&self, group: &str, now: Instant) -> Option<Verdict> {
        self.is_idle(now).then(|| {
            Verdict::new(
                Exit::Incomplete,
                format!(
                    "group {group} assigned no partition to this member: other members have them all; \
                     use another --group, or --partitions to read without one"
                ),
            )
        })
    }

    fn is_idle(&self, now: Instant) -> bool {
        self.idle.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE)
    }
}
