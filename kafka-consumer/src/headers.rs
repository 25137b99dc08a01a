//! The headers of a record as bytes. rdkafka's own access panics on a name that is not UTF-8, which any other client may
//! have written.

#![allow(unsafe_code, reason = "reads librdkafka's header list, which rdkafka hands out only as UTF-8")]

use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_headers_t, rd_kafka_message_headers};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;

/// Iterates over names and values, in order, duplicates included. Clones start where the original is.
#[derive(Clone)]
pub struct Headers<'a> {
    list: *const rd_kafka_headers_t,
    index: usize,
    message: PhantomData<&'a ()>,
}

impl<'a> Headers<'a> {
    /// The headers of a message; none when it has no list.
    pub fn of(message: &'a BorrowedMessage<'_>) -> Self {
        let mut list = std::ptr::null_mut();
        // SAFETY: the message is alive for 'a; the list that librdkafka parses belongs to it and lives as long.
        let code = unsafe { rd_kafka_message_headers(message.ptr(), &mut list) };
        let list = if code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR { list } else { std::ptr::null_mut() };
        Self { list, index: 0, message: PhantomData }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.list.is_null() {
            return None;
        }
        let (mut name, mut value, mut size): (*const c_char, *const c_void, usize) =
            (std::ptr::null(), std::ptr::null(), 0);
        // SAFETY: the list is alive for 'a (see `of`); an index beyond its end is answered with an error.
        let code = unsafe { rd_kafka_header_get_all(self.list, self.index, &mut name, &mut value, &mut size) };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.index += 1;
        // SAFETY: librdkafka ends names with a NUL and gives values with their size; both live as long as the list.
        let name = unsafe { CStr::from_ptr(name) }.to_bytes();
        let value = (!value.is_null()).then(|| unsafe { std::slice::from_raw_parts(value.cast::<u8>(), size) });
        Some((name, value))
    }
}
