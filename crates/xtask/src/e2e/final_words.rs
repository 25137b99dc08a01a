//! Final words of brokers: of the group's coordinator, about a message, about a login, and a word that nobody knows.

use std::time::Instant;

use anyhow::{Result, ensure};
use testbed::apache::Cluster;
use testbed::mock::Mock;
use testbed::process::{Program, Signal};

use super::Scenario;
use super::bench::{ARRIVAL, Bench, Place, RUN, Report};
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "group-refusals",
        claim: "an endless consumer that the group refuses for good ends with 4 within seconds, in one line that names the setting",
        run: group,
    },
    Scenario {
        name: "message-refusals",
        claim: "a message that no retry can deliver ends with 4 and names the topic's setting; SASL without a listener for it too",
        run: messages,
    },
    Scenario {
        name: "unknown-code",
        claim: "an error number that librdkafka does not know is retried by the Job and named by its number",
        run: unknown_code,
    },
];

/// A broker that knows classic groups only.
fn classic() -> Result<Cluster> {
    Cluster::builder().property("group.coordinator.rebalance.protocols", "classic").start()
}

fn group(bench: &mut Bench) -> Result<String> {
    bench.forget_clusters();
    let cluster = classic()?;
    cluster.create_topic("refusals", 1, 1, &[])?;
    let place = Place::new(&cluster, "refusals", "refusals");
    let member = |group: &str, args: &[&str]| {
        Consumer::program(bench.consumer_path(), &place.servers, &place.topic).args(["--group", group]).args(args)
    };
    let session = ["-X", "session.timeout.ms=1000", "-X", "heartbeat.interval.ms=300"];
    refused(member("session", &session), &["Invalid session timeout", "group.min.session.timeout.ms"])?;
    refused(member("kip848", &["--group-protocol", "consumer"]), &["API version not supported", "--group-protocol"])?;
    let range = ["-X", "partition.assignment.strategy=range"];
    let first = Consumer::start(member("assignors", &range), &shared(None)?)?;
    first.wait_until_ready()?;
    refused(member("assignors", &[]), &["Inconsistent group protocol", "partition.assignment.strategy"])?;
    first.stop(Signal::TERM)?.expect_code(0)?;
    Ok("session timeout, KIP-848 and assignors: 4 each".to_owned())
}

/// Runs a consumer that has no end of its own and must find one.
fn refused(program: Program, words: &[&str]) -> Result<()> {
    let began = Instant::now();
    let outcome = program.run(ARRIVAL)?.expect_code(4)?;
    ensure!(began.elapsed().as_secs() < 15, "the refusal took {:?}\n{outcome}", began.elapsed());
    let loud: Vec<_> = outcome
        .events()
        .into_iter()
        .filter(|event| event.get("level").is_some_and(|level| level == "ERROR" || level == "WARN"))
        .collect();
    ensure!(loud.len() == 1, "one refusal is one line, not {}\n{outcome}", loud.len());
    let message = loud.first().and_then(|event| event.get("message")?.as_str()).unwrap_or_default();
    for word in words {
        ensure!(message.contains(word), "{word:?} is not in {message:?}");
    }
    Ok(())
}

fn messages(bench: &mut Bench) -> Result<String> {
    bench.forget_clusters();
    let cluster = classic()?;
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("old");
    std::fs::write(&input, "{\"value\":1,\"timestamp\":1000}\n")?;
    let settings =
        [("compacted", ("cleanup.policy", "compact")), ("bounded", ("message.timestamp.before.max.ms", "1000"))];
    for (topic, setting) in settings {
        cluster.create_topic(topic, 1, 1, &[setting])?;
    }
    let place = |topic| Place::new(&cluster, topic, topic);
    let keyless = Report::of(bench.producer(&place("compacted")).args(["--messages", "3", "--no-key"]).run(RUN)?, 4)?;
    ensure!(keyless.failed == 3 && keyless.message.contains("only messages with a key"), "{keyless:?}");
    let program = bench.producer(&place("bounded")).args(["--input-format", "json"]).arg("--input").arg(&input);
    let old = Report::of(program.run(RUN)?, 4)?;
    ensure!(old.failed == 1 && old.message.contains("message.timestamp.before.max.ms"), "{old:?}");
    let login = ["--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "PLAIN", "--username", "u"];
    let program = bench.producer(&place("compacted")).args(login).env("KAFKA_PASSWORD", "p");
    let no_sasl = Report::of(program.run(RUN)?, 4)?;
    ensure!(no_sasl.message.contains("this listener offers no SASL"), "{no_sasl:?}");
    Ok(format!("{}\n     {}\n     {}", keyless.message, old.message, no_sasl.message))
}

/// In release builds only: rdkafka turns the number into an enumeration that does not have it, which a debug build traps.
fn unknown_code(bench: &mut Bench) -> Result<String> {
    const NEWER: i32 = 119;
    let mock = Mock::with_topic("newer", 1)?;
    mock.fail_batches_with_numbers(&[NEWER]);
    let place = Place { servers: mock.bootstrap_servers(), topic: "newer".to_owned(), run: "unknown-code".to_owned() };
    let outcome = bench.producer(&place).args(["--messages", "1"]).run(RUN)?;
    let json = outcome.json()?;
    let report = Report::of(outcome, 1)?;
    ensure!(report.failed == 1, "{report:?}");
    ensure!(json["errors"]["119"] == 1, "the number is not named: {json}");
    Ok(report.message)
}
