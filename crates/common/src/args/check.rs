//! The flags that the check of both programs has.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::sandbox::SandboxArgs;
use super::{ConnectionArgs, LogArgs};
use crate::config::units;

/// How long to check, in which form to say what was found, and whom to ask.
#[derive(Clone, Debug, Args)]
pub struct CheckFlags {
    /// The deadline for the whole check
    #[arg(long, env = "CHECK_TIMEOUT", value_name = "TIME", value_parser = units::positive_duration, default_value = "30s", help_heading = "Check")]
    pub timeout: Duration,

    /// Try again until everything passes, or --timeout: for an init container
    #[arg(long, env = "CHECK_WAIT", value_parser = BoolishValueParser::new(), help_heading = "Check")]
    pub wait: bool,

    /// One JSON object on one line instead of a line for each finding
    #[arg(long, env = "CHECK_JSON", value_parser = BoolishValueParser::new(), help_heading = "Check")]
    pub json: bool,

    /// How to reach the brokers.
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// How far the process confines itself.
    #[command(flatten)]
    pub sandbox: SandboxArgs,

    /// The program's own log.
    #[command(flatten)]
    pub log: LogArgs,
}
