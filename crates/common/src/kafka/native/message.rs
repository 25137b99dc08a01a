//! A record as librdkafka hands it over: borrowed parts, nothing copied.

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;

use rdkafka::bindings::{
    rd_kafka_event_destroy, rd_kafka_event_t, rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_headers,
    rd_kafka_message_t, rd_kafka_message_timestamp, rd_kafka_timestamp_type_t, rd_kafka_topic_name,
};
use rdkafka::message::Timestamp;
use rdkafka::types::RDKafkaRespErr;

/// A record in librdkafka's memory, given back when it is dropped. Lives at most as long as its consumer.
pub struct Message<'a> {
    /// Owns the message.
    event: *mut rd_kafka_event_t,
    message: &'a rd_kafka_message_t,
}

impl Message<'_> {
    /// # Safety
    /// `event` is a fetch event that nobody else destroys, `message` the one message in it.
    pub(super) unsafe fn new(event: *mut rd_kafka_event_t, message: *const rd_kafka_message_t) -> Self {
        // SAFETY: the caller's promise: the message lives as long as its event, which this value owns.
        Self { event, message: unsafe { &*message } }
    }

    /// The topic's name. Kafka's names are ASCII; anything else is shown as an empty name.
    pub fn topic(&self) -> &str {
        // SAFETY: a message of a consumer has a topic object, which lives as long as the message.
        unsafe { CStr::from_ptr(rd_kafka_topic_name(self.message.rkt)) }.to_str().unwrap_or_default()
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.message.partition
    }

    /// The record's offset.
    pub fn offset(&self) -> i64 {
        self.message.offset
    }

    /// The key; `None` when the record has none.
    pub fn key(&self) -> Option<&[u8]> {
        // SAFETY: pointer and length belong together and live as long as the message.
        unsafe { bytes(self.message.key, self.message.key_len) }
    }

    /// The value; `None` for a tombstone.
    pub fn value(&self) -> Option<&[u8]> {
        // SAFETY: pointer and length belong together and live as long as the message.
        unsafe { bytes(self.message.payload, self.message.len) }
    }

    /// The record's time.
    pub fn timestamp(&self) -> Timestamp {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive.
        let ms = unsafe { rd_kafka_message_timestamp(self.message, &mut kind) };
        match kind {
            _ if ms < 0 => Timestamp::NotAvailable,
            rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => Timestamp::NotAvailable,
            rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => Timestamp::CreateTime(ms),
            rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => Timestamp::LogAppendTime(ms),
        }
    }

    /// The headers, in order, duplicates included.
    pub fn headers(&self) -> Headers<'_> {
        let mut list = std::ptr::null_mut();
        // SAFETY: the message is alive for as long as `self` is borrowed; the list that librdkafka parses belongs to it.
        let code = unsafe { rd_kafka_message_headers(self.message, &mut list) };
        let list = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { list } else { std::ptr::null_mut() };
        Headers { list, index: 0, message: PhantomData }
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: the event is ours and destroyed once; nothing borrowed from it outlives `self`.
        unsafe { rd_kafka_event_destroy(self.event) };
    }
}

/// # Safety
/// `pointer` is null or points to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: the caller's promise.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) })
}

/// Iterates over names and values of headers as bytes: any other client may have written names that are not UTF-8. Clones
/// start where the original is.
#[derive(Clone)]
pub struct Headers<'a> {
    list: *const rd_kafka_headers_t,
    index: usize,
    message: PhantomData<&'a ()>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) =
            (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: the list is alive for 'a (see `Message::headers`); an index beyond its end is answered with an error.
        let code = unsafe { rd_kafka_header_get_all(self.list, self.index, &mut name, &mut value, &mut size) };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.index += 1;
        // SAFETY: librdkafka ends names with a NUL and gives values with their size; both live as long as the list.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        // SAFETY: as above.
        Some((name, unsafe { bytes(value, size) }))
    }
}
