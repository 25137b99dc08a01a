//! The ways to log in, as data: with each, 100 messages are delivered, and logged.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::super::bench::{PASSWORD, Report, USER};
use super::bench::{Access, Bench, CLIENT_SECRET, Login, RUN, TOPIC};
use super::case::{Case, Seen, Which};
use crate::received::Received;

const MESSAGES: u64 = 100;

/// Name, what it is, access.
const WAYS: [(&str, &str, Access); 11] = [
    ("plaintext", "no TLS, no login", Access::plain(None, Login::None)),
    ("tls", "TLS, the authority given", Access::tls("TLS", Login::None)),
    (
        "mutual-tls",
        "TLS of both sides, the client's key encrypted",
        Access { certificate: true, ..Access::tls("MUTUAL", Login::None) },
    ),
    ("plain", "SASL PLAIN", Access::plain(Some("SASL"), password("PLAIN"))),
    ("plain-tls", "SASL PLAIN over TLS", Access::tls("SASLTLS", password("PLAIN"))),
    ("scram-256", "SASL SCRAM-SHA-256", Access::plain(Some("SASL"), password("SCRAM-SHA-256"))),
    ("scram-256-tls", "SASL SCRAM-SHA-256 over TLS", Access::tls("SASLTLS", password("SCRAM-SHA-256"))),
    ("scram-512", "SASL SCRAM-SHA-512", Access::plain(Some("SASL"), password("SCRAM-SHA-512"))),
    ("scram-512-tls", "SASL SCRAM-SHA-512 over TLS", Access::tls("SASLTLS", password("SCRAM-SHA-512"))),
    ("oauthbearer", "SASL OAUTHBEARER", Access::plain(Some("SASL"), Login::Token(CLIENT_SECRET))),
    ("oauthbearer-tls", "SASL OAUTHBEARER over TLS", Access::tls("SASLTLS", Login::Token(CLIENT_SECRET))),
];

const fn password(mechanism: &'static str) -> Login {
    Login::Password(mechanism, USER, PASSWORD)
}

pub(super) fn cases() -> Vec<Case> {
    WAYS.into_iter().map(case).collect()
}

fn case((name, what, access): (&'static str, &'static str, Access)) -> Case {
    let run = move |bench: &Bench| works(bench, name, access);
    Case { name: name.to_owned(), what: what.to_owned(), is_refusal: false, run: Box::new(run) }
}

fn works(bench: &Bench, name: &str, access: Access) -> Result<Vec<Seen>> {
    let began = Instant::now();
    let producer = bench.client(Which::Producer, access, TOPIC, name)?.args(["--messages", &MESSAGES.to_string()]);
    Report::of_all(producer.run(RUN)?, MESSAGES)?;
    let produced = began.elapsed();
    let began = Instant::now();
    let consumer = bench.client(Which::Consumer, access, TOPIC, name)?.args(["--exit-at-end", "--timeout", "50s"]);
    let outcome = consumer.run(RUN)?.expect_code(0)?;
    let consumed = began.elapsed();
    // The topic has records of other cases too.
    let mut received = Received::new(Some(name))?;
    outcome.stdout.lines().for_each(|line| received.line(line));
    ensure!(received.broken().is_none(), "{}", received.broken().unwrap_or_default());
    let (missing, repeated) = (received.missing(MESSAGES), received.duplicated());
    ensure!((missing, repeated) == (0, 0), "{missing} of {MESSAGES} messages are missing, {repeated} repeated");
    let seen = |program, took, word| Seen { program, code: 0, took, said: format!("{MESSAGES} {word}") };
    Ok(vec![seen(Which::Producer, produced, "delivered"), seen(Which::Consumer, consumed, "logged")])
}
