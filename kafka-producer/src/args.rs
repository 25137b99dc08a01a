//! All flags of `kafka-producer`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};
use common::args::sandbox::SandboxArgs;
use common::args::{ConnectionArgs, Listen, LogArgs};
use common::config::SecretVariable;
use common::config::units::{self, Rate};
use common::kafka::topic::NewTopic;

use crate::check::CheckArgs;

/// Publishes N messages to a Kafka topic, waits for every acknowledgement and exits with an honest verdict.
#[derive(Debug, Parser)]
#[command(name = "kafka-producer", args_conflicts_with_subcommands = true, max_term_width = 120, after_help = examples())]
pub struct Args {
    /// What to do instead of publishing.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The flags of a run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do instead of publishing.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the effective settings, each with where it came from, secrets redacted
    Config(Box<RunArgs>),
    /// Publish and read back in one process: exit 0 proves that every message came exactly once, whole and in order, 5 that it did
    /// not
    RoundTrip(Box<RunArgs>),
    /// Check every layer between here and the topic, and each right, without sending anything: a line each, PASS or FAIL
    Check(Box<CheckArgs>),
}

/// The flags of a run.
#[derive(Clone, Debug, ClapArgs)]
pub struct RunArgs {
    /// Topic to publish to
    #[arg(
        long,
        short = 't',
        env = "KAFKA_TOPIC",
        value_name = "TOPIC",
        default_value = "test",
        help_heading = "Messages"
    )]
    pub topic: String,

    /// How many messages to publish [default: 20; with --input: all lines; with --file: 1]
    #[arg(long, short = 'n', env = "PRODUCER_MESSAGES", value_name = "N", value_parser = count, allow_negative_numbers = true, help_heading = "Messages")]
    pub messages: Option<u64>,

    /// Template of the keys, such as "{{random_int:1:100}}" [default: the sequence number; lines and files have none]
    #[arg(long, short = 'k', env = "PRODUCER_KEY", value_name = "TEMPLATE", help_heading = "Messages")]
    pub key: Option<String>,

    /// Send no keys
    #[arg(long, env = "PRODUCER_NO_KEY", value_parser = BoolishValueParser::new(), conflicts_with = "key", help_heading = "Messages")]
    pub no_key: bool,

    /// Template of the values [default: a demo message in JSON]
    #[arg(long, env = "PRODUCER_VALUE", value_name = "TEMPLATE", group = "what", help_heading = "Messages")]
    pub value: Option<String>,

    /// File with the template of the values, not standard input
    #[arg(long, env = "PRODUCER_VALUE_FILE", value_name = "FILE", group = "what", help_heading = "Messages")]
    pub value_file: Option<PathBuf>,

    /// Values of this many bytes, such as 100 or 1KiB
    #[arg(long, env = "PRODUCER_SIZE", value_name = "BYTES", value_parser = units::bytes, group = "what", help_heading = "Messages")]
    pub size: Option<usize>,

    /// Content of --size values
    #[arg(long, env = "PRODUCER_PAYLOAD", value_enum, default_value = "random", help_heading = "Messages")]
    pub payload: Payload,

    /// Send the lines of a file, or of stdin when it is -, a message each
    #[arg(long, short = 'i', env = "PRODUCER_INPUT", value_name = "FILE|-", group = "what", help_heading = "Messages")]
    pub input: Option<String>,

    /// What a line is: text, raw bytes, or a JSON object with key, value, headers, partition, timestamp
    #[arg(long, env = "PRODUCER_INPUT_FORMAT", value_enum, default_value = "text", help_heading = "Messages")]
    pub input_format: InputFormat,

    /// Longest line to accept
    #[arg(long, env = "PRODUCER_MAX_LINE", value_name = "BYTES", value_parser = units::bytes, default_value = "16MiB", help_heading = "Messages")]
    pub max_line: usize,

    /// Send a whole file, or all of stdin when it is -, as one message
    #[arg(long, short = 'f', env = "PRODUCER_FILE", value_name = "FILE|-", group = "what", help_heading = "Messages")]
    pub file: Option<String>,

    /// Compress the --file with gzip, and say so in a header
    #[arg(long, env = "PRODUCER_GZIP", value_parser = BoolishValueParser::new(), help_heading = "Messages")]
    pub gzip: bool,

    /// Header to add, a template for its value; may be repeated (in the variable: separated by semicolons, one in a value written \;)
    #[arg(
        long = "header",
        short = 'H',
        env = "PRODUCER_HEADERS",
        value_name = "NAME=TEMPLATE",
        value_delimiter = ';',
        help_heading = "Messages"
    )]
    pub headers: Vec<String>,

    /// Leave out the stamp, the header with run id, number, time and checksum
    #[arg(long, env = "PRODUCER_NO_HEADERS", value_parser = BoolishValueParser::new(), help_heading = "Messages")]
    pub no_headers: bool,

    /// Name of this run, in stamps and report; any text without semicolons [default: a random one]
    #[arg(long, env = "PRODUCER_RUN_ID", value_name = "ID", help_heading = "Messages")]
    pub run_id: Option<String>,

    /// Partition to send to [default: by the key, as Java's client does]
    #[arg(long, short = 'p', env = "PRODUCER_PARTITION", value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..), allow_negative_numbers = true, help_heading = "Messages")]
    pub partition: Option<i32>,

    /// Print the records as they would be sent, a JSON object each, and ask no broker
    #[arg(long, env = "PRODUCER_DRY_RUN", value_parser = BoolishValueParser::new(), help_heading = "Messages")]
    pub dry_run: bool,

    /// Messages in a time, such as 500/s; latencies then count from the scheduled time
    #[arg(
        long,
        short = 'r',
        env = "PRODUCER_RATE",
        value_name = "RATE",
        allow_hyphen_values = true,
        help_heading = "Delivery"
    )]
    pub rate: Option<Rate>,

    /// One deadline for the whole run, such as 5m [default: none, but 2 minutes without an acknowledgement end it]
    #[arg(long, env = "PRODUCER_TIMEOUT", value_name = "TIME", value_parser = units::positive_duration, help_heading = "Delivery")]
    pub timeout: Option<Duration>,

    /// How long to deliver what is in flight after SIGTERM or SIGINT
    #[arg(long, env = "PRODUCER_DRAIN_TIMEOUT", value_name = "TIME", value_parser = units::positive_duration, default_value = "20s", help_heading = "Delivery")]
    pub drain_timeout: Duration,

    /// Compression of batches
    #[arg(
        long,
        short = 'z',
        env = "PRODUCER_COMPRESSION",
        value_enum,
        default_value = "lz4",
        help_heading = "Delivery"
    )]
    pub compression: Compression,

    /// How long a batch waits for more messages
    #[arg(long, env = "PRODUCER_LINGER", value_name = "TIME", value_parser = units::duration, default_value = "1ms", help_heading = "Delivery")]
    pub linger: Duration,

    /// Send all messages in one transaction: all or nothing
    #[arg(long, env = "PRODUCER_TRANSACTIONAL_ID", value_name = "ID", help_heading = "Delivery")]
    pub transactional_id: Option<String>,

    /// Create the topic if it does not exist, e.g. 6:3 (without :3, the broker's default replication)
    #[arg(long, env = "PRODUCER_CREATE_TOPIC", value_name = "PARTITIONS[:REPLICATION]", help_heading = "Delivery")]
    pub create_topic: Option<NewTopic>,

    /// Divide the messages among this many processes: the completions of an Indexed Job
    #[arg(long, env = "PRODUCER_SHARDS", value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=100_000), allow_negative_numbers = true, help_heading = "Delivery")]
    pub shards: Option<u64>,

    /// Which share is this process's, from 0; Kubernetes sets the variable in an Indexed Job
    #[arg(
        long,
        env = "JOB_COMPLETION_INDEX",
        value_name = "NUMBER",
        allow_negative_numbers = true,
        help_heading = "Delivery"
    )]
    pub shard: Option<u64>,

    /// How to reach the brokers.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Form of the report on stdout
    #[arg(long, env = "PRODUCER_REPORT", value_enum, default_value = "auto", help_heading = "Report and health")]
    pub report: ReportFormat,

    /// File to write the report to as well, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "PRODUCER_TERMINATION_LOG",
        value_name = "FILE",
        default_value = "/dev/termination-log",
        help_heading = "Report and health"
    )]
    pub termination_log: PathBuf,

    /// Address of the admin server (/metrics, /livez, /readyz, /version), or off
    #[arg(
        long,
        env = "ADMIN_LISTEN",
        value_name = "ADDRESS",
        default_value = "off",
        help_heading = "Report and health"
    )]
    pub listen: Listen,

    /// Pushgateway to tell that the run starts and how it ended; its password comes from PRODUCER_PUSHGATEWAY_PASSWORD or its _FILE form
    #[arg(long, env = "PRODUCER_PUSHGATEWAY", value_name = "URL", help_heading = "Report and health")]
    pub pushgateway: Option<String>,

    /// User at the Pushgateway
    #[arg(long, env = "PRODUCER_PUSHGATEWAY_USERNAME", value_name = "NAME", help_heading = "Report and health")]
    pub pushgateway_username: Option<String>,

    /// Label namespace of what is pushed, in Kubernetes from the pod's metadata [default: no such label]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", help_heading = "Report and health")]
    pub pod_namespace: Option<String>,

    /// How far the process confines itself.
    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The program's own log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// The secrets of the producer alone.
pub const SECRETS: [SecretVariable; 1] = [SecretVariable {
    name: "PRODUCER_PUSHGATEWAY_PASSWORD",
    file: "PRODUCER_PUSHGATEWAY_PASSWORD_FILE",
    help: "Password at the Pushgateway (kafka-producer)",
    property: None,
}];

/// Content of values of a fixed size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Payload {
    /// Random text: codecs find little in it
    Random,
    /// Words: compresses as log lines do
    Compressible,
}

/// What a line of the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InputFormat {
    /// UTF-8 text, the value
    Text,
    /// Any bytes, the value
    Raw,
    /// An object with the parts of a message
    Json,
}

/// Compression of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// None
    None,
    /// Old and small
    Gzip,
    /// Fast
    Snappy,
    /// Fastest
    Lz4,
    /// Small
    Zstd,
}

/// Form of the report on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// A table on a terminal, else JSON
    Auto,
    /// One JSON object on one line
    Json,
    /// For people
    Table,
}

/// A number of messages. Zero is said by name later, with all other problems.
fn count(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| "expected a whole number, 1 or more".to_owned())
}

/// The whole command line, with the version line that only the running program knows.
pub fn command(version: String) -> clap::Command {
    Args::command().version(version)
}

fn examples() -> String {
    format!(
        "Examples:\n  \
         kafka-producer -n 1000                              demo messages to localhost:9092\n  \
         kafka-producer --size 1KiB -n 1000000 -r 5k/s       a steady load\n  \
         kafka-producer -i orders.ndjson --input-format json records from a file\n  \
         kafka-producer -k '{{{{seq}}}}' --value 'hi {{{{uuid}}}}'   templates\n  \
         kafka-producer round-trip -n 1000                   the same, read back and judged\n  \
         kafka-producer check -t orders                      whether all is there that a run needs\n  \
         kafka-producer config                               what is set, and where\n\n\
         {}",
        common::args::help_footer(&SECRETS)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent_and_each_has_a_variable() {
        assert_eq!(common::args::faults(&Args::command()), Vec::<String>::new());
    }
}
