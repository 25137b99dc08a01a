//! The operational log, on stderr: what the program says of itself. Records and reports go to stdout.
//!
//! Levels: ERROR means that messages are lost or a person must act; WARN that something is wrong and being retried; INFO
//! tells the life of the process and never grows with traffic; DEBUG is for finding out.

mod lines;

use std::ffi::OsStr;
use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::args::{LogArgs, LogFormat};

pub use lines::Lines;

/// The variable that says in detail what is logged.
pub const FILTER: &str = "RUST_LOG";

/// Starts the log. The filter of `RUST_LOG` decides what is logged, else `DEBUG`, else INFO.
///
/// # Errors
/// When the filter cannot be parsed; the log has started with the default one.
pub fn start(args: &LogArgs, filter: Option<&str>, lines: &Lines) -> Result<(), String> {
    let default = || EnvFilter::new(if args.debug { "debug" } else { "info" });
    let (filter, result) = match filter.map(str::parse::<EnvFilter>) {
        None => (default(), Ok(())),
        Some(Ok(filter)) => (filter, Ok(())),
        Some(Err(error)) => (default(), Err(format!("{FILTER}: {error}"))),
    };
    // A second start in one process (tests) keeps the first: that is not a fault.
    let _ = tracing::subscriber::set_global_default(subscriber(is_json(args.log_format), filter, lines));
    std::panic::set_hook(Box::new(|panic| {
        // Never straight to stderr: the thread would hang there when nobody reads it.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let backtrace = std::backtrace::Backtrace::capture();
        let message = panic.payload_as_str().unwrap_or("a panic");
        tracing::error!(event = "panic", place, %backtrace, "{message}: please report it");
    }));
    result
}

/// Whether the log is JSON.
pub fn is_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    }
}

/// Logs at once and whatever the filter says, for what is said before the log has started.
pub fn unfiltered(lines: &Lines, log: impl FnOnce()) {
    tracing::subscriber::with_default(subscriber(true, EnvFilter::new("info"), lines), log);
}

fn subscriber(json: bool, filter: EnvFilter, lines: &Lines) -> Box<dyn Subscriber + Send + Sync> {
    // A line that cannot be formatted is lost: the library would say so on stderr, and panic there.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines.clone())
        .with_timer(SystemTime)
        .log_internal_errors(false);
    if json {
        Box::new(builder.json().flatten_event(true).with_current_span(false).with_span_list(false).finish())
    } else {
        Box::new(builder.with_ansi(wants_color()).with_target(false).finish())
    }
}

fn wants_color() -> bool {
    let variable = |name| std::env::var_os(name).unwrap_or_default();
    is_colored(std::io::stderr().is_terminal(), &variable("NO_COLOR"), &variable("TERM"))
}

/// Whether stderr is a terminal that shows colors, to a person who wants them (<https://no-color.org>).
fn is_colored(terminal: bool, no_color: &OsStr, term: &OsStr) -> bool {
    terminal && no_color.is_empty() && term != "dumb"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_for_terminals_that_have_them_and_people_who_want_them() {
        let colored = |terminal, no_color: &str, term: &str| is_colored(terminal, no_color.as_ref(), term.as_ref());
        assert!(colored(true, "", "xterm-256color") && colored(true, "", ""));
        assert!(!colored(false, "", "xterm"));
        assert!(!colored(true, "1", "xterm"));
        assert!(!colored(true, "", "dumb"));
    }
}
