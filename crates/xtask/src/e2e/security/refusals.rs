//! The refusals, as data: who is refused, what is wrong, and what the last message must and must not say.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::process::Outcome;

use super::super::bench::{PASSWORD, Report, SERVICE, STRANGER, USER};
use super::bench::{Access, Bench, CLIENT_SECRET, GROUP, HIDDEN, Login, READABLE, RUN, TOPIC, Trust, WRITABLE};
use super::case::{BOTH, Case, Seen, Which};
use super::search::Needle;

/// One row.
struct Refusal {
    name: &'static str,
    what: &'static str,
    programs: &'static [Which],
    access: Access,
    topic: &'static str,
    /// The run's name and the consumer's group; none is the row's name.
    group: Option<&'static str>,
    flags: &'static [&'static str],
    end: End,
    /// What in the message names the layer: login, TLS, certificate, topic, group.
    layer: &'static str,
    /// What else must be in it: the cause.
    words: &'static [&'static str],
    /// What of other causes must not be in it.
    never: &'static [&'static str],
}

/// How it ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    /// Refused for good: 4, within [`AT_ONCE`].
    Refused,
    /// It may pass: 3, at `--timeout`.
    AtTimeout,
}

/// A refusal is told within this time, from the start of the process to its end.
const AT_ONCE: Duration = Duration::from_secs(5);
/// As it is given where nothing is final.
const TIMEOUT: Duration = Duration::from_secs(5);
/// What a process may take beyond it, to start and to end.
const BEYOND: Duration = Duration::from_secs(3);

const WRONG: &str = "wrong-password-31";
const WRONG_SECRET: &str = "wrong-secret-31";
/// What no refusal may say: it is the sentence of another exit code.
const UNREACHABLE: &str = "can be reached";

const PRODUCER: &[Which] = &[Which::Producer];
const CONSUMER: &[Which] = &[Which::Consumer];

const fn by(mechanism: &'static str, user: &'static str, password: &'static str) -> Access {
    Access::plain(Some("SASL"), Login::Password(mechanism, user, password))
}

/// A row with both programs, refused at the topic that all have, to be changed from.
const fn row(name: &'static str, what: &'static str, access: Access, layer: &'static str) -> Refusal {
    Refusal {
        name,
        what,
        programs: BOTH,
        access,
        topic: TOPIC,
        group: None,
        flags: &[],
        end: End::Refused,
        layer,
        words: &[],
        never: &[],
    }
}

const SASL: &str = "SASL";
/// Of OpenSSL's one error, the three are told apart.
const EXPIRED: &str = "expired on";
const OF_ANOTHER_HOST: &str = "is not for the host";
const UNKNOWN_AUTHORITY: &str = "unknown authority";

fn rows() -> Vec<Refusal> {
    let bob = by("PLAIN", STRANGER, PASSWORD);
    let certificate =
        |name, what, access, words, never| Refusal { words, never, ..row(name, what, access, "certificate") };
    vec![
        Refusal {
            words: &["password"],
            ..row("wrong-password-plain", "a wrong password, PLAIN", by("PLAIN", USER, WRONG), SASL)
        },
        Refusal {
            words: &["password"],
            ..row("wrong-password-scram-256", "a wrong password, SCRAM-SHA-256", by("SCRAM-SHA-256", USER, WRONG), SASL)
        },
        Refusal {
            words: &["password"],
            ..row("wrong-password-scram-512", "a wrong password, SCRAM-SHA-512", by("SCRAM-SHA-512", USER, WRONG), SASL)
        },
        Refusal {
            words: &["password", "KAFKA_USERNAME"],
            ..row("unknown-user", "a user that the broker does not know", by("SCRAM-SHA-512", "nobody", PASSWORD), SASL)
        },
        Refusal {
            words: &["does not offer the mechanism PLAIN", "SCRAM-SHA-256", "KAFKA_SASL_MECHANISM"],
            never: &["password"],
            ..row(
                "mechanism-not-offered",
                "a mechanism that the listener does not offer",
                Access::plain(Some("SCRAM256"), Login::Password("PLAIN", USER, PASSWORD)),
                "mechanism",
            )
        },
        Refusal {
            words: &["invalid_client", "KAFKA_OAUTH_CLIENT_ID"],
            ..row(
                "oauth-401",
                "a client secret that the token endpoint answers with 401",
                Access::plain(Some("SASL"), Login::Token(WRONG_SECRET)),
                "token endpoint",
            )
        },
        Refusal {
            end: End::AtTimeout,
            words: &["no login", "KAFKA_OAUTH_TOKEN_URL"],
            ..row(
                "oauth-endpoint-down",
                "nobody answers at the token endpoint",
                Access::plain(Some("SASL"), Login::NoEndpoint),
                "token endpoint",
            )
        },
        Refusal {
            programs: PRODUCER,
            topic: READABLE,
            words: &["Write on the topic", READABLE],
            never: &["group", "Read on", "Describe"],
            ..row("no-write", "a producer without Write on the topic", bob, "topic")
        },
        Refusal {
            programs: CONSUMER,
            topic: WRITABLE,
            group: Some(GROUP),
            words: &["Read on the topic", WRITABLE],
            never: &["Read on the group", "Write on", "Describe"],
            ..row("no-read", "a consumer without Read on the topic", bob, "topic")
        },
        Refusal {
            topic: HIDDEN,
            group: Some(GROUP),
            words: &["may not even see the topic", HIDDEN],
            never: &["on the group", "does not exist"],
            ..row("no-describe", "a topic that the user may not see", bob, "topic")
        },
        Refusal {
            programs: CONSUMER,
            topic: READABLE,
            group: Some("forbidden"),
            words: &["Read on the group", "forbidden"],
            never: &["on the topic"],
            ..row("no-group", "a consumer without Read on the group", bob, "group")
        },
        Refusal {
            programs: PRODUCER,
            topic: WRITABLE,
            flags: &["--transactional-id", "forbidden"],
            words: &["Write on the transactional id", "forbidden"],
            never: &["on the topic"],
            ..row("no-transactional-id", "a producer without Write on its transactional id", bob, "transaction")
        },
        certificate(
            "no-client-certificate",
            "mutual TLS without a certificate of the client's",
            Access::tls("MUTUAL", Login::None),
            &["client certificate", "KAFKA_SSL_CERTIFICATE_LOCATION"],
            &[EXPIRED, OF_ANOTHER_HOST, UNKNOWN_AUTHORITY],
        ),
        certificate(
            "certificate-expired",
            "the broker's certificate has expired",
            Access::tls("EXPIRED", Login::None),
            &[EXPIRED],
            &[OF_ANOTHER_HOST, UNKNOWN_AUTHORITY],
        ),
        certificate(
            "certificate-other-host",
            "the broker's certificate is of another host",
            Access::tls("ELSEWHERE", Login::None),
            &[OF_ANOTHER_HOST, testbed::apache::Pki::OTHER_HOST],
            &[EXPIRED, UNKNOWN_AUTHORITY],
        ),
        certificate(
            "certificate-unknown",
            "the broker's certificate is of an authority that the client does not know",
            Access { trust: Some(Trust::Another), ..Access::tls("TLS", Login::None) },
            &[UNKNOWN_AUTHORITY, "KAFKA_SSL_CA_LOCATION"],
            &[EXPIRED, OF_ANOTHER_HOST],
        ),
        Refusal {
            end: End::AtTimeout,
            words: &["not speak TLS", "KAFKA_SECURITY_PROTOCOL"],
            ..row(
                "tls-to-plain",
                "a port without TLS, asked with it",
                Access { trust: Some(Trust::Right), ..Access::plain(None, Login::None) },
                "TLS",
            )
        },
        Refusal {
            end: End::AtTimeout,
            words: &["may want TLS", "KAFKA_SECURITY_PROTOCOL"],
            ..row("plain-to-tls", "a port with TLS, asked without", Access::plain(Some("TLS"), Login::None), "TLS")
        },
    ]
}

pub(super) fn cases() -> Vec<Case> {
    rows().into_iter().map(case).collect()
}

fn case(row: Refusal) -> Case {
    Case {
        name: row.name.to_owned(),
        what: row.what.to_owned(),
        is_refusal: true,
        run: Box::new(move |bench| row.programs.iter().map(|program| refused(bench, &row, *program)).collect()),
    }
}

fn refused(bench: &Bench, row: &Refusal, program: Which) -> Result<Seen> {
    let client = bench.client(program, row.access, row.topic, row.group.unwrap_or(row.name))?.args(row.flags);
    let client = match (row.end, program) {
        (End::Refused, _) => client,
        (End::AtTimeout, Which::Producer) => client.args(["--timeout", "5s"]),
        (End::AtTimeout, Which::Consumer) => client.args(["--exit-at-end", "--timeout", "5s"]),
    };
    let began = Instant::now();
    let outcome = client.run(RUN).with_context(|| format!("the {}", program.name()))?;
    let took = began.elapsed();
    let code = if row.end == End::Refused { 4 } else { 3 };
    let said = judge(row, program, &outcome, code)?;
    let right_time = match row.end {
        End::Refused => took <= AT_ONCE,
        End::AtTimeout => took >= TIMEOUT && took <= TIMEOUT + BEYOND,
    };
    ensure!(right_time, "the {} took {took:?}: {said}", program.name());
    Ok(Seen { program, code, took, said })
}

/// The last message, if it is as the row wants it.
fn judge(row: &Refusal, program: Which, outcome: &Outcome, code: i32) -> Result<String> {
    let name = program.name();
    ensure!(outcome.code() == Some(code), "the {name} ended with {} instead of code {code}\n{outcome}", outcome.status);
    let said = last_words(outcome).with_context(|| format!("the {name} has no last words\n{outcome}"))?;
    for word in row.words.iter().chain([&row.layer]) {
        ensure!(said.contains(word), "{word:?} is not in the {name}'s last words: {said}");
    }
    let unreachable = if row.end == End::Refused { UNREACHABLE } else { "the user needs" };
    for word in row.never.iter().chain([&unreachable]) {
        ensure!(!said.contains(word), "{word:?} is in the {name}'s last words: {said}");
    }
    if program == Which::Producer {
        let report = Report::of(outcome.clone(), code)?;
        ensure!(report.delivered == 0, "{report:?}");
        ensure!(report.message == said, "the report says something else than the log: {report:?}, {said}");
    }
    for secret in [PASSWORD, WRONG, WRONG_SECRET, CLIENT_SECRET] {
        let needle = Needle::new(secret, &[USER, STRANGER, SERVICE]);
        for (place, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
            ensure!(needle.find(text).is_none(), "a secret is in the {name}'s {place}");
        }
    }
    Ok(said)
}

/// The message of the last ERROR line.
fn last_words(outcome: &Outcome) -> Option<String> {
    let is_error = |event: &Value| event.get("level").is_some_and(|level| level == "ERROR");
    let event = outcome.events().into_iter().rfind(is_error)?;
    Some(event.get("message")?.as_str()?.to_owned())
}
