//! Assigning partitions to the client and taking them from it, once it is known where they start.

use std::time::Instant;

use common::exit::Exit;
use common::kafka::error::{class, with_hint};
use common::kafka::native::TopicPartition;
use common::verdict::Verdict;
use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::placement::{Kind, Placement, Purpose, reset_to, shown};
use super::{Group, REVOKE_COMMIT};
use crate::board::RebalanceKind;
use crate::settings::Subscription;
use crate::sink::News;

impl Group<'_> {
    /// The group assigns partitions: asks where they start. They are assigned to the client when that is known.
    pub(super) fn assign(&mut self, partitions: Vec<TopicPartition>, now: Instant) {
        self.placed += 1;
        let starts_anew = self.starts_anew();
        self.placements.push(Placement::assign(self.placed, partitions, self.settings, starts_anew, now));
    }

    /// A topic that is read without a group was found.
    pub(super) fn assign_given(&mut self, topic: &str, partitions: usize, now: Instant) -> Result<(), Verdict> {
        let Subscription::Partitions { topics, partitions: wanted } = &self.settings.subscription else {
            return Ok(());
        };
        // One that was missing for a while is found again.
        let is_assigned = self.partitions.iter().any(|slot| slot.place.topic == topic)
            || self.placements.iter().any(|placement| placement.partitions.iter().any(|place| place.topic == topic));
        if is_assigned || topics.iter().all(|own| own != topic) {
            return Ok(());
        }
        let all = || (0..i32::try_from(partitions).unwrap_or(i32::MAX)).collect();
        let wanted: Vec<i32> = wanted.clone().unwrap_or_else(all);
        let beyond = wanted.iter().find(|number| usize::try_from(**number).is_ok_and(|number| number >= partitions));
        if let Some(partition) = beyond {
            let reason = format!("topic {topic} has {partitions} partitions, 0 to {}", partitions - 1);
            return Err(Verdict::new(Exit::Refused, format!("{reason}: there is no partition {partition}")));
        }
        self.assign(wanted.iter().map(|partition| TopicPartition::new(topic, *partition)).collect(), now);
        Ok(())
    }

    /// Whether partitions start where the run was told to. In a group only those of the first assignment do, as another member
    /// has read what is assigned later; without one each topic is assigned once, when it is found.
    const fn starts_anew(&self) -> bool {
        self.is_first || !self.settings.subscription.is_group()
    }

    /// Carries out the placements whose questions were all answered.
    pub(super) fn place(&mut self, now: Instant) -> Result<(), Verdict> {
        // One after the other: an assignment changes what the next one adds to.
        while let Some(index) = self.placements.iter().position(Placement::is_complete) {
            let placement = self.placements.remove(index);
            match &placement.purpose {
                Purpose::Assign => self.placed(&placement)?,
                Purpose::Reset(offsets) => {
                    for (place, old) in offsets {
                        self.reset(&placement, place, *old)?;
                    }
                }
            }
            self.topics.look_again();
            let _ = now;
        }
        Ok(())
    }

    fn placed(&mut self, placement: &Placement) -> Result<(), Verdict> {
        let placed = placement.placed(self.settings, self.starts_anew())?;
        let mut list = TopicPartitionList::with_capacity(placed.len());
        for partition in &placed {
            let TopicPartition { topic, partition: number } = &partition.place;
            list.add_partition_offset(topic, *number, partition.start)
                .map_err(|error| failure("the assignment", &placement.partitions, &error))?;
        }
        let assigned = match (self.settings.subscription.is_group(), self.consumer.rebalance_protocol()) {
            // Without a group, the partitions of another topic may be assigned already.
            (true, RebalanceProtocol::Cooperative) | (false, _) => self.consumer.incremental_assign(&list),
            _ => self.consumer.assign(&list),
        };
        assigned.map_err(|error| failure("the assignment", &placement.partitions, &error))?;
        let is_empty = placed.is_empty();
        for partition in placed {
            let start = match partition.start {
                Offset::Offset(offset) => offset,
                _ => super::NONE,
            };
            self.news.push(News::Assigned {
                place: partition.place.clone(),
                start: (start >= 0).then_some(start),
                earliest: placement.offset(Kind::Earliest, &partition.place),
                end: partition.end,
            });
            self.partitions.add(partition.place, start, partition.committed, partition.end);
        }
        // A classic cooperative group hands out an empty list first: it says nothing.
        if !is_empty {
            self.unmatched = None;
            self.is_first = false;
            self.membership.join();
        }
        self.client.reached();
        self.changed(RebalanceKind::Assign, placement.partitions.len());
        Ok(())
    }

    /// The group revokes partitions. What was read of them was flushed; it is committed here.
    pub(super) fn revoke(&mut self, partitions: &[TopicPartition]) -> Result<(), Verdict> {
        let is_lost = self.consumer.assignment_lost();
        if is_lost {
            self.membership.lost();
        } else {
            self.commit_now(Instant::now() + REVOKE_COMMIT);
        }
        self.release(partitions)?;
        self.changed(if is_lost { RebalanceKind::Lost } else { RebalanceKind::Revoke }, partitions.len());
        Ok(())
    }

    /// Takes partitions from the client.
    pub(super) fn release(&mut self, partitions: &[TopicPartition]) -> Result<(), Verdict> {
        let is_cooperative = matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative);
        // An eager group takes everything, whatever its list says.
        let gone = if is_cooperative { partitions.to_vec() } else { self.partitions.places() };
        for place in &gone {
            self.partitions.remove(place);
        }
        for placement in &mut self.placements {
            placement.partitions.retain(|place| is_cooperative && !gone.contains(place));
        }
        self.placements.retain(|placement| !placement.partitions.is_empty());
        let unassigned = if is_cooperative {
            list_of(partitions, Offset::Invalid).and_then(|list| self.consumer.incremental_unassign(&list))
        } else {
            self.consumer.unassign()
        };
        let partitions_left: Vec<String> = self.partitions.iter().map(|slot| slot.place.topic.clone()).collect();
        self.topics.forget_unassigned(|topic| partitions_left.iter().any(|left| left == topic));
        unassigned.map_err(|error| failure("the revocation", partitions, &error))
    }

    /// A partition does not have the offset to read next: goes on where `auto.offset.reset` says, and says what was lost.
    fn reset(&mut self, placement: &Placement, place: &TopicPartition, old: i64) -> Result<(), Verdict> {
        let first = placement.offset(Kind::Earliest, place).unwrap_or(0);
        let last = placement.offset(Kind::Highest, place).unwrap_or(first);
        let (to, skipped) = reset_to(place, old, (first, last), self.settings.reset)?;
        let TopicPartition { topic, partition } = place;
        if old < 0 {
            return self.move_to(place, to);
        }
        if skipped > 0 {
            self.metrics.skipped.with_label_values(&[topic.as_str(), &partition.to_string()]).inc_by(skipped);
            self.news.push(News::Skipped { place: place.clone(), records: skipped });
            tracing::warn!(
                event = "records_skipped",
                topic,
                partition,
                offset = old,
                start = first,
                skipped,
                "retention deleted {skipped} records before they were read: offset {old} is before the log's start {first}"
            );
        } else {
            tracing::warn!(
                event = "offset_reset",
                topic,
                partition,
                offset = old,
                to,
                "offset {old} is not in {place} ({first} to {last}): reading goes on at {to}"
            );
        }
        self.move_to(place, to)
    }

    /// A topic was deleted and created again: all its partitions are read from their beginning.
    pub(super) fn replaced(&mut self, topic: &str) -> Result<(), Verdict> {
        if self.settings.is_one_shot() {
            return Err(Verdict::new(
                Exit::Incomplete,
                format!("topic {topic} was deleted and created again during the run: it holds other records now"),
            ));
        }
        tracing::warn!(
            event = "topic_replaced",
            topic,
            "the topic was deleted and created again: reading starts at its beginning"
        );
        self.partitions.forget(topic);
        let places: Vec<TopicPartition> =
            self.partitions.places().into_iter().filter(|place| place.topic == topic).collect();
        places.iter().try_for_each(|place| self.move_to(place, 0))
    }

    /// Reads a partition that is assigned from another offset. Not by a seek, which a partition without a valid offset refuses.
    pub(super) fn move_to(&mut self, place: &TopicPartition, offset: i64) -> Result<(), Verdict> {
        if self.partitions.get(place).is_none() {
            return Ok(());
        }
        self.partitions.moved(place, offset);
        let moved = list_of(std::slice::from_ref(place), Offset::Offset(offset)).and_then(|list| {
            if matches!(self.consumer.rebalance_protocol(), RebalanceProtocol::Cooperative) {
                self.consumer.incremental_unassign(&list)?;
                return self.consumer.incremental_assign(&list);
            }
            // All partitions, each where it stands: what waits in the queue is fetched again.
            let mut all = TopicPartitionList::with_capacity(self.partitions.len());
            for slot in self.partitions.iter() {
                let TopicPartition { topic, partition } = &slot.place;
                let start = slot.next().map_or(Offset::Beginning, Offset::Offset);
                all.add_partition_offset(topic, *partition, start)?;
            }
            self.consumer.assign(&all)
        });
        moved.map_err(|error| failure("the new offset", std::slice::from_ref(place), &error))
    }

    fn changed(&self, kind: RebalanceKind, count: usize) {
        if !self.settings.subscription.is_group() {
            self.metrics.assigned.set(self.partitions.len() as i64);
            return;
        }
        self.metrics.rebalances.with_label_values(&[kind.label()]).inc();
        let assigned = self.partitions.len();
        self.metrics.assigned.set(assigned as i64);
        self.metrics.board.rebalanced(kind, count, assigned);
        tracing::info!(
            event = "rebalance",
            kind = kind.label(),
            partitions = count,
            assigned,
            "the assignment changed"
        );
    }
}

pub(super) fn list_of(partitions: &[TopicPartition], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for TopicPartition { topic, partition } in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}

pub(super) fn failure(what: &str, partitions: &[TopicPartition], error: &KafkaError) -> Verdict {
    let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
    Verdict::new(class(code).exit(), with_hint(&format!("{what} of {}: {error}", shown(partitions)), code))
}
