//! Whether the topic at the end of the run is the one at its start: messages that were acknowledged by a topic that was deleted
//! since are gone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::native::{Answer, Questions, TopicId};
use common::kafka::topic;
use common::shutdown::{Deadline, Shutdown};
use common::verdict::Verdict;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::producer::BaseProducer;

use super::{NAP, Publisher};
use crate::context::Context;

/// How long the brokers may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The tokens of the question at the start, and of those at the end.
const START: usize = 0;
const END: usize = 1;

/// The topic's identity, and the means to ask for it.
pub(super) struct Identity {
    questions: Questions<Context>,
    topic: String,
    /// What was answered to the question at the start; zeros where the brokers do not know or do not tell.
    at_start: Option<TopicId>,
}

/// What the brokers say at the end.
enum Found {
    Topic(TopicId),
    /// There is no such topic.
    Nothing,
    /// They do not say.
    NoAnswer,
}

impl Identity {
    /// Asks for the identity that the topic has now. The answer is not waited for.
    pub fn ask(producer: Arc<BaseProducer<Context>>, topic: &str) -> Self {
        let identity = Self { questions: Questions::new(producer, ANSWER), topic: topic.to_owned(), at_start: None };
        identity.put(START);
        identity
    }

    fn put(&self, token: usize) {
        // The name was checked, so it can be asked for; without an answer nothing is compared.
        let _ = self.questions.topics(token, None, std::slice::from_ref(&self.topic));
    }

    /// What the topic was at the start, waited for until the deadline; `None` where nobody knows.
    fn at_start(&mut self, deadline: Deadline, shutdown: &Shutdown) -> Option<TopicId> {
        if self.at_start.is_none() {
            self.at_start = match self.answer(START, deadline, shutdown) {
                Found::Topic(id) => Some(id),
                Found::Nothing | Found::NoAnswer => None,
            };
        }
        self.at_start.filter(|id| id.is_known())
    }

    fn answer(&self, token: usize, deadline: Deadline, shutdown: &Shutdown) -> Found {
        loop {
            // Rounded up: rounded down, the last millisecond would be no wait.
            let Some((found, answer)) = self.questions.answer(deadline.left().min(NAP).max(Duration::from_millis(1)))
            else {
                if deadline.is_over() || shutdown.at_once() {
                    return Found::NoAnswer;
                }
                continue;
            };
            if found != token {
                continue;
            }
            let Answer::Topics(topics) = answer else { return Found::NoAnswer };
            return match topics.into_iter().find(|topic| topic.name == self.topic).map(|topic| topic.found) {
                Some(Ok((id, _))) => Found::Topic(id),
                Some(Err(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)) => Found::Nothing,
                Some(Err(_)) | None => Found::NoAnswer,
            };
        }
    }
}

impl Publisher<'_> {
    /// The verdict, or a worse one where messages that were acknowledged are gone.
    pub(super) fn check_identity(&self, identity: &mut Identity, verdict: Verdict) -> Verdict {
        let delivered = self.tally.counts().delivered;
        if delivered == 0 || !matches!(verdict.exit, Exit::Ok | Exit::Incomplete) {
            return verdict;
        }
        let limit = self.stop.drain().left().min(ANSWER);
        let deadline = Deadline::after(Instant::now(), limit);
        let Some(before) = identity.at_start(deadline, &self.stop.shutdown) else { return verdict };
        let missing_until = Deadline::after(Instant::now(), limit.min(topic::GRACE));
        let name = identity.topic.clone();
        let gone = loop {
            self.health.progress();
            identity.put(END);
            match identity.answer(END, deadline, &self.stop.shutdown) {
                Found::Topic(now) if !now.is_known() || now == before => return verdict,
                Found::Topic(_) => break "was deleted and created again",
                Found::Nothing if missing_until.is_over() || self.stop.shutdown.at_once() => break "was deleted",
                // A broker may know less than the others for a moment.
                Found::Nothing => std::thread::sleep(NAP),
                Found::NoAnswer => {
                    tracing::warn!(
                        event = "topic_unchecked",
                        topic = name,
                        "no broker said whether the topic was replaced during the run"
                    );
                    return verdict;
                }
            }
        };
        let message = format!("topic {name} {gone} during the run: messages acknowledged before are gone");
        tracing::error!(event = "topic_replaced", topic = name, delivered, "{message}");
        Verdict::new(Exit::Incomplete, message)
    }
}
