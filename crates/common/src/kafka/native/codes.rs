//! The codes that librdkafka describes, for a test that none of them was forgotten.

use rdkafka::bindings::rd_kafka_get_err_descs;
use rdkafka::error::RDKafkaErrorCode;

/// All codes that librdkafka has a description for.
pub(crate) fn described_codes() -> Vec<RDKafkaErrorCode> {
    let (mut first, mut count) = (std::ptr::null(), 0);
    // SAFETY: both pointers are valid for the call; librdkafka's list is static, and as long as it says.
    let all = unsafe {
        rd_kafka_get_err_descs(&mut first, &mut count);
        std::slice::from_raw_parts(first, count)
    };
    // Between the codes there are holes, and at both ends there are marks.
    all.iter().filter(|row| !row.desc.is_null()).map(|row| row.code.into()).collect()
}
