//! `--exit-at-end` while a leader is away: retried, named, and never "ok" with records unread.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use testbed::process::Signal;
use testbed::records::{self, Trickle};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place};
use super::ends::{LIVE, numbered, reader};
use super::watch::verdict;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "ends-leaderless",
        claim: "a partition without a leader is retried until --timeout, then named with 1; SIGTERM ends it at once",
        run: leaderless,
    },
    Scenario {
        name: "ends-broker-died",
        claim: "a one-shot run right after a broker's death logs all records or fails, and never says ok with fewer",
        run: broker_died,
    },
];

fn leaderless(bench: &mut Bench) -> Result<String> {
    let topic = "ends-leaderless";
    let cluster = bench.three()?;
    cluster.create_topic(topic, 3, 1, &[])?;
    let config = cluster.internal_config();
    records::produce(&config, topic, &numbered(30, 3))?;
    let dead = cluster.leader_of(topic, 1)?;
    let led = (0..3).find(|partition| cluster.leader_of(topic, *partition).is_ok_and(|leader| leader != dead));
    let led = led.context("one broker leads all partitions")?;
    let trickle = Trickle::start(&config, topic, &[led], LIVE)?;
    cluster.kill(dead)?;
    let named = format!("{topic}[1]");
    let began = Instant::now();
    let place = Place::new(bench.three()?, topic, topic);
    let outcome = reader(bench, &place, "0-2").args(["--timeout", "8s"]).run(ARRIVAL)?;
    let took = began.elapsed();
    let message = verdict(outcome, 1, &[&named])?;
    ensure!(took > Duration::from_secs(7) && took < Duration::from_secs(10), "not the --timeout of 8s: {took:?}");

    let process = reader(bench, &place, "0-2").spawn()?;
    // Nothing tells from outside that it waits: after this it does.
    thread::sleep(Duration::from_secs(3));
    let began = Instant::now();
    verdict(process.stop(Signal::TERM, ARRIVAL)?, 143, &[])?;
    ensure!(began.elapsed() < Duration::from_secs(1), "SIGTERM was honoured after {:?}", began.elapsed());

    let process = reader(bench, &place, "0-2").args(["--timeout", "60s"]).spawn()?;
    bench.three()?.restart(dead)?;
    let outcome = process.wait(ARRIVAL)?;
    let seen = outcome.stdout.lines().count();
    verdict(outcome, 0, &[])?;
    trickle.finish()?;
    ensure!(seen >= 30, "said ok and wrote {seen} of 30 records and more");
    Ok(message)
}

fn broker_died(bench: &mut Bench) -> Result<String> {
    const RECORDS: usize = 600;
    let topic = "ends-broker-died";
    let cluster = bench.three()?;
    cluster.create_topic(topic, 6, 3, &[("min.insync.replicas", "2")])?;
    records::produce(&cluster.internal_config(), topic, &numbered(RECORDS, 6))?;
    let place = Place::new(cluster, topic, topic);
    let other = Place { run: format!("{topic}-kip848"), ..place.clone() };
    let dead = cluster.leader_of(topic, 0)?;
    cluster.kill(dead)?;
    // Each at once: the metadata still name the dead one.
    let in_time = ["--exit-at-end", "--timeout", "40s"];
    let runs = [
        bench.consumer(&place).args(in_time).spawn()?,
        bench.consumer(&other).args(in_time).args(["--group-protocol", "consumer"]).spawn()?,
        reader(bench, &place, "0-5").args(["--timeout", "40s"]).spawn()?,
    ];
    let mut seen = Vec::new();
    for run in runs {
        let outcome = run.wait(ARRIVAL)?;
        let (code, read) = (outcome.code(), outcome.stdout.lines().count());
        let honest = match code {
            Some(0) => read == RECORDS,
            Some(1 | 3) => true,
            _ => false,
        };
        ensure!(honest, "ended with {code:?} after {read} of {RECORDS} records\n{}", outcome.stderr);
        seen.push(format!("{} with {read}", code.unwrap_or_default()));
    }
    bench.three()?.restart(dead)?;
    bench.three()?.wait_for_full_isr(ARRIVAL)?;
    Ok(seen.join(", "))
}
