//! Who reads what: the client, its group, its partitions and their offsets. Knows nothing of what is done with records.

mod answers;
mod assignment;
mod commits;
mod context;

mod leave;
mod membership;
mod partitions;
mod placement;
mod refresh;
mod still;
mod topics;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::exit::Exit;
use common::kafka::backlog::Backlog;
use common::kafka::native::{Isolation, Polled, Questions, RecordQueue, TopicPartition};
use common::kafka::{self, ClientState};
use common::verdict::Verdict;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;

use crate::metrics::LoopMetrics;
use crate::settings::{Settings, Start, Subscription};
use crate::sink::News;
use commits::Commits;
use context::{Context, Notes};
use membership::Membership;
use partitions::Partitions;
use placement::Placement;
use refresh::Refresh;
use topics::Topics;

pub(crate) use partitions::NONE;

/// A question to the brokers that is not answered for this long is asked again.
const QUESTION: Duration = Duration::from_secs(5);
/// How long the commit before a revocation may hold the group up. Missed, the next member reads the records again.
const REVOKE_COMMIT: Duration = Duration::from_secs(5);
/// A broker that has not answered for this long is silent. Statistics come each 5 s, so that ten seconds of silence are seen in
/// time.
const SILENCE: Duration = Duration::from_secs(8);

/// A change of the assignment that the loop has to carry out, once what it holds is flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Assign(Vec<TopicPartition>),
    Revoke(Vec<TopicPartition>),
}

/// The client with its group, partitions and offsets.
pub(crate) struct Group<'a> {
    settings: &'a Settings,
    consumer: Arc<BaseConsumer<Context>>,
    /// The queue of records and events.
    pub queue: RecordQueue<Context>,
    questions: Questions<Context>,
    client: Arc<ClientState>,
    metrics: LoopMetrics,
    pub partitions: Partitions,
    commits: Commits,
    topics: Topics,
    membership: Membership,
    changes: VecDeque<Change>,
    placements: Vec<Placement>,
    /// Numbers placements, so that answers find theirs.
    placed: usize,
    /// A broker that is asked about topics, and when one was last looked for.
    broker: Option<i32>,
    asked_brokers: Option<Instant>,
    /// Only the first assignment starts where the run was told to.
    is_first: bool,
    /// A topic is there that the group may not know yet.
    refresh: Option<Refresh>,
    /// Since when the client has said that what was subscribed to does not exist.
    unmatched: Option<Instant>,
    /// How long a broker may be silent.
    patience: Duration,
    backlog: Backlog,
    /// What the sink is to be told.
    news: Vec<News>,
    /// Whether librdkafka has given the client up.
    is_fatal: bool,
    /// Whether the work was established: every topic of the assignment has had an answer to a fetch.
    is_established: bool,
}

impl<'a> Group<'a> {
    /// Makes the client and joins the group. Asks no broker yet.
    ///
    /// # Errors
    /// When librdkafka refuses the configuration.
    pub fn new(settings: &'a Settings, client: Arc<ClientState>, metrics: LoopMetrics) -> Result<Self, Verdict> {
        let mut properties = settings.properties.clone();
        // An offset that does not exist is decided about here: librdkafka would pass records over in silence.
        properties.remove("auto.offset.reset");
        properties.fallback("auto.offset.reset", "error");
        if properties.get("group.protocol") == Some("consumer") {
            // The only place where librdkafka says that the brokers do not have this protocol.
            properties.fallback("debug", "cgrp");
        }
        let context = Context::new(Arc::clone(&client), Notes::new());
        let consumer: BaseConsumer<Context> = kafka::create(&properties, context)?;
        if !settings.subscription.is_group() {
            client.without_group();
        }
        let consumer = Arc::new(consumer);
        metrics.lag.expect_every(milliseconds(&properties, "statistics.interval.ms"));
        if let Subscription::Group { topics, .. } = &settings.subscription {
            let names: Vec<&str> = topics.iter().map(String::as_str).collect();
            consumer
                .subscribe(&names)
                .map_err(|error| Verdict::new(Exit::Usage, format!("--topic {}: {error}", names.join(","))))?;
        }
        let queue = RecordQueue::of(Arc::clone(&consumer))
            .ok_or_else(|| Verdict::new(Exit::Usage, "librdkafka has no queue for records: set group.id"))?;
        Ok(Self {
            settings,
            queue,
            questions: Questions::new(Arc::<BaseConsumer<Context>>::clone(&consumer), QUESTION),
            partitions: Partitions::new(metrics.clone()),
            commits: Commits::new(Arc::clone(&consumer), metrics.clone(), settings.commit_interval),
            consumer,
            client,
            metrics,
            topics: Topics::new(settings.subscription.names()),
            membership: Membership::default(),
            changes: VecDeque::new(),
            placements: Vec::new(),
            placed: 0,
            broker: None,
            asked_brokers: None,
            is_first: true,
            unmatched: None,
            patience: patience(&settings.properties),
            backlog: Backlog::new(1),
            refresh: None,
            news: Vec::new(),
            is_fatal: false,
            is_established: false,
        })
    }

    /// Whether a change of the assignment waits until the batch is flushed.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes a note of an event that is no record.
    ///
    /// # Errors
    /// The client cannot go on.
    pub fn note(&mut self, event: Event) -> Result<(), Verdict> {
        match event {
            Event::End(place, offset) => self.partitions.end_met(&place, offset),
            Event::Assign(partitions) => self.changes.push_back(Change::Assign(partitions)),
            Event::Revoke(partitions) => self.changes.push_back(Change::Revoke(partitions)),
            Event::Fatal(code, reason) => {
                self.is_fatal = true;
                let (code, reason) = self.consumer.client().fatal_error().unwrap_or((code, reason));
                return Err(self.client.fatal(code, &reason));
            }
            Event::Error(code, Some((place, offset))) => self.partition_error(code, place, offset),
            Event::Error(code, None) => self.client_error(code),
        }
        Ok(())
    }

    fn partition_error(&mut self, code: RDKafkaErrorCode, place: TopicPartition, offset: i64) {
        match code {
            RDKafkaErrorCode::BadMessage => self.damaged(&place, offset),
            // librdkafka loses its place behind a damaged batch, and asks for offsets that never were.
            RDKafkaErrorCode::AutoOffsetReset
                if self.partitions.get(&place).is_some_and(|slot| slot.damage.is_some()) => {}
            RDKafkaErrorCode::AutoOffsetReset => {
                self.topics.look_again();
                let is_known = self.placements.iter().any(|placement| {
                    matches!(placement.purpose, placement::Purpose::Reset(_)) && placement.partitions.contains(&place)
                });
                if !is_known {
                    let old = self.partitions.get(&place).and_then(|slot| slot.next()).unwrap_or(offset);
                    self.placed += 1;
                    let offsets = HashMap::from([(place, old)]);
                    self.placements.push(Placement::reset(self.placed, offsets, Instant::now()));
                }
            }
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition
            | RDKafkaErrorCode::OffsetOutOfRange => self.topics.look_again(),
            _ => {}
        }
    }

    /// A classic group says so of a topic that it does not find: of one given by name the topics tell more. The broker that was
    /// asked may not know a new topic yet. If this member leads the group, nobody gets a partition before it looks again.
    fn client_error(&mut self, code: RDKafkaErrorCode) {
        if matches!(code, RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic)
            && self.partitions.len() == 0
        {
            let now = Instant::now();
            self.unmatched.get_or_insert(now);
            self.refresh.get_or_insert(Refresh::begin(now));
            self.membership.join();
        }
    }

    /// Does what is due: answers, changes of the assignment, topics, commits. What the loop holds was flushed before.
    ///
    /// # Errors
    /// The run ends.
    pub fn tend(&mut self, now: Instant) -> Result<(), Verdict> {
        while let Some(change) = self.changes.pop_front() {
            match change {
                Change::Assign(partitions) => self.assign(partitions, now),
                Change::Revoke(partitions) => self.revoke(&partitions)?,
            }
        }
        if let Some(snapshot) = self.consumer.client().context().handler.take_snapshot() {
            if snapshot.is_steady {
                self.membership.join();
            }
            self.backlog.look(snapshot.waiting);
            for (place, stable, highest) in &snapshot.ends {
                let is_stable = self.settings.isolation == Isolation::ReadCommitted && *stable >= 0;
                let end = if is_stable { *stable } else { *highest };
                self.partitions.show_lag(place, end, snapshot.taken);
            }
        }
        self.client.tend(self.consumer.client());
        self.ask(now)?;
        while let Some((token, answer)) = self.questions.answer(Duration::ZERO) {
            self.answer(token, answer, now)?;
        }
        self.place(now)?;
        self.retry_damaged(now)?;
        if self.settings.subscription.is_group() {
            self.commits.tend(&mut self.partitions, now);
        }
        self.establish();
        Ok(())
    }

    /// The work is established once every topic of the assignment has had an answer to a fetch: before, a refusal is final.
    pub fn establish(&mut self) {
        if !self.is_established && self.partitions.len() > 0 && self.partitions.unanswered().is_none() {
            self.is_established = true;
            self.client.established();
            self.client.reached();
        }
    }

    /// What of topics, group and partitions keeps the consumer from being ready.
    pub fn facts(&self, now: Instant) -> crate::readiness::Facts {
        crate::readiness::Facts {
            topic: self.topics.waiting_for().or_else(|| self.matches_nothing(now)),
            placement: self.placements.iter().find_map(Placement::waiting_for),
            joined: self.membership.has_joined(),
            unanswered: self.partitions.unanswered().map(str::to_owned),
            silent: self.consumer.client().context().handler.silent(self.patience),
            damaged: self.damage_report(),
            commits: self.commits.failing(now),
            ..crate::readiness::Facts::default()
        }
    }

    /// The subscription matches no topic, by the coordinator's word.
    fn matches_nothing(&self, now: Instant) -> Option<String> {
        let Subscription::Group { topics, .. } = &self.settings.subscription else { return None };
        let expressions: Vec<&str> = topics.iter().map(String::as_str).filter(|topic| topic.starts_with('^')).collect();
        let only_expressions = expressions.len() == topics.len();
        let unmatched = self.unmatched.is_some_and(|since| now.saturating_duration_since(since) >= kafka::topic::GRACE);
        let matches_nothing = self.membership.matches_nothing(now) || (only_expressions && unmatched);
        (!expressions.is_empty() && self.partitions.len() == 0 && matches_nothing)
            .then(|| format!("no topic matches {}", expressions.join(", ")))
    }

    /// The verdict on a one-shot run that has nothing to read.
    pub fn nothing_to_read(&self, now: Instant) -> Option<Verdict> {
        let Subscription::Group { group, .. } = &self.settings.subscription else { return None };
        if let Some(reason) = self.matches_nothing(now) {
            return Some(Verdict::new(Exit::Refused, format!("{reason} on {}: check --topic", self.settings.servers)));
        }
        self.membership.no_share(group, now)
    }

    /// Whether every partition was read up to the end it had when it was assigned, no further one is on its way, and each topic
    /// that was named is there: one that is missing has no end.
    pub fn is_at_end(&self) -> bool {
        self.placements.is_empty()
            && self.changes.is_empty()
            && self.topics.waiting_for().is_none()
            && self.partitions.all_at_end()
    }

    /// Whether the group has committed offsets, and read on from them there was nothing up to the ends.
    pub fn is_read_up(&self) -> bool {
        let from_committed = self.settings.subscription.is_group() && self.settings.from == Start::Committed;
        from_committed && self.is_at_end() && self.partitions.any_committed()
    }

    /// Which partitions were not read to their end, as a sentence.
    pub fn unended(&self) -> Option<String> {
        if self.settings.subscription.is_group() && self.membership.has_joined() && self.partitions.len() == 0 {
            return Some("the group has assigned no partition to this member".to_owned());
        }
        let unended: Vec<TopicPartition> = self.partitions.unended().cloned().collect();
        (self.settings.exit_at_end && !unended.is_empty())
            .then(|| format!("{} not at the end", placement::shown(&unended)))
    }

    /// Whether this member has been told its part.
    pub const fn has_joined(&self) -> bool {
        self.membership.has_joined()
    }

    /// The last commit that was answered, once.
    pub fn take_commit(&mut self) -> Option<crate::sink::Commit> {
        self.commits.take_answered()
    }

    /// What became of partitions since this was last asked.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// Commits what was flushed and waits for the answer. `false` when it was not committed by the deadline.
    pub fn commit_now(&mut self, deadline: Instant) -> bool {
        !self.settings.subscription.is_group() || self.commits.commit_now(&mut self.partitions, deadline)
    }
}

/// What the queue handed over beside records, free of its memory.
pub(crate) enum Event {
    End(TopicPartition, i64),
    Assign(Vec<TopicPartition>),
    Revoke(Vec<TopicPartition>),
    Error(RDKafkaErrorCode, Option<(TopicPartition, i64)>),
    Fatal(RDKafkaErrorCode, String),
}

impl Event {
    /// `None` for what the callbacks have dealt with, and for records.
    pub fn of(polled: Polled<'_>) -> Option<Self> {
        match polled {
            Polled::End(place, offset) => Some(Self::End(place, offset)),
            Polled::Assign(partitions) => Some(Self::Assign(partitions)),
            Polled::Revoke(partitions) => Some(Self::Revoke(partitions)),
            Polled::Error(code, place, _) => Some(Self::Error(code, place)),
            Polled::Fatal(code, reason) => Some(Self::Fatal(code, reason)),
            Polled::Record(_) | Polled::Served | Polled::Empty => None,
        }
    }
}

/// How long a broker may be silent: longer than it may rightly keep the answer to a fetch back.
fn patience(properties: &common::config::Properties) -> Duration {
    SILENCE.max(milliseconds(properties, "fetch.wait.max.ms") * 2)
}

/// A property in milliseconds; zero where it is not set.
fn milliseconds(properties: &common::config::Properties, key: &str) -> Duration {
    properties.get(key).and_then(|text| text.parse().ok()).map_or(Duration::ZERO, Duration::from_millis)
}

/// A failure of librdkafka's own bookkeeping, which cannot happen short of a lack of memory.
fn internal(error: &rdkafka::error::KafkaError) -> Verdict {
    Verdict::new(Exit::Incomplete, format!("librdkafka's offsets: {error}"))
}
