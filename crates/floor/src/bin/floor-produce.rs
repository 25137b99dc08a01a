//! The least that publishing costs: librdkafka alone sends messages that were made before the clock starts, with the same
//! header as the program's, and counts what was acknowledged.
//!
//! `FLOOR_TRACEPARENT` is a second header, as the program has it with traces.
#![allow(unsafe_code, reason = "librdkafka's C interface is what is measured here")]

use std::ffi::{CString, c_char, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use common::stamp;
use common::telemetry::traceparent::TRACEPARENT;
use kafka_producer::config::Config;
use kafka_producer::source::{Clock, Filled, Message, Source};
use rdkafka::bindings::*;
use rdkafka::types::RDKafkaRespErr;

/// Bytes of prepared values: about what the program's own payload holds.
const PREPARED: usize = 1024 * 1024;
/// Prepared keys for each value. A value that always had the same key would always come to the same partition, whose batches
/// would then hold each value several times, which a codec finds.
const KEYS: usize = 8;
/// Between two looks at the delivery reports.
const SERVE_EVERY: u64 = 1024;
/// The longest wait for the last acknowledgement.
const FLUSH_MS: i32 = 120_000;

/// When the messages were sent, as their stamp says.
const SENT_US: i64 = 1_795_432_527_123_456;

static DELIVERED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn delivered(_: *mut rd_kafka_t, message: *const rd_kafka_message_t, _: *mut c_void) {
    // SAFETY: librdkafka hands a message that is alive during the call.
    if unsafe { (*message).err } == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        // One thread serves the callbacks.
        DELIVERED.store(DELIVERED.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

fn main() -> Result<()> {
    let config = floor::producer_settings()?;
    let count = config.own_messages().context("-n is needed")?;
    let Prepared { keys, values } = prepare(&config)?;
    let client = floor::client(rd_kafka_type_t::RD_KAFKA_PRODUCER, &config.properties, |conf| {
        // SAFETY: the configuration is alive.
        unsafe { rd_kafka_conf_set_dr_msg_cb(conf, Some(delivered)) }
    })?;
    let topic = CString::new(config.topic.as_str())?;
    // SAFETY: client and name are alive; no settings of the topic's own.
    let topic = unsafe { rd_kafka_topic_new(client, topic.as_ptr(), null_mut()) };
    ensure!(!topic.is_null(), "librdkafka makes no topic");
    // Constant: what it costs to write one is the program's own work.
    let stamp = config.stamp.clone().map(|mut stamp| stamp.write(1_234_567, SENT_US, None, None).to_vec());

    let traceparent = std::env::var("FLOOR_TRACEPARENT").ok();
    let headers = Headers { stamp: stamp.as_deref(), traceparent: traceparent.as_deref().map(str::as_bytes) };

    let mut next = keys.iter().cycle().zip(values.iter().cycle());
    for nth in 0..count {
        let Some((key, value)) = next.next() else { break };
        send(client, topic, key, value, &headers)?;
        if nth % SERVE_EVERY == 0 {
            // SAFETY: the client is alive.
            unsafe { rd_kafka_poll(client, 0) };
        }
    }
    // SAFETY: the client is alive.
    floor::check(unsafe { rd_kafka_flush(client, FLUSH_MS) }, "the flush")?;
    let delivered = DELIVERED.load(Ordering::Relaxed);
    ensure!(delivered == count, "{delivered} of {count} messages were acknowledged");
    Ok(())
}

/// Keys and values as the program would send them; each message takes the next of both.
struct Prepared {
    keys: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

fn prepare(config: &Config) -> Result<Prepared> {
    let mut source = Source::open(&config.spec, Arc::new(|| true))?;
    let mut clock = Clock::new();
    let (mut keys, mut values, mut bytes, mut message) = (Vec::new(), Vec::new(), 0, Message::default());
    while bytes < PREPARED || keys.len() < KEYS * values.len() {
        let filled = source.fill(keys.len() as u64, &mut clock, &mut message)?;
        ensure!(filled == Filled::Message, "the source has too few messages");
        let (key, value) = (message.key().unwrap_or_default(), message.value().unwrap_or_default());
        keys.push(key.to_vec());
        if bytes < PREPARED {
            bytes += key.len() + value.len() + 1;
            values.push(value.to_vec());
        }
    }
    Ok(Prepared { keys, values })
}

fn send(
    client: *mut rd_kafka_t,
    topic: *mut rd_kafka_topic_t,
    key: &[u8],
    value: &[u8],
    headers: &Headers<'_>,
) -> Result<()> {
    loop {
        // SAFETY: librdkafka copies key and value (F_COPY) and owns the headers once it has taken the message; the types
        // of the arguments are those that each tag asks for.
        let code = unsafe {
            let list = envelope(headers);
            let code = rd_kafka_producev(
                client,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                RD_KAFKA_MSG_F_COPY,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                value.as_ptr(),
                value.len(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key.as_ptr(),
                key.len(),
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                list,
                rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            );
            if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && !list.is_null() {
                rd_kafka_headers_destroy(list);
            }
            code
        };
        if code != RDKafkaRespErr::RD_KAFKA_RESP_ERR__QUEUE_FULL {
            return floor::check(code, "a message");
        }
        // SAFETY: the client is alive.
        unsafe { rd_kafka_poll(client, 0) };
        sleep(Duration::from_millis(1));
    }
}

/// The headers of each message.
struct Headers<'a> {
    stamp: Option<&'a [u8]>,
    traceparent: Option<&'a [u8]>,
}

/// The headers as librdkafka takes them; null without any.
unsafe fn envelope(headers: &Headers<'_>) -> *mut rd_kafka_headers_t {
    let named = [(stamp::HEADER, headers.stamp), (TRACEPARENT, headers.traceparent)];
    let count = named.iter().filter(|(_, value)| value.is_some()).count();
    if count == 0 {
        return null_mut();
    }
    // SAFETY: librdkafka copies name and value of the lengths given.
    unsafe {
        let list = rd_kafka_headers_new(count);
        for (name, value) in named {
            let Some(value) = value else { continue };
            let (name, size) = (name.as_ptr().cast::<c_char>(), name.len() as isize);
            rd_kafka_header_add(list, name, size, value.as_ptr().cast(), value.len() as isize);
        }
        list
    }
}
