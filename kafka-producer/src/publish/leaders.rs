//! Before the first message: the leader of each partition knows that it is one.
//!
//! A new topic's leaders are known to all before each of them has taken note of it. One that has not refuses a batch; when the next
//! batch, sent right behind, finds it ready, the first is lost although librdkafka says that it was written
//! ([`crate::context::Deliveries`] counts it as failed). A leader that answers about offsets takes batches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::kafka::native::{Answer, Isolation, Questions, TopicPartition};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseProducer;

use super::{NAP, Publisher};
use crate::context::Context;

/// A partition that has no leader for so long is not waited for: the others can be written to.
const LIMIT: Duration = Duration::from_secs(3);
/// librdkafka's and the protocol's number for the end of a partition.
const END: i64 = -1;

impl Publisher<'_> {
    /// Waits until the leaders of all partitions answer, the limit has passed, or the run is to end. The end of each partition
    /// whose leader has answered.
    pub(super) fn await_leaders(&self, producer: &Arc<BaseProducer<Context>>, partitions: usize) -> BTreeMap<i32, i64> {
        let began = Instant::now();
        let questions = Questions::new(Arc::<BaseProducer<Context>>::clone(producer), LIMIT);
        let topic = &self.config.topic;
        let numbers = 0..i32::try_from(partitions).unwrap_or(i32::MAX);
        let mut ends = BTreeMap::new();
        let mut left: Vec<_> = numbers.map(|number| TopicPartition::new(topic, number)).collect();
        while questions.offsets(0, &left, END, Isolation::ReadUncommitted).is_ok() {
            let answer = loop {
                self.health.progress();
                let now = Instant::now();
                if now - began >= LIMIT || self.stop.requested(now) || self.client.has_refusal() {
                    return ends;
                }
                if let Some((_, answer)) = questions.answer(NAP) {
                    break answer;
                }
            };
            // Whatever else is wrong, the first message tells.
            let Answer::Offsets(found) = answer else { return ends };
            ends.extend(
                found.iter().filter_map(|(place, end)| Some((place.partition, end.ok().filter(|end| *end >= 0)?))),
            );
            left = found.into_iter().filter(|(_, end)| end.is_err_and(is_new)).map(|(place, _)| place).collect();
            if left.is_empty() {
                return ends;
            }
            std::thread::sleep(NAP);
        }
        ends
    }
}

/// What a broker says that is not the leader, or does not know yet that it is.
const fn is_new(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::NotLeaderForPartition
            | RDKafkaErrorCode::LeaderNotAvailable
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::OffsetNotAvailable
    )
}
