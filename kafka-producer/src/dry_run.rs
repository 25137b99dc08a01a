//! `--dry-run`: the records as they would be sent, one JSON object a line, in the form that `--input-format json` reads.

use std::io::{self, BufWriter, Write};
use std::time::Instant;

use common::exit::Exit;
use common::shutdown::Signal;
use common::stamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;
use serde_json::{Map, Value, json};

use crate::config::{Config, with_causes};
use crate::source::{Clock, Filled, Message, Patience, Source};
use crate::stop::Stop;

/// What a pipe that is ready takes without a wait.
const PIPE_BYTES: usize = 4096;
/// How long one look at stdout takes at most, and so how late a stop can be seen.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Prints the run's records on stdout. A closed pipe ends it quietly.
pub fn print(config: &Config, source: &mut Source, stop: &Stop, patience: &Patience) -> Exit {
    let mut stdout = BufWriter::new(Stdout::new(patience));
    let mut message = Message::default();
    let mut stamp = config.stamp.clone();
    let mut clock = Clock::new();
    for nth in 0.. {
        if config.own_messages().is_some_and(|limit| nth >= limit) {
            break;
        }
        if !patience() {
            let _ = stdout.flush();
            return stopped(stop);
        }
        let sequence = config.share.sequence(nth);
        clock.set(Instant::now());
        match source.fill(sequence, &mut clock, &mut message) {
            Ok(Filled::Message) => {}
            Ok(Filled::End) => break,
            Ok(Filled::Stopped) => {
                let _ = stdout.flush();
                return stopped(stop);
            }
            Err(error) => {
                let _ = stdout.flush();
                tracing::error!(event = "input", "{}", with_causes(&error));
                return Exit::Usage;
            }
        }
        let sent_us = clock.us();
        let stamp = stamp.as_mut().map(|stamp| stamp.write(sequence, sent_us, message.key(), message.value()));
        if let Err(error) = writeln!(stdout, "{}", record(config, stamp, &message)) {
            return unwritten(&error, stop);
        }
    }
    stdout.flush().map_or_else(|error| unwritten(&error, stop), |()| Exit::Ok)
}

/// A signal or `--timeout` came before all records were printed.
pub fn stopped(stop: &Stop) -> Exit {
    stop.shutdown.requested().map_or(Exit::Incomplete, Signal::exit)
}

fn unwritten(error: &io::Error, stop: &Stop) -> Exit {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return Exit::Ok;
    }
    if stop.requested(Instant::now()) {
        return stopped(stop);
    }
    tracing::error!(event = "stdout", "cannot write records to stdout: {error}");
    Exit::Incomplete
}

/// Stdout that can be left: a pipe that nobody reads is watched, not written to.
struct Stdout<'a> {
    stdout: io::Stdout,
    waits: bool,
    patience: &'a Patience,
}

impl<'a> Stdout<'a> {
    fn new(patience: &'a Patience) -> Self {
        let stdout = io::stdout();
        let waits = fstat(&stdout).map_or(true, |stat| !FileType::from_raw_mode(stat.st_mode).is_file());
        Self { stdout, waits, patience }
    }
}

impl Write for Stdout<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.waits {
            return Ok(rustix::io::write(&self.stdout, bytes)?);
        }
        loop {
            let goes_on = (self.patience)();
            // What was printed before the stop is still written where somebody reads it.
            let look = if goes_on { &LOOK } else { &NOW };
            match poll(&mut [PollFd::new(&self.stdout, PollFlags::OUT)], Some(look)) {
                Ok(0) | Err(Errno::INTR) if goes_on => continue,
                Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match rustix::io::write(&self.stdout, &bytes[..bytes.len().min(PIPE_BYTES)]) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
