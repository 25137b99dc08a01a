//! The validated settings of a run: everything after this sees only these, never flags.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use common::args::{Given, Listen};
use common::config::{Connection, Layers, Problems, Properties, connection};
use common::kafka;

use crate::args::{Format, GroupProtocol, Isolation, RunArgs, Start};
use crate::record_log::{self, FieldPath, MIN_LINE_BYTES};

/// Given partitions are read without a group, but librdkafka's consumer wants a name for one.
const NO_GROUP: &str = "kafka-consumer-without-group";
/// While a one-shot run waits for the ends of partitions: only statistics tell that what is left are markers of
/// transactions, which are never delivered.
const END_STATISTICS_MS: u128 = 200;
/// What KIP-848 leaves to the broker: librdkafka refuses a client that sets one of these.
const BROKER_SIDE: [&str; 4] =
    ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type"];

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscription {
    /// Topics, shared out by the group.
    Group {
        /// Names, or regular expressions that begin with `^`.
        topics: Vec<String>,
    },
    /// These partitions, outside any group.
    Partitions {
        /// The topic.
        topic: String,
        /// Its partitions.
        partitions: Vec<i32>,
    },
}

/// A run, checked.
pub struct Config {
    /// What is read.
    pub subscription: Subscription,
    /// Where to start.
    pub from: Start,
    /// Stop after so many.
    pub max_messages: Option<u64>,
    /// Stop at the ends.
    pub exit_at_end: bool,
    /// For a one-shot run as a whole.
    pub timeout: Option<Duration>,
    /// How records look.
    pub log: record_log::Options,
    /// Between commits.
    pub commit_interval: Duration,
    /// For the end.
    pub drain_timeout: Duration,
    /// How long the loop may hang in a write before the group gives the partitions to others.
    pub max_poll_interval: Duration,
    /// Where Kubernetes looks for the report.
    pub termination_log: PathBuf,
    /// Admin server.
    pub listen: Listen,
    /// What the brokers are called, and the source of tokens.
    pub connection: Connection,
    /// librdkafka's settings.
    pub properties: Properties,
}

impl Config {
    /// Checks everything, librdkafka's part included, and asks no broker. All problems go to `problems`.
    pub fn new(args: &RunArgs, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Self {
        let mut properties = Properties::new();
        let connection =
            connection::resolve(&args.connection, "kafka-consumer", given, layers, &mut properties, problems);
        let subscription = subscription(args, problems);
        group(args, given, &subscription, &mut properties, problems);
        fetching(args, given, &mut properties, problems);
        if args.timeout.is_some() && args.max_messages.is_none() && !args.exit_at_end {
            problems.add("--timeout needs --max-messages or --exit-at-end: an endless consumer has no deadline");
        }
        kafka::check(&properties, problems);
        let max_poll_interval =
            properties.get("max.poll.interval.ms").and_then(|text| text.parse().ok()).unwrap_or(300_000);
        Self {
            subscription,
            from: args.from,
            max_messages: args.max_messages,
            exit_at_end: args.exit_at_end,
            timeout: args.timeout,
            log: record_log(args, problems),
            commit_interval: args.commit_interval,
            drain_timeout: args.drain_timeout,
            max_poll_interval: Duration::from_millis(max_poll_interval),
            termination_log: args.termination_log.clone(),
            listen: args.listen,
            connection,
            properties,
        }
    }

    /// What is read, for messages: `topic orders, group billing`.
    pub fn subject(&self) -> String {
        match &self.subscription {
            Subscription::Group { topics } => {
                format!("topic {}, group {}", topics.join(","), self.properties.get("group.id").unwrap_or_default())
            }
            Subscription::Partitions { topic, .. } => format!("topic {topic}"),
        }
    }

    /// Whether the run has an end of its own.
    pub fn one_shot(&self) -> bool {
        self.max_messages.is_some() || self.exit_at_end
    }
}

fn subscription(args: &RunArgs, problems: &mut Problems) -> Subscription {
    let topics: Vec<String> =
        args.topics.iter().map(|topic| topic.trim().to_owned()).filter(|topic| !topic.is_empty()).collect();
    if topics.is_empty() {
        problems.add("--topic (KAFKA_TOPIC) is empty");
    }
    for topic in topics.iter().filter(|topic| !topic.starts_with('^')) {
        problems.note(kafka::topic::check_name(topic).map_err(|error| format!("--topic: {error}")));
    }
    match (&args.partitions, topics.as_slice()) {
        (Some(list), [topic]) if !topic.starts_with('^') => {
            Subscription::Partitions { topic: topic.clone(), partitions: list.0.clone() }
        }
        (Some(_), _) => {
            problems.add("--partitions needs exactly one topic, by its name");
            Subscription::Group { topics }
        }
        (None, _) => Subscription::Group { topics },
    }
}

/// Membership in the group, and when offsets are stored and committed.
fn group(
    args: &RunArgs,
    given: Given<'_>,
    subscription: &Subscription,
    properties: &mut Properties,
    problems: &mut Problems,
) {
    let group = match subscription {
        Subscription::Group { .. } => args.group.trim(),
        Subscription::Partitions { .. } => NO_GROUP,
    };
    if group.is_empty() {
        problems.add("--group (KAFKA_CONSUMER_GROUP) is empty");
    }
    let explicit = given.is("group") && matches!(subscription, Subscription::Group { .. });
    properties.typed("group.id", group, "--group", explicit, problems);
    let protocol = match args.group_protocol {
        GroupProtocol::Classic => "classic",
        GroupProtocol::Consumer => "consumer",
    };
    properties.typed("group.protocol", protocol, "--group-protocol", given.is("group_protocol"), problems);
    if properties.get("group.protocol") == Some("consumer") {
        for key in BROKER_SIDE {
            if !properties.is_given(key) {
                continue;
            }
            problems.add(format!(
                "{}: {key} cannot be set with group protocol consumer (KIP-848): it is the broker's setting there \
                 (kafka-configs --entity-type groups); take it out, or use --group-protocol classic",
                properties.origin(key)
            ));
            // Said once, in our words.
            properties.remove(key);
        }
    } else {
        // A rolling update moves only the partitions that have to move, and stops none of the others.
        properties.fallback("partition.assignment.strategy", "cooperative-sticky");
        // A rebalance is noticed by heartbeat: at librdkafka's 3 s a rolling update pauses for 3 s, so for 1 s.
        properties.fallback("heartbeat.interval.ms", 500);
    }
    if let Some(name) = &args.instance_id {
        properties.typed("group.instance.id", name, "--instance-id", true, problems);
    }
    // At least once: an offset is stored after the record's line was written, and committed by the loop itself, which
    // can then time it.
    properties.fixed("enable.auto.offset.store", false, problems);
    properties.fixed("enable.auto.commit", false, problems);
    properties.fixed("enable.partition.eof", false, problems);
    properties.fallback("auto.offset.reset", "earliest");
}

/// What is fetched and how much of it waits here.
fn fetching(args: &RunArgs, given: Given<'_>, properties: &mut Properties, problems: &mut Problems) {
    let isolation = match args.isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    properties.typed("isolation.level", isolation, "--isolation", given.is("isolation"), problems);
    if let Some(rack) = &args.rack {
        properties.typed("client.rack", rack, "--rack", true, problems);
    }
    // By default a fast consumer is parked for a whole second each time its queue is full: 180,000 records/s instead of
    // 1,370,000 (measured with 100-byte values).
    properties.fallback("fetch.queue.backoff.ms", 10);
    properties.fallback("queued.min.messages", 20_000);
    // 64 MiB by default. Counted are a record's bytes, not the 500 or so that librdkafka takes to keep it: with records of 100
    // bytes from a hundred partitions, a process of 120 MiB has 16 MiB in the queue, and one of 55 MiB has 4, at the same rate.
    properties.fallback("queued.max.messages.kbytes", 4 * 1024);
    // New partitions, and topics that a regular expression matches, are found within a minute, not five.
    properties.fallback("topic.metadata.refresh.interval.ms", 60_000);
    // A mistyped name must not become a topic.
    properties.fallback("allow.auto.create.topics", false);
    // After the first answer librdkafka replaces the bootstrap connection, and pauses for half of this (11 ms at least) before
    // it connects again, 50 ms by default: a fifth of the time to the first record.
    properties.fallback("reconnect.backoff.ms", 20);
    // A broker that comes back is noticed within 2 s, not 10.
    properties.fallback("reconnect.backoff.max.ms", 2000);
    if let Some(timeout) = args.timeout {
        // A dead address is noticed well before the deadline; the second numbers are librdkafka's defaults.
        let half = (timeout.as_millis() / 2).max(1000);
        properties.fallback("socket.connection.setup.timeout.ms", half.min(30_000));
        properties.fallback("api.version.request.timeout.ms", half.min(10_000));
    }
    if args.exit_at_end {
        properties.remove("statistics.interval.ms");
        properties.fixed("statistics.interval.ms", END_STATISTICS_MS, problems);
    }
}

fn record_log(args: &RunArgs, problems: &mut Problems) -> record_log::Options {
    let mut redact = Vec::new();
    for path in args.redact.iter().filter(|path| !path.trim().is_empty()) {
        match path.trim().parse::<FieldPath>() {
            Ok(path) => redact.push(path),
            Err(error) => problems.add(format!("--redact {path:?}: {error}")),
        }
    }
    if args.max_line < MIN_LINE_BYTES {
        problems
            .add(format!("--max-line is {}: at least {MIN_LINE_BYTES} bytes, for what is never cut", args.max_line));
    }
    let terminal = std::io::stdout().is_terminal();
    let format = match args.format {
        Format::Auto if terminal => record_log::Format::Human,
        Format::Auto | Format::Json => record_log::Format::Json,
        Format::Human => record_log::Format::Human,
        Format::Raw => record_log::Format::Raw,
    };
    record_log::Options {
        format,
        values: !args.no_values,
        redact,
        max_line_bytes: (!args.uncut).then_some(args.max_line),
        color: terminal,
    }
}
