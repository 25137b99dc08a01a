//! Before the first record: do the topics exist, and may this user see them? A group tells neither for sure (with KIP-848 a
//! missing topic is no error at all), metadata do.

use std::time::{Duration, Instant};

use common::kafka::Failure;
use common::kafka::topic::{self, Known};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::config::{Config, Subscription};
use crate::context::Context;

/// Between two questions about the same topic.
const PAUSE: Duration = Duration::from_millis(250);

/// What one look brought to light.
pub enum Finding {
    /// Nothing new.
    Nothing,
    /// The topic that was asked about is there and has so many partitions.
    Found {
        /// How many.
        partitions: usize,
    },
    /// A topic that was missing is there now: the subscription has to be made anew.
    Appeared,
    /// A topic has been missing for longer than a new one may be. Told once for each.
    Missing(String),
    /// The brokers refuse to say.
    Refused(Failure),
}

/// Topics that have not been found yet.
pub struct Preflight {
    pending: Vec<Pending>,
    asked: Option<Instant>,
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
        Self { pending: topics.into_iter().map(pending).collect(), asked: None }
    }

    /// What is still waited for, if anything.
    pub fn waiting_for(&self) -> Option<String> {
        let first = self.pending.first()?;
        Some(match first.missing_since {
            Some(_) => format!("topic {} does not exist", first.topic),
            None => format!("topic {}: no broker has answered yet", first.topic),
        })
    }

    /// Asks about one topic. Blocks for half a second at most, and does nothing when all were found.
    pub fn look(&mut self, consumer: &BaseConsumer<Context>) -> Finding {
        let Some(first) = self.pending.first_mut() else { return Finding::Nothing };
        if self.asked.is_some_and(|asked| asked.elapsed() < PAUSE) {
            return Finding::Nothing;
        }
        let known = topic::ask(consumer.client(), &first.topic);
        self.asked = Some(Instant::now());
        match known {
            Known::NoAnswer => Finding::Nothing,
            Known::Refused(failure) => Finding::Refused(failure),
            Known::Partitions(partitions) => {
                let was_missing = first.missing_since.is_some();
                self.pending.remove(0);
                self.asked = None;
                if was_missing && consumer.subscription().is_ok_and(|list| list.count() > 0) {
                    return Finding::Appeared;
                }
                Finding::Found { partitions }
            }
            Known::Missing => {
                let since = *first.missing_since.get_or_insert_with(Instant::now);
                if first.told || since.elapsed() < topic::GRACE {
                    return Finding::Nothing;
                }
                first.told = true;
                let topic = first.topic.clone();
                // The others may be there.
                self.pending.rotate_left(1);
                Finding::Missing(topic)
            }
        }
    }
}
