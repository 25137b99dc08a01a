//! Error codes as numbers: rdkafka turns them into an enumeration, in which those of a newer broker get lost.

use rdkafka::bindings::{rd_kafka_error_t, rd_kafka_event_t, rd_kafka_topic_partition_t};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;

use crate::kafka::error::{Number, known};

// As the bindings have them, but with the number that C returns.
unsafe extern "C" {
    #[link_name = "rd_kafka_event_error"]
    fn number_of_event(event: *const rd_kafka_event_t) -> i32;
    #[link_name = "rd_kafka_error_code"]
    fn number_of_error(error: *const rd_kafka_error_t) -> i32;
}

/// The error of an event; `None` when it has none.
///
/// # Safety
/// The event is alive.
pub(super) unsafe fn event_error(event: *const rd_kafka_event_t) -> Option<RDKafkaErrorCode> {
    // SAFETY: the caller's promise.
    known(Number(unsafe { number_of_event(event) }))
}

/// The code of an error object; `None` when it is null, or has none.
///
/// # Safety
/// The error is null or alive.
pub(super) unsafe fn error_of(error: *const rd_kafka_error_t) -> Option<RDKafkaErrorCode> {
    // SAFETY: the caller's promise.
    if error.is_null() { None } else { known(Number(unsafe { number_of_error(error) })) }
}

/// The error of a partition in a list; `None` when it has none.
pub(super) fn partition_error(partition: &rd_kafka_topic_partition_t) -> Option<RDKafkaErrorCode> {
    // SAFETY: the partition is alive; its error is read as the number that it is in C.
    known(Number(unsafe { (&raw const partition.err).cast::<i32>().read() }))
}

/// Why a message was not delivered.
pub fn delivery_error(message: &BorrowedMessage<'_>) -> Number {
    // SAFETY: the message is alive; its error is read as the number that it is in C.
    Number(unsafe { (&raw const (*message.ptr()).err).cast::<i32>().read() })
}

/// All codes that librdkafka has a description for.
#[cfg(test)]
pub(crate) fn described_codes() -> Vec<rdkafka::error::RDKafkaErrorCode> {
    use rdkafka::bindings::rd_kafka_get_err_descs;

    let (mut first, mut count) = (std::ptr::null(), 0);
    // SAFETY: both pointers are valid for the call; librdkafka's list is static, and as long as it says.
    let all = unsafe {
        rd_kafka_get_err_descs(&mut first, &mut count);
        std::slice::from_raw_parts(first, count)
    };
    // Between the codes there are holes, and at both ends there are marks.
    all.iter().filter(|row| !row.desc.is_null()).map(|row| row.code.into()).collect()
}
