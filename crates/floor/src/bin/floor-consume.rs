//! The least that logging records costs: librdkafka alone polls and drops each record, or asks for its headers, as a line with
//! headers has to, and writes a constant line for it.
//!
//! `FLOOR_LINE_BYTES` is the length of the line; left out or 0, records are dropped.
#![allow(unsafe_code, reason = "librdkafka's C interface is what is measured here")]

use std::ffi::CString;

use anyhow::{Context, Result, ensure};
use consume::Subscription;
use kafka_consumer::config::Config;
use rdkafka::bindings::*;
use rdkafka::types::RDKafkaRespErr;

/// As large as the program's own writes.
const BATCH_BYTES: usize = 64 * 1024;
const POLL_MS: i32 = 100;
/// librdkafka's `RD_KAFKA_PARTITION_UA`, a macro that the bindings lack: the group assigns the partitions.
const UNASSIGNED: i32 = -1;

fn main() -> Result<()> {
    let config = floor::consumer_settings()?;
    let limit = config.run.max_records.context("-n is needed")?;
    let line_bytes: usize = std::env::var("FLOOR_LINE_BYTES").map_or(Ok(0), |text| text.parse())?;
    let mut line = vec![b'x'; line_bytes];
    if let Some(last) = line.last_mut() {
        *last = b'\n';
    }
    let client = floor::client(rd_kafka_type_t::RD_KAFKA_CONSUMER, &config.run.properties, |_| ())?;
    // SAFETY: the client is alive, and it is a consumer.
    floor::check(unsafe { rd_kafka_poll_set_consumer(client) }, "the queue")?;
    join(client, &config)?;

    let mut batch = Vec::with_capacity(BATCH_BYTES + line_bytes);
    let mut records = 0;
    while records < limit {
        // SAFETY: a message that is not null is ours until it is destroyed.
        unsafe {
            let message = rd_kafka_consumer_poll(client, if batch.is_empty() { POLL_MS } else { 0 });
            if message.is_null() {
                write(&mut batch)?;
                continue;
            }
            if (*message).err == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                records += 1;
                if line_bytes > 0 {
                    // librdkafka parses them only now, into a list of its own. A record without any has an error here.
                    let mut headers = std::ptr::null_mut();
                    rd_kafka_message_headers(message, &mut headers);
                    batch.extend_from_slice(&line);
                }
            }
            rd_kafka_message_destroy(message);
        }
        if batch.len() >= BATCH_BYTES {
            write(&mut batch)?;
        }
    }
    write(&mut batch)?;
    // SAFETY: the client is alive.
    floor::check(unsafe { rd_kafka_consumer_close(client) }, "the close")
}

fn join(client: *mut rd_kafka_t, config: &Config) -> Result<()> {
    let Subscription::Group { topics, .. } = &config.run.subscription else { anyhow::bail!("only groups") };
    // SAFETY: the list is alive until the end of the block, and librdkafka copies the names.
    unsafe {
        let list = rd_kafka_topic_partition_list_new(1);
        for topic in topics {
            let name = CString::new(topic.as_str())?;
            rd_kafka_topic_partition_list_add(list, name.as_ptr(), UNASSIGNED);
        }
        let code = rd_kafka_subscribe(client, list);
        rd_kafka_topic_partition_list_destroy(list);
        floor::check(code, "the subscription")
    }
}

fn write(batch: &mut Vec<u8>) -> Result<()> {
    let mut rest = batch.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::write(rustix::stdio::stdout(), rest)?;
        ensure!(written > 0, "stdout takes nothing");
        rest = &rest[written..];
    }
    batch.clear();
    Ok(())
}
