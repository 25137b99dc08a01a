//! The `config` subcommand: the effective settings, each with where it came from, secrets redacted.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::address::has_login;
use super::secret::{REDACTED, without_credentials};
use super::{Layers, Origin, PlainVariable, Problems, Properties, SecretVariable, list};

/// The id of `-X`, whose values are properties.
const RAW_PROPERTIES: &str = "property";
/// The id of the brokers' addresses.
const SERVERS: &str = "bootstrap_servers";

/// Lists the settings of a command as `NAME=value  # origin`, then librdkafka's properties.
pub fn settings(
    command: &Command,
    matches: &ArgMatches,
    layers: &Layers,
    plain: &[PlainVariable],
    secrets: &[SecretVariable],
    properties: &Properties,
) -> String {
    let mut lines = Vec::new();
    for arg in command.get_arguments() {
        let Some(variable) = arg.get_env().and_then(|name| name.to_str()) else { continue };
        let id = arg.get_id().as_str();
        let origin = match (layers.supplied(id), matches.value_source(id)) {
            (Some(origin), _) => origin.to_string(),
            (None, Some(ValueSource::CommandLine)) => {
                arg.get_long().map_or_else(|| Origin::Flag.to_string(), |long| format!("flag --{long}"))
            }
            _ => Origin::Default.to_string(),
        };
        let values: Vec<String> = matches
            .get_raw(id)
            .map(|values| values.map(|value| shown(id, &value.to_string_lossy(), properties)).collect())
            .unwrap_or_default();
        let value =
            arg.get_value_delimiter().map_or_else(|| values.concat(), |separator| list::join(&values, separator));
        lines.push((variable.to_owned(), value, origin));
    }
    for variable in plain {
        let (value, origin) = match layers.get(variable.name) {
            Some((value, origin)) => (without_credentials(value), origin.to_string()),
            None => (variable.default.to_owned(), Origin::Default.to_string()),
        };
        lines.push((variable.name.to_owned(), value, origin));
    }
    // Their problems were reported when the configuration was made.
    let mut problems = Problems::new();
    for secret in secrets {
        let (value, origin) = match layers.secret(secret, &mut problems) {
            Some((_, origin)) => (REDACTED, origin),
            None => ("", Origin::Default.to_string()),
        };
        lines.push((secret.name.to_owned(), value.to_owned(), origin));
    }
    let mut text = String::from("# settings\n");
    aligned(&mut text, &lines);
    text.push_str("\n# librdkafka properties\n");
    let properties: Vec<_> = properties
        .iter()
        .map(|(key, property)| (key.to_owned(), property.shown(key).to_owned(), property.origin.clone()))
        .collect();
    aligned(&mut text, &properties);
    text
}

/// A value as it may be printed. What has a secret in it is refused, but this is printed all the same.
fn shown(id: &str, value: &str, properties: &Properties) -> String {
    match (id, value.split_once('=')) {
        (RAW_PROPERTIES, Some((key, value))) => format!("{key}={}", properties.shown_raw(key, value)),
        (RAW_PROPERTIES, None) if !value.is_empty() => REDACTED.to_owned(),
        (SERVERS, _) if has_login(value) => REDACTED.to_owned(),
        _ => without_credentials(value),
    }
}

fn aligned(text: &mut String, lines: &[(String, String, String)]) {
    let width = lines.iter().map(|(name, value, _)| name.len() + value.len() + 1).max().unwrap_or(0).min(60);
    for (name, value, origin) in lines {
        let setting = format!("{name}={value}");
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{setting:width$}  # {origin}");
    }
}
