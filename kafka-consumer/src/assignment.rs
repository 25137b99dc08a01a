//! Taking partitions on and giving them back: where each one starts, and where a one-shot run ends.

use std::time::Duration;

use common::kafka::error::{class, with_hint};
use common::verdict::Verdict;
use rdkafka::consumer::{BaseConsumer, Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::args::Start;
use crate::config::{Config, Subscription};
use crate::context::{Context, Place};
use crate::partitions::Partitions;

/// One question about offsets.
const QUESTION: Duration = Duration::from_secs(5);
/// So often, as the leader may just be moving.
const ATTEMPTS: usize = 4;
/// The question which offsets are committed holds the loop up, and librdkafka asks it by itself if it fails.
const STORED: Duration = Duration::from_secs(1);

/// The rules of a run for partitions that come and go.
pub struct Assignment {
    from: Start,
    exit_at_end: bool,
    group: bool,
    /// Where a partition without a committed offset starts; `None` leaves it to librdkafka.
    reset: Option<Offset>,
    /// Only the first assignment starts where the run was told to: what moves here later was read by another member.
    first: bool,
}

impl Assignment {
    /// The rules as configured.
    pub fn new(config: &Config) -> Self {
        Self {
            from: config.from,
            exit_at_end: config.exit_at_end,
            group: matches!(config.subscription, Subscription::Group { .. }),
            reset: match config.properties.get("auto.offset.reset") {
                Some("earliest" | "smallest" | "beginning") => Some(Offset::Beginning),
                Some("latest" | "largest" | "end") => Some(Offset::End),
                _ => None,
            },
            first: true,
        }
    }

    /// Whether a group shares the partitions out, and so keeps offsets.
    pub fn is_group(&self) -> bool {
        self.group
    }

    /// Takes partitions on.
    ///
    /// # Errors
    /// When the brokers do not tell where to start or to end, or librdkafka refuses.
    pub fn assign(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partitions: &mut Partitions,
        places: Vec<Place>,
    ) -> Result<(), Verdict> {
        let list =
            self.starts(consumer, &places).map_err(|error| failure("the offset to start at", &places, &error))?;
        let assigned = match (self.group, consumer.rebalance_protocol()) {
            (true, RebalanceProtocol::Cooperative) => consumer.incremental_assign(&list),
            _ => consumer.assign(&list),
        };
        assigned.map_err(|error| failure("the assignment", &places, &error))?;
        for place in places {
            let end = if self.exit_at_end {
                let end = retried(|| Ok(consumer.fetch_watermarks(&place.0, place.1, QUESTION)?.1));
                Some(end.map_err(|error| failure("the end offset", std::slice::from_ref(&place), &error))?)
            } else {
                None
            };
            consumer.context().watch(place.clone());
            partitions.add(place, end);
        }
        self.first = false;
        Ok(())
    }

    /// Gives partitions back; what was read of them has been written and committed.
    ///
    /// # Errors
    /// When librdkafka refuses.
    pub fn revoke(
        &mut self,
        consumer: &BaseConsumer<Context>,
        partitions: &mut Partitions,
        places: &[Place],
    ) -> Result<(), Verdict> {
        let cooperative = matches!(consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        // An eager group takes everything, whatever its list says.
        let gone = if cooperative { places.to_vec() } else { partitions.places() };
        for place in &gone {
            partitions.remove(place);
            consumer.context().unwatch(place);
        }
        let unassigned = if cooperative {
            consumer.incremental_unassign(
                &list_of(places, Offset::Invalid).map_err(|error| failure("the list", places, &error))?,
            )
        } else {
            consumer.unassign()
        };
        unassigned.map_err(|error| failure("giving partitions back", places, &error))
    }

    /// The partitions, each with the offset to start at. `Offset::Invalid` is the stored one, else `auto.offset.reset`.
    fn starts(&self, consumer: &BaseConsumer<Context>, places: &[Place]) -> KafkaResult<TopicPartitionList> {
        match self.from {
            _ if !self.first => self.stored(consumer, places),
            Start::Stored => self.stored(consumer, places),
            Start::Beginning => list_of(places, Offset::Beginning),
            Start::End => list_of(places, Offset::End),
            Start::Offset(offset) => list_of(places, Offset::Offset(offset)),
            Start::Time(ms) => retried(|| consumer.offsets_for_times(list_of(places, Offset::Offset(ms))?, QUESTION)),
        }
    }

    /// The partitions, each to start at its committed offset. librdkafka finds that by itself, but when there is none it waits
    /// 100 ms before it looks for the beginning. So what has none is told the beginning at once.
    fn stored(&self, consumer: &BaseConsumer<Context>, places: &[Place]) -> KafkaResult<TopicPartitionList> {
        if !self.group {
            return list_of(places, Offset::Beginning);
        }
        let stored = list_of(places, Offset::Invalid)?;
        let Some(reset) = self.reset else { return Ok(stored) };
        let Ok(committed) = consumer.committed_offsets(stored.clone(), STORED) else { return Ok(stored) };
        let mut list = TopicPartitionList::with_capacity(places.len());
        for place in committed.elements() {
            let none = place.offset() == Offset::Invalid && place.error().is_ok();
            let start = if none { reset } else { Offset::Invalid };
            list.add_partition_offset(place.topic(), place.partition(), start)?;
        }
        Ok(list)
    }
}

fn list_of(places: &[Place], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

fn retried<T>(question: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    let mut answer = question();
    for _ in 1..ATTEMPTS {
        if answer.is_ok() {
            break;
        }
        answer = question();
    }
    answer
}

fn failure(what: &str, places: &[Place], error: &KafkaError) -> Verdict {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
    let exit = class(code).exit();
    let shown: Vec<String> = places.iter().take(3).map(|(topic, partition)| format!("{topic}[{partition}]")).collect();
    let more = if places.len() > 3 { ", .." } else { "" };
    Verdict::new(exit, with_hint(&format!("{what} of {}{more}: {error}", shown.join(", ")), code))
}
