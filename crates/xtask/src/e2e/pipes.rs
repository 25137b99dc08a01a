//! A consumer whose reader is slow or goes away.

use std::io::{BufRead, BufReader, pipe};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::process::Signal;

use super::Scenario;
use super::bench::{ARRIVAL, Bench, RUN, Report, expect_exactly_once};
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "stalled-pipe",
        claim: "a reader that stands still for less than max.poll.interval.ms costs no record and repeats none",
        run: stalled,
    },
    Scenario {
        name: "closed-pipe",
        claim: "a reader that goes away, as head does, ends the consumer with 0 and without a word",
        run: closed,
    },
];

fn stalled(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 20_000;
    const STALL: Duration = Duration::from_secs(5);
    let place = bench.topic("stalled-pipe")?;
    let received = shared(Some(&place.topic))?;
    let (reader, writer) = pipe()?;
    let program = bench.consumer(&place).args(["-X", "session.timeout.ms=6000", "-X", "max.poll.interval.ms=10000"]);
    let process = program.stdout(writer).spawn()?;
    process.wait_for_stderr_event("ready", ARRIVAL)?;
    let sized = ["--messages", &MESSAGES.to_string(), "--size", "1KB"];
    Report::of_all(bench.producer(&place).args(sized).run(RUN)?, MESSAGES)?;
    // The time itself is what is tried here.
    thread::sleep(STALL);
    let consumer = Consumer::attach(process, reader, &received)?;
    expect_exactly_once(&received, MESSAGES)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{MESSAGES} of 1 KB logged after {STALL:?} without a reader, none repeated"))
}

fn closed(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("closed-pipe")?;
    let (reader, writer) = pipe()?;
    let consumer = bench.consumer(&place).stdout(writer).spawn()?;
    let producer = bench.producer(&place).args(["--messages", "100000", "--rate", "100/s"]).spawn()?;
    let lines = BufReader::new(reader).lines().take(5).collect::<Result<Vec<_>, _>>()?;
    let ended = consumer.wait(Duration::from_secs(20))?.expect_code(0)?;
    producer.stop(Signal::TERM, ARRIVAL)?.expect_code(143)?;
    let loud = ended.events().into_iter().find(|event| event.get("level").is_some_and(|level| level == "ERROR"));
    ensure!(loud.is_none(), "it complained: {loud:?}");
    Ok(format!("ended with 0 after {} lines", lines.len()))
}
