//! What became of a message that was not acknowledged: whether librdkafka ever put it into a request.
//!
//! The error code of a delivery report does not tell. A message that a broker rejected and that waits for its next attempt is
//! purged with the same code as one that never left the queue, and librdkafka's message status calls both "not persisted".

use std::ffi::{c_char, c_int, c_uint, c_void};

use rdkafka::bindings::{rd_kafka_headers_t, rd_kafka_message_status, rd_kafka_message_t, rd_kafka_version};
use rdkafka::message::BorrowedMessage;

/// The version whose message is laid out as [`Produced`].
const KNOWN: c_int = 0x020c_01ff;

/// librdkafka's `rd_kafka_msg_t` of a producer, as in `rdkafka_msg.h`. The public message is its first field.
#[repr(C)]
struct Produced {
    message: rd_kafka_message_t,
    link: [*mut c_void; 2],
    flags: c_int,
    timestamp_type: c_uint,
    timestamp: i64,
    headers: *mut rd_kafka_headers_t,
    status: c_uint,
    broker: i32,
    timeout: i64,
    enqueued: i64,
    /// When the next attempt is due; zero before the first attempt has failed.
    backoff: i64,
    id: u64,
    last_id: u64,
    retries: c_int,
    error: *const c_char,
}

/// Whether the message was in a request that failed. `true` where that is not certain: what is called never transmitted must
/// not have been.
pub fn was_attempted(message: &BorrowedMessage<'_>) -> bool {
    let pointer = message.ptr();
    // SAFETY: the message of a delivery report is alive; its layout is read only where the version is the known one and the
    // public accessor agrees with it.
    unsafe {
        let status = rd_kafka_message_status(pointer) as c_uint;
        if status != 0 || rd_kafka_version() != KNOWN {
            return true;
        }
        let produced = &*pointer.cast::<Produced>();
        produced.status != status || produced.backoff != 0 || produced.retries != 0
    }
}
