//! The validated settings of a run: everything after this sees only these, never flags.

mod subscription;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use common::args::sandbox::Sandbox;
use common::args::{Given, Listen};
use common::config::{Layers, Problems, Properties};
use common::connection::{self, Connection};
use common::kafka::native::Isolation as Level;
use common::kafka::promises::{self, Weakness};
use common::kafka::rotation::OnChange;
use common::kafka::{self, defaults};
use common::telemetry;
use consume::{FIXED, NO_GROUP, Reset, Settings, Subscription, Until, tuned};

use crate::args::values::{HeaderText, Start, Stop};
use crate::args::{Format, GroupProtocol, Isolation, RunArgs, moment};
use crate::matching::{Finder, Matching};
use crate::record_log::{self, FieldPath, MIN_LINE_BYTES};

/// Where the admin server of a consumer listens whose group is named: a service is watched.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080);
/// What lets a consumer end when a certificate was replaced.
const EXIT_FLAG: &str = "--exit-on-credential-change (CONSUMER_EXIT_ON_CREDENTIAL_CHANGE)";
/// What KIP-848 leaves to the broker: librdkafka refuses a client that sets one of these.
const BROKER_SIDE: [&str; 4] =
    ["session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy", "group.protocol.type"];

/// A run, checked.
pub struct Config {
    /// What is read, and when the run ends.
    pub run: Settings,
    /// Which records are shown; `None`: all.
    pub matching: Option<Matching>,
    /// How records look.
    pub log: record_log::Options,
    /// How long the loop may hang in a write before the group gives the partitions to others.
    pub max_poll_interval: Duration,
    /// Where Kubernetes looks for the report.
    pub termination_log: PathBuf,
    /// Admin server.
    pub listen: Listen,
    /// What the brokers are called, and the source of tokens.
    pub connection: Connection,
    /// Which settings weaken what the program promises by default.
    pub weakened: Vec<Weakness>,
    /// What is done about a certificate or key that was replaced.
    pub on_credential_change: OnChange,
    /// Traces, if there are any.
    pub traces: Option<telemetry::Settings>,
    /// How far the process confines itself.
    pub sandbox: Sandbox,
    /// Whether a time was given without a zone, so that UTC was assumed.
    pub assumes_utc: bool,
}

impl Config {
    /// Checks everything, librdkafka's part included, and asks no broker. All problems go to `problems`.
    pub fn new(args: &RunArgs, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Self {
        let mut properties = Properties::new();
        let connection =
            connection::resolve(&args.connection, "kafka-consumer", given, layers, &mut properties, problems);
        let named = subscription::named_group(args, &properties);
        let is_grouped = subscription::may_join(args, layers, problems);
        let subscription = subscription::of(args, named.as_deref().filter(|_| is_grouped), problems);
        group(args, given, &subscription, &mut properties, problems);
        fetching(args, given, &mut properties, problems);
        let exit_at_end = args.exit_at_end || args.to.is_some();
        if args.timeout.is_some() && args.max_records.is_none() && !exit_at_end {
            problems.add("--timeout needs --max-records, --to or --exit-at-end: an endless consumer has no deadline");
        }
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        let max_poll_interval =
            properties.get("max.poll.interval.ms").and_then(|text| text.parse().ok()).unwrap_or(300_000);
        let isolation = properties.get("isolation.level");
        let run = Settings {
            from: start(args, subscription.is_group(), problems),
            subscription,
            positions: HashMap::new(),
            reset: reset(&properties, problems),
            isolation: if isolation == Some("read_uncommitted") {
                Level::ReadUncommitted
            } else {
                Level::ReadCommitted
            },
            max_records: args.max_records,
            exit_at_end,
            until: args.to.and_then(until),
            timeout: args.timeout,
            commit_interval: args.commit_interval,
            drain_timeout: args.drain_timeout,
            servers: connection.bootstrap_servers.clone(),
            properties,
        };
        Self {
            on_credential_change: match (run.is_one_shot(), args.exit_on_credential_change) {
                // It has work to do, and an end of its own.
                (true, _) => OnChange::Warn(None),
                (false, true) => OnChange::End,
                (false, false) => OnChange::Warn(Some(EXIT_FLAG)),
            },
            run,
            matching: matching(args, problems),
            log: record_log(args, problems),
            max_poll_interval: Duration::from_millis(max_poll_interval),
            termination_log: args.termination_log.clone(),
            listen: args.listen.unwrap_or(if named.is_some() { Listen::On(LISTEN) } else { Listen::Off }),
            connection,
            weakened,
            traces: telemetry::Settings::new("kafka-consumer", layers, problems),
            sandbox: args.sandbox.sandbox,
            assumes_utc: assumes_utc(given),
        }
    }

    /// Which consumer this is: group, client id and group protocol. The first and the last are empty without a group.
    pub fn identity(&self) -> [&str; 3] {
        let property = |key: &str| self.run.properties.get(key).unwrap_or_default();
        match &self.run.subscription {
            Subscription::Group { group, .. } => [group, property("client.id"), property("group.protocol")],
            Subscription::Partitions { .. } => ["", property("client.id"), ""],
        }
    }

    /// What is read, for messages: `topic orders, group billing`.
    pub fn subject(&self) -> String {
        match &self.run.subscription {
            Subscription::Group { topics, group } => format!("topic {}, group {group}", topics.join(",")),
            Subscription::Partitions { topics, .. } => format!("topic {}", topics.join(",")),
        }
    }
}

fn start(args: &RunArgs, is_group: bool, problems: &mut Problems) -> consume::Start {
    if let Some(count) = args.tail {
        if args.from.is_some() {
            problems.add("--tail and --from both say where to start: give one of them");
        }
        return consume::Start::Tail(count);
    }
    let default = if is_group { Start::Committed } else { Start::Earliest };
    match args.from.unwrap_or(default) {
        Start::Committed if !is_group => {
            problems.add(
                "--from committed: a run without a group has no committed offsets; name a --group, without --partitions, or \
                 start at earliest, latest, an offset or a time",
            );
            consume::Start::Earliest
        }
        Start::Committed => consume::Start::Committed,
        Start::Earliest => consume::Start::Earliest,
        Start::Latest => consume::Start::Latest,
        Start::Offset(offset) => consume::Start::Offset(offset),
        Start::Time(ms) => consume::Start::Time(ms),
    }
}

fn until(stop: Stop) -> Option<Until> {
    match stop {
        Stop::Latest => None,
        Stop::Offset(offset) => Some(Until::Offset(offset)),
        Stop::Time(ms) => Some(Until::Time(ms)),
    }
}

/// Whether a time that names no zone is part of the settings.
fn assumes_utc(given: Given<'_>) -> bool {
    let typed = ["from", "to"].into_iter().filter_map(|id| given.0.get_raw(id)).flatten();
    typed.filter_map(|text| text.to_str()).any(moment::assumes_utc)
}

/// What `auto.offset.reset` says, in any of librdkafka's words for it.
fn reset(properties: &Properties, problems: &mut Problems) -> Reset {
    match properties.get("auto.offset.reset").unwrap_or("earliest") {
        "earliest" | "smallest" | "beginning" => Reset::Earliest,
        "latest" | "largest" | "end" => Reset::Latest,
        "error" => Reset::Error,
        _ => {
            problems.add(format!(
                "{}: auto.offset.reset is none of earliest, latest and error",
                properties.origin("auto.offset.reset")
            ));
            Reset::Earliest
        }
    }
}

/// Membership in the group, and when offsets are committed.
fn group(
    args: &RunArgs,
    given: Given<'_>,
    subscription: &Subscription,
    properties: &mut Properties,
    problems: &mut Problems,
) {
    let group = match subscription {
        Subscription::Group { group, .. } => group,
        Subscription::Partitions { .. } => NO_GROUP,
    };
    if group.is_empty() {
        problems.add("--group (KAFKA_CONSUMER_GROUP) is empty: leave it out to read without a group");
    }
    let explicit = given.is("group") && subscription.is_group();
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
    // At least once: the loop commits what was written, and can time it.
    for (key, value) in FIXED {
        properties.fixed(key, value, problems);
    }
    properties.fallback("auto.offset.reset", "earliest");
}

/// What is fetched and how much of it waits here.
fn fetching(args: &RunArgs, given: Given<'_>, properties: &mut Properties, problems: &mut Problems) {
    let isolation = match args.isolation {
        Isolation::ReadCommitted => "read_committed",
        Isolation::ReadUncommitted => "read_uncommitted",
    };
    properties.typed("isolation.level", isolation, "--isolation", given.is("isolation"), problems);
    tuned(properties);
    // A batch that was damaged on a disk or on the way is an error, and not a record: 0.05 us a record (measured).
    properties.fallback("check.crcs", true);
    if let Some(rack) = &args.rack {
        properties.typed("client.rack", rack, "--rack", true, problems);
    }
    defaults::connections(properties, args.timeout);
    defaults::answers(properties);
}

/// What is looked for in records; `None` when nothing is.
fn matching(args: &RunArgs, problems: &mut Problems) -> Option<Matching> {
    let mut finder = |flag: &str, text: &str| match args.regex.then(|| Finder::expression(text)) {
        None => Some(Finder::text(text)),
        Some(Ok(finder)) => Some(finder),
        Some(Err(error)) => {
            let syntax = error.syntax_error().map(ToString::to_string);
            problems.add(format!("{flag} {text}: {}", syntax.unwrap_or_else(|| error.to_string())));
            None
        }
    };
    let matching = Matching {
        key: args.match_key.as_deref().and_then(|text| finder("--match-key", text)),
        value: args.match_value.as_deref().and_then(|text| finder("--match-value", text)),
        header: args
            .match_header
            .as_ref()
            .and_then(|HeaderText { name, text }| Some((name.as_bytes().to_vec(), finder("--match-header", text)?))),
    };
    let is_typed = args.match_key.is_some() || args.match_value.is_some() || args.match_header.is_some();
    if args.regex && !is_typed {
        problems.add("--regex needs --match-key, --match-header or --match-value: it says how their texts are meant");
    }
    matching.is_any().then_some(matching)
}

fn record_log(args: &RunArgs, problems: &mut Problems) -> record_log::Options {
    let mut redact = Vec::new();
    for path in &args.redact {
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
