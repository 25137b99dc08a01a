//! Where partitions start and end: what has to be asked before they are assigned to the client, without holding the loop up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::error::{Class, class, with_hint};
use common::kafka::native::{Answer, Isolation, Questions, TopicPartition};
use common::verdict::Verdict;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::Offset;

use super::context::Context;
use super::partitions::NONE;
use crate::settings::{Reset, Settings, Start, Subscription, Until};

/// Before a question is asked again that was not answered.
const AGAIN: Duration = Duration::from_millis(250);
/// The specs of ListOffsets.
const EARLIEST: i64 = -2;
const LATEST: i64 = -1;

/// A question about the offsets of partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Where a one-shot run ends, as its isolation level has it.
    Ends,
    /// The high watermarks.
    Highest,
    /// The starts of the logs.
    Earliest,
    /// The first records at or after the time given.
    Times,
    /// What the group has committed.
    Committed,
    /// The first records at or after the time to stop at.
    Until,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Ends, Self::Highest, Self::Earliest, Self::Times, Self::Committed, Self::Until];

    const fn what(self) -> &'static str {
        match self {
            Self::Ends | Self::Highest => "the end offset",
            Self::Earliest => "the earliest offset",
            Self::Times | Self::Until => "the offset at the time given",
            Self::Committed => "the committed offset",
        }
    }
}

enum Need {
    No,
    /// To be asked at this time.
    Due(Instant),
    Asked,
    Got(HashMap<TopicPartition, i64>),
}

/// Why the offsets are asked for.
pub(crate) enum Purpose {
    /// The partitions are to be assigned to the client.
    Assign,
    /// The partitions are assigned, and do not have the offset to read next.
    Reset(HashMap<TopicPartition, i64>),
}

/// Where a partition starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub place: TopicPartition,
    pub start: Offset,
    /// What the group has committed; negative when nothing, or unknown.
    pub committed: i64,
    /// Where a one-shot run ends.
    pub end: Option<i64>,
}

/// Partitions whose offsets are asked for.
pub(crate) struct Placement {
    pub id: usize,
    pub partitions: Vec<TopicPartition>,
    pub purpose: Purpose,
    needs: [Need; Kind::ALL.len()],
    /// Why the last question was not answered.
    trouble: Option<String>,
}

impl Placement {
    /// Partitions to be assigned. `is_first`: only the first assignment starts where the run was told to; what is assigned
    /// later was read by another member.
    pub fn assign(
        id: usize,
        partitions: Vec<TopicPartition>,
        settings: &Settings,
        is_first: bool,
        now: Instant,
    ) -> Self {
        let start = if is_first { settings.from } else { Start::Committed };
        let needed = |kind: Kind| match kind {
            Kind::Ends => settings.exit_at_end || matches!(start, Start::Tail(_)),
            Kind::Highest => matches!(start, Start::Offset(_)),
            // Outside of a group it is told how much of the log was passed over.
            Kind::Earliest => matches!(start, Start::Offset(_) | Start::Tail(_)) || !settings.subscription.is_group(),
            Kind::Times => matches!(start, Start::Time(_)),
            Kind::Committed => settings.subscription.is_group() && start == Start::Committed,
            Kind::Until => matches!(settings.until, Some(Until::Time(_))),
        };
        Self::new(id, partitions, Purpose::Assign, needed, now)
    }

    /// Partitions that do not have these offsets.
    pub fn reset(id: usize, offsets: HashMap<TopicPartition, i64>, now: Instant) -> Self {
        let partitions = offsets.keys().cloned().collect();
        let needed = |kind: Kind| matches!(kind, Kind::Highest | Kind::Earliest);
        Self::new(id, partitions, Purpose::Reset(offsets), needed, now)
    }

    fn new(
        id: usize,
        partitions: Vec<TopicPartition>,
        purpose: Purpose,
        needed: impl Fn(Kind) -> bool,
        now: Instant,
    ) -> Self {
        let is_empty = partitions.is_empty();
        let needs = Kind::ALL.map(|kind| if needed(kind) && !is_empty { Need::Due(now) } else { Need::No });
        Self { id, partitions, purpose, needs, trouble: None }
    }

    /// Asks what is due.
    ///
    /// # Errors
    /// When librdkafka cannot make a list of the partitions.
    pub fn ask(&mut self, questions: &Questions<Context>, settings: &Settings, now: Instant) -> KafkaResult<()> {
        for kind in Kind::ALL {
            let need = &mut self.needs[kind as usize];
            if !matches!(need, Need::Due(when) if *when <= now) {
                continue;
            }
            *need = Need::Asked;
            let token = self.id * Kind::ALL.len() + kind as usize;
            let isolation = if kind == Kind::Ends { settings.isolation } else { Isolation::ReadUncommitted };
            match (spec(kind, settings), &settings.subscription) {
                (Some(spec), _) => questions.offsets(token, &self.partitions, spec, isolation)?,
                (None, Subscription::Group { group, .. }) => questions.committed(token, group, &self.partitions)?,
                (None, Subscription::Partitions { .. }) => {}
            }
        }
        Ok(())
    }

    /// Takes an answer.
    ///
    /// # Errors
    /// The broker refuses to answer.
    pub fn answered(&mut self, kind: Kind, answer: Answer, now: Instant) -> Result<(), Verdict> {
        let need = &mut self.needs[kind as usize];
        *need = Need::Due(now + AGAIN);
        let entries = match answer {
            Answer::Offsets(entries) => entries,
            Answer::Failed(code, reason) => {
                let places = shown(&self.partitions);
                self.trouble = Some(format!("{} of {places}: {code} {reason}", kind.what()).trim_end().to_owned());
                return refusal(code, kind, &places);
            }
            Answer::Topics(_) | Answer::Cluster(_) | Answer::Group(_) => return Ok(()),
        };
        let mut offsets = HashMap::with_capacity(entries.len());
        for (place, offset) in entries {
            match offset {
                Ok(offset) => drop(offsets.insert(place, offset)),
                Err(code) => {
                    self.trouble = Some(match code {
                        RDKafkaErrorCode::LeaderNotAvailable
                        | RDKafkaErrorCode::NotLeaderForPartition
                        | RDKafkaErrorCode::UnknownPartition => {
                            format!("{} of {place} is not known: the partition has no leader", kind.what())
                        }
                        RDKafkaErrorCode::OperationTimedOut => {
                            format!("{} of {place} is not known: its leader does not answer", kind.what())
                        }
                        code => format!("{} of {place} is not known: {code}", kind.what()),
                    });
                    return refusal(code, kind, &place.to_string());
                }
            }
        }
        if let Some(place) = self.partitions.iter().find(|place| !offsets.contains_key(place)) {
            self.trouble = Some(format!("{} of {place} is not known: no answer names it", kind.what()));
            return Ok(());
        }
        *need = Need::Got(offsets);
        self.trouble = None;
        Ok(())
    }

    /// Whether everything was answered.
    pub fn is_complete(&self) -> bool {
        self.needs.iter().all(|need| matches!(need, Need::No | Need::Got(_)))
    }

    /// What is still waited for.
    pub fn waiting_for(&self) -> Option<String> {
        self.trouble.clone()
    }

    /// The offset that was asked for; `None` when it was not.
    pub fn offset(&self, kind: Kind, place: &TopicPartition) -> Option<i64> {
        match &self.needs[kind as usize] {
            Need::Got(offsets) => offsets.get(place).copied(),
            _ => None,
        }
    }

    /// Where each partition starts and ends.
    ///
    /// # Errors
    /// A partition does not have the offset to start at.
    pub fn placed(&self, settings: &Settings, is_first: bool) -> Result<Vec<Placed>, Verdict> {
        let start = if is_first { settings.from } else { Start::Committed };
        self.partitions.iter().map(|place| self.place(place, start, settings)).collect()
    }

    fn place(&self, place: &TopicPartition, start: Start, settings: &Settings) -> Result<Placed, Verdict> {
        if let Some(position) = settings.positions.get(&place.partition) {
            let (start, end) = (Offset::Offset(*position), self.end(place, settings));
            return Ok(Placed { place: place.clone(), start, committed: NONE, end });
        }
        let committed = self.offset(Kind::Committed, place).filter(|offset| *offset >= 0).unwrap_or(NONE);
        let start = match start {
            Start::Earliest => Offset::Beginning,
            Start::Latest => Offset::End,
            Start::Tail(count) => {
                let first = self.offset(Kind::Earliest, place).unwrap_or(0);
                let end = self.offset(Kind::Ends, place).unwrap_or(first);
                Offset::Offset(end.saturating_sub_unsigned(count).max(first))
            }
            Start::Time(_) => match self.offset(Kind::Times, place) {
                Some(offset) if offset >= 0 => Offset::Offset(offset),
                _ => Offset::End,
            },
            Start::Offset(offset) => {
                let first = self.offset(Kind::Earliest, place).unwrap_or(0);
                let last = self.offset(Kind::Highest, place).unwrap_or(i64::MAX);
                if !(first..=last).contains(&offset) {
                    return Err(Verdict::new(
                        Exit::Refused,
                        format!(
                            "offset {offset} is not in {place} ({first} to {last}): choose one of these or --from earliest"
                        ),
                    ));
                }
                Offset::Offset(offset)
            }
            Start::Committed if committed >= 0 => Offset::Offset(committed),
            Start::Committed => match (settings.subscription.is_group(), settings.reset) {
                (false, _) | (_, Reset::Earliest) => Offset::Beginning,
                (_, Reset::Latest) => Offset::End,
                (_, Reset::Error) => {
                    return Err(Verdict::new(
                        Exit::Refused,
                        format!(
                            "the group has no committed offset of {place}, and auto.offset.reset is error: \
                             use --from earliest, or commit one"
                        ),
                    ));
                }
            },
        };
        Ok(Placed { place: place.clone(), start, committed, end: self.end(place, settings) })
    }

    /// Where a one-shot run ends: never beyond the end of now, as what comes later may never come.
    fn end(&self, place: &TopicPartition, settings: &Settings) -> Option<i64> {
        let end = self.offset(Kind::Ends, place).filter(|_| settings.exit_at_end)?;
        let until = match settings.until {
            None => None,
            Some(Until::Offset(offset)) => Some(offset),
            // Negative: no record is that late.
            Some(Until::Time(_)) => self.offset(Kind::Until, place).filter(|offset| *offset >= 0),
        };
        Some(until.map_or(end, |until| until.min(end)))
    }
}

/// Where a partition without the offset to read next goes on, and how many records it has lost to retention. A negative `old` is no
/// offset but a place, as librdkafka numbers them: the end, or the beginning that it could not learn from the brokers. Nothing was
/// read there yet, so nothing is lost.
///
/// # Errors
/// `auto.offset.reset` is `error`.
pub(crate) fn reset_to(
    place: &TopicPartition,
    old: i64,
    (first, last): (i64, i64),
    reset: Reset,
) -> Result<(i64, u64), Verdict> {
    match old {
        LATEST => return Ok((last, 0)),
        EARLIEST => return Ok((first, 0)),
        _ => {}
    }
    let to = match reset {
        Reset::Earliest => first,
        Reset::Latest => last,
        Reset::Error => {
            return Err(Verdict::new(
                Exit::Refused,
                format!(
                    "offset {old} is not in {place} ({first} to {last}), and auto.offset.reset is error: \
                     use --from earliest, or reset the group's offset"
                ),
            ));
        }
    };
    Ok((to, u64::try_from(first.saturating_sub(old)).unwrap_or(0)))
}

/// What ListOffsets is asked; `None` for what the group knows.
fn spec(kind: Kind, settings: &Settings) -> Option<i64> {
    match (kind, settings.from) {
        (Kind::Until, _) => match settings.until {
            Some(Until::Time(ms)) => Some(ms),
            _ => Some(LATEST),
        },
        (Kind::Ends | Kind::Highest, _) => Some(LATEST),
        (Kind::Earliest, _) => Some(EARLIEST),
        (Kind::Times, Start::Time(ms)) => Some(ms),
        (Kind::Times, _) => Some(LATEST),
        (Kind::Committed, _) => None,
    }
}

fn refusal(code: RDKafkaErrorCode, kind: Kind, places: &str) -> Result<(), Verdict> {
    // Whether a topic is missing is decided elsewhere; a partition without a leader looks like one that does not exist.
    let is_missing = matches!(
        code,
        RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownPartition
    );
    if is_missing || class(code) != Class::Refused {
        return Ok(());
    }
    Err(Verdict::new(Exit::Refused, with_hint(&format!("{} of {places}: {code}", kind.what()), code)))
}

/// Some names of partitions.
pub(crate) fn shown(partitions: &[TopicPartition]) -> String {
    let names: Vec<String> = partitions.iter().take(3).map(ToString::to_string).collect();
    let more = partitions.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_retention_deleted_is_counted_and_a_place_that_could_not_be_learnt_is_no_offset() {
        let place = TopicPartition::new("t", 0);
        let to = |old, reset| reset_to(&place, old, (100, 500), reset).unwrap();
        assert_eq!(to(60, Reset::Earliest), (100, 40));
        assert_eq!(to(60, Reset::Latest), (500, 40));
        assert_eq!(to(600, Reset::Earliest), (100, 0));
        for reset in [Reset::Earliest, Reset::Latest, Reset::Error] {
            assert_eq!(to(EARLIEST, reset), (100, 0), "{reset:?}");
            assert_eq!(to(LATEST, reset), (500, 0), "{reset:?}");
        }
        let refused = reset_to(&place, 60, (100, 500), Reset::Error).unwrap_err();
        assert!(refused.reason().contains("offset 60 is not in t[0] (100 to 500)"), "{refused}");
    }
}
