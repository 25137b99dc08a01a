//! The only place that makes a librdkafka configuration, and what both clients share: context, errors, login, topics.

pub mod context;
pub mod error;
pub mod headers;
pub mod oauth;
pub mod statistics;
pub mod topic;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::config::properties::is_secret;
use crate::config::{Problems, Properties};
use crate::metrics::Program;

pub use context::ClientState;
pub use error::Class;

/// The configuration of a client. Nothing may print it: its `Debug` knows only some of the secrets.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn client_config(properties: &Properties) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, property) in properties.iter() {
        config.set(key, &property.value);
    }
    // The cause of a failed connection is an INFO line: librdkafka must hand it over whatever our own log shows.
    if !matches!(config.log_level, RDKafkaLogLevel::Debug) {
        config.set_log_level(RDKafkaLogLevel::Info);
    }
    config
}

/// Lets librdkafka check each property alone, so that all its objections are known at once and before any broker is
/// asked. Its own messages repeat values, so only those of properties that are no secret are passed on.
pub fn check(properties: &Properties, problems: &mut Problems) {
    for (key, property) in properties.iter() {
        let mut alone = Properties::new();
        alone.fallback(key, &property.value);
        match client_config(&alone).create_native_config() {
            Ok(_) => {}
            Err(KafkaError::ClientConfig(_, reason, ..)) if !is_secret(key) => {
                problems.add(format!("{} ({key}): librdkafka says: {reason}", property.origin));
            }
            Err(KafkaError::Nul(_)) => problems.add(format!("{} ({key}): contains a NUL character", property.origin)),
            Err(_) => problems.add(format!("{} ({key}): librdkafka refuses the value", property.origin)),
        }
    }
}

/// What runs: the program, the librdkafka in it, what that was built with, and the OpenSSL that both use.
pub fn program(name: &'static str, version: &'static str) -> Program {
    let features = client_config(&Properties::new())
        .create_native_config()
        .and_then(|config| config.get("builtin.features"))
        .unwrap_or_default();
    // Asked of the library that is loaded: the images take theirs from the base image.
    let openssl = openssl::version::version();
    Program { program: name, version, librdkafka: rdkafka::util::get_rdkafka_version().1, features, openssl }
}
