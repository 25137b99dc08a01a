//! Real servers of the monitoring world on loopback, for the suites that show the programs to them.

mod prometheus;
mod pushgateway;

pub use prometheus::Prometheus;
pub use pushgateway::Pushgateway;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;
use testbed::http;

/// How long a server may take to start on a busy machine.
const START: Duration = Duration::from_secs(60);

/// Text as a part of a URL's query.
pub fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What a server answers to a GET, as JSON.
fn json(address: &str, path: &str) -> Result<Value> {
    let answer = http::get(address, path)?;
    serde_json::from_str(&answer.body)
        .with_context(|| format!("{address}{path} answered {} and no JSON: {:?}", answer.status, answer.body))
}
