//! All flags of `kafka-consumer audit`, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args as ClapArgs, ValueEnum};
use common::args::sandbox::SandboxArgs;
use common::args::{ConnectionArgs, LogArgs};
use common::config::units;

use super::values::Start;

/// The flags of an audit.
#[derive(Clone, Debug, ClapArgs)]
pub struct AuditArgs {
    /// Topic that the run was published to
    #[arg(
        long,
        short = 't',
        env = "KAFKA_TOPIC",
        value_name = "TOPIC",
        default_value = "test",
        help_heading = "What was sent"
    )]
    pub topic: String,

    /// The run, as its messages' stamps name it
    #[arg(long, env = "AUDIT_RUN", value_name = "ID", help_heading = "What was sent")]
    pub run: Option<String>,

    /// Messages of the run: numbers 0 to N-1, by any attempt
    #[arg(long, env = "AUDIT_EXPECT", value_name = "N", help_heading = "What was sent")]
    pub expect: Option<u64>,

    /// File with reports of the run's producers, one a line, such as their log; may be repeated (in the variable: separated
    /// by commas, one in a name written \,)
    #[arg(
        long = "report",
        env = "AUDIT_REPORTS",
        value_name = "FILE",
        value_delimiter = ',',
        help_heading = "What was sent"
    )]
    pub reports: Vec<PathBuf>,

    /// Look for faults without knowing how many messages were sent: nothing is proven, exit code 1 at best
    #[arg(long, env = "AUDIT_NO_EXPECT", value_parser = BoolishValueParser::new(), conflicts_with = "expect", help_heading = "What was sent")]
    pub no_expect: bool,

    /// Where to start: earliest, time:RFC3339 or time:-1h [default: a minute before the first report's start, else earliest]
    #[arg(long, env = "AUDIT_FROM", value_name = "WHERE", help_heading = "What is read")]
    pub from: Option<Start>,

    /// Go on until nothing is missing, or --timeout
    #[arg(long, env = "AUDIT_WAIT", value_parser = BoolishValueParser::new(), help_heading = "What is read")]
    pub wait: bool,

    /// The deadline for the whole audit [default: none]
    #[arg(long, env = "AUDIT_TIMEOUT", value_name = "TIME", value_parser = units::positive_duration, help_heading = "What is read")]
    pub timeout: Option<Duration>,

    /// How to reach the brokers.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// Form of the verdict on stdout
    #[arg(long, short = 'o', env = "AUDIT_FORMAT", value_enum, default_value = "auto", help_heading = "Verdict")]
    pub format: VerdictFormat,

    /// File to write the verdict to as well, if it exists: Kubernetes shows it in the pod's status
    #[arg(
        long,
        env = "CONSUMER_TERMINATION_LOG",
        value_name = "FILE",
        default_value = "/dev/termination-log",
        help_heading = "Verdict"
    )]
    pub termination_log: PathBuf,

    /// How far the process confines itself.
    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The program's own log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Form of the verdict on stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerdictFormat {
    /// A table on a terminal, else JSON
    Auto,
    /// One JSON object on one line
    Json,
    /// For people
    Table,
}
