//! `--dry-run`: the records as they would be sent, one JSON object a line, in the form that `--input-format json` reads.

use std::io::{BufWriter, Write};
use std::time::Instant;

use common::exit::Exit;
use common::shutdown::Signal;
use common::stamp;
use serde_json::{Map, Value, json};

use crate::config::{Config, with_causes};
use crate::publish::epoch_us;
use crate::source::{Filled, Message, Source};
use crate::stop::Stop;

/// Prints the run's records on stdout. A closed pipe ends it quietly.
pub fn print(config: &Config, source: &mut Source) -> Exit {
    let mut stdout = BufWriter::new(std::io::stdout().lock());
    let mut message = Message::default();
    let mut stamp = config.stamp.clone();
    let stop = &config.spec.stop;
    for nth in 0.. {
        if config.own_messages().is_some_and(|limit| nth >= limit) {
            break;
        }
        if stop.requested(Instant::now()) {
            return stopped(stop, stdout);
        }
        let sequence = config.share.sequence(nth);
        let sent_us = epoch_us();
        match source.fill(sequence, sent_us, &mut message) {
            Ok(Filled::Message) => {}
            Ok(Filled::End) => break,
            Ok(Filled::Stopped) => return stopped(stop, stdout),
            Err(error) => {
                let _ = stdout.flush();
                tracing::error!(event = "input", "{}", with_causes(&error));
                return Exit::Usage;
            }
        }
        let stamp = stamp.as_mut().map(|stamp| stamp.write(sequence, sent_us, message.key(), message.value()));
        if let Err(error) = writeln!(stdout, "{}", record(config, stamp, &message)) {
            return unwritten(&error);
        }
    }
    stdout.flush().map_or_else(|error| unwritten(&error), |()| Exit::Ok)
}

/// A signal or `--timeout` came before all records were printed.
fn stopped(stop: &Stop, mut stdout: impl Write) -> Exit {
    let _ = stdout.flush();
    stop.shutdown.requested().map_or(Exit::Incomplete, Signal::exit)
}

fn unwritten(error: &std::io::Error) -> Exit {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Exit::Ok;
    }
    tracing::error!(event = "stdout", "stdout cannot take the records: {error}");
    Exit::Incomplete
}

fn record(config: &Config, stamp: Option<&[u8]>, message: &Message) -> Value {
    let mut record = Map::new();
    let mut bytes = |name: &str, value: Option<&[u8]>| match value.map(std::str::from_utf8) {
        None => drop(record.insert(name.to_owned(), Value::Null)),
        Some(Ok(text)) => drop(record.insert(name.to_owned(), text.into())),
        Some(Err(_)) => {
            let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, value.unwrap_or_default());
            record.insert(format!("{name}_base64"), encoded.into());
        }
    };
    bytes("key", message.key());
    bytes("value", message.value());
    let stamp = stamp.map(|stamp| (stamp::HEADER, Some(stamp)));
    let headers = stamp.into_iter().chain(message.headers());
    let headers = headers.map(|(name, value)| json!([name, value.map(String::from_utf8_lossy)]));
    record.insert("headers".to_owned(), headers.collect());
    if let Some(partition) = message.partition.or(config.partition) {
        record.insert("partition".to_owned(), partition.into());
    }
    if let Some(timestamp) = message.timestamp_ms {
        record.insert("timestamp".to_owned(), timestamp.into());
    }
    Value::Object(record)
}
