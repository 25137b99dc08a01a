//! The poll loop: poll, log, write, store, commit; and between batches the group, the health and the end.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::exit::Exit;
use common::health::Health;
use common::kafka::{ClientState, client_config, error};
use common::shutdown::{Shutdown, Signal};
use common::verdict::Verdict;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::assignment::Assignment;
use crate::batch::Batch;
use crate::commits::Commits;
use crate::config::{Config, Subscription};
use crate::context::{Context, Rebalance};
use crate::membership::Membership;
use crate::metrics::{ConsumerMetrics, RebalanceKind};
use crate::output::Unwritable;
use crate::preflight::{Finding, Preflight};

/// The longest wait for a record, and so how late a signal is seen.
const IDLE: Duration = Duration::from_millis(100);
/// A one-shot run that has reached no broker for this long gives up, even without `--timeout`.
const SILENCE: Duration = Duration::from_secs(120);
/// A look at the closing client.
const CLOSING: Duration = Duration::from_millis(50);
/// How long the commit before a revocation may hold the group up. Missed, the next member logs the records again.
const REVOKE_COMMIT: Duration = Duration::from_secs(5);

/// Why the loop ended.
enum End {
    /// All that was asked for was logged.
    Done,
    /// A signal.
    Signal(Signal),
    /// Nobody reads stdout any more.
    Closed,
    /// It cannot go on.
    Failed(Verdict),
}

/// How a run ended.
#[derive(Debug)]
pub struct Polled {
    /// Records logged.
    pub records: u64,
    /// Their keys and values.
    pub bytes: u64,
    /// Since the start.
    pub elapsed: Duration,
    /// The verdict.
    pub exit: Exit,
    /// Why, if not well.
    pub message: Option<String>,
}

/// The loop with all it holds.
pub struct Poller<'a> {
    config: &'a Config,
    consumer: Arc<BaseConsumer<Context>>,
    commits: Commits,
    client: Arc<ClientState>,
    metrics: &'a ConsumerMetrics,
    health: &'a Health,
    shutdown: &'a Shutdown,
    batch: Batch,
    preflight: Preflight,
    assignment: Assignment,
    membership: Membership,
    started: Instant,
    committed: Instant,
    was_ready: bool,
    stdout_broken: bool,
}

impl<'a> Poller<'a> {
    /// Makes the client and joins the group. Asks no broker yet.
    ///
    /// # Errors
    /// When librdkafka refuses the configuration.
    pub fn new(
        config: &'a Config,
        client: Arc<ClientState>,
        metrics: &'a ConsumerMetrics,
        health: &'a Health,
        shutdown: &'a Shutdown,
    ) -> Result<Self, Verdict> {
        let context = Context::new(Arc::clone(&client), metrics.clone());
        let consumer: BaseConsumer<Context> =
            client_config(&config.properties).create_with_context(context).map_err(|error| error::creation(&error))?;
        let consumer = Arc::new(consumer);
        let poller = Self {
            config,
            commits: Commits::new(Arc::clone(&consumer), metrics.clone()),
            consumer,
            client,
            metrics,
            health,
            shutdown,
            batch: Batch::new(config.log.clone(), metrics),
            preflight: Preflight::new(config),
            assignment: Assignment::new(config),
            membership: Membership::default(),
            started: Instant::now(),
            committed: Instant::now(),
            was_ready: false,
            stdout_broken: false,
        };
        poller.subscribe()?;
        Ok(poller)
    }

    /// Polls until there is a reason to end, then writes, commits and leaves the group.
    pub fn run(mut self) -> Polled {
        let end = self.consume();
        let end = self.finish(end);
        if !self.consumer.closed() {
            // Dropped, it would wait for the brokers without an end.
            std::mem::forget(Arc::clone(&self.consumer));
        }
        let (records, bytes) = self.batch.written;
        let elapsed = self.started.elapsed();
        let (exit, message) = self.verdict(end);
        Polled { records, bytes, elapsed, exit, message }
    }

    fn consume(&mut self) -> End {
        let limit = self.config.max_messages.unwrap_or(u64::MAX);
        loop {
            // With lines in the batch only what is already here is taken: a record at a trickle shows at once.
            let waits = self.batch.output.buffer.is_empty();
            let wait = if waits { IDLE } else { Duration::ZERO };
            let mut ran_empty = false;
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    self.batch.add(&message);
                    if self.batch.records < limit && !self.batch.output.is_full() {
                        continue;
                    }
                }
                Some(Err(error)) => {
                    if let Some(failure) = self.fatal(&error) {
                        return End::Failed(failure);
                    }
                }
                None => ran_empty = true,
            }
            if let Some(end) = self.write().err().or_else(|| self.tend(ran_empty, ran_empty && waits)) {
                return end;
            }
            if self.batch.records >= limit {
                return End::Done;
            }
        }
    }

    /// What is to be done between batches, of which some have a few records only: what costs a system call is left for when
    /// the loop waited for nothing (`idle`). `Some`: the reason to end.
    fn tend(&mut self, ran_empty: bool, idle: bool) -> Option<End> {
        self.health.progress();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.metrics.last_poll.set(now.as_secs_f64());
        while let Some(change) = self.consumer.context().next_rebalance() {
            if let Err(end) = self.rebalance(change) {
                return Some(end);
            }
        }
        if let Some(signal) = self.shutdown.requested() {
            return Some(End::Signal(signal));
        }
        if let Some(failure) = self.client.refused() {
            return Some(End::Failed(failure));
        }
        self.take_commit_answers(Instant::now());
        if self.committed.elapsed() >= self.config.commit_interval {
            self.commit_later();
        }
        // A write tells by itself.
        if idle && self.batch.output.is_closed() {
            return Some(End::Closed);
        }
        if ran_empty {
            if let Err(failure) = self.look_for_topics() {
                return Some(End::Failed(failure));
            }
            if self.assignment.is_group()
                && !self.consumer.context().settled()
                && self.membership.is_old(&self.consumer)
            {
                self.consumer.context().settle();
            }
        }
        self.update_readiness();
        if self.config.one_shot() { self.end_of_one_shot(ran_empty) } else { None }
    }

    /// Writes the batch, then stores its offsets: in this order, so that no record is passed over.
    fn write(&mut self) -> Result<(), End> {
        if self.batch.output.buffer.is_empty() {
            return Ok(());
        }
        self.batch.write().map_err(|error| {
            self.stdout_broken = true;
            match error {
                Unwritable::Closed => End::Closed,
                Unwritable::Failed(error) => End::Failed(Verdict::new(
                    Exit::Incomplete,
                    format!(
                        "stdout cannot take the records: {error}; the last batch is not stored and will come again"
                    ),
                )),
            }
        })?;
        self.client.reached();
        let offsets = self.batch.partitions.wrote().map_err(|error| End::Failed(internal(&error)))?;
        if self.assignment.is_group()
            && let Err(error) = self.consumer.store_offsets(&offsets)
        {
            // The partition went meanwhile: another member will log the records again.
            tracing::debug!(event = "store_refused", "{error}");
        }
        Ok(())
    }

    fn subscribe(&self) -> Result<(), Verdict> {
        let Subscription::Group { topics } = &self.config.subscription else { return Ok(()) };
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        self.consumer
            .subscribe(&names)
            .map_err(|error| Verdict::new(Exit::Usage, format!("--topic {}: {error}", names.join(","))))
    }

    /// Until every topic was found and the group has shared them out.
    fn look_for_topics(&mut self) -> Result<(), Verdict> {
        let reading = self.batch.partitions.len() > 0;
        match self.preflight.look(&self.consumer, reading) {
            Finding::Nothing => Ok(()),
            Finding::Refused(failure) => Err(failure),
            Finding::Missing(topic) if self.config.one_shot() => {
                Err(common::kafka::topic::missing(&topic, &self.config.connection.bootstrap_servers))
            }
            Finding::Missing(topic) => {
                tracing::warn!(event = "topic_missing", topic, "the topic does not exist: waiting for it");
                Ok(())
            }
            Finding::Found { partitions } => {
                self.client.reached();
                let Subscription::Partitions { topic, partitions: wanted } = &self.config.subscription else {
                    return Ok(());
                };
                if let Some(partition) =
                    wanted.iter().find(|number| usize::try_from(**number).is_ok_and(|n| n >= partitions))
                {
                    let reason = format!("topic {topic} has {partitions} partitions, 0 to {}", partitions - 1);
                    return Err(Verdict::new(Exit::Refused, format!("{reason}: there is no partition {partition}")));
                }
                let places = wanted.iter().map(|partition| (topic.clone(), *partition)).collect();
                self.assignment.assign(&self.consumer, &mut self.batch.partitions, places)?;
                self.metrics.assigned.set(self.batch.partitions.len() as i64);
                self.consumer.context().settle();
                Ok(())
            }
        }
    }

    /// Carries out a change of the assignment: writes and commits before partitions go.
    fn rebalance(&mut self, change: Rebalance) -> Result<(), End> {
        let (kind, count) = match change {
            Rebalance::Assign(places) => {
                let count = places.len();
                self.assignment.assign(&self.consumer, &mut self.batch.partitions, places).map_err(End::Failed)?;
                self.consumer.context().settle();
                self.client.reached();
                (RebalanceKind::Assign, count)
            }
            Rebalance::Revoke(places) => {
                let lost = self.consumer.assignment_lost();
                self.write()?;
                if !lost {
                    self.commit_now(REVOKE_COMMIT);
                }
                let revoked = self.assignment.revoke(&self.consumer, &mut self.batch.partitions, &places);
                revoked.map_err(End::Failed)?;
                (if lost { RebalanceKind::Lost } else { RebalanceKind::Revoke }, places.len())
            }
        };
        self.metrics.rebalances.with_label_values(&[kind.label()]).inc();
        let assigned = self.batch.partitions.len();
        self.metrics.assigned.set(assigned as i64);
        tracing::info!(
            event = "rebalance",
            kind = kind.label(),
            partitions = count,
            assigned,
            "the assignment changed"
        );
        Ok(())
    }

    /// Commits what was written, without waiting for the answer.
    fn commit_later(&mut self) {
        self.committed = Instant::now();
        if !self.assignment.is_group() || self.commits.is_waiting() {
            return;
        }
        if let Some(offsets) = self.take_uncommitted()
            && self.commits.send(&offsets).is_err()
        {
            self.batch.partitions.commit_again();
        }
    }

    /// Commits what was written and waits for the answer. `false` when it was not committed in time.
    fn commit_now(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        if !self.assignment.is_group() {
            return true;
        }
        // One that is on its way first, as it may fail.
        self.take_commit_answers(deadline);
        self.commit_later();
        self.take_commit_answers(deadline);
        !self.commits.is_waiting() && !self.batch.partitions.has_uncommitted()
    }

    fn take_commit_answers(&mut self, deadline: Instant) {
        if !self.commits.answers(deadline) {
            self.batch.partitions.commit_again();
        }
    }

    fn take_uncommitted(&mut self) -> Option<TopicPartitionList> {
        match self.batch.partitions.take_uncommitted() {
            Ok(offsets) => offsets,
            Err(error) => {
                tracing::error!(event = "commit_failed", "{}", internal(&error));
                None
            }
        }
    }

    fn update_readiness(&mut self) {
        let settled = self.consumer.context().settled();
        let ready = match self.preflight.waiting_for() {
            // Explains everything else, so it comes first.
            _ if !self.client.has_contact() => {
                Err(self.client.unreachable(&self.config.connection.bootstrap_servers).reason().to_owned())
            }
            Some(reason) => Err(reason),
            None if !settled => Err("the group has not shared out the partitions yet".to_owned()),
            None => Ok(()),
        };
        match ready {
            Ok(()) => {
                if !self.was_ready {
                    let assigned = self.batch.partitions.len();
                    tracing::info!(event = "ready", assigned, "consuming");
                    self.client.established();
                }
                self.health.ready();
                self.was_ready = true;
            }
            Err(reason) => {
                if self.was_ready {
                    tracing::warn!(event = "not_ready", "{reason}");
                }
                self.health.not_ready(&reason);
                self.was_ready = false;
            }
        }
    }

    fn end_of_one_shot(&self, ran_empty: bool) -> Option<End> {
        let at_end = || self.batch.partitions.all_at_end(|place, end| self.consumer.context().end_seen(place, end));
        if self.config.exit_at_end && ran_empty && self.was_ready && at_end() {
            return Some(match self.config.max_messages {
                Some(limit) if self.batch.records < limit => End::Failed(Verdict::new(
                    Exit::Incomplete,
                    format!("the partitions ended after {} of {limit} records", self.batch.records),
                )),
                _ => End::Done,
            });
        }
        let elapsed = self.started.elapsed();
        let overdue = self.config.timeout.is_some_and(|timeout| elapsed >= timeout);
        let away = !self.client.has_contact();
        if away && (overdue || (elapsed >= SILENCE && !self.consumer.context().settled())) {
            return Some(End::Failed(self.client.unreachable(&self.config.connection.bootstrap_servers)));
        }
        overdue.then(|| {
            let asked = self.config.max_messages.map_or("all".to_owned(), |limit| limit.to_string());
            End::Failed(Verdict::new(
                Exit::Incomplete,
                format!("--timeout passed after {} records, asked were {asked}", self.batch.written.0),
            ))
        })
    }

    /// The failure behind an error of `poll`, if it is one that ends the client. All others were counted and logged when
    /// librdkafka reported them, and are repaired by itself.
    fn fatal(&self, error: &KafkaError) -> Option<Verdict> {
        let code = error.rdkafka_error_code();
        if !matches!(error, KafkaError::MessageConsumptionFatal(_)) && code != Some(RDKafkaErrorCode::Fatal) {
            return None;
        }
        let fatal = self.consumer.client().fatal_error();
        let (code, reason) = fatal.unwrap_or_else(|| (code.unwrap_or(RDKafkaErrorCode::Fatal), error.to_string()));
        Some(self.client.fatal(code, &reason))
    }

    /// Writes and commits what there is, and leaves the group within the drain deadline, so that the others take over at
    /// once.
    fn finish(&mut self, mut end: End) -> End {
        let deadline = Instant::now() + self.config.drain_timeout;
        self.health.drain();
        if !self.stdout_broken
            && let Err(unwritable) = self.write()
        {
            end = unwritable;
        }
        // The other half is for leaving the group.
        let committed = self.commit_now(self.config.drain_timeout / 2);
        let closing = self.consumer.close_queue();
        if let Err(error) = &closing {
            tracing::debug!(event = "close", "{error}");
        }
        // After a fatal error there is no group to leave.
        while closing.is_ok() && !self.consumer.closed() && Instant::now() < deadline {
            // Records that still come are not logged and not stored: the next member gets them.
            drop(self.consumer.poll(CLOSING));
            while let Some(change) = self.consumer.context().next_rebalance() {
                if let Rebalance::Revoke(places) = change {
                    let revoked = self.assignment.revoke(&self.consumer, &mut self.batch.partitions, &places);
                    if let Err(failure) = revoked {
                        tracing::warn!(event = "close", "{failure}");
                    }
                }
            }
            self.health.progress();
        }
        match end {
            End::Done | End::Signal(_) if !committed => End::Failed(Verdict::new(
                Exit::Incomplete,
                "the last offsets could not be committed: their records will be logged again",
            )),
            End::Done | End::Signal(_) if !self.consumer.closed() => End::Failed(Verdict::new(
                Exit::Incomplete,
                "the group could not be left in time: its other members wait for the session timeout",
            )),
            end => end,
        }
    }

    fn verdict(&self, end: End) -> (Exit, Option<String>) {
        match end {
            End::Done | End::Closed => (Exit::Ok, None),
            End::Signal(signal) if self.config.one_shot() => {
                let reason =
                    format!("{} came after {} records, before the run was done", signal.name(), self.batch.written.0);
                (signal.exit(), Some(reason))
            }
            End::Signal(_) => (Exit::Ok, None),
            End::Failed(failure) => (failure.exit, failure.because),
        }
    }
}

/// A failure of librdkafka's own bookkeeping, which cannot happen short of a lack of memory.
fn internal(error: &KafkaError) -> Verdict {
    Verdict::new(Exit::Incomplete, format!("librdkafka's offsets: {error}"))
}
