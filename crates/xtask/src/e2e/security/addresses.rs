//! A user and password inside an address or a URL: exit 2 before anybody is asked, and not printed.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::bench::{Bench, RUN, TOPIC};
use super::case::{BOTH, Case, Seen, Which};
use super::search::Needle;

const SECRET: &str = "sesame-99";

/// Name, where it is, the flag that says it, the variable that says it, the value, what else is given, the programs.
type Row =
    (&'static str, &'static str, &'static str, &'static str, &'static str, &'static [&'static str], &'static [Which]);

/// What the token endpoint is asked for.
const BY_TOKEN: &[&str] =
    &["--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "OAUTHBEARER", "--oauth-client-id", "service"];

const ROWS: [Row; 3] = [
    (
        "login-in-address",
        "a user and password in a broker's address",
        "--bootstrap-servers",
        "KAFKA_BOOTSTRAP_SERVERS",
        "user:sesame-99@127.0.0.1:9092",
        &[],
        BOTH,
    ),
    (
        "login-in-token-url",
        "a user and password in the token endpoint's URL",
        "--oauth-token-url",
        "KAFKA_OAUTH_TOKEN_URL",
        "http://user:sesame-99@127.0.0.1:9092/token",
        BY_TOKEN,
        BOTH,
    ),
    (
        "login-in-pushgateway-url",
        "a user and password in the Pushgateway's URL",
        "--pushgateway",
        "PRODUCER_PUSHGATEWAY",
        "http://user:sesame-99@127.0.0.1:9091",
        &[],
        &[Which::Producer],
    ),
];

pub(super) fn cases() -> Vec<Case> {
    ROWS.into_iter().map(case).collect()
}

fn case(row: Row) -> Case {
    let (name, what, .., programs) = row;
    let run = move |bench: &Bench| programs.iter().map(|program| unseen(bench, *program, row)).collect();
    Case { name: name.to_owned(), what: what.to_owned(), is_refusal: true, run: Box::new(run) }
}

/// By flag and by variable, run and asked for its settings.
fn unseen(bench: &Bench, which: Which, (_, _, flag, variable, value, flags, _): Row) -> Result<Seen> {
    let began = Instant::now();
    let needle = Needle::new(SECRET, &["user"]);
    let mut said = String::new();
    for subcommand in [None, Some("config")] {
        for by_flag in [true, false] {
            let program = bench.nowhere(which, subcommand, TOPIC, "unseen").args(flags);
            let program = if by_flag { program.args([flag, value]) } else { program.env(variable, value) };
            let outcome =
                program.env("KAFKA_OAUTH_CLIENT_SECRET", "x").env("RUST_LOG", "trace").run(RUN)?.expect_code(2)?;
            for (place, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
                ensure!(needle.find(text).is_none(), "the {}'s {place} has the password", which.name());
            }
            let events = outcome.events();
            let messages = events.iter().filter_map(|event| event.get("message")?.as_str());
            let problem = messages.into_iter().find(|message| message.contains("user") && message.contains("password"));
            said = problem.with_context(|| format!("the {} names no cause\n{outcome}", which.name()))?.to_owned();
        }
    }
    Ok(Seen { program: which, code: 2, took: began.elapsed() / 4, said })
}
