//! How the layers reach the flags: a variable is its flag, written by somebody else.
//!
//! clap would read the process's environment when an argument is made. Here the environment is data: what a variable says becomes
//! an argument in front of those that a person typed, unless one of these says it too. So both are checked in the same way, flags
//! that exclude each other do so wherever they are written, and nothing depends on the process.

use std::ffi::OsString;

use clap::builder::{BoolishValueParser, Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::{Layers, Origin, Problems, list};

/// The name that a flag gives its value when that is free text, in which white space at both ends may be meant.
const FREE_TEXT: &str = "TEMPLATE";

impl Layers {
    /// Parses the arguments of a process (its own name first), with what the layers say for flags that are not among them. Every
    /// value that is not a default then counts as given on the command line; [`Layers::supplied`] tells which came from here.
    ///
    /// # Errors
    /// What clap says: of a request for help or of a wrong flag or variable.
    pub fn parse(
        &mut self,
        command: &Command,
        args: impl IntoIterator<Item = OsString>,
        problems: &mut Problems,
    ) -> Result<ArgMatches, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        let parser = flags_only(command.clone());
        let typed = match parser.clone().try_get_matches_from(&args) {
            Ok(typed) => typed,
            // The same again, by the command that still knows the names of the variables.
            Err(error) if error.kind() == ErrorKind::DisplayHelp => {
                return named_only(command.clone()).try_get_matches_from(&args);
            }
            Err(error) => return Err(error),
        };
        let mut named = command.clone();
        named.build();
        let (active, matches, at) = match typed.subcommand() {
            Some((name, matches)) => {
                let at = args.iter().position(|arg| arg == name).map_or(args.len(), |at| at + 1);
                (named.find_subcommand(name).unwrap_or(&named), matches, at)
            }
            None => (&named, &typed, args.len().min(1)),
        };
        let mut all = args[..at].to_vec();
        for arg in active.get_arguments() {
            if matches.value_source(arg.get_id().as_str()) != Some(ValueSource::CommandLine) {
                all.extend(self.flags(active, arg, problems)?);
            }
        }
        all.extend_from_slice(&args[at..]);
        parser.try_get_matches_from(all)
    }

    /// Where the value of an argument came from, if [`Layers::parse`] supplied it.
    pub fn supplied(&self, id: &str) -> Option<&Origin> {
        self.supplied.get(id)
    }

    /// What the layers say for an argument, as flags.
    fn flags(&mut self, command: &Command, arg: &Arg, problems: &mut Problems) -> Result<Vec<OsString>, clap::Error> {
        let variable = arg.get_env().and_then(|name| name.to_str());
        let (Some(variable), Some(long)) = (variable, arg.get_long()) else { return Ok(Vec::new()) };
        let Some((variable, value, origin)) = self.setting(variable, problems) else { return Ok(Vec::new()) };
        let flag = |value: &str| OsString::from(format!("--{long}={value}"));
        let flags = match (arg.get_action(), arg.get_value_delimiter()) {
            (ArgAction::SetTrue, _) => {
                let is_on = BoolishValueParser::new().parse_ref(command, Some(arg), value.as_ref())?;
                if is_on { vec![OsString::from(format!("--{long}"))] } else { Vec::new() }
            }
            (ArgAction::Append, Some(separator)) => {
                list::split(&value, separator).iter().map(|value| flag(value)).collect()
            }
            _ if value.trim() != value && !is_free_text(arg) => {
                problems.add(format!("{variable} ({origin}): begins or ends with white space: take it off"));
                return Ok(Vec::new());
            }
            _ => vec![flag(&value)],
        };
        self.supplied.insert(arg.get_id().to_string(), origin);
        Ok(flags)
    }
}

fn is_free_text(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == FREE_TEXT))
}

/// The command without any variable, and with lists in variables only: a flag is repeated, so that its value may hold anything.
fn flags_only(command: Command) -> Command {
    command.mut_args(|arg| arg.env(Resettable::Reset).value_delimiter(Resettable::Reset)).mut_subcommands(flags_only)
}

/// The command that names the variables in its help, and does not show what is in them: `KAFKA_PROPERTIES` may hold a password
/// by mistake.
fn named_only(command: Command) -> Command {
    command.mut_args(|arg| arg.hide_env_values(true)).mut_subcommands(named_only)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use clap::{Args, FromArgMatches, Parser};

    use super::*;

    #[derive(Parser)]
    #[command(name = "test", args_conflicts_with_subcommands = true)]
    struct Whole {
        #[command(subcommand)]
        command: Option<Sub>,
        #[command(flatten)]
        run: Flags,
    }

    #[derive(clap::Subcommand)]
    enum Sub {
        Config(Flags),
    }

    #[derive(Args)]
    struct Flags {
        #[arg(long, short, env = "PRODUCER_MESSAGES", default_value = "20")]
        messages: u64,
        #[arg(long, env = "PRODUCER_DRY_RUN")]
        dry_run: bool,
        #[arg(long, short = 'H', env = "PRODUCER_HEADERS", value_delimiter = ';')]
        header: Vec<String>,
        #[arg(long, env = "PRODUCER_VALUE", value_name = "TEMPLATE", group = "what")]
        value: Option<String>,
        #[arg(long, env = "PRODUCER_SIZE", group = "what")]
        size: Option<usize>,
        #[arg(long, env = "KAFKA_BOOTSTRAP_SERVERS", default_value = "localhost:9092")]
        servers: String,
    }

    fn parse(environment: &[(&str, &str)], args: &[&str]) -> (Result<ArgMatches, clap::Error>, Layers, Problems) {
        let map: BTreeMap<_, _> =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (mut layers, mut problems) = (Layers::from_maps([(Origin::Environment, map)]), Problems::new());
        let args = std::iter::once("test").chain(args.iter().copied()).map(OsString::from);
        let matches = layers.parse(&<Whole as clap::CommandFactory>::command(), args, &mut problems);
        (matches, layers, problems)
    }

    fn flags(environment: &[(&str, &str)], args: &[&str]) -> Flags {
        let (matches, _, problems) = parse(environment, args);
        assert!(problems.is_empty(), "{problems}");
        let whole = Whole::from_arg_matches(&matches.unwrap()).unwrap();
        whole.command.map_or(whole.run, |Sub::Config(flags)| flags)
    }

    #[test]
    fn a_variable_is_its_flag_and_a_flag_wins() {
        let environment = [("PRODUCER_MESSAGES", "7"), ("PRODUCER_DRY_RUN", "yes"), ("KAFKA_BOOTSTRAP_SERVER", "a:1")];
        for args in [&[][..], &["config"]] {
            let said = flags(&environment, args);
            assert_eq!((said.messages, said.dry_run, said.servers.as_str()), (7, true, "a:1"));
        }
        assert_eq!(flags(&environment, &["-m", "9"]).messages, 9);
        assert_eq!(flags(&environment, &["config", "--messages=9", "--"]).messages, 9);
        let defaults = flags(&[("PRODUCER_MESSAGES", ""), ("PRODUCER_DRY_RUN", "off")], &[]);
        assert_eq!((defaults.messages, defaults.dry_run, defaults.servers.as_str()), (20, false, "localhost:9092"));
    }

    #[test]
    fn what_was_given_is_told_from_defaults() {
        let (matches, layers, _) = parse(&[("PRODUCER_MESSAGES", "7")], &["--size", "1"]);
        let matches = matches.unwrap();
        let given = crate::args::Given(&matches);
        assert!(given.is("messages") && given.is("size") && !given.is("servers"));
        assert_eq!((layers.supplied("messages"), layers.supplied("size")), (Some(&Origin::Environment), None));
    }

    #[test]
    fn only_variables_are_split() {
        assert_eq!(flags(&[], &["-H", "type=a; charset=b", "-H", "x=1"]).header, ["type=a; charset=b", "x=1"]);
        let headers = [("PRODUCER_HEADERS", r"type=a\; charset=b; x=1;")];
        assert_eq!(flags(&headers, &[]).header, ["type=a; charset=b", "x=1"]);
        assert_eq!(flags(&headers, &["-H", "y=2"]).header, ["y=2"]);
    }

    #[test]
    fn values_keep_what_flags_would_trip_over() {
        for value in ["--messages=3", "-1", "=", " in the middle of spaces ", "a=b", "--"] {
            assert_eq!(flags(&[("PRODUCER_VALUE", value)], &[]).value.as_deref(), Some(value));
        }
        let (_, _, problems) = parse(&[("PRODUCER_MESSAGES", "7 ")], &[]);
        assert!(problems.to_string().contains("PRODUCER_MESSAGES (environment): begins or ends with white space"));
    }

    #[test]
    fn wrong_and_contradicting_variables_are_errors_as_flags_are() {
        let kind = |environment: &[(&str, &str)], args: &[&str]| parse(environment, args).0.unwrap_err().kind();
        assert_eq!(kind(&[("PRODUCER_MESSAGES", "many")], &[]), ErrorKind::ValueValidation);
        assert_eq!(kind(&[("PRODUCER_DRY_RUN", "perhaps")], &["config"]), ErrorKind::ValueValidation);
        assert_eq!(kind(&[("PRODUCER_VALUE", "v")], &["--size", "1"]), ErrorKind::ArgumentConflict);
        assert_eq!(kind(&[("PRODUCER_MESSAGES", "many")], &["--nonsense"]), ErrorKind::UnknownArgument);
    }

    #[test]
    fn help_names_variables_and_true_defaults_not_values() {
        let environment = [("PRODUCER_MESSAGES", "7"), ("PRODUCER_HEADERS", "token=hunter2")];
        for args in [&["--help"][..], &["-h"], &["config", "--help"]] {
            let (matches, ..) = parse(&environment, args);
            let help = matches.unwrap_err().to_string();
            assert!(help.contains("[env: PRODUCER_MESSAGES") && help.contains("[default: 20]"), "{help}");
            assert!(!help.contains("hunter2"), "{help}");
        }
    }
}
