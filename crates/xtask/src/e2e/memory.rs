//! Memory of both programs, which have 256 MiB on Kubernetes: large messages on many partitions, very many partitions, and ten
//! minutes at full speed.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::process::{Outcome, Process, Program, Signal, memory};

use super::Scenario;
use super::bench::{Bench, Place, RUN, Report};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "memory-large",
        claim: "messages of 1 MB on 24 partitions are sent and logged in less than 128 MiB each",
        run: large,
    },
    Scenario {
        name: "memory-wide",
        claim: "messages on 1,000 partitions are sent and logged in less than 64 MiB each",
        run: wide,
    },
];

/// Only when it is asked for: it lasts as long as [`Bench::soak`] says.
pub(super) const ON_REQUEST: [Scenario; 1] = [Scenario {
    name: "memory-soak",
    claim: "at full speed the memory of both stays within 8 MiB of what it was after a minute (--soak: for how long)",
    run: soak,
}];

/// Between two looks at a program that ends by itself.
const LOOK: Duration = Duration::from_millis(20);
/// What a build with debug assertions may have on top: its code is larger and keeps more of it in memory. The bars are those of
/// the release.
const DEBUG: u64 = if cfg!(debug_assertions) { 32 } else { 0 };

const LARGE_PARTITIONS: i32 = 24;
const LARGE_BYTES: u64 = 1_000_000;
/// Ten times what a consumer may fetch ahead.
const LARGE_MESSAGES: u64 = 480;
const LARGE_MIB: u64 = 128;

const WIDE_PARTITIONS: i32 = 1000;
const WIDE_MESSAGES: u64 = 200_000;
const WIDE_MIB: u64 = 64;

/// When memory has its size.
const WARM: Duration = Duration::from_secs(60);
const GROWTH: u64 = 8;
/// Between two looks at programs that go on.
const SECOND: Duration = Duration::from_secs(1);
/// The log is cut behind both: a partition keeps some tens of megabytes.
const SHORT: [(&str, &str); 3] =
    [("retention.bytes", "33554432"), ("segment.bytes", "8388608"), ("retention.ms", "60000")];

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The most memory that a program had, which ends by itself.
fn peak(program: Program) -> Result<(u64, Outcome)> {
    let (process, began) = (program.spawn()?, Instant::now());
    let mut peak = 0;
    while process.is_running() {
        // The last look before the end is the most there was, but for its last milliseconds.
        peak = memory(process.pid(), "VmHWM").unwrap_or(peak);
        ensure!(began.elapsed() < RUN, "not done within {RUN:?}: {}", process.stderr());
        std::thread::sleep(LOOK);
    }
    Ok((peak, process.wait(RUN)?))
}

/// Sends so many messages and reads them again, in one-shot runs; the most memory that each of both had.
fn both(bench: &Bench, place: &Place, messages: u64, bytes: u64, limit: u64) -> Result<String> {
    let (messages, bytes) = (messages.to_string(), bytes.to_string());
    let (sent, outcome) = peak(bench.producer(place).args(["-n", &messages, "--size", &bytes]))?;
    Report::of_all(outcome, messages.parse()?)?;
    let consumer = bench.consumer(place).args(["-n", &messages]).stdout(File::create("/dev/null")?);
    let (read, outcome) = peak(consumer)?;
    outcome.expect_code(0)?;
    for (name, peak) in [("kafka-producer", sent), ("kafka-consumer", read)] {
        let allowed = limit + DEBUG;
        ensure!(peak < allowed << 20, "{name} had {:.1} MiB, {allowed} are allowed", mib(peak));
    }
    let debug = if DEBUG > 0 { format!(" (a debug build, which may have {DEBUG} MiB more)") } else { String::new() };
    Ok(format!("kafka-producer {:.1} MiB, kafka-consumer {:.1} MiB of {limit}{debug}", mib(sent), mib(read)))
}

/// A topic on the one broker, with so many partitions.
fn topic(bench: &mut Bench, name: &str, partitions: i32, config: &[(&str, &str)]) -> Result<Place> {
    let cluster = bench.one()?;
    cluster.create_topic(name, partitions, 1, config)?;
    Ok(Place::new(cluster, name, name))
}

fn large(bench: &mut Bench) -> Result<String> {
    let place = topic(bench, "memory-large", LARGE_PARTITIONS, &[])?;
    let seen = both(bench, &place, LARGE_MESSAGES, LARGE_BYTES, LARGE_MIB);
    bench.one()?.delete_topic(&place.topic)?;
    seen
}

fn wide(bench: &mut Bench) -> Result<String> {
    let place = topic(bench, "memory-wide", WIDE_PARTITIONS, &[])?;
    let seen = both(bench, &place, WIDE_MESSAGES, 100, WIDE_MIB);
    // The broker of the other scenarios has less to do without it.
    bench.one()?.delete_topic(&place.topic)?;
    seen
}

fn soak(bench: &mut Bench) -> Result<String> {
    let place = topic(bench, "memory-soak", 6, &SHORT)?;
    let lasts = bench.soak;
    ensure!(lasts > WARM, "--soak {lasts:?}: memory is compared with that after {WARM:?}, so it has to be longer");
    let consumer = bench.consumer(&place).stdout(File::create("/dev/null")?).spawn()?;
    // More than anybody sends in that time.
    let producer = bench.producer(&place).args(["-n", "100000000000", "--size", "200"]).spawn()?;
    let programs = [("kafka-producer", &producer), ("kafka-consumer", &consumer)];
    let began = Instant::now();
    let after_a_minute = loop {
        let seen = look(programs)?;
        if began.elapsed() >= WARM {
            break seen;
        }
        std::thread::sleep(SECOND);
    };
    let mut most = after_a_minute;
    while began.elapsed() < lasts {
        let seen = look(programs)?;
        for ((name, process), (now, (first, most))) in
            programs.into_iter().zip(seen.into_iter().zip(after_a_minute.into_iter().zip(&mut most)))
        {
            *most = now.max(*most);
            ensure!(
                now <= first + (GROWTH << 20),
                "{name} has {:.1} MiB after {:?}, and had {:.1} after a minute; {}",
                mib(now),
                began.elapsed(),
                mib(first),
                process.stderr()
            );
        }
        std::thread::sleep(SECOND);
    }
    let report = Report::of(producer.stop(Signal::TERM, RUN)?, 143)?;
    consumer.stop(Signal::TERM, RUN)?.expect_code(0)?;
    let rate = report.delivered as f64 / began.elapsed().as_secs_f64();
    bench.one()?.delete_topic(&place.topic)?;
    let [(sender, reader), (most_sender, most_reader)] =
        [after_a_minute, most].map(|[one, other]| (mib(one), mib(other)));
    Ok(format!(
        "{lasts:?} at {rate:.0} messages/s: kafka-producer {sender:.1} MiB after a minute and {most_sender:.1} at most, \
         kafka-consumer {reader:.1} and {most_reader:.1}"
    ))
}

/// What both have now, in bytes.
fn look(programs: [(&str, &Process); 2]) -> Result<[u64; 2]> {
    let rss = |(name, process): (&str, &Process)| {
        memory(process.pid(), "VmRSS").with_context(|| format!("{name} has ended; {}", process.stderr()))
    };
    Ok([rss(programs[0])?, rss(programs[1])?])
}
