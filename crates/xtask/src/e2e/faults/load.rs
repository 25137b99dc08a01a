//! The load of a row: a topic, a group of three, a producer of 2,000 messages a second.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testbed::process::{Outcome, Process, Program};

use super::bench::{ALL, Bench, PARTITIONS, TOPIC};
use super::feeder::Feeder;
use super::logged::Shared;
use super::member::{Ended, Member};
use super::row::{Fault, Row, Which};
use super::samples::{Sample, Samples};

/// Messages a second.
pub const RATE: u64 = 2000;
/// How long the load runs before a fault.
pub const BEFORE: u64 = 5;
/// How long a producer may take beyond its time.
const END: Duration = Duration::from_secs(180);
/// How long the last records may take.
const ARRIVAL: Duration = Duration::from_secs(90);
/// With all records there: long enough to see a repeated one.
const QUIET: Duration = Duration::from_millis(500);

/// A row's topic, group and producer.
pub struct Load {
    /// The topic, the group and the run are called so.
    pub name: String,
    /// Where its clients find the brokers.
    pub servers: String,
    /// What was logged.
    pub logged: Shared,
    /// Members that run.
    pub members: Vec<Member>,
    /// Members that have ended, as the fault wanted it.
    pub ended: Vec<Ended>,
    /// The producer, until it is waited for.
    pub producer: Option<Process>,
    feeder: Option<Feeder>,
    producer_samples: Samples,
    /// What it said, once it has ended.
    pub producer_log: String,
    flags: &'static [&'static str],
}

impl Load {
    /// Creates the topic, starts the members, waits until they are ready, and starts the producer.
    pub fn start(bench: &Bench, row: &Row) -> Result<Self> {
        // One cluster may see a row twice, after another one failed.
        let name = format!("{}-{}", row.name, fastrand::u32(..100_000));
        create_topic(bench, row, &name)?;
        let by_proxy = match row.fault {
            Fault::Reset(_) | Fault::Delay(..) | Fault::Random(_) => true,
            Fault::Cut(..) | Fault::Loss(..) => bench.cutting == super::cut::Cutting::Proxy,
            _ => false,
        };
        let servers = bench.servers(by_proxy);
        let logged = Shared::default();
        let flags = row.flags;
        let start = || Member::start(bench.consumer(&servers, &name, &name).args(flags), &logged);
        let mut members = vec![start()?, start()?, start()?];
        for member in &mut members {
            member.wait_until_ready()?;
            member.first = true;
        }
        // Keys as of generated messages: where a message goes does not depend on which brokers are there.
        let program = bench.producer(&servers, &name, &name).args(["--input", "-", "--key", "{{seq}}"]);
        let mut producer = program.args(["--rate", &format!("{RATE}/s")]).stdin_piped().spawn()?;
        let feeder = Some(Feeder::begin(&mut producer)?);
        let producer_samples = Samples::begin(producer.pid(), None);
        Ok(Self {
            name,
            servers,
            logged,
            members,
            ended: Vec::new(),
            producer: Some(producer),
            feeder,
            producer_samples,
            producer_log: String::new(),
            flags,
        })
    }

    /// Another member's program.
    pub fn program(&self, bench: &Bench) -> Program {
        bench.consumer(&self.servers, &self.name, &self.name).args(self.flags)
    }

    /// Starts another member; it may not be ready yet.
    pub fn join(&self, bench: &Bench) -> Result<Member> {
        Member::start(self.program(bench), &self.logged)
    }

    /// Waits until so many different records were logged.
    pub fn wait_for(&self, records: u64, timeout: Duration) -> Result<()> {
        let began = Instant::now();
        loop {
            let distinct = self.logged.lock().distinct();
            if distinct >= records {
                return Ok(());
            }
            if let Some(producer) = &self.producer
                && !producer.is_running()
            {
                bail!("the producer has ended after {distinct} records; its log:\n{}", producer.stderr());
            }
            ensure!(began.elapsed() < timeout, "{distinct} of {records} records were logged within {timeout:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The producer.
    pub fn producer(&self) -> Result<&Process> {
        self.producer.as_ref().context("the producer has been waited for")
    }

    /// What was seen of the producer.
    pub fn producer_samples(&self) -> Vec<Sample> {
        self.producer_samples.taken()
    }

    /// Ends the producer's input and waits for its end.
    pub fn finish(&mut self) -> Result<Outcome> {
        let producer = self.producer.take().context("the producer has been waited for")?;
        if let Some(feeder) = self.feeder.take() {
            feeder.end();
        }
        producer.wait(END)
    }

    /// Waits until all records of the topic were logged and none follows.
    pub fn wait_for_all(&self, records: u64) -> Result<()> {
        let began = Instant::now();
        loop {
            let logged = self.logged.lock();
            let quiet = logged.last().is_none_or(|last| last.elapsed() > QUIET);
            if logged.distinct() >= records && quiet {
                return Ok(());
            }
            let (distinct, holes) = (logged.distinct(), logged.holes());
            drop(logged);
            ensure!(
                began.elapsed() < ARRIVAL,
                "{distinct} of the topic's {records} records were logged; partitions with a hole, and where: {holes:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// With three replicas everywhere; where one broker is to lead nothing, the other two do.
fn create_topic(bench: &Bench, row: &Row, name: &str) -> Result<()> {
    let cluster = bench.cluster();
    if !matches!(row.fault, Fault::Kill(Which::Follower, _)) {
        return cluster.create_topic(name, PARTITIONS, 3, &TOPIC);
    }
    let orders = [[ALL[0], ALL[1], ALL[2]], [ALL[1], ALL[0], ALL[2]]];
    let replicas: Vec<&[i32]> = orders.iter().cycle().take(PARTITIONS as usize).map(<[i32; 3]>::as_slice).collect();
    cluster.create_topic_on(name, &replicas, &TOPIC)
}

/// A number of a producer's report.
pub fn number(report: &Value, name: &str) -> Result<u64> {
    report.get(name).and_then(Value::as_u64).with_context(|| format!("no {name} in the report: {report}"))
}
