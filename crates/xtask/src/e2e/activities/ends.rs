//! Activities of the ways in which a program ends, and of what else it can be told to do.

use anyhow::{Result, ensure};
use testbed::process::{Outcome, Signal};

use super::stage::Stage;
use super::{Activity, RUN, Scene, deliver, probe, produce, read};
use crate::e2e::bench::{ARRIVAL, Report};

pub(super) const ACTIVITIES: [Activity; 5] = [
    Activity { name: "interrupted", short: false, run: interrupted },
    Activity { name: "out-of-memory", short: true, run: out_of_memory },
    Activity { name: "panic", short: false, run: panic },
    Activity { name: "unreachable", short: false, run: unreachable },
    Activity { name: "variants", short: false, run: variants },
];

/// What a shell and container engines add to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;
const ABORT: i32 = 6;

/// SIGINT in mid-run.
fn interrupted(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let (run, _) = scene.mock_run("127.0.0.1")?;
    let run = run.env("PRODUCER_MESSAGES", "100000").env("PRODUCER_RATE", "50/s");
    let (program, _actor) = stage.producer(run)?;
    let producer = program.spawn()?;
    producer.wait_for_stderr_event("publishing", ARRIVAL)?;
    let report = Report::of(producer.stop(Signal::INT, RUN)?, 130)?;
    Ok(format!("{} delivered, then 130", report.delivered))
}

/// Memory that is not to be had: Rust says so and aborts, which is `tgkill`.
fn out_of_memory(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let (run, _) = scene.mock_run("127.0.0.1")?;
    let run = run.args(&["--size", "900MB", "--messages", "1"]).data(600 << 20);
    let outcome = produce(stage, run)?;
    ensure!(outcome.stderr.contains("memory allocation of"), "it does not say that memory is missing\n{outcome}");
    aborted(&outcome)?;
    Ok("said so, and aborted".to_owned())
}

/// A panic's report with the names of functions, in a thread and in `main`, and what follows where it cannot be unwound. By a small
/// program of the same Rust and the image's libc: no panic of the programs themselves is known.
fn panic(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let run = scene.run().file(probe::built(false)?, "/tmp/probe").env("RUST_BACKTRACE", "full");
    let (program, _actor) = stage.prepare("consumer", Some("/tmp/probe"), run.clone().args(&["panic"]))?;
    let unwound = program.run(RUN)?.expect_code(101)?;
    ensure!(unwound.stderr.matches("panicked at").count() == 2, "not two panics\n{unwound}");
    let (program, _actor) = stage.prepare("consumer", Some("/tmp/probe"), run.args(&["abort"]))?;
    aborted(&program.run(RUN)?)?;
    Ok("one in a thread, one in main, one that aborts".to_owned())
}

/// In a container the program is process 1, which no signal of its own can end: there an instruction does that must not be executed.
fn aborted(outcome: &Outcome) -> Result<()> {
    let signal = outcome.signal().or_else(|| outcome.code().map(|code| code - BY_SIGNAL)).unwrap_or_default();
    let (fault, illegal) = (11, 4);
    ensure!([ABORT, fault, illegal].contains(&signal), "it did not abort\n{outcome}");
    Ok(())
}

/// A port that nobody listens on.
fn unreachable(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    let address = format!("127.0.0.1:{}", testbed::ports::free_port()?);
    let run = scene.run().env("KAFKA_BOOTSTRAP_SERVERS", address).env("PRODUCER_TIMEOUT", "3s");
    let report = Report::of(produce(stage, run)?, 3)?;
    Ok(report.message)
}

/// Codecs, a transaction, the other group protocol, and records for people.
fn variants(scene: &mut Scene, stage: &dyn Stage) -> Result<String> {
    const MESSAGES: u64 = 20;
    let (run, topic) = scene.mock_run("127.0.0.1")?;
    let mut total = 0;
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        deliver(stage, &run.clone().env("PRODUCER_COMPRESSION", codec), codec, MESSAGES)?;
        total += MESSAGES;
    }
    deliver(stage, &run.clone().env("PRODUCER_TRANSACTIONAL_ID", &topic), "transaction", MESSAGES)?;
    for (format, protocol) in [("human", "classic"), ("raw", "consumer")] {
        let group = format!("{topic}-{format}");
        let run = run.clone().env("CONSUMER_FORMAT", format).env("CONSUMER_GROUP_PROTOCOL", protocol);
        read(stage, run.env("KAFKA_CONSUMER_GROUP", group), total)?;
    }
    read(stage, run.args(&["--partitions", "0"]), 1)?;
    Ok("five codecs, a transaction, two group protocols, three forms of records".to_owned())
}
