//! Whether the topics exist, and whether they are still the same: asked of the brokers, as a group tells neither for sure (with
//! KIP-848 a missing topic is no error at all) and a topic that is deleted and created again keeps its name.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::error::{Class, class, with_hint};
use common::kafka::native::{TopicAnswer, TopicId};
use common::kafka::topic::GRACE;
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;

/// Between two questions while a topic is looked for.
const LOOK: Duration = Duration::from_millis(250);
/// Between two questions when all are there: a replaced topic is noticed this late at most.
const WATCH: Duration = Duration::from_secs(5);

/// What an answer brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The topic is there, with so many partitions. `appeared`: it was missing before.
    Found { topic: String, partitions: usize, appeared: bool },
    /// The topic has been missing for longer than a new one may be. Said once.
    Missing(String),
    /// The topic was deleted and created again.
    Replaced(String),
    /// The brokers refuse to say.
    Refused(Verdict),
}

#[derive(Default)]
struct Topic {
    /// What was found last.
    id: Option<TopicId>,
    /// Whether it is there as far as is known.
    is_there: bool,
    missing_since: Option<Instant>,
    is_reported: bool,
}

/// The topics of a run.
pub(crate) struct Topics {
    /// Those given by name.
    subscribed: Vec<String>,
    topics: HashMap<String, Topic>,
    /// Whether a question is on its way, and when the next one is due.
    is_asking: bool,
    next: Option<Instant>,
}

impl Topics {
    pub fn new(subscribed: Vec<String>) -> Self {
        let topics = subscribed.iter().map(|name| (name.clone(), Topic::default())).collect();
        Self { subscribed, topics, is_asking: false, next: None }
    }

    /// The topics to ask about now, if it is time to: those given by name, and those of the assignment.
    pub fn due(&mut self, assigned: impl Iterator<Item = String>, now: Instant) -> Option<Vec<String>> {
        if self.is_asking || self.next.is_some_and(|next| now < next) {
            return None;
        }
        let mut names = self.subscribed.clone();
        names.extend(assigned);
        names.sort();
        names.dedup();
        let pause = if names.iter().all(|name| self.topics.get(name).is_some_and(|topic| topic.is_there)) {
            WATCH
        } else {
            LOOK
        };
        self.next = Some(now + pause);
        self.is_asking = !names.is_empty();
        self.is_asking.then_some(names)
    }

    /// Something happened to a topic: ask at once.
    pub fn look_again(&mut self) {
        self.next = None;
    }

    /// No broker answered the question.
    pub fn failed(&mut self) {
        self.is_asking = false;
    }

    /// What the answer says that was not known before.
    pub fn answered(&mut self, answers: Vec<TopicAnswer>, now: Instant) -> Vec<Finding> {
        self.is_asking = false;
        answers.into_iter().filter_map(|answer| self.judge(answer, now)).collect()
    }

    fn judge(&mut self, answer: TopicAnswer, now: Instant) -> Option<Finding> {
        let topic = self.topics.entry(answer.name.clone()).or_default();
        match answer.found {
            Ok((_, partitions)) if partitions.is_empty() => None,
            Ok((id, partitions)) => {
                let (was_there, appeared) = (topic.is_there, topic.missing_since.is_some());
                let before = topic.id.replace(id);
                (topic.is_there, topic.missing_since, topic.is_reported) = (true, None, false);
                if before.is_some_and(|before| before.is_known() && id.is_known() && before != id) {
                    return Some(Finding::Replaced(answer.name));
                }
                (!was_there).then_some(Finding::Found { topic: answer.name, partitions: partitions.len(), appeared })
            }
            Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                topic.is_there = false;
                let since = *topic.missing_since.get_or_insert(now);
                // One that was there before is gone; a new one is not known to every broker at once.
                if topic.is_reported || (topic.id.is_none() && now.saturating_duration_since(since) < GRACE) {
                    return None;
                }
                topic.is_reported = true;
                Some(Finding::Missing(answer.name))
            }
            Err(code) if class(code) == Class::Refused => {
                let reason = format!("topic {}: {code}", answer.name);
                Some(Finding::Refused(Verdict::new(Exit::Refused, with_hint(&reason, code))))
            }
            Err(_) => None,
        }
    }

    /// Which topic is missing or not known yet, as a sentence.
    pub fn waiting_for(&self) -> Option<String> {
        let mut missing: Vec<&str> = self
            .topics
            .iter()
            .filter(|(_, topic)| topic.missing_since.is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        missing.sort_unstable();
        match missing.as_slice() {
            [] => {
                let unknown =
                    self.subscribed.iter().find(|name| self.topics.get(*name).is_none_or(|topic| !topic.is_there));
                unknown.map(|name| format!("topic {name}: no broker has answered yet whether it exists"))
            }
            [topic] => Some(format!("topic {topic} does not exist")),
            topics => Some(format!("topics {} do not exist", topics.join(", "))),
        }
    }

    /// The topic is of no interest any more: none of its partitions is assigned, and nobody named it.
    pub fn forget_unassigned(&mut self, assigned: impl Fn(&str) -> bool) {
        let subscribed = &self.subscribed;
        self.topics.retain(|name, _| subscribed.contains(name) || assigned(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::kafka::native::PartitionAnswer;

    fn there(id: i64) -> TopicAnswer {
        let partitions = vec![PartitionAnswer { partition: 0, leader: Some(1) }];
        TopicAnswer { name: "t".into(), found: Ok((TopicId([id, id]), partitions)), allowed: None }
    }

    fn gone() -> TopicAnswer {
        TopicAnswer { name: "t".into(), found: Err(RDKafkaErrorCode::UnknownTopicOrPartition), allowed: None }
    }

    #[test]
    fn a_new_topic_has_some_grace_and_is_reported_missing_once() {
        let (mut topics, now) = (Topics::new(vec!["t".into()]), Instant::now());
        assert_eq!(topics.answered(vec![gone()], now), []);
        assert!(topics.waiting_for().is_some_and(|reason| reason.contains("does not exist")));
        assert_eq!(topics.answered(vec![gone()], now + GRACE), [Finding::Missing("t".into())]);
        assert_eq!(topics.answered(vec![gone()], now + GRACE * 2), []);
        let found = Finding::Found { topic: "t".into(), partitions: 1, appeared: true };
        assert_eq!(topics.answered(vec![there(1)], now), [found]);
        assert_eq!(topics.waiting_for(), None);
    }

    #[test]
    fn a_topic_with_another_id_was_replaced_and_one_without_is_not_compared() {
        let (mut topics, now) = (Topics::new(vec!["t".into()]), Instant::now());
        topics.answered(vec![there(1)], now);
        assert_eq!(topics.answered(vec![there(1)], now), []);
        assert_eq!(topics.answered(vec![gone()], now), [Finding::Missing("t".into())], "it was there: no grace");
        assert_eq!(topics.answered(vec![there(2)], now), [Finding::Replaced("t".into())]);
        assert_eq!(topics.answered(vec![there(0)], now), []);
        assert_eq!(topics.answered(vec![there(3)], now), []);
    }

    #[test]
    fn questions_come_often_while_a_topic_is_missing_and_rarely_then() {
        let (mut topics, now) = (Topics::new(vec!["t".into()]), Instant::now());
        assert_eq!(topics.due(std::iter::empty(), now), Some(vec!["t".to_owned()]));
        assert_eq!(topics.due(std::iter::empty(), now + WATCH), None, "one at a time");
        topics.answered(vec![there(1)], now);
        let later = now + LOOK;
        assert!(topics.due(["u".to_owned()].into_iter(), later).is_some_and(|names| names.len() == 2));
        topics.answered(vec![there(1), TopicAnswer { name: "u".into(), ..there(1) }], later);
        let later = later + LOOK;
        assert!(topics.due(["u".to_owned()].into_iter(), later).is_some());
        topics.failed();
        assert_eq!(topics.due(["u".to_owned()].into_iter(), later + LOOK), None);
        topics.look_again();
        assert!(topics.due(["u".to_owned()].into_iter(), later + LOOK).is_some());
    }
}
