//! Defaults of both clients that differ from librdkafka's, each with its reason. Any raw property replaces them.

use std::time::Duration;

use crate::config::Properties;

/// The first pause before a connection is tried again. At a start it is part of the time to the first record: librdkafka replaces
/// the connection to a bootstrap address by one to the broker behind it.
const FIRST_PAUSE_MS: u128 = 20;
/// The longest: a broker that comes back is noticed within 2 s, where librdkafka has 10.
const LONGEST_PAUSE_MS: u128 = 2000;
/// How long an answer to a consumer may take. librdkafka has a minute, and takes as long to leave a frozen broker; with this it
/// takes 11 to 16 s. Tried and unharmed: a quota of 100 kB/s, a member whose join takes 25 s. A producer keeps librdkafka's minute:
/// under a quota of less than some 250 kB/s a broker it rightly waits longer for an answer, and would send its batches again.
const ANSWER_MS: u128 = 10_000;
/// The highest values of the two limits that decide how fast a dead address is noticed; librdkafka's own.
const CONNECT_MS: u128 = 30_000;
const FIRST_ANSWER_MS: u128 = 10_000;

/// Sets what concerns connections. `timeout` is the deadline of the whole run, if it has one.
pub fn connections(properties: &mut Properties, timeout: Option<Duration>) {
    // A mistyped name must not become a topic.
    properties.fallback("allow.auto.create.topics", false);
    // librdkafka makes the pause twice as long after each failure and varies it by -25 to +50%, so that a hundred clients do not
    // come at once. But while no broker is there and connections are made on demand only ("sparse"), each demand begins at once,
    // whatever the pause: 64 to 78 attempts a second, of each client. So brokers are connected to when they become known.
    properties.fallback("enable.sparse.connections", false);
    properties.fallback("reconnect.backoff.ms", FIRST_PAUSE_MS);
    // librdkafka refuses a longest pause that is shorter than the first.
    properties.fallback("reconnect.backoff.max.ms", LONGEST_PAUSE_MS.max(number(properties, "reconnect.backoff.ms")));
    if let Some(timeout) = timeout {
        // A dead address is noticed well before the deadline.
        let half = (timeout.as_millis() / 2).max(1000);
        properties.fallback("socket.connection.setup.timeout.ms", half.min(CONNECT_MS));
        properties.fallback("api.version.request.timeout.ms", half.min(FIRST_ANSWER_MS));
    }
}

/// Sets how long an answer to a consumer may take. Requests that wait at the broker by design have limits of their own in
/// librdkafka: to join and to sync a group, to fetch (this and `fetch.wait.max.ms`).
pub fn answers(properties: &mut Properties) {
    // A fetch that waits at the broker for long holds up what is sent behind it: then librdkafka's own limit.
    if number(properties, "fetch.wait.max.ms") + 1000 <= ANSWER_MS {
        properties.fallback("socket.timeout.ms", ANSWER_MS);
    }
}

fn number(properties: &Properties, key: &str) -> u128 {
    properties.get(key).and_then(|value| value.parse().ok()).unwrap_or_default()
}
