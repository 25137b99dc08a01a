//! Adding addresses to ask to a client that has lost all its brokers. rdkafka does not hand this out.

use std::ffi::CString;

use rdkafka::bindings::rd_kafka_brokers_add;
use rdkafka::client::{Client, ClientContext};

/// Lets the client ask these addresses, a list like `bootstrap.servers`, beside those that it knows. How many were added.
///
/// librdkafka keeps each list for its lifetime: not to be called in each round of a loop.
pub fn add_brokers<C: ClientContext>(client: &Client<C>, servers: &str) -> i32 {
    let Ok(servers) = CString::new(servers) else { return 0 };
    // SAFETY: the client is alive; the string ends with a NUL and lives for the call, which copies it.
    unsafe { rd_kafka_brokers_add(client.native_ptr(), servers.as_ptr()) }
}
