//! `cargo demo`: a round trip of the real producer, and the real consumer beside it, against a broker; and a verdict on every single
//! message.

mod target;
mod verdict;

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde_json::Value;
use testbed::process::{Process, Program, Signal};

use crate::consumer::{self, Consumer, Shared, lock};
use crate::programs::{self, Programs};
use crate::terminal::{Progress, Step, Style, grouped, paint};
use target::Target;
use verdict::Verdict;

/// After the producer's end, this long without a record means that no more will come.
const SILENCE: Duration = Duration::from_secs(15);
/// With all messages there, this long without a record means that no repeated one follows.
const QUIET: Duration = Duration::from_millis(500);
/// Between two looks at what was received.
const LOOK: Duration = Duration::from_millis(50);

/// The flags of the demo.
#[derive(clap::Args)]
pub struct Args {
    /// How many messages
    #[arg(long, short = 'n', value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    messages: u64,

    /// The broker to start for it
    #[arg(long, value_enum, default_value = "mock")]
    broker: Broker,

    /// A broker that is already there, without security, instead of one started for it
    #[arg(long, short = 'b', value_name = "HOST:PORT,..", conflicts_with = "broker")]
    bootstrap_servers: Option<String>,

    /// Topic; created with 6 partitions where it is missing
    #[arg(long, short = 't', default_value = "demo")]
    topic: String,

    /// Values of this many bytes of random text instead of the demo message, such as 100 or 1KiB
    #[arg(long, value_name = "BYTES", value_parser = common::config::units::bytes)]
    size: Option<usize>,

    /// Messages in a time, such as 500/s
    #[arg(long, short = 'r')]
    rate: Option<common::config::units::Rate>,
}

/// A broker that the demo starts and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Broker {
    /// librdkafka's mock cluster: 3 brokers inside this process, at once
    Mock,
    /// A real Apache Kafka; needs Java 17, and Maven the first time
    Apache,
}

/// Runs it. `false` when a message is missing or came twice.
pub fn run(args: &Args) -> Result<bool> {
    let rate = target::rate(args)?;
    let programs = programs::build()?;
    let target = Target::start(args)?;
    if !target.has_topic {
        create_topic(&programs, &target.servers, &args.topic)?;
    }
    let run_id = run_id();
    let received = consumer::shared(Some(&run_id))?;
    let step = Step::begin("kafka-consumer: waiting for its partitions");
    let program = Consumer::program(&programs.consumer, &target.servers, &args.topic);
    let program = program.args(["--group", &run_id, "--from", "earliest"]).args(target.reader_args);
    let consumer = Consumer::start(program, &received)?;
    consumer.wait_until_ready()?;
    step.end();

    println!(
        "{}",
        paint(Style::Bold, &format!("kafka-producer round-trip: publishing {} messages", grouped(args.messages)))
    );
    if let (Some(rate), None) = (rate, args.rate) {
        let why = "the embedded broker forgets what exceeds 5 MB a partition; --broker apache does not";
        println!("at {}/s: {why}", grouped(rate as u64));
    }
    let producer = producer(&programs, args, &target, &run_id, rate).spawn()?;
    let producer = watch(producer, &consumer, &received, args.messages)?;
    let metrics = consumer.metrics().context("the consumer's /metrics")?;
    let stopped = consumer.stop(Signal::TERM)?;

    let report: Value = producer.json()?;
    let verdict = Verdict { requested: args.messages, report: &report, received: &lock(&received) };
    verdict.print();
    verdict::print_metrics(&metrics);
    let mut well = verdict.is_good();
    for (name, outcome) in [("kafka-producer", &producer), ("kafka-consumer", &stopped)] {
        if outcome.code() != Some(0) {
            well = false;
            eprintln!("{name} ended with {}\n{}", outcome.status, outcome.stderr);
        }
    }
    verdict::conclude(well);
    Ok(well)
}

/// By the producer itself: an input without a line is a run of no messages, and the topic is created before it.
fn create_topic(programs: &Programs, servers: &str, topic: &str) -> Result<()> {
    let program = Program::new(&programs.producer).args(["--bootstrap-servers", servers, "--topic", topic]);
    let partitions = target::PARTITIONS.to_string();
    let created = program
        .args(["--input", "-", "--create-topic", &partitions, "--timeout", "30s"])
        .run(Duration::from_secs(60))?;
    created.expect_code(0).with_context(|| format!("the topic {topic} can't be created"))?;
    Ok(())
}

/// The round trip reads the topic itself, and judges what it finds there.
fn producer(programs: &Programs, args: &Args, target: &Target, run_id: &str, rate: Option<f64>) -> Program {
    let program = Program::new(&programs.producer)
        .args(["round-trip", "--bootstrap-servers", &target.servers, "--topic", &args.topic, "--run-id", run_id])
        .args(["--messages", &args.messages.to_string(), "--report", "json", "--log-format", "json"])
        .args(target.reader_args);
    let program = match args.size {
        Some(size) => program.args(["--size", &size.to_string()]),
        None => program,
    };
    match rate {
        Some(rate) => program.args(["--rate", &format!("{rate}/s")]),
        None => program,
    }
}

/// Shows what arrives until the producer has ended and its messages are there, or nothing comes any more.
fn watch(producer: Process, consumer: &Consumer, received: &Shared, total: u64) -> Result<testbed::process::Outcome> {
    let mut progress = Progress::begin(total);
    let mut shown = 0;
    let mut ended = None;
    loop {
        thread::sleep(LOOK);
        if ended.is_none() && !producer.is_running() {
            ended = Some(Instant::now());
        }
        let (distinct, quiet) = {
            let received = lock(received);
            for sample in &received.samples()[shown..] {
                progress.println(&paint(Style::Dim, sample));
            }
            shown = received.samples().len();
            (received.distinct(), received.last().elapsed())
        };
        progress.set(distinct);
        ensure!(consumer.process().is_running(), "the consumer has ended\n{}", consumer.process().stderr());
        let Some(ended) = ended else { continue };
        let patience = if distinct >= total { QUIET } else { SILENCE };
        if quiet >= patience && ended.elapsed() >= patience {
            break;
        }
    }
    producer.wait(SILENCE)
}

/// Short, and new for each run.
fn run_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("demo-{:x}", since.as_micros())
}
