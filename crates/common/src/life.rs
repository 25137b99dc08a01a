//! The life of a program, the same for both: settings, log, signals, admin server, work on a thread of its own, drain, end.

use std::io::{self, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::admin::{self, Admin};
use crate::config::{Layers, Problems};
use crate::exit::Exit;
use crate::health::Health;
use crate::logging;
use crate::shutdown::{Shutdown, Signal};

/// After a second signal the work may take this long to write its report.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a person said, by flags, variables and files.
pub struct Said {
    /// The parsed flags and variables.
    pub matches: ArgMatches,
    /// Where each variable came from.
    pub layers: Layers,
    /// What is wrong so far.
    pub problems: Problems,
}

/// Reads env files, environment and flags. Must come before any thread exists.
///
/// # Errors
/// The process's exit code, after `--help`, `--version` or a message on stderr.
pub fn said(command: impl Fn() -> Command) -> Result<Said, Exit> {
    let mut problems = Problems::new();
    let layers = Layers::load(&mut problems);
    let mut names = variables(&command());
    // No flag has it, as its form is that of the library.
    names.push(logging::FILTER.to_owned());
    layers.export(&names, &mut problems);
    // Made anew: clap takes the variables' values when an argument is made.
    let mut command = without_values(command());
    match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => Ok(Said { matches, layers, problems }),
        Err(error) => {
            let exit = refused_flags(&error, &command);
            if exit != Exit::Ok && !problems.is_empty() {
                say(&problems);
            }
            Err(exit)
        }
    }
}

/// `--help` names the variables, and does not show what is in them: `KAFKA_PROPERTIES` may hold a password by mistake.
fn without_values(command: Command) -> Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(without_values)
}

/// Writes what somebody asked for to stdout. A closed pipe, as of `| head`, ends it quietly.
pub fn print(text: &str) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => {
            say(format_args!("error: stdout cannot be written: {error}"));
            Exit::Incomplete
        }
    }
}

/// One more line on stderr. When nobody can read it, the exit code still says how it ended, where `eprintln` would panic.
fn say(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// The names of all variables of a command and its subcommands.
pub fn variables(command: &Command) -> Vec<String> {
    let mut names: Vec<String> = std::iter::once(command)
        .chain(command.get_subcommands())
        .flat_map(Command::get_arguments)
        .filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Says what is wrong with the flags. Never in clap's words where those repeat what was typed, which may be a password in the
/// wrong place; and with the variable's name, as nobody typed a flag where the variable was set.
fn refused_flags(error: &clap::Error, command: &Command) -> Exit {
    let problem = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // `--help | head -1` closes the pipe: nobody is left to tell.
            let _ = error.print();
            return Exit::Ok;
        }
        ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand => {
            let typed = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::String(typed)) if typed.starts_with('-') => {
                    typed.split('=').next().unwrap_or_default()
                }
                _ => "an argument that is not a flag",
            };
            let meant = match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(meant)) => format!("; was {meant} meant?"),
                _ => String::new(),
            };
            // `--linger -1ms`: the value looks like a flag.
            let value = match typed.as_bytes() {
                [b'-', b'0'..=b'9', ..] => "; a value that begins with a hyphen is written --flag=-1",
                _ => "",
            };
            format!("unknown: {typed}{meant}{value}")
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            format!("{}: {}", setting(error, command), reason.as_deref().unwrap_or("invalid value"))
        }
        ErrorKind::InvalidValue => {
            let reason = match (error.get(ContextKind::InvalidValue), error.get(ContextKind::ValidValue)) {
                (Some(ContextValue::String(value)), _) if value.is_empty() => "a value is missing".to_owned(),
                (_, Some(ContextValue::Strings(valid))) => format!("expected one of {}", valid.join(", ")),
                _ => "invalid value".to_owned(),
            };
            format!("{}: {reason}", setting(error, command))
        }
        ErrorKind::TooManyValues => format!("{}: takes no value", setting(error, command)),
        // `--size 1 word`: the word counts as a subcommand, behind flags that go with none.
        ErrorKind::ArgumentConflict if error.get(ContextKind::InvalidSubcommand).is_some() => {
            let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            format!("unknown: an argument that is not a flag; {} comes first, its flags behind it", names.join(" or "))
        }
        _ => {
            let _ = error.print();
            return Exit::Usage;
        }
    };
    say(format_args!("error: {problem}\n\nFor more information, try '--help'."));
    Exit::Usage
}

/// The flag that an error is about, with its variable: `--timeout (PRODUCER_TIMEOUT)`.
fn setting(error: &clap::Error, command: &Command) -> String {
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return "a flag".to_owned() };
    // clap shows the flag with the name of its value behind it.
    let flag = flag.split([' ', '=']).next().unwrap_or_default();
    let arg = command.get_arguments().find(|arg| arg.get_long().is_some_and(|long| flag == format!("--{long}")));
    match arg.and_then(|arg| arg.get_env()?.to_str()) {
        Some(variable) => format!("{flag} ({variable})"),
        None => flag.to_owned(),
    }
}

/// Says what is wrong with the configuration, all of it, on stderr.
pub fn report_problems(program: &str, problems: &Problems) -> Exit {
    let count = problems.iter().count();
    say(format_args!(
        "{problems}\n{program}: {count} problem{} with the configuration",
        if count == 1 { "" } else { "s" }
    ));
    Exit::Usage
}

/// What runs beside the work.
pub struct Surroundings {
    /// The admin server's port, if there is one, and what it shows.
    pub admin: Option<(TcpListener, Admin)>,
    /// Shared with the admin server.
    pub health: Health,
    /// Shared with the work.
    pub shutdown: Shutdown,
    /// How long the work may go on after a first signal before it is left behind.
    pub drain_limit: Duration,
}

/// Does the work on a thread of its own, serves the admin port, passes signals on, and says how it ended.
///
/// The thread is left behind, and the process ends with it, when it does not end in time after a signal: it may hang in a
/// write to a pipe that nobody reads.
pub fn live(surroundings: Surroundings, work: impl FnOnce() -> Exit + Send + 'static) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(format_args!("error: the runtime cannot start: {error}"));
            return Exit::Incomplete;
        }
    };
    let exit = runtime.block_on(supervise(surroundings, work));
    // Not waited for: a task that hangs must not hold the process.
    runtime.shutdown_background();
    exit
}

async fn supervise(surroundings: Surroundings, work: impl FnOnce() -> Exit + Send + 'static) -> Exit {
    let Surroundings { admin, health, shutdown, drain_limit } = surroundings;
    // Before the work starts, so that no signal finds the default, which kills.
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        say("error: signal handlers cannot be installed");
        return Exit::Incomplete;
    };
    if let Some((listener, admin)) = admin {
        if let Ok(address) = listener.local_addr() {
            tracing::info!(event = "admin_listening", %address, "admin server listens");
        }
        tokio::spawn(async move {
            if let Err(error) = admin::serve(listener, admin).await {
                tracing::error!(event = "admin_failed", "the admin server ended: {error}");
            }
        });
    }
    let (done, mut ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("work".to_owned()).spawn(move || {
        let _ = done.send(work());
    });
    if let Err(error) = thread {
        say(format_args!("error: the work cannot start: {error}"));
        return Exit::Incomplete;
    }
    let mut deadline = std::pin::pin!(tokio::time::sleep(Duration::MAX / 4));
    let mut signals = 0_u32;
    loop {
        let received = tokio::select! {
            ended = &mut ended => return ended.unwrap_or_else(|_| {
                tracing::error!(event = "work_failed", "the work ended by a panic: please report it");
                Exit::Incomplete
            }),
            () = &mut deadline => {
                if signals > 1 {
                    return shutdown.requested().map_or(Exit::Incomplete, Signal::exit);
                }
                tracing::error!(event = "drain_missed", "the work did not end within {drain_limit:?} after the signal");
                return Exit::Incomplete;
            },
            _ = terminate.recv() => Signal::Terminate,
            _ = interrupt.recv() => Signal::Interrupt,
        };
        signals += 1;
        shutdown.request(received);
        health.drain();
        let limit = if signals > 1 { LAST_WORDS } else { drain_limit };
        tracing::info!(event = "signal", signal = received.name(), "draining, for {limit:?} at most");
        deadline.as_mut().reset(tokio::time::Instant::now() + limit);
    }
}

/// The version line: the program, librdkafka, what it was built with, and the OpenSSL in use.
pub fn version(program: &crate::metrics::Program) -> String {
    format!("{} (librdkafka {}: {}; {})", program.version, program.librdkafka, program.features, program.openssl)
}

/// The state of a client with its metrics, and the source of its tokens.
///
/// # Errors
/// When the certificate authorities of the token endpoint cannot be read.
pub fn client_state(
    subject: String,
    metrics: crate::metrics::ClientMetrics,
    oauth: Option<crate::config::connection::Oauth>,
) -> Result<Arc<crate::kafka::ClientState>, String> {
    let tokens = oauth.map(crate::kafka::oauth::TokenSource::new).transpose()?;
    Ok(Arc::new(crate::kafka::ClientState::new(subject, metrics, tokens)))
}
