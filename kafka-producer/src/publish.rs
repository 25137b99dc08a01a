//! The publish loop: warm up, send each message once, wait for every delivery report, and give a verdict.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::exit::Exit;
use common::health::Health;
use common::kafka::context::SharedContext;
use common::kafka::error::code;
use common::kafka::topic::{self, Known};
use common::kafka::{ClientState, Failure, client_config, headers};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};

use crate::config::{Config, with_causes};
use crate::context::Context;
use crate::metrics::ProducerMetrics;
use crate::source::{Filled, Message, Source};
use crate::stop::Stop;
use crate::tally::Tally;

/// How long one look at a full queue, or at what is in flight, pauses.
const PAUSE: Duration = Duration::from_millis(1);
/// The longest sleep before a scheduled message, so that a signal is seen.
const NAP: Duration = Duration::from_millis(50);
/// How long the delivery callbacks wait for work at a time; also how long the end of the thread may take.
const SERVE: Duration = Duration::from_millis(10);
/// No acknowledgement for this long, with messages in flight, means that there is no broker.
const SILENCE: Duration = Duration::from_secs(120);
/// How long purged messages may take to be reported back.
const PURGE: Duration = Duration::from_secs(5);
/// At the deadline, no acknowledgement for this long means that the brokers were away, not that the run was too long.
const AWAY: Duration = Duration::from_secs(5);

/// What the loop needs beside its settings.
pub struct Publisher<'a> {
    /// The run.
    pub config: &'a Config,
    /// Connections and refusals.
    pub client: Arc<ClientState>,
    /// The counts.
    pub tally: Arc<Tally>,
    /// Metrics of the loop itself.
    pub metrics: &'a ProducerMetrics,
    /// Told of progress.
    pub health: &'a Health,
    /// When to end early.
    pub stop: Stop,
}

/// How the loop ended.
#[derive(Debug)]
pub struct Published {
    /// Messages of this process, as far as they are known.
    pub requested: u64,
    /// Messages handed to librdkafka.
    pub enqueued: u64,
    /// From the first message to the last acknowledgement.
    pub elapsed: Duration,
    /// The verdict.
    pub exit: Exit,
    /// Why, if not well.
    pub message: Option<String>,
}

/// Why no further message is sent.
enum End {
    /// All were sent.
    Done,
    /// A signal.
    Signal,
    /// `--timeout`.
    Deadline,
    /// The broker, or the input, makes going on useless.
    Failed(Failure),
}

/// The client and the thread that serves its callbacks.
struct Client {
    producer: Arc<BaseProducer<Context>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    fn start(context: Context, config: &Config) -> Result<Self, Failure> {
        let producer: BaseProducer<Context> = client_config(&config.properties)
            .create_with_context(context)
            .map_err(|error| Failure::creation(&error))?;
        let producer = Arc::new(producer);
        let ended = Arc::new(AtomicBool::new(false));
        let serve = {
            let (producer, ended) = (Arc::clone(&producer), Arc::clone(&ended));
            move || {
                while !ended.load(Ordering::Relaxed) {
                    producer.poll(SERVE);
                }
            }
        };
        let thread = std::thread::Builder::new().name("deliveries".to_owned()).spawn(serve).ok();
        Ok(Self { producer, ended, thread })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Publisher<'_> {
    /// Publishes the run. Blocks until the verdict is known.
    pub fn run(&self, source: &mut Source) -> Published {
        let started = Instant::now();
        let mut requested = self.config.own_messages().unwrap_or(0);
        let context = Context { client: Arc::clone(&self.client), tally: Arc::clone(&self.tally), started };
        let fail = |failure: Failure| Published {
            requested,
            enqueued: 0,
            elapsed: Duration::ZERO,
            exit: failure.exit,
            message: Some(failure.message),
        };
        let client = match Client::start(context, self.config) {
            Ok(client) => client,
            Err(failure) => return fail(failure),
        };
        if let Err(failure) = self.warm_up(&client.producer) {
            return fail(failure);
        }
        if self.config.transactional
            && let Err(failure) = self.begin_transaction(&client.producer)
        {
            return fail(failure);
        }
        self.health.ready();
        tracing::info!(
            event = "publishing",
            topic = self.config.topic,
            run_id = self.config.run_id,
            "publishing starts"
        );
        self.tally.begin();
        let first = Instant::now();
        let mut enqueued = 0;
        let mut end = self.send_all(&client.producer, source, started, &mut requested, &mut enqueued);
        let all_sent = matches!(end, End::Done);
        end = self.drain(&client.producer, end);
        if self.config.transactional {
            end = self.end_transaction(&client.producer, end);
        }
        let elapsed = first.elapsed();
        let (exit, message) = self.verdict(end, requested, all_sent);
        Published { requested, enqueued, elapsed, exit, message }
    }

    /// Waits until the brokers know the topic, so that neither connecting nor metadata is timed as a delivery.
    fn warm_up(&self, producer: &BaseProducer<Context>) -> Result<(), Failure> {
        let Config { topic: name, create_topic, properties, connection, partition, .. } = self.config;
        if let Some(layout) = create_topic {
            let timeout = self.stop.deadline.map_or(SILENCE, |deadline| deadline - Instant::now().min(deadline));
            let made = topic::create(properties, SharedContext(Arc::clone(&self.client)), name, *layout, timeout)
                .map_err(|failure| self.client.refused().unwrap_or(failure))?;
            tracing::info!(event = "topic", topic = name, made, "topic is there");
        }
        let began = Instant::now();
        let mut missing_since = None;
        loop {
            self.health.progress();
            let known = topic::ask(producer.client(), name);
            // What an error event said is closer to the cause than the failed question.
            if let Some(failure) = self.client.refused() {
                return Err(failure);
            }
            let now = Instant::now();
            match known {
                Known::Partitions(count) => {
                    self.client.reached();
                    return match partition {
                        Some(partition) if usize::try_from(*partition).is_ok_and(|partition| partition >= count) => {
                            Err(Failure::new(
                                Exit::Refused,
                                format!(
                                    "topic {name} has {count} partitions, 0 to {}: there is no partition {partition}",
                                    count - 1
                                ),
                            ))
                        }
                        _ => {
                            // The first answer may come from a bootstrap connection that librdkafka then drops. An answer
                            // from a broker that stays makes it fetch its producer id at once; else it looks again
                            // after 500 ms, and the first messages wait for that.
                            topic::ask(producer.client(), name);
                            Ok(())
                        }
                    };
                }
                Known::Refused(failure) => return Err(failure),
                Known::Missing => {
                    self.client.reached();
                    if now - *missing_since.get_or_insert(now) >= topic::GRACE {
                        return Err(topic::missing(name, &connection.bootstrap_servers));
                    }
                    std::thread::sleep(NAP);
                }
                Known::NoAnswer => {}
            }
            if let Some(signal) = self.stop.shutdown.requested() {
                return Err(Failure::new(signal.exit(), format!("{} before the first message", signal.name())));
            }
            if self.stop.overdue(now) || now - began >= SILENCE {
                return Err(self.client.unreachable(&connection.bootstrap_servers));
            }
        }
    }

    /// Sends message after message until there are no more, or a reason to end.
    fn send_all(
        &self,
        producer: &BaseProducer<Context>,
        source: &mut Source,
        started: Instant,
        requested: &mut u64,
        enqueued: &mut u64,
    ) -> End {
        let limit = self.config.own_messages();
        let began = Instant::now();
        let mut message = Message::default();
        let mut envelope = Envelope::new(self.config);
        for nth in 0.. {
            if limit.is_some_and(|limit| nth >= limit) {
                break;
            }
            let sequence = self.config.share.sequence(nth);
            let due = self.config.rate.map(|rate| began + Duration::from_secs_f64(sequence as f64 / rate));
            let now = match self.wait_until(due) {
                Ok(now) => now,
                Err(end) => return end,
            };
            let sent_us = epoch_us();
            match source.fill(sequence, sent_us, &mut message) {
                Ok(Filled::Message) => {}
                Ok(Filled::End) => {
                    *requested = nth;
                    break;
                }
                Ok(Filled::Stopped) => return self.reason_to_end(Instant::now()).unwrap_or(End::Signal),
                Err(error) => {
                    *requested = (*requested).max(nth);
                    return End::Failed(Failure::new(Exit::Usage, with_causes(&error)));
                }
            }
            if limit.is_none() {
                *requested = nth + 1;
            }
            let sent = due.unwrap_or(now).saturating_duration_since(started).as_micros() as usize;
            let headers = envelope.wrap(sequence, sent_us, &message);
            match self.send(producer, &message, headers, sent) {
                Ok(true) => *enqueued += 1,
                // Never handed over: counted as unsent by its code.
                Ok(false) => *enqueued += 1,
                Err(end) => return end,
            }
            if nth % 1024 == 0 {
                self.health.progress();
            }
        }
        End::Done
    }

    /// Hands one message over. A full queue holds it up, never drops it. `false` when librdkafka does not take it.
    fn send(
        &self,
        producer: &BaseProducer<Context>,
        message: &Message,
        headers: Option<OwnedHeaders>,
        sent: usize,
    ) -> Result<bool, End> {
        let topic = self.config.topic.as_str();
        let mut record: BaseRecord<'_, [u8], [u8], usize> = BaseRecord::with_opaque_to(topic, sent);
        record.key = message.key();
        record.payload = message.value();
        record.partition = message.partition.or(self.config.partition);
        record.timestamp = message.timestamp_ms;
        record.headers = headers;
        let mut waited = false;
        loop {
            let (error, again) = match producer.send(record) {
                Ok(()) => {
                    self.metrics.enqueued.inc();
                    return Ok(true);
                }
                Err(refused) => refused,
            };
            let code = code(&error).unwrap_or(RDKafkaErrorCode::Unknown);
            match code {
                RDKafkaErrorCode::QueueFull => {
                    if !waited {
                        waited = true;
                        self.metrics.queue_full.inc();
                    }
                    std::thread::sleep(PAUSE);
                    self.health.progress();
                    if let Some(end) = self.reason_to_end_waiting(Instant::now()) {
                        return Err(end);
                    }
                    record = again;
                }
                code => {
                    if let (RDKafkaErrorCode::Fatal, Some((_, reason))) = (code, producer.client().fatal_error()) {
                        return Err(End::Failed(self.fatal(&reason)));
                    }
                    self.tally.not_taken(code, topic, message.partition.or(self.config.partition).unwrap_or(-1));
                    return Ok(false);
                }
            }
        }
    }

    /// Sleeps until a message is due, in naps. `Err` when there is a reason to end meanwhile.
    fn wait_until(&self, due: Option<Instant>) -> Result<Instant, End> {
        loop {
            let now = Instant::now();
            if let Some(end) = self.reason_to_end(now) {
                return Err(end);
            }
            match due {
                Some(due) if due > now => {
                    if let Some(failure) = self.silence(now) {
                        return Err(End::Failed(failure));
                    }
                    self.health.progress();
                    std::thread::sleep((due - now).min(NAP));
                }
                _ => return Ok(now),
            }
        }
    }

    /// Looked at before each message, so it costs a few loads and no lock.
    fn reason_to_end(&self, now: Instant) -> Option<End> {
        if self.stop.shutdown.requested().is_some() {
            return Some(End::Signal);
        }
        if self.stop.overdue(now) {
            return Some(End::Deadline);
        }
        if self.tally.has_refusal() || self.client.has_refusal() {
            return self.refused().map(End::Failed);
        }
        None
    }

    /// Looked at wherever the loop waits; silence builds up nowhere else.
    fn reason_to_end_waiting(&self, now: Instant) -> Option<End> {
        self.reason_to_end(now).or_else(|| self.silence(now).map(End::Failed))
    }

    fn refused(&self) -> Option<Failure> {
        self.tally.refused().or_else(|| self.client.refused())
    }

    /// The failure of a cluster that has acknowledged nothing for two minutes, though messages are in flight.
    fn silence(&self, now: Instant) -> Option<Failure> {
        let in_flight = self.metrics.enqueued.get() > self.tally.settled();
        (in_flight && self.tally.since_acknowledgement(now) >= SILENCE)
            .then(|| self.client.unreachable(&self.config.connection.bootstrap_servers))
    }

    /// Waits for the report of every message in flight, as long as the reason for the end allows, then purges.
    fn drain(&self, producer: &BaseProducer<Context>, mut end: End) -> End {
        let drain_deadline = Instant::now() + self.config.drain_timeout;
        loop {
            // Tells the broker threads not to linger; returns at once.
            let flushed = producer.flush(Duration::ZERO).is_ok();
            self.health.progress();
            if flushed && producer.in_flight_count() == 0 {
                return match producer.client().fatal_error() {
                    Some((_, reason)) if self.tally.fatal() => End::Failed(self.fatal(&reason)),
                    _ => end,
                };
            }
            let now = Instant::now();
            if let End::Done = end
                && let Some(reason) = self.reason_to_end_waiting(now)
            {
                end = reason;
                // A signal during the wait begins the drain; its deadline starts now.
                if matches!(end, End::Signal) {
                    return self.drain(producer, end);
                }
            }
            let over = match &end {
                End::Done => false,
                End::Signal => {
                    now >= drain_deadline
                        || self.stop.shutdown.at_once()
                        || self.stop.overdue(now)
                        || self.refused().is_some()
                }
                // A bad line does not take back what was sent before it.
                End::Failed(failure) => {
                    failure.exit != Exit::Usage || now >= drain_deadline || self.refused().is_some()
                }
                End::Deadline => true,
            };
            if over {
                break;
            }
            std::thread::sleep(PAUSE);
        }
        if matches!(end, End::Deadline) && self.tally.since_acknowledgement(Instant::now()) >= self.away() {
            end = End::Failed(self.client.unreachable(&self.config.connection.bootstrap_servers));
        }
        producer.purge(PurgeConfig::default().queue().inflight());
        let purged = Instant::now();
        while producer.in_flight_count() > 0 && purged.elapsed() < PURGE {
            std::thread::sleep(PAUSE);
        }
        end
    }

    fn away(&self) -> Duration {
        self.config.timeout.map_or(AWAY, |timeout| AWAY.min(timeout / 2))
    }

    fn begin_transaction(&self, producer: &BaseProducer<Context>) -> Result<(), Failure> {
        loop {
            match producer.init_transactions(topic::SLICE) {
                Ok(()) => break,
                Err(error) => {
                    self.health.progress();
                    if let Some(failure) = self.refused() {
                        return Err(failure);
                    }
                    let retriable =
                        matches!(&error, rdkafka::error::KafkaError::Transaction(error) if error.is_retriable());
                    let timed_out = code(&error) == Some(RDKafkaErrorCode::OperationTimedOut);
                    if !retriable && !timed_out {
                        return Err(self.transaction_failure("begin", &error));
                    }
                    if let Some(signal) = self.stop.shutdown.requested() {
                        return Err(Failure::new(signal.exit(), format!("{} before the first message", signal.name())));
                    }
                    if self.stop.overdue(Instant::now()) {
                        return Err(self.client.unreachable(&self.config.connection.bootstrap_servers));
                    }
                }
            }
        }
        producer.begin_transaction().map_err(|error| self.transaction_failure("begin", &error))
    }

    /// Commits when every message was acknowledged, else aborts: then nothing counts as delivered.
    fn end_transaction(&self, producer: &BaseProducer<Context>, end: End) -> End {
        let counts = self.tally.counts();
        let all = matches!(end, End::Done) && counts.failed + counts.unsent == 0;
        let limit = self.stop.deadline.map_or(SILENCE, |deadline| deadline.saturating_duration_since(Instant::now()));
        let began = Instant::now();
        if all {
            loop {
                match producer.commit_transaction(topic::SLICE) {
                    Ok(()) => return end,
                    Err(error) => {
                        let retriable =
                            matches!(&error, rdkafka::error::KafkaError::Transaction(error) if error.is_retriable());
                        if !retriable || began.elapsed() >= limit || self.stop.shutdown.at_once() {
                            self.tally.take_back();
                            return End::Failed(self.transaction_failure("commit", &error));
                        }
                    }
                }
            }
        }
        self.tally.take_back();
        if let Err(error) = producer.abort_transaction(self.config.drain_timeout) {
            tracing::warn!(event = "abort_failed", "the transaction is left to the broker's timeout: {error}");
        }
        end
    }

    fn transaction_failure(&self, step: &str, error: &rdkafka::error::KafkaError) -> Failure {
        let id = self.config.properties.get("transactional.id").unwrap_or_default();
        let code = code(error).unwrap_or(RDKafkaErrorCode::Unknown);
        let exit = match common::kafka::error::class(code) {
            common::kafka::Class::Refused => Exit::Refused,
            common::kafka::Class::Unreachable => Exit::Unreachable,
            common::kafka::Class::Other => Exit::Incomplete,
        };
        let reason = format!("transaction {id}: cannot {step}: {code}");
        Failure::new(exit, common::kafka::error::with_hint(&reason, code))
    }

    fn fatal(&self, reason: &str) -> Failure {
        self.refused().unwrap_or_else(|| Failure::new(Exit::Incomplete, format!("the client cannot go on: {reason}")))
    }

    /// The first that applies: interrupted, refused, unreachable, incomplete. All acknowledged is well in any case.
    ///
    /// How many messages an input has is known at its end only: before it, all acknowledged so far is not all.
    fn verdict(&self, end: End, requested: u64, all_sent: bool) -> (Exit, Option<String>) {
        let counts = self.tally.counts();
        let missing = requested.saturating_sub(counts.delivered);
        let undone = match missing {
            0 => "the end of the input".to_owned(),
            _ => format!("{missing} of {requested} messages were acknowledged"),
        };
        let refused = self.refused().or_else(|| self.tally.refused_message());
        match end {
            End::Failed(failure) if failure.exit == Exit::Usage => (failure.exit, Some(failure.message)),
            _ if all_sent && missing == 0 => (Exit::Ok, None),
            End::Signal => {
                let signal = self.stop.shutdown.requested();
                let exit = signal.map_or(Exit::Incomplete, common::shutdown::Signal::exit);
                let name = signal.map_or("a signal", common::shutdown::Signal::name);
                (exit, Some(format!("{name} came before {undone}")))
            }
            _ if refused.is_some() => (Exit::Refused, refused.map(|failure| failure.message)),
            End::Failed(failure) => (failure.exit, Some(failure.message)),
            End::Deadline => (Exit::Incomplete, Some(format!("--timeout passed before {undone}"))),
            End::Done => (Exit::Incomplete, Some(format!("{missing} of {requested} messages were not acknowledged"))),
        }
    }
}

/// The headers that tie a message to its run, in front of its own.
struct Envelope<'a> {
    run_id: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    fn new(config: &'a Config) -> Self {
        Self { run_id: config.run_headers.then_some(config.run_id.as_str()) }
    }

    /// The headers of one message; `None` when it has none, which saves librdkafka an allocation.
    fn wrap(&mut self, sequence: u64, sent_us: i64, message: &Message) -> Option<OwnedHeaders> {
        let own = message.headers().count();
        if own == 0 && self.run_id.is_none() {
            return None;
        }
        let mut list = OwnedHeaders::new_with_capacity(own + 3);
        if let Some(run_id) = self.run_id {
            let (mut sequence_text, mut sent_text) = (itoa::Buffer::new(), itoa::Buffer::new());
            list = list
                .insert(Header { key: headers::RUN_ID, value: Some(run_id) })
                .insert(Header { key: headers::SEQUENCE, value: Some(sequence_text.format(sequence)) })
                .insert(Header { key: headers::SENT_US, value: Some(sent_text.format(sent_us)) });
        }
        for (key, value) in message.headers() {
            list = list.insert(Header { key, value });
        }
        Some(list)
    }
}

/// Microseconds since 1970.
pub fn epoch_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
