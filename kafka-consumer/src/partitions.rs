//! The partitions of this process: what was logged of each, what may be stored, and where a one-shot run ends.

use std::collections::HashMap;

use prometheus::IntCounter;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::context::Place;
use crate::metrics::ConsumerMetrics;

/// One partition. Handles to its metrics are looked up once, when it comes.
struct Slot {
    topic: String,
    partition: i32,
    /// The offset after the last record in the batch, and after the last one written.
    batched: i64,
    written: i64,
    committed: i64,
    /// Where a one-shot run ends.
    end: Option<i64>,
    /// Records and bytes in the batch.
    records: u64,
    bytes: u64,
    records_total: IntCounter,
    bytes_total: IntCounter,
}

/// No offset: nothing was logged yet.
const NONE: i64 = -1;

/// All partitions of this process.
pub struct Partitions {
    metrics: ConsumerMetrics,
    slots: Vec<Slot>,
    by_place: HashMap<String, HashMap<i32, usize>>,
    /// Records come in runs of one partition.
    last: usize,
    /// Slots with records in the batch.
    batch: Vec<usize>,
}

impl Partitions {
    /// None yet.
    pub fn new(metrics: ConsumerMetrics) -> Self {
        Self { metrics, slots: Vec::new(), by_place: HashMap::new(), last: 0, batch: Vec::new() }
    }

    /// A partition came; `end` is where a one-shot run stops reading it.
    pub fn add(&mut self, (topic, partition): Place, end: Option<i64>) {
        let number = partition.to_string();
        let labels = [topic.as_str(), number.as_str()];
        let slot = Slot {
            records_total: self.metrics.records.with_label_values(&labels),
            bytes_total: self.metrics.bytes.with_label_values(&labels),
            topic,
            partition,
            batched: NONE,
            written: NONE,
            committed: NONE,
            end,
            records: 0,
            bytes: 0,
        };
        self.slots.push(slot);
        self.reindex();
    }

    /// A partition went, and its series with it.
    pub fn remove(&mut self, (topic, partition): &Place) {
        self.slots.retain(|slot| slot.topic != *topic || slot.partition != *partition);
        self.reindex();
        let number = partition.to_string();
        let labels = [topic.as_str(), number.as_str()];
        // Absent only if the partition was never added.
        let _ = self.metrics.records.remove_label_values(&labels);
        let _ = self.metrics.bytes.remove_label_values(&labels);
    }

    /// The names of all, for a change that concerns all.
    pub fn places(&self) -> Vec<Place> {
        self.slots.iter().map(|slot| (slot.topic.clone(), slot.partition)).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// A record's line is in the batch. `false`: the partition is not ours (any more), or the record lies beyond the
    /// end of a one-shot run; its line must not be there.
    pub fn take(&mut self, topic: &str, partition: i32, offset: i64, bytes: usize) -> bool {
        let Some(index) = self.find(topic, partition) else { return false };
        let Some(slot) = self.slots.get_mut(index) else { return false };
        if slot.end.is_some_and(|end| offset >= end) {
            slot.batched = slot.batched.max(slot.end.unwrap_or(offset));
            return false;
        }
        if slot.records == 0 {
            self.batch.push(index);
        }
        slot.batched = offset + 1;
        slot.records += 1;
        slot.bytes += bytes as u64;
        true
    }

    /// The batch was written: counts it, and returns the offsets that may be stored now.
    ///
    /// # Errors
    /// When librdkafka cannot make a list of them.
    pub fn wrote(&mut self) -> KafkaResult<TopicPartitionList> {
        let mut offsets = TopicPartitionList::with_capacity(self.batch.len());
        for index in self.batch.drain(..) {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            slot.written = slot.batched;
            slot.records_total.inc_by(std::mem::take(&mut slot.records));
            slot.bytes_total.inc_by(std::mem::take(&mut slot.bytes));
            offsets.add_partition_offset(&slot.topic, slot.partition, Offset::Offset(slot.written))?;
        }
        Ok(offsets)
    }

    /// Offsets that were written and not yet committed; they count as committed from now on.
    ///
    /// # Errors
    /// When librdkafka cannot make a list of them.
    pub fn take_uncommitted(&mut self) -> KafkaResult<Option<TopicPartitionList>> {
        let mut offsets = TopicPartitionList::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.written > slot.committed) {
            slot.committed = slot.written;
            offsets.add_partition_offset(&slot.topic, slot.partition, Offset::Offset(slot.written))?;
        }
        Ok((offsets.count() > 0).then_some(offsets))
    }

    /// Whether something that was written has not been committed.
    pub fn has_uncommitted(&self) -> bool {
        self.slots.iter().any(|slot| slot.written > slot.committed)
    }

    /// The last commit failed: all is to be committed again.
    pub fn commit_again(&mut self) {
        for slot in &mut self.slots {
            slot.committed = NONE;
        }
    }

    /// Whether every partition was read up to its end; `seen` tells of the ends that librdkafka saw without a record.
    pub fn all_at_end(&self, seen: impl Fn(&Place, i64) -> bool) -> bool {
        self.slots.iter().all(|slot| {
            slot.end.is_some_and(|end| slot.batched >= end || seen(&(slot.topic.clone(), slot.partition), end))
        })
    }

    fn find(&mut self, topic: &str, partition: i32) -> Option<usize> {
        if let Some(slot) = self.slots.get(self.last)
            && slot.partition == partition
            && slot.topic == topic
        {
            return Some(self.last);
        }
        self.last = *self.by_place.get(topic)?.get(&partition)?;
        Some(self.last)
    }

    fn reindex(&mut self) {
        self.by_place.clear();
        self.last = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            self.by_place.entry(slot.topic.clone()).or_default().insert(slot.partition, index);
        }
        self.batch =
            (0..self.slots.len()).filter(|index| self.slots.get(*index).is_some_and(|slot| slot.records > 0)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::metrics::Program;

    fn partitions(ends: &[(i32, Option<i64>)]) -> Partitions {
        let program =
            Program { program: "test", version: "1", librdkafka: "2".into(), features: String::new(), openssl: "3" };
        let mut partitions = Partitions::new(crate::metrics::register(&program).unwrap().consumer);
        for (partition, end) in ends {
            partitions.add(("t".to_owned(), *partition), *end);
        }
        partitions
    }

    fn offsets(list: &TopicPartitionList) -> Vec<(i32, i64)> {
        let mut offsets: Vec<_> =
            list.elements().iter().map(|e| (e.partition(), e.offset().to_raw().unwrap())).collect();
        offsets.sort_unstable();
        offsets
    }

    #[test]
    fn only_what_was_written_is_stored_and_only_the_highest_of_each_partition() {
        let mut partitions = partitions(&[(0, None), (1, None)]);
        for (partition, offset) in [(0, 5), (0, 6), (1, 9), (0, 7)] {
            assert!(partitions.take("t", partition, offset, 10));
        }
        assert!(partitions.take_uncommitted().unwrap().is_none(), "nothing is written yet");
        assert_eq!(offsets(&partitions.wrote().unwrap()), [(0, 8), (1, 10)]);
        assert_eq!(offsets(&partitions.take_uncommitted().unwrap().unwrap()), [(0, 8), (1, 10)]);
        assert!(partitions.take_uncommitted().unwrap().is_none(), "committed once");
        partitions.commit_again();
        assert_eq!(partitions.take_uncommitted().unwrap().unwrap().count(), 2);
    }

    #[test]
    fn a_partition_that_went_takes_its_batch_and_series_along() {
        let mut partitions = partitions(&[(0, None), (1, None)]);
        assert!(partitions.take("t", 0, 0, 1));
        assert!(partitions.take("t", 1, 0, 1));
        partitions.remove(&("t".to_owned(), 0));
        assert!(!partitions.take("t", 0, 1, 1), "not ours any more");
        assert_eq!(offsets(&partitions.wrote().unwrap()), [(1, 1)]);
    }

    #[test]
    fn an_end_is_reached_by_records_or_by_what_librdkafka_saw() {
        let mut partitions = partitions(&[(0, Some(2)), (1, Some(5)), (2, Some(3))]);
        assert!(partitions.take("t", 0, 0, 1) && partitions.take("t", 0, 1, 1));
        assert!(!partitions.take("t", 0, 2, 1), "beyond the end");
        assert!(!partitions.all_at_end(|_, _| false));
        assert!(partitions.all_at_end(|(_, partition), _| *partition > 0));
    }
}
