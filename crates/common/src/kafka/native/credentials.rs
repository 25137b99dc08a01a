//! Handing a new user and password for PLAIN and SCRAM to a client that runs. rdkafka has no call for it.

use std::ffi::CString;

use rdkafka::bindings::{rd_kafka_error_destroy, rd_kafka_error_string, rd_kafka_sasl_set_credentials};
use rdkafka::client::{Client, ClientContext};

use super::text;
use crate::config::Secret;

/// Sets what the client logs in with from now on. Connections that have logged in stay; brokers that are away are tried again at
/// once.
///
/// # Errors
/// Why librdkafka does not take it; never the password.
pub fn set_credentials<C: ClientContext>(client: &Client<C>, user: &str, password: &Secret) -> Result<(), String> {
    let user = CString::new(user).map_err(|_| "the user's name holds a NUL character".to_owned())?;
    let password = CString::new(password.expose()).map_err(|_| "the password holds a NUL character".to_owned())?;
    // SAFETY: the client is alive; both strings end with a NUL and live for the call, which copies them.
    let error = unsafe { rd_kafka_sasl_set_credentials(client.native_ptr(), user.as_ptr(), password.as_ptr()) };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: the error is ours: read once, then destroyed.
    unsafe {
        let reason = text(rd_kafka_error_string(error));
        rd_kafka_error_destroy(error);
        Err(reason)
    }
}
