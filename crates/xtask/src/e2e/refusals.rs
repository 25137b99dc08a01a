//! What the brokers and the group's coordinator refuse for good: code 4 before the work has begun, the reason in the message.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use testbed::apache::{Cluster, Resource};
use testbed::process::{Outcome, Program, Signal};
use testbed::records;

use super::Scenario;
use super::access::{with_password, with_protocol};
use super::bench::{ARRIVAL, Bench, PASSWORD, Place, STRANGER};
use super::watch::{Watch, last_words, verdict};
use crate::consumer::Consumer;

pub(super) const SCENARIOS: [Scenario; 5] = [
    Scenario {
        name: "refused-protocol",
        claim: "a member whose assignors the group does not have ends with 4 and says so",
        run: protocol,
    },
    Scenario {
        name: "refused-session",
        claim: "a session timeout that the broker does not allow ends a member with 4, and is named",
        run: session,
    },
    Scenario {
        name: "refused-expression",
        claim: "a regular expression without a match: an endless run waits and says so, a one-shot one ends with 4",
        run: expression,
    },
    Scenario {
        name: "refused-kip848",
        claim: "a broker without the protocol of KIP-848 ends a member with 4, and both are named",
        run: kip848,
    },
    Scenario {
        name: "no-right-to-read",
        claim: "Describe without Read on the topic: a one-shot run ends with 4, an endless one too or is not ready, with the reason",
        run: no_read,
    },
];

/// A refusal is told within seconds.
const SECONDS: Duration = Duration::from_secs(10);

fn in_seconds(program: Program) -> Result<Outcome> {
    let began = Instant::now();
    let outcome = program.run(SECONDS * 3)?;
    ensure!(began.elapsed() < SECONDS, "it took {:?}\n{outcome}", began.elapsed());
    Ok(outcome)
}

/// An endless and a one-shot member both end with 4 in seconds and say this.
fn refused(program: impl Fn() -> Program, words: &[&str]) -> Result<String> {
    let message = last_words(in_seconds(program())?, 4, words)?;
    verdict(in_seconds(program().args(["--exit-at-end", "--timeout", "20s"]))?, 4, words)?;
    Ok(message)
}

fn protocol(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("refused-protocol")?;
    let assignor = |name: &str| bench.consumer(&place).args(["-X", &format!("partition.assignment.strategy={name}")]);
    let first = Watch::ready(assignor("range"))?;
    let said = refused(|| assignor("roundrobin"), &["protocol", &place.run])?;
    // The one that was there is not harmed.
    ensure!(first.readiness()?.status == 200, "{}", first.log());
    first.stop(Signal::TERM)?.expect_code(0)?;
    Ok(said)
}

fn session(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("refused-session")?;
    // A broker allows 6 s to 30 minutes.
    refused(|| bench.consumer(&place).args(["-X", "session.timeout.ms=1000"]), &["session.timeout.ms"])
}

fn expression(bench: &mut Bench) -> Result<String> {
    let place = Place { topic: r"^no-such-topic-.*".to_owned(), ..bench.no_topic("refused-expression")? };
    let one_shot = bench.consumer(&place).args(["--exit-at-end", "--timeout", "20s"]);
    let message = verdict(in_seconds(one_shot)?, 4, &[&place.topic])?;
    let refresh = ["-X", "topic.metadata.refresh.interval.ms=1000"];
    let waiting = Watch::start(bench.consumer(&place).args(refresh))?;
    waiting.wait_for_readiness(503, &place.topic, SECONDS)?;
    bench.one()?.create_topic("no-such-topic-but-now", 1, 1, &[])?;
    records::produce_values(&bench.one()?.internal_config(), "no-such-topic-but-now", &["x"])?;
    waiting.wait_for_lines(1, ARRIVAL)?;
    waiting.wait_for_readiness(200, "", ARRIVAL)?;
    waiting.stop(Signal::TERM)?.expect_code(0)?;
    Ok(message)
}

fn kip848(bench: &mut Bench) -> Result<String> {
    let cluster = Cluster::builder().property("group.coordinator.rebalance.protocols", "classic").start()?;
    cluster.create_topic("test", 1, 1, &[])?;
    let place = Place::new(&cluster, "test", "refused-kip848");
    refused(|| bench.consumer(&place).args(["--group-protocol", "consumer"]), &["KIP-848", "classic"])
}

fn no_read(bench: &mut Bench) -> Result<String> {
    const TOPIC: &str = "described-only";
    let cluster = bench.login()?;
    cluster.create_topic(TOPIC, 3, 1, &[])?;
    cluster.allow(STRANGER, &["Describe"], Resource::Topic(TOPIC))?;
    cluster.allow(STRANGER, &["Read"], Resource::Group("no-right-to-read"))?;
    let place = Place::new(bench.login()?, TOPIC, "no-right-to-read");
    let login = |program: Program| with_password(with_protocol(program, "SASL_PLAINTEXT"), "PLAIN", STRANGER, PASSWORD);
    let given = Consumer::program(bench.consumer_path(), &place.servers, TOPIC).args(["--partitions", "0-2"]);
    let one_shot = ["--exit-at-end", "--timeout", "20s"];
    let mut message = String::new();
    for program in [bench.consumer(&place), given] {
        let words = ["Read on the topic", TOPIC];
        message = verdict(in_seconds(login(program.args(one_shot)))?, 4, &words)?;
    }
    let endless = login(bench.consumer(&place)).spawn()?;
    let began = Instant::now();
    let outcome = endless.wait(SECONDS * 2);
    // Established is the first answered fetch, which never comes.
    let outcome = outcome.map_err(|error| error.context("an endless run is neither ended nor refused"))?;
    ensure!(began.elapsed() < SECONDS, "it took {:?}\n{outcome}", began.elapsed());
    last_words(outcome, 4, &["Read on the topic", TOPIC])?;
    Ok(message)
}
