//! What the scenes share: a topic, a consumer that is looked at, whose lines are read at a pace of ours, and a browser.

use std::io::{PipeReader, Read, pipe};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::process::{Outcome, Process, Signal};

use super::chromium::Chromium;
use crate::e2e::bench::{Bench, Place, RUN, Report};
use crate::e2e::watch::Watch;

/// The page's place in the window, in pixels.
pub const SIZE: (u32, u32) = (1180, 900);
/// What the stage is called where people see it.
const TOPIC: &str = "orders";
const GROUP: &str = "billing";
const PARTITIONS: i32 = 8;
/// Few, so that partitions differ as they do in life.
const KEYS: &str = "{{random_int:1:24}}";
/// What one look at the consumer's lines takes: all that a pipe holds.
const CHUNK: usize = 64 * 1024;

/// The stage.
pub struct Stage {
    bench: Bench,
    place: Place,
    consumer: Option<Watch>,
    pace: Arc<AtomicU64>,
    /// The browser.
    pub browser: Chromium,
    /// Where the picture goes.
    pub picture: PathBuf,
}

impl Stage {
    /// The browser, which says what is missing.
    pub fn browser() -> Result<Chromium> {
        Chromium::start(SIZE.0, SIZE.1)
    }

    /// A broker, the topic, and a ready consumer that has logged nothing.
    pub fn new(mut bench: Bench, browser: Chromium, picture: PathBuf) -> Result<Self> {
        let cluster = bench.one()?;
        cluster.create_topic(TOPIC, PARTITIONS, 1, &[])?;
        let place = Place::new(cluster, TOPIC, GROUP);
        let pace = Arc::new(AtomicU64::new(0));
        let (reader, writer) = pipe()?;
        let program = bench.consumer(&place).args(["--client-id", "billing-0", "--statistics-interval", "1s"]);
        let consumer = Watch::ready(program.stdout(writer))?;
        read(reader, Arc::clone(&pace));
        Ok(Self { bench, place, consumer: Some(consumer), pace, browser, picture })
    }

    /// The consumer that is looked at.
    pub fn consumer(&self) -> Result<&Watch> {
        self.consumer.as_ref().context("the consumer has been ended")
    }

    /// Ends it.
    pub fn end_consumer(&mut self) -> Result<Outcome> {
        self.consumer.take().context("the consumer has been ended")?.stop(Signal::TERM)
    }

    /// The page's address.
    pub fn url(&self) -> Result<String> {
        Ok(format!("http://{}/", self.consumer()?.address()))
    }

    /// Opens the page.
    pub fn open(&mut self) -> Result<()> {
        let url = self.url()?;
        self.browser.go(&url)
    }

    /// Publishes so many messages at this rate.
    pub fn publish(&self, messages: u64, rate: u64) -> Result<()> {
        Report::of_all(self.start_to_publish(messages, rate)?.wait(RUN)?, messages).map(drop)
    }

    /// Begins to.
    pub fn start_to_publish(&self, messages: u64, rate: u64) -> Result<Process> {
        let flags = ["--messages", &messages.to_string(), "--rate", &format!("{rate}/s"), "--key", KEYS];
        self.bench.producer(&self.place).args(flags).spawn()
    }

    /// Another member of the group: partitions go there and, when it has ended, come back.
    pub fn visit(&self) -> Result<()> {
        let other = Watch::ready(self.bench.consumer(&self.place))?;
        let all = f64::from(PARTITIONS);
        let assigned = "kafka_consumer_assigned_partitions";
        self.consumer()?.wait_for_metric(assigned, RUN, |assigned| assigned < all)?;
        other.stop(Signal::TERM)?.expect_code(0)?;
        self.consumer()?.wait_for_metric(assigned, RUN, |assigned| assigned == all)
    }

    /// How long the reader of the consumer's lines waits after each look.
    pub fn slow_down(&self, pause: Duration) {
        self.pace.store(u64::try_from(pause.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// Reads lines and drops them, in a thread of its own.
fn read(mut reader: PipeReader, pace: Arc<AtomicU64>) {
    thread::spawn(move || {
        let mut chunk = vec![0; CHUNK];
        while let Ok(1..) = reader.read(&mut chunk) {
            thread::sleep(Duration::from_micros(pace.load(Ordering::Relaxed)));
        }
    });
}
