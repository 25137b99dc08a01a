//! What the real programs write on a node: records of every kind, a restart, errors, commits that fail, a pod that is not ready;
//! and beside them a program of somebody else. It is the truth that the database's answers are compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::mock::Mock;
use testbed::process::Signal;
use testbed::records::{self, NewRecord};

use super::node::{Container, Line, Node};
use crate::consumer::Consumer;
use crate::e2e::bench::{Bench as Kafka, Place, RUN};
use crate::manifests::set::text;

/// Of the programs.
pub const NAMESPACE: &str = "kafka-clients";
/// The consumer's pod that was killed and came back.
pub const RESTARTED: &str = "kafka-consumer-6d5f8c9b7d-x2x4v";
/// The consumer's pod whose brokers went away.
pub const UNREADY: &str = "kafka-consumer-6d5f8c9b7d-w8k2p";
/// The trace of one message.
pub const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// What no label, no attribute and no trace id may have from a record.
pub const POISON: &str = "poisoned";
/// Ordinary messages.
const MESSAGES: u64 = 300;
/// How long something may take that the programs do by themselves.
const SOON: Duration = Duration::from_secs(60);

/// Who wrote what.
pub struct Story {
    /// In the order of writing; the lines of one container at one of its starts together.
    pub files: Vec<(Container, Vec<Line>)>,
    /// The topic of the records.
    pub topic: String,
    /// The run that sent the ordinary ones.
    pub run: String,
}

impl Story {
    /// Lets the programs run.
    pub fn tell(kafka: &mut Kafka) -> Result<Self> {
        let place = kafka.topic("story")?;
        let sent =
            kafka.producer(&place).args(["-n", &MESSAGES.to_string(), "--key", "{{random_int:1:20}}"]).run(RUN)?;
        let mut files = vec![(producer("7h2lq"), Line::of(&sent.stdout, &sent.stderr))];
        sent.expect_code(0)?;
        let traced = Place { run: "traced".to_owned(), ..place.clone() };
        let header = format!("traceparent=00-{TRACE}-00f067aa0ba902b7-01");
        kafka.producer(&traced).args(["-n", "1", "-H", &header]).run(RUN)?.expect_code(0)?;
        let hostile = hostile();
        records::produce(&kafka.one()?.internal_config(), &place.topic, &hostile)?;
        let records = usize::try_from(MESSAGES)? + 1 + hostile.len();

        let first = Container::new(NAMESPACE, RESTARTED, "kafka-consumer");
        let process = kafka.consumer(&place).spawn()?;
        let mut seen = 0;
        process.wait_for_stdout(SOON, |_| {
            seen += 1;
            seen == records
        })?;
        let killed = process.stop(Signal::KILL, SOON)?;
        ensure!(killed.signal().is_some(), "it was not killed: {killed}");
        let again = Place { run: "again".to_owned(), ..place.clone() };
        let ended = kafka.consumer(&again).arg("--exit-at-end").run(RUN)?.expect_code(0)?;
        let second = first.restarted();
        files.push((first, Line::of(&killed.stdout, &killed.stderr)));
        files.push((second, Line::of(&ended.stdout, &ended.stderr)));

        let missing = kafka.no_topic("nobody-made-it")?;
        let failed = kafka.producer(&missing).args(["-n", "1"]).run(RUN)?.expect_code(4)?;
        files.push((producer("x9d4s"), Line::of(&failed.stdout, &failed.stderr)));
        files.push((Container::new(NAMESPACE, UNREADY, "kafka-consumer"), without_brokers(kafka)?));
        // What the fields of somebody else's lines mean is not known, so nothing is made of them.
        let other = format!(r#"{{"level":"ERROR","event":"{POISON}","trace_id":"{}"}}"#, "f".repeat(32));
        files.push((Container::new("shop", "web-1", "nginx"), vec![Line::out(other), Line::out("no JSON at all")]));
        // Fed back they would grow without end.
        files.push((Container::new("logging-agent", "log-agent-q5z7c", "agent"), vec![Line::out("of the agent")]));
        files.push((Container::new("logging", "loki-0", "loki"), vec![Line::out("of the database")]));
        Ok(Self { files, topic: place.topic, run: place.run })
    }

    /// Lays it out on a node.
    pub fn write(&self, node: &Node) -> Result<()> {
        self.files.iter().try_for_each(|(container, lines)| node.write(container, lines))
    }

    /// What the agent is to carry: all but its own lines and the database's.
    pub fn lines(&self) -> impl Iterator<Item = (&Container, &Line)> {
        let carried = self.files.iter().filter(|(container, _)| !container.namespace.starts_with("logging"));
        carried.flat_map(|(container, lines)| lines.iter().map(move |line| (container, line)))
    }

    /// How many these are.
    pub fn carried(&self) -> u64 {
        self.lines().count() as u64
    }

    /// The records, as their lines say.
    pub fn records(&self) -> impl Iterator<Item = Value> {
        self.lines().map(|(_, line)| line.json()).filter(|line| text(line, "/event") == "record")
    }

    /// A key that several records of the run have.
    pub fn key(&self) -> Result<String> {
        let mut keys = BTreeMap::<String, u64>::new();
        for record in self.records().filter(|record| text(record, "/run_id") == self.run) {
            *keys.entry(text(&record, "/key").to_owned()).or_default() += 1;
        }
        keys.into_iter().max_by_key(|(_, count)| *count).map(|(key, _)| key).context("no record has a key")
    }
}

fn producer(pod: &str) -> Container {
    Container::new(NAMESPACE, &format!("kafka-producer-0-{pod}"), "kafka-producer")
}

/// Records that look like what the agent looks for: in keys, values and headers, as JSON, as lines of a container runtime, and too
/// long for one piece of a line.
fn hostile() -> Vec<NewRecord> {
    let id = "f".repeat(32);
    let imitation = format!(
        r#"{{"level":"ERROR","event":"{POISON}","trace_id":"{id}","service.name":"{POISON}","k8s.pod.name":"{POISON}"}}"#
    );
    let runtime = format!("\n2026-11-26T23:59:59.000000000Z stdout F {imitation}\n");
    let long = format!(r#"{{"event":"{POISON}","text":"{}"}}"#, "x".repeat(14_000));
    vec![
        NewRecord::value(imitation.clone()).key(imitation.clone()).header("event", Some(imitation.as_bytes())),
        NewRecord::value(runtime.clone()).key(r#"","level":"ERROR","event":"poisoned"#),
        NewRecord::value(format!("{POISON}\u{2028}\u{0}\r\n"))
            .header("traceparent", Some(format!("00-{POISON}-{POISON}-01").as_bytes())),
        NewRecord::value(long).key(runtime),
    ]
}

/// A consumer whose commits are refused, and whose brokers then go away: by a mock, which does that when it is told to.
fn without_brokers(kafka: &Kafka) -> Result<Vec<Line>> {
    let mock = Mock::with_topic("watched", 1)?;
    mock.refuse_commits(2);
    let place = Place { servers: mock.bootstrap_servers(), topic: "watched".to_owned(), run: "watched".to_owned() };
    kafka.producer(&place).args(["-n", "5"]).run(RUN)?.expect_code(0)?;
    let program = Consumer::program(kafka.consumer_path(), &place.servers, &place.topic);
    let process = program.args(["--group", "watched", "--commit-interval", "100ms"]).spawn()?;
    process.wait_for_stderr_event("commits_succeed", SOON)?;
    mock.all_down()?;
    process.wait_for_stderr_event("not_ready", SOON)?;
    let ended = process.stop(Signal::KILL, SOON)?;
    Ok(Line::of(&ended.stdout, &ended.stderr))
}
