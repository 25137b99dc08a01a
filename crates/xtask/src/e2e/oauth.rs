//! Logins by token: right, refused, and with the token server or the broker away for a while.

use std::time::Duration;

use anyhow::{Result, ensure};
use testbed::apache::{Cluster, Resource, Sasl};
use testbed::ports::free_port;
use testbed::process::{Outcome, Program, Signal};

use super::Scenario;
use super::access::{self, form_encoded, with_protocol};
use super::bench::{Bench, Place, RUN, Report, SERVICE, expect_all, finish, wait_for_messages};
use super::token_server::TokenServer;
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "oauth",
        claim: "a token of the token server publishes and consumes; a wrong client secret ends both with 4",
        run: tokens,
    },
    Scenario {
        name: "oauth-server-away",
        claim: "with the token server down a producer waits, and publishes when it is up",
        run: server_away,
    },
    Scenario {
        name: "oauth-broker-away",
        claim: "with tokens too, a broker killed and started again in mid-run costs no message",
        run: broker_away,
    },
    Scenario {
        name: "oauth-token-ends",
        claim: "a token that ends while its server hangs is waited for: exit 3 at the deadline, naming the server",
        run: token_ends,
    },
];

const SECRET: &str = "service-secret/1+2";

fn tokens(bench: &mut Bench) -> Result<String> {
    let place = bench.login_place("oauth")?;
    let port = free_port()?;
    let _server = TokenServer::start(port, SERVICE, &form_encoded(SECRET))?;
    Report::of(with_token(bench.producer(&place), port, "wrong").run(RUN)?, 4)?;
    with_token(bench.consumer(&place), port, "wrong").run(RUN)?.expect_code(4)?;
    let outcome = with_token(bench.producer(&place), port, SECRET).args(["--messages", "100"]).run(RUN)?;
    ensure!(!outcome.stderr.contains(SECRET), "the secret is in the log");
    Report::of_all(outcome, 100)?;
    let consumer = bench.consumer(&place).args(["--from", "earliest", "--max-records", "100", "--timeout", "60s"]);
    with_token(consumer, port, SECRET).run(RUN)?.expect_code(0)?;
    // The client that creates a topic is one of its own, and needs a token too.
    let made = Place { topic: format!("{}-made", place.topic), ..place };
    bench.login()?.allow(SERVICE, &["Create", "Describe", "Write"], Resource::Topic(&made.topic))?;
    let program = bench.producer(&made).args(["--create-topic", "1:1", "--messages", "10"]);
    Report::of_all(with_token(program, port, SECRET).run(RUN)?, 10)?;
    Ok("wrong secret: 4 from both; right: 100 delivered and logged, 10 to a topic that was made".to_owned())
}

fn server_away(bench: &mut Bench) -> Result<String> {
    let place = bench.login_place("oauth-server-away")?;
    let port = free_port()?;
    let producer = with_token(bench.producer(&place), port, SECRET).args(["--messages", "100"]);
    Report::of_all(waits_for_server(producer, port, SECRET)?, 100)?;
    Ok("waited, then 100 delivered".to_owned())
}

/// The end of a program that is started while nobody answers at its token endpoint, and that meets the server later.
pub fn waits_for_server(program: Program, port: u16, secret: &str) -> Result<Outcome> {
    let process = program.spawn()?;
    process.wait_for_stderr_event("token_error", Duration::from_secs(20))?;
    let _server = TokenServer::start(port, SERVICE, &form_encoded(secret))?;
    process.wait(RUN)
}

fn broker_away(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 10_000;
    let place = bench.login_place("oauth-broker-away")?;
    let port = free_port()?;
    let _server = TokenServer::start(port, SERVICE, &form_encoded(SECRET))?;
    let received = shared(Some(&place.run))?;
    let program = bench.consumer(&place).args(["--from", "latest"]);
    let consumer = Consumer::start(with_token(program, port, SECRET), &received)?;
    consumer.wait_until_ready()?;
    let program = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "1k/s"]);
    let producer = with_token(program, port, SECRET).spawn()?;
    wait_for_messages(&received, MESSAGES / 10)?;
    bench.login()?.kill(1)?;
    bench.login()?.restart(1)?;
    finish(producer, MESSAGES)?;
    let repeated = expect_all(&received, MESSAGES)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("{MESSAGES} delivered, all logged, {repeated} repeated"))
}

fn token_ends(bench: &mut Bench) -> Result<String> {
    const LIFETIME: u64 = 5;
    bench.forget_clusters();
    // The broker ends a connection whose token has ended.
    let reauthentication = ("connections.max.reauth.ms", "3600000");
    let builder = Cluster::builder().sasl(&[Sasl::OAuthBearer]).property(reauthentication.0, reauthentication.1);
    let cluster = builder.start()?;
    cluster.create_topic("ends", 1, 1, &[])?;
    let place = Place::new(&cluster, "ends", "oauth-token-ends");
    let port = free_port()?;
    let server = TokenServer::with_lifetime(port, SERVICE, &form_encoded(SECRET), LIFETIME)?;
    let program = bench.producer(&place).args(["--messages", "100000", "--rate", "20/s", "--timeout", "25s"]);
    let producer = with_token(program, port, SECRET).spawn()?;
    producer.wait_for_stderr_event("publishing", RUN)?;
    server.say_nothing();
    let report = Report::of(producer.wait(RUN)?, 3)?;
    ensure!(report.delivered > 0, "nothing was delivered while the token was good: {report:?}");
    ensure!(report.message.contains("token endpoint"), "the cause is not named: {}", report.message);
    Ok(report.message)
}

fn with_token(program: Program, port: u16, secret: &str) -> Program {
    access::with_token(with_protocol(program, "SASL_PLAINTEXT"), port, SERVICE, secret)
}
