//! The operational log, on stderr: what the program says of itself. Records and reports go to stdout.
//!
//! Levels: ERROR means that messages are lost or a person must act; WARN that something is wrong and being retried; INFO
//! tells the life of the process and never grows with traffic; DEBUG is for finding out.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::args::{LogArgs, LogFormat};

/// Starts the log. `--log-filter` decides what is logged, else `--debug`, else INFO.
///
/// # Errors
/// When the filter is none.
pub fn start(args: &LogArgs) -> Result<(), String> {
    let filter = match &args.log_filter {
        Some(filter) => filter.parse::<EnvFilter>().map_err(|error| format!("--log-filter (RUST_LOG): {error}"))?,
        None if args.debug => EnvFilter::new("debug"),
        None => EnvFilter::new("info"),
    };
    let json = match args.log_format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    // A line that stderr cannot take is lost: the library would say so on stderr, and panic there.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(SystemTime)
        .log_internal_errors(false);
    // A second start in one process (tests) keeps the first: that is not a fault.
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init()
    };
    Ok(())
}
