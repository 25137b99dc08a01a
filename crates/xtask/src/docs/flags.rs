//! The flags of both programs as their documents need them, from clap.

use clap::{Arg, ArgAction, Command};
use common::life;

/// One flag.
#[derive(Clone, PartialEq, Eq)]
pub struct Flag {
    /// The group it is shown in.
    pub heading: String,
    /// As typed: `-n`, `--messages N`.
    pub names: String,
    /// Its variable.
    pub variable: String,
    /// What applies when nobody says anything: a word of the flag in backquotes, or a sentence; empty when nothing does.
    pub default: String,
    /// What it does, with the words it takes.
    pub help: String,
}

impl Flag {
    /// The default, where it can be given as it is.
    pub fn default_word(&self) -> Option<&str> {
        self.default.strip_prefix('`')?.strip_suffix('`')
    }
}

/// Both command lines.
pub struct Commands {
    /// Of `kafka-producer`.
    pub producer: Command,
    /// Of `kafka-consumer`.
    pub consumer: Command,
}

impl Commands {
    /// As the programs make them.
    pub fn new() -> Self {
        let mut producer = kafka_producer::args::command(String::new());
        let mut consumer = kafka_consumer::args::command(String::new());
        producer.build();
        consumer.build();
        Self { producer, consumer }
    }

    /// The variables of both.
    pub fn variables(&self) -> Vec<String> {
        let mut names = [life::variables(&self.producer), life::variables(&self.consumer)].concat();
        names.sort();
        names.dedup();
        names
    }

    /// The flags that are the same in both programs.
    pub fn shared(&self) -> Vec<Flag> {
        let consumer = flags(&self.consumer);
        flags(&self.producer).into_iter().filter(|flag| consumer.contains(flag)).collect()
    }

    /// The flags of the producer that the consumer does not have, or has differently.
    pub fn of_producer(&self) -> Vec<Flag> {
        let shared = self.shared();
        flags(&self.producer).into_iter().filter(|flag| !shared.contains(flag)).collect()
    }

    /// The flags of the consumer's audit that the programs do not both have, or have differently.
    pub fn of_audit(&self) -> Vec<Flag> {
        let shared = self.shared();
        let audit = self.consumer.find_subcommand("audit").map(flags).unwrap_or_default();
        audit.into_iter().filter(|flag| !shared.contains(flag)).collect()
    }

    /// The flags that only the checks of both programs have.
    pub fn of_check(&self) -> Vec<Flag> {
        let mut all: Vec<Flag> = Vec::new();
        for check in [&self.producer, &self.consumer].into_iter().filter_map(|command| command.find_subcommand("check"))
        {
            let own = flags(check).into_iter().filter(|flag| flag.variable.starts_with("CHECK_"));
            for flag in own {
                if !all.contains(&flag) {
                    all.push(flag);
                }
            }
        }
        all
    }

    /// The flags of the consumer that the producer does not have, or has differently.
    pub fn of_consumer(&self) -> Vec<Flag> {
        let shared = self.shared();
        flags(&self.consumer).into_iter().filter(|flag| !shared.contains(flag)).collect()
    }
}

/// The groups of some flags, in the order of `--help`.
pub fn headings(flags: &[Flag]) -> Vec<&str> {
    let mut headings: Vec<&str> = Vec::new();
    for flag in flags {
        if !headings.contains(&flag.heading.as_str()) {
            headings.push(&flag.heading);
        }
    }
    headings
}

fn flags(command: &Command) -> Vec<Flag> {
    command.get_arguments().filter_map(flag).collect()
}

fn flag(arg: &Arg) -> Option<Flag> {
    let variable = arg.get_env()?.to_str()?.to_owned();
    let switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let mut names = Vec::new();
    if let Some(short) = arg.get_short() {
        names.push(format!("-{short}"));
    }
    let value =
        arg.get_value_names().filter(|_| !switch).map_or(String::new(), |names| format!(" {}", names.join(" ")));
    if let Some(long) = arg.get_long() {
        names.push(format!("--{long}{value}"));
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    // A default that depends on other flags is said in the help.
    let (help, said) = match help.split_once(" [default: ") {
        Some((help, said)) => (help.to_owned(), said.trim_end_matches(']').to_owned()),
        None => (help, String::new()),
    };
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = match defaults.join(",") {
        text if switch || text.is_empty() => said,
        text => format!("`{text}`"),
    };
    let possible = if switch { Vec::new() } else { arg.get_possible_values() };
    let words = possible.iter().map(|value| match value.get_help() {
        Some(help) if !help.to_string().eq_ignore_ascii_case(value.get_name()) => {
            format!("`{}` ({})", value.get_name(), uncapitalized(&help.to_string()))
        }
        _ => format!("`{}`", value.get_name()),
    });
    let words: Vec<_> = words.collect();
    let help = if words.is_empty() { help } else { format!("{help}. One of {}", words.join(", ")) };
    Some(Flag {
        heading: arg.get_help_heading().unwrap_or("Options").to_owned(),
        names: names.join(", "),
        variable,
        default,
        help,
    })
}

/// For a place in the middle of a sentence; names such as TLS stay.
fn uncapitalized(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}
