//! What tokens have beside the right one and the wrong one: they end, and the endpoint may be away for a while.

use std::time::Instant;

use anyhow::{Result, ensure};
use testbed::ports::free_port;
use testbed::process::Signal;

use super::super::access::form_encoded;
use super::super::bench::{Report, SERVICE, expect_exactly_once};
use super::super::oauth::waits_for_server;
use super::super::token_server::TokenServer;
use super::bench::{Bench, CLIENT_SECRET, RUN};
use super::case::{Case, Seen, Which};
use crate::consumer::{Consumer, shared};

/// Of a token, in seconds. A broker does not take a second login of a connection within a second (`ILLEGAL_SASL_STATE`), and
/// librdkafka logs in again at nine tenths of a life: one of five seconds ends before it may.
const LIFETIME: u64 = 15;

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, what: &str, run: fn(&Bench) -> Result<Vec<Seen>>| Case {
        name: name.to_owned(),
        what: what.to_owned(),
        is_refusal: false,
        run: Box::new(run),
    };
    vec![
        case("oauth-token-ends", "tokens of 15 s end in mid-run: both programs log in again and go on", ends),
        case("oauth-endpoint-away", "the token endpoint comes up later: both programs wait for it", away),
    ]
}

fn ends(bench: &Bench) -> Result<Vec<Seen>> {
    const MESSAGES: u64 = 800;
    let (began, run, port) = (Instant::now(), "oauth-token-ends", free_port()?);
    let server = TokenServer::with_lifetime(port, SERVICE, &form_encoded(CLIENT_SECRET), LIFETIME)?;
    let received = shared(Some(run))?;
    let consumer = Consumer::start(bench.by_token(Which::Consumer, port, run)?.args(["--from", "latest"]), &received)?;
    consumer.wait_until_ready()?;
    let sent = Instant::now();
    // More than two lives of a token.
    let rate = ["--messages", &MESSAGES.to_string(), "--rate", "20/s"];
    Report::of_all(bench.by_token(Which::Producer, port, run)?.args(rate).run(RUN)?, MESSAGES)?;
    let produced = sent.elapsed();
    expect_exactly_once(&received, MESSAGES)?;
    consumer.stop(Signal::TERM)?.expect_code(0)?;
    let tokens = server.tokens().len();
    ensure!(tokens >= 6, "only {tokens} tokens were handed out to two programs in 40 s");
    Ok(vec![
        Seen {
            program: Which::Producer,
            code: 0,
            took: produced,
            said: format!("{MESSAGES} delivered; {tokens} tokens for both"),
        },
        Seen { program: Which::Consumer, code: 0, took: began.elapsed(), said: format!("{MESSAGES} logged") },
    ])
}

fn away(bench: &Bench) -> Result<Vec<Seen>> {
    let run = "oauth-endpoint-away";
    let mut seen = Vec::new();
    let flags: [(Which, &[&str]); 2] =
        [(Which::Producer, &["--messages", "100"]), (Which::Consumer, &["--exit-at-end", "--timeout", "50s"])];
    for (program, flags) in flags {
        let (began, port) = (Instant::now(), free_port()?);
        let outcome = waits_for_server(bench.by_token(program, port, run)?.args(flags), port, CLIENT_SECRET)?;
        let outcome = outcome.expect_code(0)?;
        let said = match program {
            Which::Producer => format!("waited, then {} delivered", Report::of_all(outcome, 100)?.delivered),
            Which::Consumer => {
                let lines = outcome.json_lines()?.len();
                ensure!(lines >= 100, "{lines} records were logged");
                "waited, then all logged".to_owned()
            }
        };
        seen.push(Seen { program, code: 0, took: began.elapsed(), said });
    }
    Ok(seen)
}
