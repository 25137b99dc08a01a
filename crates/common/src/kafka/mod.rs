//! The only place that makes a librdkafka configuration, and what both clients share: context, errors, login, topics.

pub mod answering;
pub mod backlog;
pub(crate) mod certificate;
pub mod context;
pub mod defaults;
pub mod error;
pub mod expiry;
#[cfg(test)]
pub(crate) mod fakes;
mod login;
mod names;
pub mod native;
mod nodes;
pub mod oauth;
mod phrases;
pub mod promises;
mod replaced;
pub mod rotation;
mod state;
pub mod statistics;
mod tend;
pub mod topic;

use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::config::{ClientConfig, FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::config::secret::is_secret;
use crate::config::{Problems, Properties};
use crate::metrics::Program;
use crate::verdict::Verdict;

pub use answering::Answering;
pub use context::Context;
pub use error::Class;
pub use state::ClientState;

/// The configuration of a client. Nothing may print it: its `Debug` knows only some of the secrets.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn client_config(properties: &Properties) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, property) in properties.iter() {
        config.set(key, &property.value);
    }
    // The cause of a failed connection is an INFO line: librdkafka must hand it over whatever our own log shows.
    if !matches!(config.log_level, RDKafkaLogLevel::Debug) {
        let debugs = properties.get("debug").is_some();
        config.set_log_level(if debugs { RDKafkaLogLevel::Debug } else { RDKafkaLogLevel::Info });
    }
    config
}

/// Creates a client of any kind, and lets its state know what of the configuration matters to it.
///
/// # Errors
/// When librdkafka refuses the configuration.
pub fn create<H: context::Handler, T: FromClientConfigAndContext<Context<H>>>(
    properties: &Properties,
    context: Context<H>,
) -> Result<T, Verdict> {
    context.client.configured(properties);
    let mut config = client_config(properties);
    context.client.renew(&mut config);
    config.create_with_context(context).map_err(|error| error::creation(&error))
}

/// Lets librdkafka check each property alone, so that all its objections are known at once and before any broker is
/// asked. Its own messages repeat values, so only those of properties that are no secret are passed on.
///
/// What is refused is taken out: its name may be mistyped, and then nobody knows whether its value may be printed.
pub fn check(properties: &mut Properties, problems: &mut Problems) {
    let mut refused = Vec::new();
    for (key, property) in properties.iter() {
        let result = alone(key, &property.value).create_native_config();
        if result.is_err() {
            refused.push(key.to_owned());
        }
        match result {
            Ok(_) => {}
            Err(KafkaError::ClientConfig(_, reason, ..)) if !is_secret(key) => {
                problems.add(format!("{} ({key}): librdkafka says: {reason}", property.origin));
            }
            Err(KafkaError::Nul(_)) => problems.add(format!("{} ({key}): contains a NUL character", property.origin)),
            Err(_) => problems.add(format!("{} ({key}): librdkafka refuses the value", property.origin)),
        }
    }
    for key in refused {
        properties.remove(&key);
    }
}

/// A configuration of one property.
fn alone(key: &str, value: &str) -> ClientConfig {
    let mut properties = Properties::new();
    properties.fallback(key, value);
    client_config(&properties)
}

/// What a mutex guards, also after a panic of another thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
