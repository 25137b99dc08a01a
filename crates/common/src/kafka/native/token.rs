//! Handing a token for OAUTHBEARER to librdkafka when it has come, and not only when librdkafka asks for one.

use std::ffi::{CString, c_char};

use rdkafka::bindings::rd_kafka_oauthbearer_set_token;
use rdkafka::client::{Client, ClientContext, OAuthToken};

use super::{error_code, text};

/// Sets the token that the client logs in with from now on.
///
/// # Errors
/// Why librdkafka does not take it; never the token.
pub fn set_token<C: ClientContext>(client: &Client<C>, token: &OAuthToken) -> Result<(), String> {
    let value = CString::new(token.token.as_str()).map_err(|_| "the token holds a NUL character".to_owned())?;
    let principal =
        CString::new(token.principal_name.as_str()).map_err(|_| "the client's id holds a NUL character".to_owned())?;
    let mut refusal = [0 as c_char; 512];
    // SAFETY: the client is alive; all strings end with a NUL and live for the call, which copies them.
    let code = unsafe {
        rd_kafka_oauthbearer_set_token(
            client.native_ptr(),
            value.as_ptr(),
            token.lifetime_ms,
            principal.as_ptr(),
            std::ptr::null_mut(),
            0,
            refusal.as_mut_ptr(),
            refusal.len(),
        )
    };
    // SAFETY: librdkafka ends what it writes there with a NUL.
    error_code(code).map_or(Ok(()), |_| Err(unsafe { text(refusal.as_ptr()) }))
}
