//! Taking partitions on and giving them back: where each one starts, and where a one-shot run ends.

use std::time::Duration;

use common::exit::Exit;
use common::kafka::Failure;
use common::kafka::error::{Class, class, with_hint};
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

/// The rules of a run for partitions that come and go.
pub struct Assignment {
    from: Start,
    exit_at_end: bool,
    group: bool,
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
    ) -> Result<(), Failure> {
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
    ) -> Result<(), Failure> {
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
        let stored = if self.group { Offset::Invalid } else { Offset::Beginning };
        match self.from {
            _ if !self.first => list_of(places, stored),
            Start::Stored => list_of(places, stored),
            Start::Beginning => list_of(places, Offset::Beginning),
            Start::End => list_of(places, Offset::End),
            Start::Offset(offset) => list_of(places, Offset::Offset(offset)),
            Start::Time(ms) => retried(|| consumer.offsets_for_times(list_of(places, Offset::Offset(ms))?, QUESTION)),
        }
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

fn failure(what: &str, places: &[Place], error: &KafkaError) -> Failure {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
    let exit = match class(code) {
        Class::Refused => Exit::Refused,
        Class::Unreachable => Exit::Unreachable,
        Class::Other => Exit::Incomplete,
    };
    let shown: Vec<String> = places.iter().take(3).map(|(topic, partition)| format!("{topic}[{partition}]")).collect();
    let more = if places.len() > 3 { ", .." } else { "" };
    Failure::new(exit, with_hint(&format!("{what} of {}{more}: {error}", shown.join(", ")), code))
}
