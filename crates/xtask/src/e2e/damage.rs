//! A batch whose bytes are not those that were written: never logged, never passed over, and told.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::{Program, Signal};
use testbed::records::{self, NewRecord};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place};
use super::watch::{Watch, verdict};
use crate::consumer::Consumer;

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "damage-one-fetch",
        claim: "a damaged batch in front of a good one in the same fetch is told, retried and not passed over",
        run: |bench| endless(bench, "damage-one-fetch", &[]),
    },
    Scenario {
        name: "damage-two-fetches",
        claim: "the same when each batch is a fetch",
        // Less than a batch: a broker sends one all the same, and no second one.
        run: |bench| endless(bench, "damage-two-fetches", &["-X", "fetch.message.max.bytes=1000"]),
    },
    Scenario {
        name: "damage-one-shot",
        claim: "a one-shot run ends with 1 within 5 s of a damaged batch, which it names",
        run: one_shot,
    },
];

/// Records of a batch, each about 100 bytes.
const EACH: i64 = 20;
/// How soon it is told.
const TOLD: Duration = Duration::from_secs(15);
/// How long to look whether the next batch comes all the same.
const LOOK: Duration = Duration::from_secs(5);

/// Three batches in one partition, of which the second is damaged.
fn damaged(bench: &mut Bench, name: &str) -> Result<Place> {
    let place = bench.no_topic(name)?;
    let cluster = bench.one()?;
    cluster.create_topic(&place.topic, 1, 1, &[])?;
    for batch in 0..3 {
        let record = |number: i64| NewRecord::value(format!("{:0100}", batch * EACH + number)).partition(0);
        records::produce(&cluster.internal_config(), &place.topic, &(0..EACH).map(record).collect::<Vec<_>>())?;
    }
    cluster.damage_batch(1, &place.topic, 0, EACH)?;
    Ok(place)
}

fn given(bench: &Bench, place: &Place) -> Program {
    Consumer::program(bench.consumer_path(), &place.servers, &place.topic).args(["--partitions", "0"])
}

fn endless(bench: &mut Bench, name: &str, flags: &[&str]) -> Result<String> {
    let place = damaged(bench, name)?;
    let offset = EACH.to_string();
    let mut message = String::new();
    for program in [given(bench, &place), bench.consumer(&place)] {
        let consumer = Watch::start(program.args(flags))?;
        consumer.wait_for_lines(EACH as usize, ARRIVAL)?;
        let told = consumer.wait_for_log("ERROR", &[&place.topic, &offset], TOLD)?;
        message = told.get("message").map(ToString::to_string).unwrap_or_default();
        let reason = consumer.wait_for_readiness(503, &place.topic, TOLD)?;
        ensure!(reason.contains(&offset), "the offset is not named: {reason:?}");
        corrupt_batches(&consumer, 1.0)?;
        // The time itself is what is tried here: the batch behind it would have come meanwhile.
        let before = Instant::now();
        while before.elapsed() < LOOK {
            let logged = consumer.values().len() as i64;
            ensure!(
                logged == EACH,
                "{logged} records were logged, {EACH} are good up to the damage; {}",
                consumer.log()
            );
            thread::sleep(Duration::from_millis(100));
        }
        ensure!(consumer.process.is_running(), "{}", consumer.log());
        // Mended, as by a replica that is whole: it goes on by itself.
        bench.one()?.damage_batch(1, &place.topic, 0, EACH)?;
        consumer.wait_for_lines(3 * EACH as usize, ARRIVAL)?;
        consumer.wait_for_readiness(200, "", ARRIVAL)?;
        let whole: Vec<_> = (0..3 * EACH).map(|number| format!("{number:0100}")).collect();
        ensure!(consumer.values() == whole, "not each record once and in order; {}", consumer.log());
        consumer.stop(Signal::TERM)?.expect_code(0)?;
        bench.one()?.damage_batch(1, &place.topic, 0, EACH)?;
    }
    Ok(message)
}

fn one_shot(bench: &mut Bench) -> Result<String> {
    let place = damaged(bench, "damage-one-shot")?;
    let (partition, offset) = (format!("{}[0]", place.topic), EACH.to_string());
    let mut message = String::new();
    for program in [given(bench, &place).arg("--exit-at-end"), bench.consumer(&place).args(["--max-records", "60"])] {
        let began = Instant::now();
        let outcome = program.run(ARRIVAL)?;
        let (took, logged) = (began.elapsed(), outcome.stdout.lines().count() as i64);
        message = verdict(outcome, 1, &[&partition, &offset])?;
        // The group's join is beside it.
        ensure!(took < Duration::from_secs(8), "it took {took:?}");
        ensure!(logged == EACH, "{logged} records were logged, {EACH} are good up to the damage");
    }
    Ok(message)
}

/// Waits until so many are counted, over all partitions.
fn corrupt_batches(consumer: &Watch, wanted: f64) -> Result<()> {
    let deadline = Instant::now() + TOLD;
    loop {
        let metrics = consumer.metrics()?;
        let series = metrics.lines().filter(|line| line.starts_with("kafka_consumer_corrupt_batches_total"));
        let sum: f64 = series.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
        if sum >= wanted {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{sum} corrupt batches are counted; {}", consumer.log());
        thread::sleep(Duration::from_millis(50));
    }
}
