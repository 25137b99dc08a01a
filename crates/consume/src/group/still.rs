//! Partitions that stand still: those with a batch that fails its checksum, and all while the sink wants to be left alone.
//!
//! A damaged batch is never passed over unasked. librdkafka 2.12 loses its place behind one: it takes what follows for a batch, and
//! same fetch; the partition stands still instead, and is read again until the batch is whole.

use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::native::TopicPartition;
use common::verdict::Verdict;
use rdkafka::consumer::Consumer;
use rdkafka::topic_partition_list::Offset;

use super::Group;
use super::assignment::{failure, list_of};
use super::partitions::Damage;

/// Between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// A one-shot run gives up after this time.
const ONE_SHOT: Duration = Duration::from_secs(3);

impl Group<'_> {
    /// A batch that begins at `offset` failed its checksum.
    pub(super) fn damaged(&mut self, place: &TopicPartition, offset: i64) {
        let Some(slot) = self.partitions.get(place) else { return };
        let now = Instant::now();
        let labels = [place.topic.as_str(), &place.partition.to_string()];
        let was_trying = slot.damage.as_ref().is_none_or(|damage| damage.retry_at.is_none());
        let since = slot.damage.as_ref().map_or(now, |damage| damage.since);
        let offset = slot.damage.as_ref().map_or(offset, |damage| damage.offset.min(offset));
        let is_new = slot.damage.as_ref().is_none_or(|damage| damage.offset != offset);
        slot.damage = Some(Damage { offset, since, retry_at: Some(now + RETRY) });
        if !was_trying {
            return;
        }
        self.metrics.corrupt.with_label_values(&labels).inc();
        if is_new {
            let TopicPartition { topic, partition } = place;
            tracing::error!(
                event = "batch_damaged",
                topic,
                partition,
                offset,
                "the batch at offset {offset} of {place} fails its checksum: it is fetched again until it is whole; \
                 docs/operations.md says how to pass it over"
            );
        }
        // Else librdkafka fetches the same again and again, as fast as it can.
        if let Ok(list) = list_of(std::slice::from_ref(place), Offset::Invalid)
            && let Err(error) = self.consumer.pause(&list)
        {
            tracing::debug!(event = "pause", "{error}");
        }
    }

    /// Reads partitions again from before their damaged batch.
    ///
    /// # Errors
    /// A one-shot run cannot go on.
    pub(super) fn retry_damaged(&mut self, now: Instant) -> Result<(), Verdict> {
        let is_one_shot = self.settings.is_one_shot();
        let mut again = Vec::new();
        for slot in self.partitions.iter_mut() {
            let next = slot.next();
            let Some(damage) = &mut slot.damage else { continue };
            if is_one_shot && now.saturating_duration_since(damage.since) >= ONE_SHOT {
                return Err(Verdict::new(
                    Exit::Incomplete,
                    format!(
                        "the batch at offset {} of {} fails its checksum: its records cannot be read",
                        damage.offset, slot.place
                    ),
                ));
            }
            if damage.retry_at.is_some_and(|at| at <= now) {
                damage.retry_at = None;
                again.push((slot.place.clone(), next.unwrap_or(damage.offset)));
            }
        }
        for (place, offset) in again {
            self.move_to(&place, offset)?;
            let places = std::slice::from_ref(&place);
            let resumed = list_of(places, Offset::Invalid).and_then(|list| self.consumer.resume(&list));
            resumed.map_err(|error| failure("reading again", places, &error))?;
        }
        Ok(())
    }

    /// Reads a partition again from an offset, and lets it stand still until [`Group::resume`].
    pub fn rewind(&mut self, place: &TopicPartition, offset: i64) -> Result<(), Verdict> {
        let places = std::slice::from_ref(place);
        let moved = list_of(places, Offset::Offset(offset)).and_then(|list| {
            self.consumer.pause(&list)?;
            // Outdates what waits in the queue from before.
            self.consumer.seek_partitions(list, Duration::ZERO).map(drop)
        });
        moved.map_err(|error| failure("reading again", places, &error))
    }

    /// Lets all partitions stand still.
    pub fn pause(&mut self) -> Result<(), Verdict> {
        let places = self.partitions.places();
        let paused = list_of(&places, Offset::Invalid).and_then(|list| self.consumer.pause(&list));
        paused.map_err(|error| failure("the pause", &places, &error))
    }

    /// Lets all partitions go on that are not damaged.
    pub fn resume(&mut self) {
        let standing = self.partitions.iter().filter(|slot| slot.damage.as_ref().is_none_or(|d| d.retry_at.is_none()));
        let places: Vec<TopicPartition> = standing.map(|slot| slot.place.clone()).collect();
        if let Err(error) = list_of(&places, Offset::Invalid).and_then(|list| self.consumer.resume(&list)) {
            tracing::warn!(event = "resume", "{error}");
        }
    }

    /// What the sink has given up is to be read again.
    pub fn roll_back(&mut self) -> Result<(), Verdict> {
        self.partitions.roll_back().into_iter().try_for_each(|(place, offset)| self.rewind(&place, offset))?;
        self.resume();
        Ok(())
    }

    /// Which batch is damaged, as a sentence.
    pub(super) fn damage_report(&self) -> Option<String> {
        self.partitions.iter().find_map(|slot| {
            let damage = slot.damage.as_ref()?;
            Some(format!("the batch at offset {} of {} fails its checksum", damage.offset, slot.place))
        })
    }
}
