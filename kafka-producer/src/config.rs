//! The validated settings of a run: everything after this sees only these, never flags.

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::args::sandbox::Sandbox;
use common::args::{Given, Listen};
use common::config::{Layers, Problems, Properties, address};
use common::connection::{self, Connection};
use common::kafka::promises::{self, Weakness};
use common::kafka::topic::NewTopic;
use common::kafka::{self, defaults};
use common::pushgateway::Gateway;
use common::stamp;
use common::telemetry;
use ledger::Share;

use crate::args::{Compression, InputFormat, Payload, ReportFormat, RunArgs, SECRETS};
use crate::source::{Input, KeySpec, LineFormat, MAX_MESSAGE_BYTES, PayloadKind, Spec, ValueSpec, can_wait};

/// Messages when nobody says how many, as in the prototype.
const DEFAULT_MESSAGES: u64 = 20;
/// More than this in one run is a slip of the finger: at a million a second it takes half a million years.
const MAX_MESSAGES: u64 = 1_000_000_000_000_000_000;
/// Brokers allow transactions of this length at most (`transaction.max.timeout.ms`).
const MAX_TRANSACTION: Duration = Duration::from_secs(15 * 60);
/// The path that stands for standard input.
const STDIN: &str = "-";
/// Bytes of messages that wait in the client, in KiB. librdkafka's own default, 1 GiB, does not fit a small pod.
const QUEUE_KBYTES: usize = 32 * 1024;
const QUEUE_PROPERTY: &str = "queue.buffering.max.kbytes";
/// Messages that wait in the client: with 100-byte messages as much memory as [`QUEUE_KBYTES`] of larger ones.
const QUEUE_MESSAGES: usize = 50_000;

/// A run, checked.
pub struct Config {
    /// Where to.
    pub topic: String,
    /// Messages of the whole run; `None` takes all that the input has.
    pub messages: Option<u64>,
    /// This process's part of them.
    pub share: Share,
    /// Name of the run.
    pub run_id: String,
    /// What to send.
    pub spec: Spec,
    /// Ties each message to the run, unless messages carry no stamp.
    pub stamp: Option<stamp::Writer>,
    /// For all messages that do not bring their own.
    pub partition: Option<i32>,
    /// Messages a second of the whole run.
    pub rate: Option<f64>,
    /// For the whole run.
    pub timeout: Option<Duration>,
    /// For what is in flight after a signal.
    pub drain_timeout: Duration,
    /// All or nothing.
    pub transactional: bool,
    /// The topic to create where it does not exist.
    pub create_topic: Option<NewTopic>,
    /// Only show.
    pub dry_run: bool,
    /// Form of the report.
    pub report: ReportFormat,
    /// Second place for the report.
    pub termination_log: PathBuf,
    /// Admin server.
    pub listen: Listen,
    /// Where to leave how the run ended.
    pub gateway: Option<Gateway>,
    /// The Kubernetes namespace that the run is in.
    pub namespace: Option<String>,
    /// What the brokers are called, and the source of tokens.
    pub connection: Connection,
    /// librdkafka's settings.
    pub properties: Properties,
    /// Those of the connection alone, for another client.
    pub connection_properties: Properties,
    /// Which of them weaken what the program promises by default.
    pub weakened: Vec<Weakness>,
    /// Traces, if there are any.
    pub traces: Option<telemetry::Settings>,
    /// How far the process confines itself.
    pub sandbox: Sandbox,
}

impl Config {
    /// Checks everything, librdkafka's part included, and asks no broker. All problems go to `problems`.
    pub fn new(args: &RunArgs, given: Given<'_>, layers: &Layers, problems: &mut Problems) -> Self {
        problems.note(kafka::topic::check_name(&args.topic).map_err(|error| format!("--topic: {error}")));
        let mut properties = Properties::new();
        let connection =
            connection::resolve(&args.connection, "kafka-producer", given, layers, &mut properties, problems);
        let connection_properties = properties.clone();
        let share = share(args, problems);
        let messages = messages(args, problems);
        delivery(args, given, share, &mut properties, problems);
        if args.run_id.as_ref().is_some_and(|id| !stamp::is_run_id(id)) {
            problems.add(format!(
                "--run-id (PRODUCER_RUN_ID): expected 1 to {} bytes without semicolons and control characters",
                stamp::RUN_ID_BYTES
            ));
        }
        let run_id = args.run_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        let spec = spec(args, &run_id, share, messages, problems);
        for problem in spec.problems() {
            problems.add(with_causes(&problem));
        }
        if args.transactional_id.is_some() {
            check_transaction_length(args, messages, problems);
        }
        let gateway = gateway(args, layers, problems);
        kafka::check(&mut properties, problems);
        let weakened = promises::check(&properties, problems);
        Self {
            topic: args.topic.clone(),
            messages,
            share,
            // The low bits of a random UUID are all random.
            stamp: (!args.no_headers).then(|| stamp::Writer::new(&run_id, uuid::Uuid::new_v4().as_u128() as u32)),
            run_id,
            spec,
            partition: args.partition,
            rate: args.rate.map(common::config::units::Rate::per_second),
            timeout: args.timeout,
            drain_timeout: args.drain_timeout,
            transactional: args.transactional_id.is_some(),
            create_topic: args.create_topic,
            dry_run: args.dry_run,
            report: args.report,
            termination_log: args.termination_log.clone(),
            listen: args.listen,
            gateway,
            namespace: args.pod_namespace.clone(),
            connection,
            properties,
            connection_properties,
            weakened,
            traces: telemetry::Settings::new("kafka-producer", layers, problems),
            sandbox: args.sandbox.sandbox,
        }
    }

    /// Makes the client's queue large enough for a message of so many bytes, whose size was not known before; a size that
    /// somebody gave stays.
    pub fn make_room(&mut self, bytes: usize) {
        if !self.properties.is_given(QUEUE_PROPERTY) {
            self.properties.correct(QUEUE_PROPERTY, queue_kbytes(bytes).to_string());
        }
    }

    /// This process's number of messages, if it is known before they are made.
    pub fn own_messages(&self) -> Option<u64> {
        self.messages.map(|total| self.share.of(total))
    }
}

fn gateway(args: &RunArgs, layers: &Layers, problems: &mut Problems) -> Option<Gateway> {
    const USER: &str = "--pushgateway-username (PRODUCER_PUSHGATEWAY_USERNAME)";
    let url = args.pushgateway.clone()?;
    let [variable] = SECRETS;
    if let Err(problem) = address::gateway_url(&url, &[USER, variable.name]) {
        problems.add(format!("--pushgateway (PRODUCER_PUSHGATEWAY): {problem}"));
    }
    let password = layers.secret(&variable, problems);
    let login = match (args.pushgateway_username.clone(), password) {
        (Some(user), Some((password, _))) => {
            if user.contains(':') {
                problems.add(format!(
                    "{USER}: a colon ends the user's name in HTTP's basic authentication: use another name"
                ));
            }
            Some((user, password))
        }
        (None, None) => None,
        (Some(_), None) => {
            problems.add(format!("{USER} needs {} or {}", variable.name, variable.file));
            None
        }
        (None, Some(_)) => {
            problems.add(format!("{} needs {USER}", variable.name));
            None
        }
    };
    Some(Gateway { url, login, ca_location: args.connection.ssl_ca_location.clone() })
}

/// An error with its causes, on one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn share(args: &RunArgs, problems: &mut Problems) -> Share {
    match (args.shard, args.shards) {
        (None, None) => Share { index: 0, count: 1 },
        (Some(index), Some(count)) if index < count => Share { index, count },
        (Some(index), Some(count)) => {
            problems.add(format!(
                "JOB_COMPLETION_INDEX (--shard) is {index}, but there are {count} shards: 0 to {}",
                count - 1
            ));
            Share { index: 0, count }
        }
        (Some(_), None) => {
            problems.add("JOB_COMPLETION_INDEX (--shard) is set, PRODUCER_SHARDS (--shards) is not: set it to the Job's completions");
            Share { index: 0, count: 1 }
        }
        (None, Some(1)) => Share { index: 0, count: 1 },
        (None, Some(count)) => {
            problems.add(format!(
                "PRODUCER_SHARDS (--shards) is {count}, but JOB_COMPLETION_INDEX (--shard) is not set: \
                 the Job needs completionMode: Indexed"
            ));
            Share { index: 0, count }
        }
    }
}

fn messages(args: &RunArgs, problems: &mut Problems) -> Option<u64> {
    match args.messages {
        Some(0) => problems.add("--messages (PRODUCER_MESSAGES) is 0: there is nothing to publish"),
        Some(count) if count > MAX_MESSAGES => {
            problems.add(format!("--messages (PRODUCER_MESSAGES) is {count}: at most {MAX_MESSAGES}"));
        }
        _ => {}
    }
    match (args.messages, &args.input, &args.file) {
        (Some(count), ..) => Some(count),
        (None, Some(_), _) => None,
        (None, None, Some(_)) => Some(1),
        (None, None, None) => Some(DEFAULT_MESSAGES),
    }
}

fn spec(args: &RunArgs, run_id: &str, share: Share, messages: Option<u64>, problems: &mut Problems) -> Spec {
    let value = if let Some(template) = &args.value {
        ValueSpec::Template(template.clone())
    } else if args.value_file.as_deref() == Some(Path::new(STDIN)) {
        problems.add(
            "--value-file -: a template is not read from standard input; write it to a file, or give it with --value",
        );
        ValueSpec::Template(String::new())
    } else if let Some(path) = args.value_file.as_ref().filter(|path| can_wait(path)) {
        ValueSpec::TemplateFrom(Input::File(path.clone()))
    } else if let Some(path) = &args.value_file {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| format!("--value-file {}: cannot be read: {error}", path.display()));
        ValueSpec::Template(problems.note(text).unwrap_or_default())
    } else if let Some(size) = args.size {
        let kind = match args.payload {
            Payload::Random => PayloadKind::Random,
            Payload::Compressible => PayloadKind::Compressible,
        };
        ValueSpec::Payload { size, kind }
    } else if let Some(input) = &args.input {
        let format = match args.input_format {
            InputFormat::Text => LineFormat::Text,
            InputFormat::Raw => LineFormat::Raw,
            InputFormat::Json => LineFormat::Json,
        };
        ValueSpec::Lines { from: Input::parse(input), format, max_line_bytes: args.max_line }
    } else if let Some(path) = &args.file {
        ValueSpec::File { from: Input::parse(path), gzip: args.gzip, count: messages.unwrap_or(1) }
    } else {
        ValueSpec::Demo
    };
    if args.gzip && args.file.is_none() {
        problems.add("--gzip needs --file; batches are compressed by --compression");
    }
    for (flag, path) in [("--input", &args.input), ("--file", &args.file)] {
        if share.count > 1 && path.as_deref() == Some(STDIN) {
            problems.add(format!(
                "{flag} - cannot be divided among processes: each process has a standard input of its own; use a file"
            ));
        }
    }
    let key = match (&args.key, args.no_key) {
        (Some(template), _) => KeySpec::Template(template.clone()),
        (None, true) => KeySpec::None,
        (None, false) => KeySpec::Default,
    };
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let headers = args.headers.clone();
    Spec { run_id: run_id.to_owned(), host, index: share.index, key, value, headers }
}

/// The room for messages of which the largest has so many bytes, in KiB.
fn queue_kbytes(largest: usize) -> usize {
    QUEUE_KBYTES.max(largest.div_ceil(1024).saturating_mul(2)).min(2_147_483_647)
}

/// How messages are delivered. Each value that differs from librdkafka's default says why.
fn delivery(args: &RunArgs, given: Given<'_>, share: Share, properties: &mut Properties, problems: &mut Problems) {
    // No duplicates and no reordering by retries; also what Java's client does by default.
    properties.fallback("enable.idempotence", true);
    properties.fallback("acks", "all");
    // Java's client puts the same key into the same partition; librdkafka's default does not.
    properties.fallback("partitioner", "murmur2_random");
    // The broker and the topic decide what is too large, not a second limit here.
    properties.fallback("message.max.bytes", MAX_MESSAGE_BYTES);
    properties.fallback("queue.buffering.max.messages", QUEUE_MESSAGES);
    let largest = args.size.unwrap_or(0).max(args.max_line).max(file_size(args));
    // A message that is larger than the queue would never fit in.
    properties.fallback(QUEUE_PROPERTY, queue_kbytes(largest));
    defaults::connections(properties, args.timeout);
    let compression = match args.compression {
        Compression::None => "none",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    };
    properties.typed("compression.type", compression, "--compression", given.is("compression"), problems);
    // 1 ms, where librdkafka has 5: the same CPU a message at full speed, where batches fill anyway, and a trickle is
    // acknowledged after 1.5 ms instead of 5.4. 0 would cost a request a message at some 10,000 messages/s.
    properties.typed("linger.ms", args.linger.as_millis(), "--linger", given.is("linger"), problems);
    if let Some(timeout) = args.timeout {
        // The run's deadline decides, not the message's.
        properties.fallback("message.timeout.ms", (timeout + args.drain_timeout).as_millis().min(2_147_483_647));
    }
    // The report rests on every message being reported.
    properties.fixed("delivery.report.only.error", false, problems);
    if let Some(id) = &args.transactional_id {
        let id = if share.count > 1 { format!("{id}-{}", share.index) } else { id.clone() };
        properties.typed("transactional.id", id, "--transactional-id", true, problems);
        let length = args.timeout.unwrap_or(MAX_TRANSACTION).min(MAX_TRANSACTION).as_millis();
        // librdkafka refuses a message timeout above the transaction's.
        properties.remove("message.timeout.ms");
        properties.fallback("message.timeout.ms", length);
        properties.fallback("transaction.timeout.ms", length);
    }
}

/// The size of the file to be sent as one message; what is wrong with it is said when it is opened. That of standard input is
/// known when it was read: [`Config::make_room`].
fn file_size(args: &RunArgs) -> usize {
    let path = args.file.as_deref().filter(|path| *path != STDIN);
    let metadata = path.and_then(|path| std::fs::metadata(path).ok());
    metadata.map_or(0, |metadata| usize::try_from(metadata.len()).unwrap_or(usize::MAX).min(MAX_MESSAGE_BYTES))
}

fn check_transaction_length(args: &RunArgs, messages: Option<u64>, problems: &mut Problems) {
    if args.timeout.is_some_and(|timeout| timeout > MAX_TRANSACTION) {
        problems.add("--transactional-id with --timeout above 15m: brokers allow transactions of 15 minutes at most");
    }
    if let (Some(rate), Some(messages)) = (args.rate, messages) {
        let seconds = messages as f64 / rate.per_second();
        if seconds > args.timeout.unwrap_or(MAX_TRANSACTION).min(MAX_TRANSACTION).as_secs_f64() {
            problems.add(format!(
                "--transactional-id: {messages} messages at --rate {rate} take {seconds:.0} s, longer than the transaction may last"
            ));
        }
    }
}
