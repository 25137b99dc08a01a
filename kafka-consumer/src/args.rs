//! All flags of `kafka-consumer`, as typed.

pub mod audit;
pub mod moment;
pub mod values;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{BoolishValueParser, NonEmptyStringValueParser};
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};
use common::args::sandbox::SandboxArgs;
use common::args::{ConnectionArgs, Listen, LogArgs};
use common::config::units;

use audit::AuditArgs;
use values::{HeaderText, PartitionList, Start, Stop};

use crate::check::CheckArgs;

/// Logs every record of Kafka topics on stdout, a JSON object a line, and serves metrics and health.
#[derive(Debug, Parser)]
#[command(name = "kafka-consumer", args_conflicts_with_subcommands = true, max_term_width = 120, after_help = examples())]
pub struct Args {
    /// What to do instead of consuming.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The flags of a run.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What to do instead of consuming.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the effective settings, each with where it came from, secrets redacted
    Config(Box<RunArgs>),
    /// Prove that a run lost, repeated, reordered and damaged nothing: reads the whole topic, outside of any group
    Audit(Box<AuditArgs>),
    /// Check every layer between here and the topic, each right, and where a group stands, without joining it
    Check(Box<CheckArgs>),
    /// Ask a running consumer's /livez: exit 0 when it answers 200, else 1; for images without a shell
    Healthcheck(HealthcheckArgs),
}

/// The flags of `healthcheck`.
#[derive(Clone, Debug, ClapArgs)]
pub struct HealthcheckArgs {
    /// Address of the admin server to ask
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub listen: Listen,
}

/// The flags of a run.
#[derive(Clone, Debug, ClapArgs)]
pub struct RunArgs {
    /// Topics to read, comma-separated; one that begins with ^ is a regular expression over whole names, and takes the rest of
    /// its flag; may be repeated (in the variable: separated by commas, one in an expression written \,)
    #[arg(
        long = "topic",
        short = 't',
        env = "KAFKA_TOPIC",
        value_name = "TOPIC,..",
        value_delimiter = ',',
        default_value = "test",
        help_heading = "Records"
    )]
    pub topics: Vec<String>,

    /// Consumer group; assigns the partitions and keeps the committed offsets [default: none: all partitions are read, and no
    /// offset is committed]
    #[arg(long, short = 'g', env = "KAFKA_CONSUMER_GROUP", value_name = "GROUP", help_heading = "Records")]
    pub group: Option<String>,

    /// Read these partitions of the topic, without a group and without committing offsets, such as 0,3-5
    #[arg(long, short = 'p', env = "CONSUMER_PARTITIONS", value_name = "LIST", help_heading = "Records")]
    pub partitions: Option<PartitionList>,

    /// Where to start: committed (if there is no committed offset: earliest), earliest, latest, offset:N, or a time: RFC 3339, a
    /// date, or -1h for an hour ago; without a zone it is UTC. In a group, anything but committed applies only to the first
    /// assignment [default: committed in a group, else earliest]
    #[arg(long, env = "CONSUMER_FROM", value_name = "WHERE", allow_hyphen_values = true, help_heading = "Records")]
    pub from: Option<Start>,

    /// Stop each partition before the first record at or past this place, and never beyond its current end: latest, offset:N, or
    /// a time as for --from. By a time, that is the first record that is not older, whatever the times behind it. Reads without
    /// a group
    #[arg(long, env = "CONSUMER_TO", value_name = "WHERE", allow_hyphen_values = true, help_heading = "Records")]
    pub to: Option<Stop>,

    /// Start N records before the end of each partition, then follow; markers of transactions and records that were compacted
    /// away count. Reads without a group
    #[arg(long, env = "CONSUMER_TAIL", value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Records")]
    pub tail: Option<u64>,

    /// Show only records whose key contains this text; the others are read, counted and, in a group, committed
    #[arg(long, env = "CONSUMER_MATCH_KEY", value_name = "TEXT", value_parser = NonEmptyStringValueParser::new(), help_heading = "Records")]
    pub match_key: Option<String>,

    /// Show only records with a header of this name whose value contains this text
    #[arg(long, env = "CONSUMER_MATCH_HEADER", value_name = "NAME=TEXT", help_heading = "Records")]
    pub match_header: Option<HeaderText>,

    /// Show only records whose value contains this text, as the bytes that were sent
    #[arg(long, env = "CONSUMER_MATCH_VALUE", value_name = "TEXT", value_parser = NonEmptyStringValueParser::new(), help_heading = "Records")]
    pub match_value: Option<String>,

    /// Take the texts of --match-key, --match-header and --match-value as regular expressions over bytes: slower
    #[arg(long, env = "CONSUMER_REGEX", value_parser = BoolishValueParser::new(), help_heading = "Records")]
    pub regex: bool,

    /// Stop after this many records, or with --match-key, --match-header or --match-value after this many that are shown
    #[arg(long, short = 'n', env = "CONSUMER_MAX_RECORDS", value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Records")]
    pub max_records: Option<u64>,

    /// Stop at the current end of each partition
    #[arg(long, env = "CONSUMER_EXIT_AT_END", value_parser = BoolishValueParser::new(), help_heading = "Records")]
    pub exit_at_end: bool,

    /// With --max-records or --exit-at-end: the deadline for the whole run [default: none]
    #[arg(long, env = "CONSUMER_TIMEOUT", value_name = "TIME", value_parser = units::positive_duration, help_heading = "Records")]
    pub timeout: Option<Duration>,

    /// Form of the records on stdout
    #[arg(
        long,
        short = 'o',
        env = "CONSUMER_FORMAT",
        value_enum,
        default_value = "auto",
        help_heading = "Record log (on stdout)"
    )]
    pub format: Format,

    /// Leave the values out
    #[arg(long, env = "CONSUMER_NO_VALUES", value_parser = BoolishValueParser::new(), help_heading = "Record log (on stdout)")]
    pub no_values: bool,

    /// What not to show: a field such as user.email or items.*.card, key, header:NAME; may be repeated (in the variable:
    /// separated by commas, one in a name written \,)
    #[arg(
        long,
        env = "CONSUMER_REDACT",
        value_name = "PATH",
        value_delimiter = ',',
        help_heading = "Record log (on stdout)"
    )]
    pub redact: Vec<String>,

    /// Longest line; beyond it value, headers and key are cut, so that container runtimes do not split the line
    #[arg(long, env = "CONSUMER_MAX_LINE", value_name = "BYTES", value_parser = units::bytes, default_value = "15KiB", help_heading = "Record log (on stdout)")]
    pub max_line: usize,

    /// Cut nothing, however long the line
    #[arg(long, env = "CONSUMER_UNCUT", value_parser = BoolishValueParser::new(), help_heading = "Record log (on stdout)")]
    pub uncut: bool,

    /// How the group assigns partitions: classic, or consumer (KIP-848, brokers from 4.0)
    #[arg(long, env = "CONSUMER_GROUP_PROTOCOL", value_enum, default_value = "classic", help_heading = "Group")]
    pub group_protocol: GroupProtocol,

    /// Static membership: a name that outlives a restart, for StatefulSets only
    #[arg(long, env = "CONSUMER_INSTANCE_ID", value_name = "NAME", help_heading = "Group")]
    pub instance_id: Option<String>,

    /// Rack or zone of this process, to read from the nearest replica
    #[arg(long, env = "CONSUMER_RACK", value_name = "RACK", help_heading = "Group")]
    pub rack: Option<String>,

    /// Which records of transactions to see
    #[arg(long, env = "CONSUMER_ISOLATION", value_enum, default_value = "read-committed", help_heading = "Group")]
    pub isolation: Isolation,

    /// How often offsets are committed; also on revoke and at the end. What was written since the last commit is logged again
    /// when this process is killed
    #[arg(long, env = "CONSUMER_COMMIT_INTERVAL", value_name = "TIME", value_parser = units::positive_duration, default_value = "1s", help_heading = "Group")]
    pub commit_interval: Duration,

    /// How long writing, committing and leaving the group may take after SIGTERM or SIGINT
    #[arg(long, env = "CONSUMER_DRAIN_TIMEOUT", value_name = "TIME", value_parser = units::positive_duration, default_value = "20s", help_heading = "Group")]
    pub drain_timeout: Duration,

    /// How to reach the brokers.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// End with exit code 0, at a random moment within 60s, when the file of a certificate, key or authority is replaced: these are
    /// read only at a start. For an endless consumer that is started again by others
    #[arg(long, env = "CONSUMER_EXIT_ON_CREDENTIAL_CHANGE", value_parser = BoolishValueParser::new(), help_heading = "Connection")]
    pub exit_on_credential_change: bool,

    /// File to write the report to, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "CONSUMER_TERMINATION_LOG",
        value_name = "FILE",
        default_value = "/dev/termination-log",
        help_heading = "Report and health"
    )]
    pub termination_log: PathBuf,

    /// Address of the admin server (/metrics, /livez, /readyz, /version), or off [default: 0.0.0.0:8080 where a group is
    /// named, else off]
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS", help_heading = "Report and health")]
    pub listen: Option<Listen>,

    /// How far the process confines itself.
    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The program's own log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Form of the records on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Readable on a terminal, else JSON
    Auto,
    /// One JSON object a line
    Json,
    /// For people
    Human,
    /// The values alone, a line each
    Raw,
}

/// How the group assigns partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupProtocol {
    /// By the members, cooperatively
    Classic,
    /// By the broker (KIP-848)
    Consumer,
}

/// Which records of transactions to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Isolation {
    /// Those of committed transactions
    ReadCommitted,
    /// All
    ReadUncommitted,
}

/// The whole command line, with the version line that only the running program knows.
pub fn command(version: String) -> clap::Command {
    Args::command().version(version)
}

fn examples() -> String {
    format!(
        "Examples:\n  \
         kafka-consumer                                      topic test of localhost:9092\n  \
         kafka-consumer -t orders --from earliest | jq .value\n  \
         kafka-consumer -t orders --tail 5                   the last five of each partition, then new ones\n  \
         kafka-consumer -t orders --from -1h -n 10           ten records of the last hour\n  \
         kafka-consumer -t orders --match-key 4711 --exit-at-end what has this in its key\n  \
         kafka-consumer -t orders --from 2026-11-26 --to 2026-11-27 a day of UTC\n  \
         kafka-consumer -t '^orders\\..*' -g billing --redact user.email several topics in a group, a field withheld\n  \
         kafka-consumer audit --run orders-7 --report report.json whether a run is whole\n  \
         kafka-consumer check -t orders -g billing           whether all is there, and the group's lag\n  \
         kafka-consumer config                               what is set, and where\n\n\
         {}",
        common::args::help_footer(&[])
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
