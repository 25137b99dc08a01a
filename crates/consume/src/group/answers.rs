//! The questions to the brokers that are due, and what their answers change.

use std::time::{Duration, Instant};

use common::kafka;
use common::kafka::native::Answer;
use common::verdict::Verdict;
use rdkafka::consumer::Consumer;

use super::placement::Kind;
use super::refresh::Refresh;
use super::{Group, internal, topics};
use crate::settings::Subscription;

/// How long a look at all topics may hold the loop up.
const METADATA: Duration = Duration::from_millis(100);
/// Between two of them.
const PAUSE: Duration = Duration::from_millis(250);
/// Tokens of questions that are not about the offsets of a placement.
const TOPICS: usize = usize::MAX;
const GROUP: usize = usize::MAX - 1;

impl Group<'_> {
    pub(super) fn ask(&mut self, now: Instant) -> Result<(), Verdict> {
        if self.broker.is_none() && self.asked_brokers.is_none_or(|asked| now - asked >= PAUSE) {
            self.asked_brokers = Some(now);
            let names = self.settings.subscription.names();
            let metadata = self.consumer.fetch_metadata(names.first().map(String::as_str), METADATA);
            self.broker = metadata.ok().and_then(|metadata| Some(metadata.brokers().first()?.id()));
        }
        if self.broker.is_some() {
            let assigned = self.partitions.iter().map(|slot| slot.place.topic.clone());
            if let Some(names) = self.topics.due(assigned, now) {
                self.questions.topics(TOPICS, self.broker, &names).map_err(|error| internal(&error))?;
            }
        }
        if let Some(refresh) = self.refresh.filter(|refresh| refresh.is_due(now)) {
            // A classic group learns of a new topic by metadata of all topics only, by itself once a minute. To subscribe anew
            // would tear down a join that may be under way, and leave a dead member in the group.
            self.refresh = refresh.looked(now, self.consumer.fetch_metadata(None, METADATA).is_ok());
        }
        if let Subscription::Group { group, .. } = &self.settings.subscription {
            let has_partitions = self.partitions.len() > 0 || !self.placements.is_empty();
            if self.membership.tend(&self.consumer, has_partitions, now) {
                self.questions.group(GROUP, group).map_err(|error| internal(&error))?;
            }
        }
        for placement in &mut self.placements {
            placement.ask(&self.questions, self.settings, now).map_err(|error| internal(&error))?;
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, token: usize, answer: Answer, now: Instant) -> Result<(), Verdict> {
        match &answer {
            Answer::Failed(code, reason) => tracing::debug!(event = "question_failed", ?code, "{reason}"),
            _ => self.client.reached(),
        }
        match (token, answer) {
            (TOPICS, Answer::Topics(answers)) => {
                let findings = self.topics.answered(answers, now);
                findings.into_iter().try_for_each(|finding| self.found(finding, now))
            }
            (TOPICS, _) => {
                // Another broker may answer.
                self.broker = None;
                self.topics.failed();
                Ok(())
            }
            (GROUP, answer) => {
                self.membership.heard();
                if let Answer::Group(Ok(group)) = answer {
                    self.membership.answered(&group, now);
                }
                Ok(())
            }
            (token, answer) => {
                let (id, kind) = (token / Kind::ALL.len(), Kind::ALL[token % Kind::ALL.len()]);
                let Some(placement) = self.placements.iter_mut().find(|placement| placement.id == id) else {
                    return Ok(());
                };
                match placement.answered(kind, answer, now) {
                    Err(_) if self.is_established => Ok(()),
                    result => result,
                }
            }
        }
    }

    fn found(&mut self, finding: topics::Finding, now: Instant) -> Result<(), Verdict> {
        use topics::Finding;
        match finding {
            Finding::Refused(verdict) if self.is_established => {
                tracing::warn!(event = "topic_refused", "{verdict}");
                Ok(())
            }
            Finding::Refused(verdict) => Err(verdict),
            Finding::Missing(topic) if self.settings.is_one_shot() => {
                Err(kafka::topic::missing(&topic, &self.settings.servers))
            }
            Finding::Missing(topic) => {
                tracing::warn!(event = "topic_missing", topic, "the topic does not exist: waiting for it");
                Ok(())
            }
            Finding::Replaced(topic) => self.replaced(&topic),
            Finding::Found { topic, partitions, appeared } => {
                if appeared && self.settings.subscription.is_group() {
                    self.refresh = Some(Refresh::begin(now));
                }
                self.assign_given(&topic, partitions, now)
            }
        }
    }
}
