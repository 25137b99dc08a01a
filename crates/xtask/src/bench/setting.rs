//! What every section needs: the programs, the rivals, a broker that is warm, and how much is to be done.

use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;
use testbed::apache::Cluster;

use super::invocation::Invocation;
use super::measure::{self, Sample, Sink, shared_memory};
use super::results::{Section, Spread};
use super::rivals::Rivals;
use crate::programs::Programs;

/// Largest message that the broker takes.
const MESSAGE_LIMIT: &str = "8388608";

/// All of it.
pub struct Setting {
    /// `kafka-producer` and `kafka-consumer`.
    pub programs: Programs,
    /// The floors, beside them.
    pub floor_produce: PathBuf,
    /// The floors, beside them.
    pub floor_consume: PathBuf,
    /// Everybody else.
    pub rivals: Rivals,
    /// One broker.
    pub cluster: Cluster,
    /// Measured rounds.
    pub rounds: usize,
    /// Numbers of messages are divided by this.
    pub shrink: u64,
    /// Only these rows of the tables of rivals.
    pub folder: TempDir,
    names: Cell<u32>,
}

impl Setting {
    /// Starts the broker, its log in memory, so that no disk is measured.
    pub fn start(programs: Programs, rivals: Rivals, rounds: usize, shrink: u64) -> Result<Self> {
        let folder = TempDir::with_prefix_in("bench-", shared_memory())?;
        let data = folder.path().join("data");
        let cluster = Cluster::builder()
            .property("log.dirs", &data.to_string_lossy())
            .property("message.max.bytes", MESSAGE_LIMIT)
            .property("replica.fetch.max.bytes", MESSAGE_LIMIT)
            .property("log.retention.ms", "-1")
            // A topic that was deleted goes at once, not after a minute: large values would fill the memory meanwhile. A
            // topic's own setting is for its segments, not for its folder.
            .property("log.segment.delete.delay.ms", "1000")
            .jvm_option("-Xmx1g")
            .jvm_option("-Xms1g")
            .jvm_option("-XX:TieredStopAtLevel=4")
            .start()?;
        let beside = programs.producer.parent().context("the programs are in no folder")?.to_owned();
        let (floor_produce, floor_consume) = (beside.join("floor-produce"), beside.join("floor-consume"));
        Ok(Self {
            programs,
            floor_produce,
            floor_consume,
            rivals,
            cluster,
            rounds,
            shrink,
            folder,
            names: Cell::new(0),
        })
    }

    /// A name that was not used before.
    pub fn name(&self, what: &str) -> String {
        self.names.set(self.names.get() + 1);
        format!("{what}-{}", self.names.get())
    }

    /// So many messages, less for a quick run.
    pub fn count(&self, messages: u64) -> u64 {
        (messages / self.shrink).max(1)
    }

    /// A new topic.
    pub fn topic(&self, what: &str, partitions: i32) -> Result<String> {
        let name = self.name(what);
        self.cluster.create_topic(&name, partitions, 1, &[])?;
        Ok(name)
    }

    /// A new topic with messages in it, published by our producer with these further flags.
    pub fn filled(&self, what: &str, partitions: i32, messages: u64, flags: &str) -> Result<String> {
        let topic = self.topic(what, partitions)?;
        self.run(&self.producer(&topic, messages).line(flags))?;
        Ok(topic)
    }

    /// A topic that is not needed any more.
    pub fn drop_topic(&self, topic: &str) -> Result<()> {
        self.cluster.delete_topic(topic)
    }

    /// Our producer as it comes.
    pub fn producer(&self, topic: &str, messages: u64) -> Invocation {
        self.client(Invocation::new(&self.programs.producer), topic, messages)
    }

    /// The producers' floor.
    pub fn producer_floor(&self, topic: &str, messages: u64) -> Invocation {
        self.client(Invocation::new(&self.floor_produce), topic, messages)
    }

    /// Our consumer as it comes, but for its port.
    pub fn consumer(&self, topic: &str, messages: u64) -> Invocation {
        let consumer = self.client(Invocation::new(&self.programs.consumer), topic, messages);
        consumer.args(["--group", &self.name("group"), "--format", "json", "--listen", "127.0.0.1:0"])
    }

    /// The consumers' floor: it writes lines of so many bytes.
    pub fn consumer_floor(&self, topic: &str, messages: u64, line_bytes: u64) -> Invocation {
        let floor = self.client(Invocation::new(&self.floor_consume), topic, messages);
        floor.args(["--group", &self.name("group")]).env("FLOOR_LINE_BYTES", line_bytes)
    }

    fn client(&self, invocation: Invocation, topic: &str, messages: u64) -> Invocation {
        invocation.args(["-b", &self.cluster.bootstrap_servers(), "-t", topic, "-n", &messages.to_string()])
    }

    /// Runs it, its output not captured.
    pub fn run(&self, invocation: &Invocation) -> Result<Sample> {
        let nowhere = fs::File::create("/dev/null")?;
        let sample = measure::run(invocation.program(&self.cluster).stdout(nowhere));
        sample.with_context(|| invocation.shown(&self.cluster))
    }

    /// Runs it with its records going to the sink, and checks that none is missing. Also gives the bytes written.
    pub fn run_into(&self, invocation: &Invocation, sink: &mut Sink, messages: u64) -> Result<(Sample, u64)> {
        let mut file = sink.rewind()?;
        let program = invocation.program(&self.cluster).stdout(file.try_clone()?);
        let sample = measure::run(program).with_context(|| invocation.shown(&self.cluster))?;
        let (lines, bytes) = sink.written(&mut file)?;
        anyhow::ensure!(
            lines >= messages,
            "{lines} of {messages} records were logged: {}",
            invocation.shown(&self.cluster)
        );
        Ok((sample, bytes))
    }

    /// A file of lines `key:value`, for producers that read one.
    pub fn lines(&self, count: u64, size: usize, keys: bool) -> Result<PathBuf> {
        let path = self.folder.path().join(self.name("lines"));
        let mut file = std::io::BufWriter::new(fs::File::create(&path)?);
        let mut random = fastrand::Rng::new();
        for nth in 0..count {
            if keys {
                write!(file, "{nth}:")?;
            }
            let value: String = std::iter::repeat_with(|| random.alphanumeric()).take(size).collect();
            writeln!(file, "{value}")?;
        }
        file.flush()?;
        Ok(path)
    }
}

/// Adds one row of throughput: CPU per million, messages a second, peak memory.
pub fn add_throughput(section: &mut Section, name: &str, samples: &[Sample], messages: u64) {
    let cpu = Spread::of(samples.iter().map(|sample| sample.cpu_per_million(messages)));
    let rate = Spread::of(samples.iter().map(|sample| sample.rate(messages)));
    let memory = Spread::of(samples.iter().map(Sample::peak_mib));
    section.row(name, vec![cpu, rate, memory, Spread::of([messages as f64])]);
}

/// The columns of [`add_throughput`].
pub const THROUGHPUT: [(&str, usize); 4] =
    [("CPU s per million", 2), ("messages/s", 0), ("peak RSS MiB", 1), ("messages a run", 0)];
