//! An ordinary run of both programs under strace: messages, metrics, spans, a health check, last words, a clean end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use testbed::mock::Mock;
use testbed::otlp::Receiver;
use testbed::process::{Program, Signal};

use super::event::Event;
use super::strace::Trace;
use super::trace::{Reader, View};
use crate::consumer::{self, Consumer};
use crate::programs::{self, Programs};

const TOPIC: &str = "test";
const MESSAGES: &str = "500";
const RUN: &str = "0d9f8f0a-6b8e-4d5c-9a51-1f0c5a0f7e11";
/// How long a part of it may take, being watched.
const PART: Duration = Duration::from_secs(60);
/// What the ports of this run stand for: those that the manifests name.
const KAFKA: u16 = 9092;
const OTLP: u16 = 4318;
const ADMIN: u16 = 8080;
const LAST_WORDS: &str = "/dev/termination-log";

/// A program's run, as seen in its container.
pub struct Run {
    /// What ran.
    pub name: &'static str,
    /// The repository of its image.
    pub repository: &'static str,
    /// What it called.
    pub events: Vec<Event>,
}

/// Runs them.
pub fn runs(programs: &Programs) -> Result<Vec<Run>> {
    // Not in /tmp, where the programs may write: there, nobody would see that they do.
    // Without links and dots, as a trace names it.
    let scratch = tempfile::tempdir_in(programs::target()?.canonicalize()?)?;
    let stage = Stage::new(scratch)?;
    let received = consumer::shared(Some(RUN))?;

    let (consumer_trace, program) = stage.traced(&programs.consumer, "consumer");
    let program = program.args(["--listen", "127.0.0.1:0", "--format", "json", "--from", "earliest"]);
    let consumer = Consumer::start(program.env("KAFKA_CONSUMER_GROUP", "traced"), &received)?;
    consumer.wait_until_ready()?;

    let (producer_trace, program) = stage.traced(&programs.producer, "producer");
    program.args(["--messages", MESSAGES, "--run-id", RUN]).run(PART)?.expect_code(0)?;
    consumer::wait_until(&received, PART, |received| received.distinct().to_string() == MESSAGES)?;
    consumer.metrics()?;
    let admin = consumer.address().to_owned();
    let (health_trace, program) = stage.traced(&programs.consumer, "health");
    program.arg("healthcheck").env("ADMIN_LISTEN", &admin).run(PART)?.expect_code(0)?;
    ensure!(consumer.stop(Signal::TERM)?.code() == Some(0), "the consumer did not end by SIGTERM");

    let view = stage.view(programs, &admin)?;
    let run = |name, repository, trace: &Trace| -> Result<Run> {
        Ok(Run { name, repository, events: Reader::new(&view, "strace").events(&trace.text()?)? })
    };
    let (producer, consumer) = ("localhost:5000/kafka-producer", "localhost:5000/kafka-consumer");
    let runs = vec![
        run("kafka-producer", producer, &producer_trace)?,
        run("kafka-consumer", consumer, &consumer_trace)?,
        run("kafka-consumer healthcheck", consumer, &health_trace)?,
    ];
    for (run, ports) in runs.iter().zip([&[KAFKA, OTLP][..], &[KAFKA, OTLP], &[ADMIN]]) {
        run.has(ports)?;
    }
    Ok(runs)
}

impl Run {
    /// A trace that misses what is known to happen would say nothing about what must not.
    fn has(&self, ports: &[u16]) -> Result<()> {
        let has = |what: &dyn Fn(&Event) -> bool| self.events.iter().any(what);
        let lacks = |what: &str| format!("the trace of {} lacks {what}", self.name);
        let image = format!("/usr/local/bin/{}", self.name.split(' ').next().unwrap_or_default());
        ensure!(has(&|event| event.call == "execve" && event.program.path == image), lacks("its start"));
        ensure!(has(&|event| event.file.as_ref().is_some_and(|file| file.reads)), lacks("a file"));
        for port in ports {
            let to = |event: &Event| event.peer.as_ref().is_some_and(|peer| peer.tcp && peer.port == *port);
            ensure!(has(&to), lacks(&format!("a connection to port {port}")));
        }
        let writes = |event: &Event| event.file.as_ref().is_some_and(|file| file.writes && file.path == LAST_WORDS);
        ensure!(has(&writes) == (self.name != "kafka-consumer healthcheck"), lacks("its last words"));
        Ok(())
    }
}

/// What the programs talk to, and where their traces are.
struct Stage {
    broker: Mock,
    spans: Receiver,
    scratch: TempDir,
}

impl Stage {
    fn new(scratch: TempDir) -> Result<Self> {
        let broker = Mock::with_topic(TOPIC, 6)?;
        Ok(Self { broker, spans: Receiver::start()?, scratch })
    }

    /// A program with the settings that the manifests give it.
    fn traced(&self, program: &Path, name: &str) -> (Trace, Program) {
        let (trace, program) = Trace::of(program, &self.scratch.path().join(format!("{name}.trace")));
        let last_words = self.last_words(name);
        // The program writes to it only where it exists.
        let _ = fs::write(&last_words, "");
        let program = program
            .current_dir(self.scratch.path())
            .env("KAFKA_BOOTSTRAP_SERVER", self.broker.bootstrap_servers())
            .env("KAFKA_TOPIC", TOPIC)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", self.spans.endpoint())
            .env("OTEL_TRACES_SAMPLER", "always_on")
            .env("LOG_FORMAT", "json")
            .env(if name == "producer" { "PRODUCER_TERMINATION_LOG" } else { "CONSUMER_TERMINATION_LOG" }, last_words);
        (trace, program)
    }

    fn last_words(&self, name: &str) -> std::path::PathBuf {
        self.scratch.path().join(format!("{name}.termination-log"))
    }

    /// What this run calls otherwise than a container.
    fn view(&self, programs: &Programs, admin: &str) -> Result<View> {
        let path = |path: &Path| path.display().to_string();
        let mut paths = BTreeMap::from([
            (path(&programs.producer), "/usr/local/bin/kafka-producer".to_owned()),
            (path(&programs.consumer), "/usr/local/bin/kafka-consumer".to_owned()),
        ]);
        for name in ["producer", "consumer", "health"] {
            paths.insert(path(&self.last_words(name)), LAST_WORDS.to_owned());
        }
        let port = |address: &str| -> Result<u16> {
            let port = address.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
            port.parse().with_context(|| format!("{address:?} has no port"))
        };
        let mut ports = BTreeMap::from([(port(&self.spans.endpoint())?, OTLP), (port(admin)?, ADMIN)]);
        for broker in self.broker.bootstrap_servers().split(',') {
            ports.insert(port(broker)?, KAFKA);
        }
        Ok(View { paths, ports })
    }
}
