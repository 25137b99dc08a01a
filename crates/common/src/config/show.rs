//! The `config` subcommand: the effective settings, each with where it came from, secrets redacted.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::properties::is_secret;
use super::secret::REDACTED;
use super::{Layers, Origin, Problems, Properties, SecretVariable};

/// The id of `-X`, whose values are properties.
const RAW_PROPERTIES: &str = "property";

/// Lists the settings of a command as `NAME=value  # origin`, then librdkafka's properties.
pub fn settings(
    command: &Command,
    matches: &ArgMatches,
    layers: &Layers,
    secrets: &[SecretVariable],
    properties: &Properties,
) -> String {
    let mut lines = Vec::new();
    for arg in command.get_arguments() {
        let Some(variable) = arg.get_env().and_then(|name| name.to_str()) else { continue };
        let id = arg.get_id().as_str();
        let origin = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => {
                arg.get_long().map_or_else(|| Origin::Flag.to_string(), |long| format!("flag --{long}"))
            }
            Some(ValueSource::EnvVariable) => layers.origin(variable).to_string(),
            _ => Origin::Default.to_string(),
        };
        let values: Vec<String> = matches
            .get_raw(id)
            .map(|values| values.map(|value| shown(id, &value.to_string_lossy())).collect())
            .unwrap_or_default();
        let separator = arg.get_value_delimiter().unwrap_or(',').to_string();
        lines.push((variable.to_owned(), values.join(&separator), origin));
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

/// A value as it may be printed. Raw properties are refused when they are secret, but this is printed all the same.
fn shown(id: &str, value: &str) -> String {
    match value.split_once('=') {
        _ if id != RAW_PROPERTIES => value.to_owned(),
        Some((key, _)) if is_secret(key) => format!("{key}={REDACTED}"),
        Some(_) => value.to_owned(),
        None if value.is_empty() => String::new(),
        None => REDACTED.to_owned(),
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
