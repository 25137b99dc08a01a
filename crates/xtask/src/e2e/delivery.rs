//! Everything that is published arrives, unchanged: some thousands, and a million.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Result, ensure};
use testbed::process::Signal;
use testbed::records;

use super::Scenario;
use super::bench::{Bench, RUN, Report, expect_exactly_once, on_broker};
use crate::consumer::{Consumer, lock, shared};
use crate::received::Checksum;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "one-broker",
        claim: "10,000 messages arrive exactly once, in order, with the values that the broker has",
        run: one_broker,
    },
    Scenario {
        name: "million",
        claim: "1,000,000 messages of 100 bytes arrive exactly once, with the values of the input file",
        run: million,
    },
];

const MILLION: u64 = 1_000_000;
const LINE_BYTES: usize = 100;

fn one_broker(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 10_000;
    let place = bench.topic("one-broker")?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.wait_until_ready()?;
    let produced = bench.producer(&place).args(["--messages", &MESSAGES.to_string()]).run(RUN)?;
    Report::of_all(produced, MESSAGES)?;
    expect_exactly_once(&received, MESSAGES)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;

    let mut stored = Checksum::default();
    for record in records::read_all(&bench.one()?.internal_config(), &place.topic)? {
        stored.add(record.value.as_deref().unwrap_or_default());
    }
    let received = lock(&received);
    ensure!(
        stored == received.checksum(),
        "the values differ: {stored:?} on the broker, {:?} logged",
        received.checksum()
    );
    ensure!(received.out_of_order() == 0, "{} records came out of order", received.out_of_order());
    Ok(format!("{MESSAGES} delivered and logged, values equal"))
}

fn million(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("million")?;
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("lines");
    let sent = write_lines(&input)?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.wait_until_ready()?;
    let produced = bench.producer(&place).arg("--input").arg(&input).run(RUN)?;
    let rate = produced.json()?.get("messages_per_second").cloned().unwrap_or_default();
    Report::of_all(produced, MILLION)?;
    expect_exactly_once(&received, MILLION)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    let logged = lock(&received).checksum();
    ensure!(sent == logged, "the values differ: {sent:?} in the file, {logged:?} logged");
    let stored = on_broker(bench.one()?, &place.topic)?;
    ensure!(stored == MILLION, "{stored} records are on the broker");
    Ok(format!("{MILLION} delivered, on the broker and logged, checksums equal, produced at {rate}/s"))
}

fn write_lines(path: &Path) -> Result<Checksum> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut checksum = Checksum::default();
    let mut line = Vec::with_capacity(LINE_BYTES + 1);
    for _ in 0..MILLION {
        line.clear();
        line.extend((0..LINE_BYTES).map(|_| fastrand::alphanumeric() as u8));
        checksum.add(&line);
        line.push(b'\n');
        file.write_all(&line)?;
    }
    file.flush()?;
    Ok(checksum)
}
