//! Before the first message or record: do the topics exist, and may this user see them? A group tells neither for sure (with
//! KIP-848 a missing topic is no error at all), metadata do.

use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};

use super::{GRACE, Known, ask_within};
use crate::verdict::Verdict;

/// What one look brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Nothing new.
    Nothing,
    /// A topic is there.
    Found {
        /// Its name.
        topic: String,
        /// How many partitions it has.
        partitions: usize,
    },
    /// The brokers say that there is no such topic; it may be a new one that not all of them know. Said at each look.
    Unknown(String),
    /// A topic has been missing for longer than a new one may be. Said once for each.
    Missing(String),
    /// The brokers refuse to say.
    Refused(Verdict),
}

/// Topics that have not been found yet.
#[derive(Debug)]
pub struct Lookup {
    pending: Vec<Pending>,
    /// The one to ask about next. Missing ones take turns: any of them may be created first.
    next: usize,
    asked: Option<Instant>,
    for_group: bool,
}

#[derive(Debug)]
struct Pending {
    topic: String,
    missing_since: Option<Instant>,
    said: bool,
}

impl Lookup {
    /// All of these are to be found.
    pub fn new(topics: impl IntoIterator<Item = String>) -> Self {
        let pending = topics.into_iter().map(|topic| Pending { topic, missing_since: None, said: false }).collect();
        Self { pending, next: 0, asked: None, for_group: false }
    }

    /// A classic group learns of a topic that has appeared by metadata of all topics only, by itself once a minute: it is told at
    /// once. (To subscribe anew would tear down a join that may be under way, and leave a dead member in the group.)
    #[must_use]
    pub fn for_group(mut self) -> Self {
        self.for_group = true;
        self
    }

    /// Whether all were found.
    pub fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    /// A topic is to be found again, as it was deleted.
    pub fn again(&mut self, topic: String) {
        if self.pending.iter().all(|pending| pending.topic != topic) {
            self.pending.push(Pending { topic, missing_since: None, said: false });
        }
    }

    /// What is still waited for, if anything.
    pub fn waiting_for(&self) -> Option<String> {
        let first = self.pending.first()?;
        let missing = self.pending.iter().filter(|pending| pending.missing_since.is_some());
        let missing: Vec<&str> = missing.map(|pending| pending.topic.as_str()).collect();
        Some(match missing.as_slice() {
            [] => format!("topic {}: no broker has described it yet", first.topic),
            [topic] => format!("topic {topic} does not exist"),
            topics => format!("topics {} do not exist", topics.join(", ")),
        })
    }

    /// Asks about one topic, if the last question was not less than `pause` ago and not all were found. Blocks for `limit` at
    /// most.
    pub fn look<C: ClientContext>(&mut self, client: &Client<C>, pause: Duration, limit: Duration) -> Finding {
        if self.next >= self.pending.len() {
            self.next = 0;
        }
        let Some(next) = self.pending.get_mut(self.next) else { return Finding::Nothing };
        if self.asked.is_some_and(|asked| asked.elapsed() < pause) {
            return Finding::Nothing;
        }
        let known = ask_within(client, &next.topic, limit);
        self.asked = Some(Instant::now());
        match known {
            Known::NoAnswer => Finding::Nothing,
            Known::Refused(refusal) => Finding::Refused(refusal),
            Known::Partitions(partitions) => {
                let has_appeared = next.missing_since.is_some() && self.for_group;
                if has_appeared && client.fetch_metadata(None, limit).is_err() {
                    return Finding::Nothing;
                }
                self.asked = None;
                Finding::Found { topic: self.pending.remove(self.next).topic, partitions }
            }
            Known::Missing => {
                self.next += 1;
                let since = *next.missing_since.get_or_insert_with(Instant::now);
                let topic = next.topic.clone();
                if next.said || since.elapsed() < GRACE {
                    return Finding::Unknown(topic);
                }
                next.said = true;
                Finding::Missing(topic)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::producer::{BaseProducer, Producer};
    use testbed::mock::Mock;

    use super::*;
    use crate::config::Properties;
    use crate::kafka::topic::{SLICE, check_partition};
    use crate::verdict::Verdict;

    /// A client of this cluster.
    fn client(mock: &Mock) -> BaseProducer {
        let mut properties = Properties::new();
        properties.fallback("bootstrap.servers", mock.bootstrap_servers());
        // A question must not create a topic.
        properties.fallback("allow.auto.create.topics", "false");
        crate::kafka::client_config(&properties).create().unwrap()
    }

    #[test]
    fn topics_take_turns_until_all_are_found() {
        let mock = Mock::with_topic("here", 3).unwrap();
        let producer = client(&mock);
        let mut lookup = Lookup::new(["gone".to_owned(), "here".to_owned()]);
        assert_eq!(lookup.waiting_for().unwrap(), "topic gone: no broker has described it yet");
        let mut look = |lookup: &mut Lookup| lookup.look(producer.client(), Duration::ZERO, SLICE);
        let until = |lookup: &mut Lookup, look: &mut dyn FnMut(&mut Lookup) -> Finding, wanted: Finding| {
            let deadline = Instant::now() + Duration::from_secs(30);
            while look(lookup) != wanted {
                assert!(Instant::now() < deadline, "{wanted:?} never came");
            }
        };
        until(&mut lookup, &mut look, Finding::Found { topic: "here".to_owned(), partitions: 3 });
        until(&mut lookup, &mut look, Finding::Missing("gone".to_owned()));
        assert_eq!(lookup.waiting_for().unwrap(), "topic gone does not exist");
        until(&mut lookup, &mut look, Finding::Unknown("gone".to_owned()));
        mock.create_topic("gone", 1, 1).unwrap();
        until(&mut lookup, &mut look, Finding::Found { topic: "gone".to_owned(), partitions: 1 });
        assert!(lookup.is_done());
        assert_eq!(look(&mut lookup), Finding::Nothing);
    }

    #[test]
    fn a_partition_that_is_not_there_is_refused_with_the_range() {
        assert_eq!(check_partition("test", 3, 2), Ok(()));
        let refusal = check_partition("test", 3, 3).map_err(|verdict: Verdict| verdict.reason().to_owned());
        assert_eq!(refusal, Err("topic test has 3 partitions, 0 to 2: there is no partition 3".to_owned()));
        assert!(check_partition("test", 3, -1).is_err());
    }
}
