//! Before the first record: do the topics exist, and may this user see them? A group tells neither for sure (with KIP-848 a
//! missing topic is no error at all), metadata do.

use std::time::{Duration, Instant};

use common::kafka::topic::{self, Known};
use common::verdict::Verdict;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::config::{Config, Subscription};
use crate::context::Context;

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(250);
/// The same while records are read, which a question holds up.
const PAUSE_WHILE_READING: Duration = Duration::from_secs(2);
/// librdkafka's default for `fetch.wait.max.ms`.
const FETCH_WAIT_MS: u64 = 500;

/// What one look brought to light.
pub enum Finding {
    /// Nothing new.
    Nothing,
    /// The topic that was asked about is there and has so many partitions.
    Found {
        /// How many.
        partitions: usize,
    },
    /// A topic has been missing for longer than a new one may be. Told once for each.
    Missing(String),
    /// The brokers refuse to say.
    Refused(Verdict),
}

/// Topics that have not been found yet.
pub struct Preflight {
    pending: Vec<Pending>,
    /// The one to ask about next. Missing ones take turns: any of them may be created first.
    next: usize,
    asked: Option<Instant>,
    is_group: bool,
    /// For how long a broker keeps an answer back until there are records.
    fetch_wait: Duration,
}

struct Pending {
    topic: String,
    missing_since: Option<Instant>,
    told: bool,
}

impl Preflight {
    /// All topics that are given by name; a regular expression may match nothing for now.
    pub fn new(config: &Config) -> Self {
        let topics = match &config.subscription {
            Subscription::Group { topics } => topics.iter().filter(|topic| !topic.starts_with('^')).cloned().collect(),
            Subscription::Partitions { topic, .. } => vec![topic.clone()],
        };
        let pending = |topic| Pending { topic, missing_since: None, told: false };
        let is_group = matches!(config.subscription, Subscription::Group { .. });
        let fetch_wait = config.properties.get("fetch.wait.max.ms").and_then(|text| text.parse().ok());
        let fetch_wait = Duration::from_millis(fetch_wait.unwrap_or(FETCH_WAIT_MS));
        Self { pending: topics.into_iter().map(pending).collect(), next: 0, asked: None, is_group, fetch_wait }
    }

    /// What is still waited for, if anything.
    pub fn waiting_for(&self) -> Option<String> {
        let first = self.pending.first()?;
        let missing = self.pending.iter().filter(|pending| pending.missing_since.is_some());
        let missing: Vec<&str> = missing.map(|pending| pending.topic.as_str()).collect();
        Some(match missing.as_slice() {
            [] => format!("topic {}: no broker has told of it yet", first.topic),
            [topic] => format!("topic {topic} does not exist"),
            topics => format!("topics {} do not exist", topics.join(", ")),
        })
    }

    /// Asks about one topic, and does nothing when all were found. Blocks for half a second at most, and for longer
    /// while records are read: brokers answer one request of a connection after the other.
    pub fn look(&mut self, consumer: &BaseConsumer<Context>, reading: bool) -> Finding {
        let (pause, limit) =
            if reading { (PAUSE_WHILE_READING, topic::SLICE + self.fetch_wait) } else { (PAUSE, topic::SLICE) };
        if self.next >= self.pending.len() {
            self.next = 0;
        }
        let Some(next) = self.pending.get_mut(self.next) else { return Finding::Nothing };
        if self.asked.is_some_and(|asked| asked.elapsed() < pause) {
            return Finding::Nothing;
        }
        let known = topic::ask_within(consumer.client(), &next.topic, limit);
        self.asked = Some(Instant::now());
        match known {
            Known::NoAnswer => Finding::Nothing,
            Known::Refused(failure) => Finding::Refused(failure),
            Known::Partitions(partitions) => {
                // A classic group learns of a new topic by metadata of all topics only, by itself once a minute. To
                // subscribe anew would tear down a join that may be under way, and leave a dead member in the group.
                let appeared = next.missing_since.is_some() && self.is_group;
                if appeared && consumer.fetch_metadata(None, limit).is_err() {
                    return Finding::Nothing;
                }
                self.pending.remove(self.next);
                self.asked = None;
                Finding::Found { partitions }
            }
            Known::Missing => {
                consumer.context().client.reached();
                self.next += 1;
                let since = *next.missing_since.get_or_insert_with(Instant::now);
                if next.told || since.elapsed() < topic::GRACE {
                    return Finding::Nothing;
                }
                next.told = true;
                Finding::Missing(next.topic.clone())
            }
        }
    }
}
