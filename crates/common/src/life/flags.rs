//! What a person said: flags, variables and env files, and what is wrong with the flags.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgMatches, Command, ValueEnum};

use crate::args::LogFormat;
use crate::config::{Layers, Problems};

/// What a person said, by flags, variables and files.
pub struct Said {
    /// The parsed flags and variables.
    pub matches: ArgMatches,
    /// Where each variable came from.
    pub layers: Layers,
    /// What is wrong so far.
    pub problems: Problems,
}

/// Why there are no flags to go on with.
pub enum NotRun {
    /// `--help` or `--version`: the text that was asked for.
    Shown(Box<clap::Error>),
    /// The flags cannot be used. The problems with the env files are among them.
    Refused {
        /// What is wrong.
        problems: Problems,
        /// The form of the log that was asked for, as far as it is known.
        format: LogFormat,
    },
}

impl std::fmt::Display for NotRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotRun::Shown(text) => text.fmt(f),
            NotRun::Refused { problems, .. } => problems.fmt(f),
        }
    }
}

/// Reads env files, environment and flags.
///
/// # Errors
/// When there is nothing to run.
pub fn said(command: &Command) -> Result<Said, NotRun> {
    let mut problems = Problems::new();
    let mut layers = Layers::load(std::env::vars_os(), &mut problems);
    match layers.parse(command, std::env::args_os(), &mut problems) {
        Ok(matches) => Ok(Said { matches, layers, problems }),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Err(NotRun::Shown(Box::new(error)))
        }
        Err(error) => {
            // The flags first: they are what was just typed.
            let mut all = Problems::new();
            all.add(refused_flags(&error, command, active(command, std::env::args_os())));
            problems.iter().for_each(|problem| all.add(problem));
            Err(NotRun::Refused { problems: all, format: typed_log_format(&layers) })
        }
    }
}

/// The form of the log, where clap cannot say it: something else is wrong, or the subcommand has no such flag.
pub(super) fn typed_log_format(layers: &Layers) -> LogFormat {
    log_format(std::env::args_os(), layers)
}

fn log_format(args: impl Iterator<Item = OsString>, layers: &Layers) -> LogFormat {
    let mut args = args.map(|arg| arg.to_string_lossy().into_owned());
    let flag = args.find_map(|arg| match arg.strip_prefix("--log-format")? {
        "" => Some(None),
        value => Some(Some(value.strip_prefix('=')?.to_owned())),
    });
    let typed = flag.and_then(|value| value.or_else(|| args.next()));
    let value = typed.or_else(|| Some(layers.get("LOG_FORMAT")?.0.to_owned()));
    value.and_then(|value| LogFormat::from_str(&value, true).ok()).unwrap_or(LogFormat::Auto)
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
fn refused_flags(error: &clap::Error, command: &Command, active: &Command) -> String {
    match error.kind() {
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
            format!("{}: {}", setting(error, active), reason.as_deref().unwrap_or("invalid value"))
        }
        ErrorKind::InvalidValue => {
            let reason = match (error.get(ContextKind::InvalidValue), error.get(ContextKind::ValidValue)) {
                (Some(ContextValue::String(value)), _) if value.is_empty() => "a value is missing".to_owned(),
                (_, Some(ContextValue::Strings(valid))) => format!("expected one of {}", valid.join(", ")),
                _ => "invalid value".to_owned(),
            };
            format!("{}: {reason}", setting(error, active))
        }
        ErrorKind::TooManyValues => format!("{}: takes no value", setting(error, active)),
        // `--size 1 word`: the word counts as a subcommand, behind flags that go with none.
        ErrorKind::ArgumentConflict if error.get(ContextKind::InvalidSubcommand).is_some() => {
            let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
            format!("unknown: an argument that is not a flag; {} comes first, its flags behind it", names.join(" or "))
        }
        // clap's own words, which name flags only; how they are used is in `--help`.
        _ => {
            let text = error.render().to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            text.split("\n\n").next().unwrap_or_default().trim().to_owned()
        }
    }
}

/// The command whose flags were typed: a subcommand comes first.
fn active(command: &Command, mut args: impl Iterator<Item = OsString>) -> &Command {
    let first = args.nth(1).and_then(|first| command.find_subcommand(first));
    first.unwrap_or(command)
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

/// The version line: the program, librdkafka, what it was built with, and the OpenSSL in use.
pub fn version(program: &crate::metrics::Program) -> String {
    format!("{} (librdkafka {}: {}; {})", program.version, program.librdkafka, program.features, program.openssl)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Origin;

    #[test]
    fn the_form_of_the_log_is_found_without_clap() {
        let format = |args: &[&str], variable: &str| {
            let variables = BTreeMap::from([("LOG_FORMAT".to_owned(), variable.to_owned())]);
            let layers = Layers::from_maps([(Origin::Environment, variables)]);
            log_format(args.iter().map(OsString::from), &layers)
        };
        assert_eq!(format(&["--nonsense"], ""), LogFormat::Auto);
        assert_eq!(format(&["--nonsense"], "json"), LogFormat::Json);
        assert_eq!(format(&["--log-format", "text", "--nonsense"], "json"), LogFormat::Text);
        assert_eq!(format(&["--nonsense", "--log-format=json"], "text"), LogFormat::Json);
        assert_eq!(format(&["--log-format"], "json"), LogFormat::Json);
        assert_eq!(format(&[], "xml"), LogFormat::Auto);
    }
}
