//! Readiness of a consumer that has worked: what makes it not ready, what does not, and that it comes back.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::process::Signal;
use testbed::records::{self, NewRecord, Trickle};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place};
use super::watch::Watch;

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "readiness-hang",
        claim: "a broker that answers nobody makes the consumer not ready within 15 s, with the reason, and ready afterwards",
        run: hang,
    },
    Scenario {
        name: "readiness-slow-join",
        claim: "a rebalance that another member holds up leaves the consumer ready",
        run: slow_join,
    },
    Scenario {
        name: "readiness-lost",
        claim: "a consumer that has lost its partitions is not ready until it has some again",
        run: lost,
    },
    Scenario {
        name: "readiness-two-of-three",
        claim: "two of three brokers away make the consumer not ready within 15 s, and a partition is named",
        run: two_of_three,
    },
];

/// A broker has 10 s to answer.
const SEEN: Duration = Duration::from_secs(15);
/// How long another member may hold the group up here.
const SESSION: Duration = Duration::from_secs(12);

fn session(timeout: Duration) -> [String; 2] {
    ["-X".to_owned(), format!("session.timeout.ms={}", timeout.as_millis())]
}

fn hang(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("readiness-hang")?;
    let consumer = Watch::ready(bench.consumer(&place))?;
    bench.one()?.pause(1)?;
    let began = Instant::now();
    let reason = consumer.wait_for_readiness(503, "", SEEN);
    let took = began.elapsed();
    bench.one()?.resume(1)?;
    let reason = reason?;
    ensure!(reason.contains("answer"), "no reason that fits: {reason:?}");
    consumer.wait_for_readiness(200, "", ARRIVAL)?;
    records::produce(&bench.one()?.internal_config(), &place.topic, &[NewRecord::value("after")])?;
    consumer.wait_for_lines(1, ARRIVAL)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("not ready after {:.1} s: {}", took.as_secs_f64(), reason.trim()))
}

fn slow_join(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("readiness-slow-join")?;
    let consumer = Watch::ready(bench.consumer(&place))?;
    let frozen = Watch::ready(bench.consumer(&place).args(session(SESSION)))?;
    consumer.wait_for_metric("kafka_consumer_assigned_partitions", ARRIVAL, |count| count == 3.0)?;
    // A third one joins, and the coordinator waits for the second to join again until its session is over.
    frozen.process.signal(Signal::STOP)?;
    let third = Watch::start(bench.consumer(&place))?;
    let began = Instant::now();
    let mut probes = 0;
    // Which of them have which partitions is the assignor's business: the join is over when the third one has some.
    while third.metric("kafka_consumer_assigned_partitions")?.unwrap_or_default() == 0.0 {
        let answer = consumer.readiness()?;
        let seconds = began.elapsed().as_secs_f64();
        ensure!(answer.status == 200, "not ready after {seconds:.1} s: {}{}", answer.body, consumer.log());
        ensure!(began.elapsed() < ARRIVAL, "the frozen member was not removed; {}", consumer.log());
        probes += 1;
        thread::sleep(Duration::from_millis(100));
    }
    let took = began.elapsed();
    ensure!(took > SESSION / 2, "nothing held the group up: the third member had partitions after {took:?}");
    frozen.process.signal(Signal::CONT)?;
    Ok(format!("ready in {probes} probes over {:.1} s", took.as_secs_f64()))
}

fn lost(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("readiness-lost")?;
    let consumer = Watch::ready(bench.consumer(&place).args(session(Duration::from_secs(6))))?;
    let other = Watch::ready(bench.consumer(&place).args(session(SESSION)))?;
    consumer.wait_for_metric("kafka_consumer_assigned_partitions", ARRIVAL, |count| count == 3.0)?;
    // It misses its session, and the other one has all partitions.
    consumer.process.signal(Signal::STOP)?;
    other.wait_for_metric("kafka_consumer_assigned_partitions", ARRIVAL, |count| count == 6.0)?;
    // The way back is long: it waits for the other's session.
    other.process.signal(Signal::STOP)?;
    consumer.process.signal(Signal::CONT)?;
    let lost = r#"kafka_consumer_rebalances_total{kind="lost"}"#;
    consumer.wait_for_metric(lost, ARRIVAL, |count| count >= 1.0)?;
    let assigned = consumer.metric("kafka_consumer_assigned_partitions")?;
    ensure!(assigned == Some(0.0), "{assigned:?} partitions are assigned");
    let reason = consumer.wait_for_readiness(503, "", Duration::from_secs(2))?;
    consumer.wait_for_metric("kafka_consumer_assigned_partitions", ARRIVAL, |count| count == 6.0)?;
    consumer.wait_for_readiness(200, "", ARRIVAL)?;
    other.process.signal(Signal::CONT)?;
    Ok(reason.trim().to_owned())
}

fn two_of_three(bench: &mut Bench) -> Result<String> {
    let topic = "readiness-two-of-three";
    bench.three()?.create_topic(topic, 6, 3, &[])?;
    let place = Place::new(bench.three()?, topic, topic);
    let trickle =
        Trickle::start(&bench.three()?.internal_config(), topic, &[0, 1, 2, 3, 4, 5], Duration::from_millis(20))?;
    let consumer = Watch::ready(bench.consumer(&place))?;
    consumer.wait_for_lines(50, ARRIVAL)?;
    let away = [2, 3];
    for broker in away {
        bench.three()?.pause(broker)?;
    }
    let began = Instant::now();
    let reason = consumer.wait_for_readiness(503, "", SEEN);
    let took = began.elapsed();
    for broker in away {
        bench.three()?.resume(broker)?;
    }
    let reason = reason?;
    ensure!(reason.contains(topic), "no partition is named: {reason:?}");
    consumer.wait_for_readiness(200, "", ARRIVAL)?;
    drop(trickle);
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("not ready after {:.1} s: {}", took.as_secs_f64(), reason.trim()))
}
