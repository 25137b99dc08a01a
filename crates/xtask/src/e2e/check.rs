//! The check of every layer on real brokers with rights: what is there passes, each thing that is missing is named in its layer, and
//! the rights that the table asks for are enough.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::apache::{Cluster, Listener, Resource, Shown, Tls};
use testbed::ports::free_port;
use testbed::process::{Outcome, Program};
use testbed::records::{self, NewRecord};

use super::Scenario;
use super::access::{with_authority, with_password, with_protocol};
use super::bench::{Bench, PASSWORD, Place, RUN, Report, STRANGER, USER};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "check-rights",
        claim: "a login with exactly the rights of the table passes, and then runs; with one less the check names the one",
        run: rights,
    },
    Scenario {
        name: "check-layers",
        claim: "each thing that is missing is named in its layer: address, port, protocol, login, topic, replicas",
        run: layers,
    },
    Scenario {
        name: "check-certificates",
        claim: "a certificate of an unknown authority, for another host and one that has ended are told apart; a good one passes",
        run: certificates,
    },
    Scenario {
        name: "check-group",
        claim: "where a group stands is told without joining it: its members, commits and generation stay",
        run: group,
    },
];

/// A check by one of the programs.
fn check(path: PathBuf, servers: &str, topic: &str, more: &[&str]) -> Program {
    let program = Program::new(path).args(["check", "--bootstrap-servers", servers, "--topic", topic]).args(more);
    program.args(["--json", "--log-format", "json"])
}

fn producer(bench: &Bench, servers: &str, topic: &str, more: &[&str]) -> Program {
    check(bench.producer_path().to_owned(), servers, topic, more)
}

fn consumer(bench: &Bench, servers: &str, topic: &str, more: &[&str]) -> Program {
    check(bench.consumer_path().to_owned(), servers, topic, more)
}

fn log_in(program: Program, user: &str, password: &str) -> Program {
    with_password(with_protocol(program, "SASL_PLAINTEXT"), "SCRAM-SHA-512", user, password)
}

/// The lines of a check that ended with this code: layer, status, and the rest of it.
fn lines(outcome: Outcome, code: i32) -> Result<Vec<(String, String, String)>> {
    let report = outcome.expect_code(code)?.json()?;
    let findings = report.get("findings").and_then(Value::as_array).context("no findings")?;
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let rest = |finding: &Value| {
        ["what", "seen", "to_do"].map(|name| text(finding, name)).into_iter().collect::<Vec<_>>().join(" | ")
    };
    Ok(findings.iter().map(|finding| (text(finding, "layer"), text(finding, "status"), rest(finding))).collect())
}

/// Checks that these layers, and no others, have failed, and that what is said of them has these words. The first that failed.
fn fails(outcome: Outcome, code: i32, layer: &str, words: &[&str]) -> Result<String> {
    let found = lines(outcome, code)?;
    let failed: Vec<_> = found.iter().filter(|(_, status, _)| status == "FAIL").collect();
    ensure!(!failed.is_empty(), "nothing has failed: {found:?}");
    ensure!(failed.iter().all(|(of, ..)| of == layer), "other layers than {layer} have failed: {failed:?}");
    for word in words {
        ensure!(failed.iter().any(|(.., said)| said.contains(word)), "{word:?} is not said: {failed:?}");
    }
    Ok(failed[0].2.clone())
}

/// Checks that nothing failed.
fn passes(outcome: Outcome) -> Result<Vec<(String, String, String)>> {
    let found = lines(outcome, 0)?;
    ensure!(found.iter().all(|(_, status, _)| status == "PASS" || status == "not verified"), "{found:?}");
    Ok(found)
}

fn rights(bench: &mut Bench) -> Result<String> {
    let servers = bench.login_place("check")?.servers;
    let cluster = bench.login()?;
    for (topic, operation) in [("check-write", "Write"), ("check-read", "Read"), ("check-nothing", "")] {
        cluster.create_topic(topic, 3, 1, &[])?;
        if !operation.is_empty() {
            cluster.allow(USER, &[operation], Resource::Topic(topic))?;
        }
    }
    let to_read: Vec<NewRecord> = (0..10).map(|number| NewRecord::value(number.to_string())).collect();
    records::produce(&cluster.internal_config(), "check-read", &to_read)?;
    let as_user = |program: Program| log_in(program, USER, PASSWORD);

    passes(as_user(producer(bench, &servers, "check-write", &[])).run(RUN)?)?;
    let place = Place { servers: servers.clone(), topic: "check-write".to_owned(), run: "check-write".to_owned() };
    Report::of_all(as_user(bench.producer(&place)).args(["--messages", "10"]).run(RUN)?, 10)?;
    passes(as_user(consumer(bench, &servers, "check-read", &["--group", "check"])).run(RUN)?)?;
    let place = Place { servers: servers.clone(), topic: "check-read".to_owned(), run: "check".to_owned() };
    let reading = bench.consumer(&place).args(["--from", "earliest", "--max-records", "10", "--timeout", "60s"]);
    as_user(reading).run(RUN)?.expect_code(0)?;

    let less = as_user(producer(bench, &servers, "check-read", &[])).run(RUN)?;
    let write = fails(less, 4, "rights", &["Write on topic check-read", "allowed is: Read, Describe"])?;
    let less = as_user(producer(bench, &servers, "check-write", &["--round-trip"])).run(RUN)?;
    fails(less, 4, "rights", &["Read on topic check-write"])?;
    let less = as_user(consumer(bench, &servers, "check-write", &["--group", "check"])).run(RUN)?;
    fails(less, 4, "rights", &["Read on topic check-write"])?;
    let hidden = as_user(producer(bench, &servers, "check-nothing", &[])).run(RUN)?;
    fails(hidden, 4, "topic", &["missing Describe, or no such topic"])?;
    let guarded = bench.login_place("check")?.topic;
    let stranger = log_in(consumer(bench, &servers, &guarded, &["--group", "check"]), STRANGER, PASSWORD);
    let group = fails(stranger.run(RUN)?, 4, "rights", &["Read on group check"])?;
    Ok(format!("{write}\n     {group}"))
}

fn layers(bench: &mut Bench) -> Result<String> {
    let servers = bench.login_place("check")?.servers;
    let nobody = format!("127.0.0.1:{}", free_port()?);
    let short = ["--timeout", "10s"];
    fails(
        producer(bench, "no-such-host.invalid:9092", "test", &short).run(RUN)?,
        3,
        "name",
        &["no-such-host.invalid"],
    )?;
    fails(producer(bench, &nobody, "test", &short).run(RUN)?, 3, "tcp", &["refused"])?;
    let with_tls = with_protocol(producer(bench, &servers, "test", &short), "SSL");
    fails(with_tls.run(RUN)?, 3, "tls", &["may speak without TLS"])?;
    let wrong = log_in(producer(bench, &servers, "guarded", &short), USER, "wrong");
    let login = fails(wrong.run(RUN)?, 4, "login", &["password"])?;
    let missing = log_in(producer(bench, &servers, "guarded-not", &short), USER, PASSWORD);
    fails(missing.run(RUN)?, 4, "topic", &["missing Describe, or no such topic"])?;
    let cluster = bench.one()?;
    cluster.create_topic("check-few", 2, 1, &[("min.insync.replicas", "2"), ("max.message.bytes", "2000")])?;
    let plain = cluster.bootstrap_servers();
    let few = fails(producer(bench, &plain, "check-few", &short).run(RUN)?, 1, "topic", &["too few in sync"])?;
    passes(consumer(bench, &plain, "check-few", &short).run(RUN)?)?;
    Ok(format!("{login}\n     {few}"))
}

fn certificates(bench: &mut Bench) -> Result<String> {
    const LISTENERS: [Listener; 2] = [
        Listener { name: "EXPIRED", sasl: &[], tls: Some(Tls::Server), shown: Shown::Expired },
        Listener { name: "ELSEWHERE", sasl: &[], tls: Some(Tls::Server), shown: Shown::OfAnotherHost },
    ];
    bench.forget_clusters();
    let builder = LISTENERS.into_iter().fold(Cluster::builder().tls(Tls::Server), testbed::apache::Builder::listener);
    let cluster = builder.start()?;
    cluster.create_topic("check", 1, 1, &[])?;
    let authority = cluster.pki()?.ca_path();
    let known = |program: Program| with_authority(with_protocol(program, "SSL"), &authority);
    let good = passes(known(producer(bench, &cluster.bootstrap_servers(), "check", &[])).run(RUN)?)?;
    let good = good.iter().find(|(layer, ..)| layer == "tls").context("no line on TLS")?.2.clone();
    ensure!(good.contains("days left"), "it is not said how long the certificate holds: {good}");
    let unknown = with_protocol(producer(bench, &cluster.bootstrap_servers(), "check", &[]), "SSL");
    fails(unknown.run(RUN)?, 4, "tls", &["unknown authority"])?;
    let expired = known(producer(bench, &cluster.listener("EXPIRED")?, "check", &[]));
    fails(expired.run(RUN)?, 4, "tls", &["expired"])?;
    let elsewhere = known(producer(bench, &cluster.listener("ELSEWHERE")?, "check", &[]));
    fails(elsewhere.run(RUN)?, 4, "tls", &["not for the host"])?;
    Ok(good)
}

fn group(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("check-group")?;
    Report::of_all(bench.producer(&place).args(["--messages", "100"]).run(RUN)?, 100)?;
    let reading = bench.consumer(&place).args(["--from", "earliest", "--exit-at-end", "--timeout", "60s"]);
    reading.run(RUN)?.expect_code(0)?;
    Report::of_all(bench.producer(&place).args(["--messages", "20"]).run(RUN)?, 20)?;
    let member = crate::consumer::Consumer::start(
        bench.consumer(&place).args(["--from", "latest"]),
        &crate::consumer::shared(Some(&place.run))?,
    )?;
    member.wait_until_ready()?;
    let before = bench.one()?.members(&place.run)?;
    let found = passes(consumer(bench, &place.servers, &place.topic, &["--group", &place.run]).run(RUN)?)?;
    let after = bench.one()?.members(&place.run)?;
    ensure!(before == after && after.len() == 1, "the group has changed: {before:?} {after:?}");
    let standings: Vec<&String> = found.iter().filter(|(layer, ..)| layer == "group").map(|(.., said)| said).collect();
    ensure!(standings.len() == 7, "not a line for the group and each partition: {standings:?}");
    ensure!(standings[0].contains("1 members"), "its member is not counted: {standings:?}");
    let ends: u64 = standings
        .iter()
        .filter_map(|said| said.split("end ").nth(1)?.split([',', ' ']).next()?.parse::<u64>().ok())
        .sum();
    ensure!(ends == 120, "the ends are not those of the topic: {standings:?}");
    member.stop(testbed::process::Signal::TERM)?.expect_code(0)?;
    Ok(standings.last().map(ToString::to_string).unwrap_or_default())
}
