//! What the loop takes from librdkafka's statistics. The callback runs inside the loop's own poll and only takes a note.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::kafka::answering::Answering;
use common::kafka::context::{self, Handler};
use common::kafka::native::TopicPartition;
use common::kafka::statistics::Statistics;

/// The context of the consumer.
pub(crate) type Context = context::Context<Notes>;

/// What the loop needs of one emission of the statistics.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// When they were taken: long before they are served where the loop stood still.
    pub taken: Instant,
    /// Whether the member has been told its part.
    pub is_steady: bool,
    /// The ends of the partitions that the client works on and whose broker it is connected to: last stable offset and high watermark, negative where unknown.
    pub ends: Vec<(TopicPartition, i64, i64)>,
    /// Records that were fetched and wait to be polled.
    pub waiting: u64,
}

#[derive(Default)]
struct Noted {
    latest: Option<Snapshot>,
    answering: Answering,
}

/// The latest statistics.
pub(crate) struct Notes {
    /// Before the client was created, whose clock starts then.
    created: Instant,
    noted: Mutex<Noted>,
}

impl Notes {
    /// For a client that is created next.
    pub fn new() -> Self {
        Self { created: Instant::now(), noted: Mutex::default() }
    }

    /// The latest statistics, once.
    pub fn take_snapshot(&self) -> Option<Snapshot> {
        self.noted().latest.take()
    }

    /// Which broker that this consumer depends on is silent, as a sentence.
    pub fn silent(&self, patience: Duration) -> Option<String> {
        self.noted().answering.silent(patience)
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Notes {
    fn statistics(&self, statistics: &Statistics<'_>) {
        let ends = statistics.topics.iter().flat_map(|(name, topic)| {
            let desired = topic.partitions.values().filter(|partition| partition.desired);
            // Of a broker that is away only the end of back then is known: it may have moved on behind another broker.
            let known = desired.filter(|partition| statistics.reaches(partition));
            known.map(|partition| {
                (TopicPartition::new(&**name, partition.partition), partition.ls_offset, partition.hi_offset)
            })
        });
        let fetched = statistics.topics.values().flat_map(|topic| topic.partitions.values());
        let waiting = fetched
            .filter(|partition| partition.desired)
            .map(|partition| partition.fetchq_cnt.max(0).unsigned_abs())
            .sum();
        let is_steady = statistics.cgrp.as_ref().is_some_and(|group| group.join_state == "steady");
        let now = Instant::now();
        let taken = statistics.age.map_or(now, |age| (self.created + Duration::from_micros(age)).min(now));
        let mut noted = self.noted();
        noted.latest = Some(Snapshot { taken, is_steady, ends: ends.collect(), waiting });
        noted.answering.update(statistics, now);
    }
}
