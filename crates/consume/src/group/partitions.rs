//! The one table of the partitions of this process: what was read of each, what may be committed, where a run ends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use common::kafka::native::TopicPartition;
use prometheus::IntCounter;
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::board::Standing;
use crate::lag::Logged;
use crate::metrics::LoopMetrics;

/// No offset is known.
pub(crate) const NONE: i64 = -1;

/// A batch that failed its checksum. Records behind it are not taken: it is never passed over unasked.
#[derive(Clone, Debug)]
pub(crate) struct Damage {
    /// The batch's first offset.
    pub offset: i64,
    /// When it was first seen.
    pub since: Instant,
    /// When the partition is read again from where it stands; `None` while that is being tried.
    pub retry_at: Option<Instant>,
}

/// One partition. Handles to its metrics are looked up once, when it comes.
pub(crate) struct Slot {
    pub place: TopicPartition,
    /// The offset to read next, as far as it is known; the records before it were handed to the sink.
    next: i64,
    /// The offset to read next by whoever has the partition after the last flush.
    written: i64,
    committed: i64,
    /// Where a one-shot run ends.
    end: Option<i64>,
    is_at_end: bool,
    /// Whether a fetch was answered since the partition was assigned.
    is_answered: bool,
    pub damage: Option<Damage>,
    /// Records and bytes since the last flush.
    records: u64,
    bytes: u64,
    is_in_batch: bool,
    /// Where the batch began.
    batch_start: i64,
    /// The highest offset that this process has logged, since the topic was last replaced and the partition last moved.
    highest: i64,
    /// Records in the batch that were logged before, and whether it was said that they come.
    repeated: u64,
    is_repeating: bool,
    records_total: IntCounter,
    bytes_total: IntCounter,
    /// Shown to people: what was written, once for each flush.
    standing: Arc<Standing>,
    /// The time of the last record in the batch, in milliseconds since 1970, and where that of the last one logged is kept.
    last_ms: Option<i64>,
    logged: Logged,
}

impl Slot {
    /// The offset to read next, if it is known.
    pub fn next(&self) -> Option<i64> {
        (self.next >= 0).then_some(self.next)
    }

    /// A record comes that this process has logged before; said once for all that follow.
    fn repeat(&mut self, offset: i64) {
        self.repeated += 1;
        if std::mem::replace(&mut self.is_repeating, true) {
            return;
        }
        let TopicPartition { topic, partition } = &self.place;
        let to = self.highest.max(self.next - 1);
        tracing::warn!(
            event = "records_repeated",
            topic,
            partition,
            from = offset,
            to,
            "the records from offset {offset} to {to} of {} are logged again, as when a partition was taken away before its \
             offsets were committed",
            self.place
        );
    }
}

/// All partitions of this process.
pub(crate) struct Partitions {
    metrics: LoopMetrics,
    slots: Vec<Slot>,
    by_place: HashMap<String, HashMap<i32, usize>>,
    /// Records come in runs of one partition.
    last: usize,
    /// Slots to be marked as written by the next flush.
    batch: Vec<usize>,
    /// The highest offsets logged of partitions that have gone: they may come back.
    logged: HashMap<TopicPartition, i64>,
}

impl Partitions {
    pub fn new(metrics: LoopMetrics) -> Self {
        Self {
            metrics,
            slots: Vec::new(),
            by_place: HashMap::new(),
            last: 0,
            batch: Vec::new(),
            logged: HashMap::new(),
        }
    }

    /// A partition was assigned. `start` is the offset to read first and `committed` the one committed, negative where unknown;
    /// `end` is where a one-shot run stops reading it.
    pub fn add(&mut self, place: TopicPartition, start: i64, committed: i64, end: Option<i64>) {
        let number = place.partition.to_string();
        let labels = [place.topic.as_str(), number.as_str()];
        let records_total = self.metrics.records.with_label_values(&labels);
        let standing = self.metrics.board.add(&place.topic, place.partition, start, records_total.clone());
        let logged = self.metrics.lag.add(&place);
        let highest = self.logged.remove(&place).unwrap_or(NONE);
        self.slots.push(Slot {
            highest,
            repeated: 0,
            is_repeating: false,
            records_total,
            bytes_total: self.metrics.bytes.with_label_values(&labels),
            place,
            next: start.max(NONE),
            written: NONE,
            committed: committed.max(NONE),
            end,
            is_at_end: false,
            is_answered: false,
            damage: None,
            records: 0,
            bytes: 0,
            is_in_batch: false,
            batch_start: NONE,
            standing,
            last_ms: None,
            logged,
        });
        self.reindex();
    }

    /// A partition was revoked, and its series go with it.
    pub fn remove(&mut self, place: &TopicPartition) {
        if let Some(slot) = self.get(place) {
            let highest = slot.highest;
            self.logged.insert(place.clone(), highest);
        }
        self.slots.retain(|slot| slot.place != *place);
        self.reindex();
        self.metrics.board.remove(&place.topic, place.partition);
        let number = place.partition.to_string();
        let labels = [place.topic.as_str(), number.as_str()];
        // Absent where the partition was never added, or nothing of the kind happened to it.
        let LoopMetrics { records, bytes, skipped, repeated, corrupt, .. } = &self.metrics;
        for series in [records, bytes, skipped, repeated, corrupt] {
            let _ = series.remove_label_values(&labels);
        }
        self.metrics.lag.remove(place);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut()
    }

    /// The names of all.
    pub fn places(&self) -> Vec<TopicPartition> {
        self.slots.iter().map(|slot| slot.place.clone()).collect()
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn get(&mut self, place: &TopicPartition) -> Option<&mut Slot> {
        let index = self.find(&place.topic, place.partition)?;
        self.slots.get_mut(index)
    }

    /// Whether a record is to be handed to the sink, by the number to [`accept`](Self::accept) it with. `None`: the partition is
    /// not ours (any more), it lies behind a damaged batch, or beyond the end of a one-shot run.
    pub fn admit(&mut self, topic: &str, partition: i32, offset: i64) -> Option<usize> {
        let index = self.find(topic, partition)?;
        let slot = self.slots.get_mut(index)?;
        slot.is_answered = true;
        if let Some(damage) = &slot.damage {
            if damage.retry_at.is_some() {
                return None;
            }
            tracing::info!(event = "batch_recovered", topic, partition, offset, "the batch is whole now");
            slot.damage = None;
        }
        if let Some(end) = slot.end
            && offset + 1 >= end
        {
            slot.is_at_end = true;
            if offset >= end {
                return None;
            }
        }
        Some(index)
    }

    /// The sink has taken the record, or it is to count as done. Its time is in milliseconds since 1970.
    pub fn accept(&mut self, index: usize, offset: i64, bytes: usize, timestamp_ms: Option<i64>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !slot.is_in_batch {
            slot.is_in_batch = true;
            slot.batch_start = offset;
            self.batch.push(index);
        }
        if offset <= slot.highest || offset < slot.next {
            slot.repeat(offset);
        } else {
            slot.is_repeating = false;
        }
        slot.next = offset + 1;
        slot.last_ms = timestamp_ms;
        slot.records += 1;
        slot.bytes += bytes as u64;
    }

    /// The fetch position of a partition met its end at `offset`: what lies before it and was not handed over is markers of
    /// transactions, or was compacted away.
    pub fn end_met(&mut self, place: &TopicPartition, offset: i64) {
        let Some(index) = self.find(&place.topic, place.partition) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.is_answered = true;
        if slot.damage.is_some() {
            return;
        }
        slot.is_at_end |= slot.end.is_some_and(|end| offset >= end);
        if slot.next < 0 {
            // Nothing was read, so there is nothing to commit.
            slot.next = offset;
            slot.standing.set(offset);
        } else if offset > slot.next {
            if !slot.is_in_batch {
                slot.is_in_batch = true;
                slot.batch_start = slot.next;
                self.batch.push(index);
            }
            slot.next = offset;
        }
    }

    /// The sink has given up what it took since the last flush: where each partition is to be read again from.
    pub fn roll_back(&mut self) -> Vec<(TopicPartition, i64)> {
        let mut from = Vec::with_capacity(self.batch.len());
        for index in self.batch.drain(..) {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            (slot.is_in_batch, slot.records, slot.bytes, slot.is_at_end) = (false, 0, 0, false);
            (slot.repeated, slot.is_repeating) = (0, false);
            slot.next = slot.batch_start;
            slot.last_ms = None;
            from.push((slot.place.clone(), slot.next));
        }
        from
    }

    /// The sink has flushed: what it took may be committed.
    pub fn mark_written(&mut self) {
        for index in self.batch.drain(..) {
            let Some(slot) = self.slots.get_mut(index) else { continue };
            slot.is_in_batch = false;
            slot.written = slot.next;
            slot.standing.set(slot.next);
            if let Some(timestamp_ms) = slot.last_ms.take() {
                slot.logged.set(timestamp_ms);
            }
            // What was only passed over is not logged: markers of transactions, or what was compacted away. No record has these
            // offsets.
            slot.highest = slot.highest.max(slot.next - 1);
            if slot.repeated > 0 {
                let labels = [slot.place.topic.as_str(), &slot.place.partition.to_string()];
                self.metrics.repeated.with_label_values(&labels).inc_by(std::mem::take(&mut slot.repeated));
            }
            slot.records_total.inc_by(std::mem::take(&mut slot.records));
            slot.bytes_total.inc_by(std::mem::take(&mut slot.bytes));
        }
    }

    /// Offsets that were written and not yet committed, whatever their direction; they count as committed from now on.
    ///
    /// # Errors
    /// When librdkafka cannot make a list of them.
    pub fn take_uncommitted(&mut self) -> KafkaResult<Option<TopicPartitionList>> {
        let mut offsets = TopicPartitionList::new();
        for slot in self.slots.iter_mut().filter(|slot| slot.written >= 0 && slot.written != slot.committed) {
            offsets.add_partition_offset(&slot.place.topic, slot.place.partition, Offset::Offset(slot.written))?;
            slot.committed = slot.written;
        }
        Ok((offsets.count() > 0).then_some(offsets))
    }

    /// Whether something that was written has not been committed.
    pub fn has_uncommitted(&self) -> bool {
        self.slots.iter().any(|slot| slot.written >= 0 && slot.written != slot.committed)
    }

    /// The last commit failed: what was written is to be committed again.
    pub fn mark_uncommitted(&mut self) {
        for slot in &mut self.slots {
            slot.committed = NONE;
        }
    }

    /// The partitions of a topic hold other records now: nothing that was read of them counts.
    pub fn forget(&mut self, topic: &str) {
        self.logged.retain(|place, _| place.topic != topic);
        for slot in self.slots.iter_mut().filter(|slot| slot.place.topic == topic) {
            (slot.next, slot.written, slot.committed, slot.highest) = (0, NONE, NONE, NONE);
            slot.damage = None;
            slot.last_ms = None;
            slot.logged = self.metrics.lag.add(&slot.place);
        }
    }

    /// The partition is read from another offset now.
    pub fn moved(&mut self, place: &TopicPartition, offset: i64) {
        if let Some(slot) = self.get(place) {
            slot.next = offset.max(NONE);
            // It was our choice to read it from there.
            slot.highest = NONE;
            slot.standing.set(slot.next);
        }
    }

    /// Whether there are partitions, and every one was read up to its end.
    pub fn all_at_end(&self) -> bool {
        !self.slots.is_empty() && self.slots.iter().all(|slot| slot.is_at_end)
    }

    /// Whether the group has committed an offset behind a record.
    pub fn any_committed(&self) -> bool {
        self.slots.iter().any(|slot| slot.committed > 0)
    }

    /// The partitions that were not read up to their end.
    pub fn unended(&self) -> impl Iterator<Item = &TopicPartition> {
        self.slots.iter().filter(|slot| !slot.is_at_end).map(|slot| &slot.place)
    }

    /// A topic of which no partition has had an answer to a fetch.
    pub fn unanswered(&self) -> Option<&str> {
        let answered = |topic: &str| self.slots.iter().any(|slot| slot.place.topic == topic && slot.is_answered);
        let waiting = self.slots.iter().filter(|slot| !slot.is_answered);
        waiting.map(|slot| slot.place.topic.as_str()).find(|topic| !answered(topic))
    }

    /// Shows the lag of a partition, by statistics of this time: from what was written to `end`.
    pub fn show_lag(&mut self, place: &TopicPartition, end: i64, taken: Instant) {
        let Some(slot) = self.get(place) else { return };
        let position = match (slot.is_in_batch, slot.written >= 0) {
            (true, true) => slot.written,
            // The first batch is being written: none of it is logged yet.
            (true, false) => slot.batch_start,
            (false, _) => slot.next,
        };
        if position < 0 || end < 0 {
            return;
        }
        self.metrics.lag.show(place, (end - position).max(0), taken);
    }

    fn find(&mut self, topic: &str, partition: i32) -> Option<usize> {
        if let Some(slot) = self.slots.get(self.last)
            && slot.place.partition == partition
            && slot.place.topic == topic
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
            self.by_place.entry(slot.place.topic.clone()).or_default().insert(slot.place.partition, index);
        }
        let in_batch = |index: &usize| self.slots.get(*index).is_some_and(|slot| slot.is_in_batch);
        self.batch = (0..self.slots.len()).filter(in_batch).collect();
    }
}

#[cfg(test)]
mod tests;
