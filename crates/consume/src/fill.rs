//! A batch: filled from the queue, flushed into the sink, and what the sink's faults mean.

use std::time::{Duration, Instant};

use common::kafka::native::{Polled, TopicPartition};

use crate::group::Event;
use crate::poll::{End, Poller};
use crate::sink::{Fault, Record, Sink, Stop};

/// Records between two looks at the clock while a batch is filled.
const CLOCK_EVERY: u32 = 64;

/// The longest time between two looks at signals and clocks.
const SLICE: Duration = Duration::from_millis(100);
/// What came from the queue and is not simply done with.
enum Taken {
    Event(Event),
    Refused((Fault, TopicPartition, i64)),
}

impl<S: Sink> Poller<'_, S> {
    /// Takes records until the sink is full, the queue is dry, a limit is reached or the slice of time is over. `true` when
    /// nothing came.
    pub(crate) fn fill(&mut self) -> Result<bool, End> {
        let began = Instant::now();
        let limit = self.limits.max_records.unwrap_or(u64::MAX);
        let (mut looks, mut is_dry) = (0_u32, true);
        self.release_hold(began);
        self.sink.polls(began);
        while !self.group.has_changes() && !self.sink.is_full() && self.taken.0 - self.sink.passed() < limit {
            // With records in the sink only what is already here is taken: a record of a trickle is flushed at once.
            let waits = self.sink.is_empty() || self.held.is_some();
            let wait = if waits { SLICE.saturating_sub(began.elapsed()) } else { Duration::ZERO };
            let event = match self.group.queue.poll(wait) {
                Polled::Record(message) => {
                    let record = Record::of(&message);
                    let place = (record.topic, record.partition, record.offset);
                    let fault = match (&self.held, self.group.partitions.admit(place.0, place.1, place.2)) {
                        (_, None) => None,
                        (Some(_), Some(_)) => Some(Fault::Retry(Duration::ZERO, String::new())),
                        (None, Some(slot)) => match self.sink.record(&record) {
                            Ok(()) | Err(Fault::Skip(_)) => {
                                let size = record.size();
                                let time = record.timestamp.to_millis();
                                self.group.partitions.accept(slot, place.2, size, time);
                                self.taken = (self.taken.0 + 1, self.taken.1 + size as u64);
                                is_dry = false;
                                None
                            }
                            Err(fault) => Some(fault),
                        },
                    };
                    fault.map(|fault| (fault, TopicPartition::new(place.0, place.1), place.2)).map(Taken::Refused)
                }
                Polled::Empty => break,
                other => Event::of(other).map(Taken::Event),
            };
            match event {
                None => {}
                Some(Taken::Event(event)) => self.group.note(event).map_err(End::Failed)?,
                Some(Taken::Refused((Fault::Stop(stop), ..))) => return Err(stopped(stop)),
                Some(Taken::Refused((Fault::Retry(after, why), place, offset))) => {
                    self.group.rewind(&place, offset).map_err(End::Failed)?;
                    self.hold(after, why);
                }
                Some(Taken::Refused((Fault::Skip(_), ..))) => {}
            }
            looks += 1;
            if (is_dry || looks.is_multiple_of(CLOCK_EVERY)) && began.elapsed() >= SLICE {
                break;
            }
        }
        Ok(is_dry)
    }

    /// The sink wants to be left alone for a while: its partitions stand still, the group is tended.
    fn hold(&mut self, after: Duration, why: String) {
        if self.held.is_none() {
            tracing::warn!(event = "held", "the records are offered again in {after:?}: {why}");
            self.held = Some((Instant::now() + after, why));
        }
    }

    /// Lets the partitions go on when the time is over.
    fn release_hold(&mut self, now: Instant) {
        if self.held.as_ref().is_some_and(|(until, _)| now >= *until) {
            self.held = None;
            self.group.resume();
        }
    }

    /// Flushes what the sink holds, then marks it as written: in this order, so that no record is passed over.
    pub(crate) fn flush(&mut self) -> Result<(), End> {
        if self.sink.is_empty() {
            self.group.partitions.mark_written();
            if self.sink.passed() > 0 {
                self.deps.tally.flushed(self.taken.0, self.taken.1, self.sink.passed());
            }
            return Ok(());
        }
        let must = self.group.has_changes() || self.deps.shutdown.requested().is_some();
        if self.held.is_some() && !must {
            return Ok(());
        }
        match self.sink.flush() {
            Ok(()) => {
                self.group.partitions.mark_written();
                self.deps.tally.flushed(self.taken.0, self.taken.1, self.sink.passed());
                Ok(())
            }
            Err(Fault::Skip(why)) => {
                tracing::error!(event = "batch_skipped", "{why}");
                self.group.partitions.mark_written();
                Ok(())
            }
            Err(Fault::Retry(after, why)) if !must => {
                self.group.pause().map_err(End::Failed)?;
                self.hold(after, why);
                Ok(())
            }
            Err(Fault::Retry(_, why)) => {
                tracing::warn!(
                    event = "batch_given_up",
                    "its partitions are revoked, other members read it again: {why}"
                );
                self.sink.discard();
                let counts = self.deps.tally.counts();
                self.taken = (counts.records, counts.bytes);
                self.group.roll_back().map_err(End::Failed)
            }
            Err(Fault::Stop(stop)) => {
                self.is_broken = true;
                Err(stopped(stop))
            }
        }
    }
}

fn stopped(stop: Stop) -> End {
    match stop {
        Stop::Closed => End::Closed,
        Stop::Failed(verdict) => End::Failed(verdict),
    }
}
