//! Brokers that hang, die and come back while both programs run.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::process::Signal;

use super::Scenario;
use super::bench::{Bench, Place, expect_all, expect_exactly_once, finish, on_broker, wait_for_messages};
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "broker-hangs",
        claim: "a broker that answers nobody for 5 s costs no message and repeats none",
        run: hangs,
    },
    Scenario {
        name: "broker-killed",
        claim: "the only broker killed and started again in mid-run costs no message",
        run: killed,
    },
    Scenario {
        name: "leader-killed",
        claim: "a leader of three brokers killed and brought back in mid-run costs no acknowledged message",
        run: leader_killed,
    },
];

const AWAY: Duration = Duration::from_secs(5);

fn hangs(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 10_000;
    let place = bench.topic("broker-hangs")?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.wait_until_ready()?;
    let producer = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "1k/s"]).spawn()?;
    wait_for_messages(&received, MESSAGES / 10)?;
    bench.one()?.pause(1)?;
    // The time itself is what is tried here.
    thread::sleep(AWAY);
    bench.one()?.resume(1)?;
    finish(producer, MESSAGES)?;
    expect_exactly_once(&received, MESSAGES).with_context(|| consumer.log())?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{MESSAGES} delivered and logged, none repeated"))
}

fn killed(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 10_000;
    let place = bench.topic("broker-killed")?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.wait_until_ready()?;
    let producer = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "1k/s"]).spawn()?;
    wait_for_messages(&received, MESSAGES / 10)?;
    bench.one()?.kill(1)?;
    bench.one()?.restart(1)?;
    finish(producer, MESSAGES)?;
    let repeated = expect_all(&received, MESSAGES).with_context(|| consumer.log())?;
    let stored = on_broker(bench.one()?, &place.topic)?;
    ensure!(stored == MESSAGES, "{stored} records are on the broker: idempotence did not hold");
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{MESSAGES} delivered, as many on the broker, all logged, {repeated} repeated"))
}

fn leader_killed(bench: &mut Bench) -> Result<String> {
    // Half a minute: a broker needs most of it to come back on a machine that is busy.
    const MESSAGES: u64 = 60_000;
    let cluster = bench.three()?;
    let topic = "leader-killed";
    cluster.create_topic(topic, 6, 3, &[("min.insync.replicas", "2")])?;
    let place = Place::new(cluster, topic, topic);
    let leader = cluster.leader_of(&place.topic, 0)?;
    let received = shared(Some(&place.topic))?;
    let consumer = Consumer::start(bench.consumer(&place), &received)?;
    consumer.wait_until_ready()?;
    let producer = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "2k/s"]).spawn()?;
    wait_for_messages(&received, MESSAGES / 20)?;
    let cluster = bench.three()?;
    cluster.kill(leader)?;
    let next = cluster.wait_for_leader(&place.topic, 0, AWAY * 6, |id| id != leader)?;
    cluster.restart(leader)?;
    ensure!(producer.is_running(), "the run was over before the broker was back");
    finish(producer, MESSAGES)?;
    let repeated = expect_all(&received, MESSAGES).with_context(|| consumer.log())?;
    let stored = on_broker(bench.three()?, &place.topic)?;
    ensure!(stored == MESSAGES, "{stored} records are on the brokers: idempotence did not hold");
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("leader {leader} killed, {next} took over: {MESSAGES} delivered, all logged, {repeated} repeated"))
}
