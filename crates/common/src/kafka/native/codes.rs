//! Error codes as numbers: rdkafka turns them into an enumeration, in which those of a newer broker get lost.

use rdkafka::message::BorrowedMessage;

use crate::kafka::error::Number;

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
