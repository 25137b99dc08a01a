//! Secrets, by each way to give one: found nowhere that a program writes to, even when it says all it can.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testbed::http;
use testbed::process::{Outcome, Program, Signal};

use super::super::bench::{PASSWORD, SERVICE, USER};
use super::bench::{Access, Bench, CLIENT_SECRET, KEY_PASSWORD, Login, RUN, TOPIC};
use super::case::{BOTH, Case, Seen, Which};
use super::search::Needle;

/// A secret of a connection.
#[derive(Clone, Copy)]
enum Secret {
    Password,
    KeyPassword,
    OfClient,
}

/// How it is given.
#[derive(Clone, Copy, Debug)]
enum Way {
    Variable,
    File,
    EnvFile,
    Properties,
}

/// Name, secret, way. With a client secret the token is looked for too.
const ROWS: [(&str, Secret, Way); 11] = [
    ("secret-password-variable", Secret::Password, Way::Variable),
    ("secret-password-file", Secret::Password, Way::File),
    ("secret-password-env-file", Secret::Password, Way::EnvFile),
    ("secret-password-properties", Secret::Password, Way::Properties),
    ("secret-key-variable", Secret::KeyPassword, Way::Variable),
    ("secret-key-file", Secret::KeyPassword, Way::File),
    ("secret-key-env-file", Secret::KeyPassword, Way::EnvFile),
    ("secret-key-properties", Secret::KeyPassword, Way::Properties),
    ("secret-oauth-variable", Secret::OfClient, Way::Variable),
    ("secret-oauth-file", Secret::OfClient, Way::File),
    ("secret-oauth-env-file", Secret::OfClient, Way::EnvFile),
];

/// Where a secret must not be.
const PLACES: [&str; 9] = [
    "stdout",
    "stderr",
    "config's stdout",
    "config's stderr",
    "/metrics",
    "/readyz",
    "/",
    "termination log",
    "command line",
];

const READY: Duration = Duration::from_secs(40);
/// After SIGTERM.
const END: Duration = Duration::from_secs(10);

impl Secret {
    fn access(self) -> Access {
        match self {
            // Without TLS and by PLAIN: nothing but the programs themselves hides it.
            Self::Password => Access::plain(Some("SASL"), Login::Password("PLAIN", USER, PASSWORD)),
            Self::KeyPassword => Access { certificate: true, ..Access::tls("MUTUAL", Login::None) },
            Self::OfClient => Access::plain(Some("SASL"), Login::Token(CLIENT_SECRET)),
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::Password => PASSWORD,
            Self::KeyPassword => KEY_PASSWORD,
            Self::OfClient => CLIENT_SECRET,
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Password => "KAFKA_PASSWORD",
            Self::KeyPassword => "KAFKA_SSL_KEY_PASSWORD",
            Self::OfClient => "KAFKA_OAUTH_CLIENT_SECRET",
        }
    }

    fn property(self) -> Result<&'static str> {
        match self {
            Self::Password => Ok("sasl.password"),
            Self::KeyPassword => Ok("ssl.key.password"),
            Self::OfClient => bail!("the client's secret is no property of librdkafka"),
        }
    }

    /// Gives the program this secret; files for that go into the folder.
    fn give(self, program: Program, way: Way, folder: &Path) -> Result<Program> {
        let file = |name: &str, text: String| -> Result<PathBuf> {
            let path = folder.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(match way {
            Way::Variable => program.env(self.variable(), self.value()),
            Way::File => {
                program.env(format!("{}_FILE", self.variable()), file("secret", format!("{}\n", self.value()))?)
            }
            Way::EnvFile => {
                file(".env.secret", format!("{}={}\n", self.variable(), self.value()))?;
                program.env("ENV_DIR", folder)
            }
            Way::Properties => {
                let path = file("client.properties", format!("{}={}\n", self.property()?, self.value()))?;
                program.arg("--properties-file").arg(path)
            }
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let rows = ROWS.into_iter().map(|(name, secret, way)| Case {
        name: name.to_owned(),
        what: format!(
            "{} by {way:?}, both programs at RUST_LOG=trace with debug=all: found nowhere",
            secret.variable()
        ),
        is_refusal: true,
        run: Box::new(move |bench| BOTH.iter().map(|program| hidden(bench, *program, name, secret, way)).collect()),
    });
    let planted = Case {
        name: "secret-planted".to_owned(),
        what: "what is no secret is found by the same search: it can fail".to_owned(),
        is_refusal: true,
        run: Box::new(|bench| BOTH.iter().map(|program| planted(bench, *program)).collect()),
    };
    rows.chain([planted]).collect()
}

/// All that a program let out, in the order of [`PLACES`].
struct Output {
    texts: [String; PLACES.len()],
    code: i32,
    took: Duration,
}

impl Output {
    /// Where it is, and in what form.
    fn find(&self, needle: &Needle) -> Vec<(&'static str, &'static str)> {
        let found = PLACES.iter().zip(&self.texts).filter_map(|(place, text)| Some((*place, needle.find(text)?)));
        found.collect()
    }

    /// Places that had nothing in them, where something is always: a search in nothing finds nothing.
    fn check(&self, program: Which) -> Result<()> {
        for (place, text) in PLACES.iter().zip(&self.texts) {
            // The producer has no page, and `config` no complaints.
            let may_be_empty = *place == "config's stderr" || (*place == "/" && program == Which::Producer);
            ensure!(may_be_empty || !text.is_empty(), "there is nothing at all in the {}'s {place}", program.name());
        }
        let stderr = &self.texts[1];
        ensure!(stderr.contains(r#""target":"librdkafka""#), "librdkafka's own lines are not in the log");
        ensure!(
            stderr.contains(r#""level":"TRACE""#) || stderr.contains(r#""level":"DEBUG""#),
            "the log is not detailed"
        );
        Ok(())
    }
}

fn hidden(bench: &Bench, program: Which, name: &str, secret: Secret, way: Way) -> Result<Seen> {
    let output = output(bench, program, name, secret, way)?;
    output.check(program)?;
    let mut needles = vec![(secret.variable(), Needle::new(secret.value(), &[USER, SERVICE]))];
    if let Secret::OfClient = secret {
        needles.push(("the token", Needle::new(&bench.last_token()?, &[])));
    }
    for (what, needle) in &needles {
        let found = output.find(needle);
        ensure!(found.is_empty(), "{what} is in what the {} lets out: {found:?}", program.name());
    }
    let bytes: usize = output.texts.iter().map(String::len).sum();
    let said = format!("not in {bytes} bytes of {} places", PLACES.len());
    Ok(Seen { program, code: output.code, took: output.took, said })
}

/// The same search for the user's name and the topic's, which are printed.
fn planted(bench: &Bench, program: Which) -> Result<Seen> {
    let output = output(bench, program, "secret-planted", Secret::Password, Way::Variable)?;
    let found: Vec<&str> = [USER, TOPIC, "secret-planted"]
        .into_iter()
        .flat_map(|word| output.find(&Needle::new(word, &[])))
        .map(|(place, _)| place)
        .collect();
    for place in ["stdout", "stderr", "config's stdout", "termination log", "command line"] {
        ensure!(found.contains(&place), "a planted word is not found in the {}'s {place}: {found:?}", program.name());
    }
    // The consumer's metrics name the topic.
    ensure!(program == Which::Producer || found.contains(&"/metrics"), "it is not found in /metrics: {found:?}");
    let places = PLACES.iter().filter(|place| found.contains(place)).count();
    let said = format!("found in {places} places");
    Ok(Seen { program, code: output.code, took: output.took, said })
}

/// Runs a program that says all it can, asks it all it answers, and stops it with work undone, so that it has a message too.
fn output(bench: &Bench, which: Which, name: &str, secret: Secret, way: Way) -> Result<Output> {
    let folder = TempDir::new()?;
    let termination_log = folder.path().join("termination-log");
    // It is not made by the programs.
    fs::write(&termination_log, "")?;
    let dressed = |subcommand: Option<&str>| -> Result<Program> {
        let program = bench.public(bench.nowhere(which, subcommand, TOPIC, name), secret.access())?;
        let program = secret.give(program, way, folder.path())?;
        let program = program.args(["-X", "debug=all"]).env("RUST_LOG", "trace");
        Ok(program.arg("--termination-log").arg(&termination_log))
    };
    // Some records for the consumer of the same case to log.
    if which == Which::Consumer {
        let access = secret.access();
        bench.client(Which::Producer, access, TOPIC, name)?.args(["--messages", "20"]).run(RUN)?.expect_code(0)?;
    }
    let config = dressed(Some("config"))?.run(RUN)?.expect_code(0)?;
    let flags: [&str; 4] = match which {
        Which::Producer => ["--messages", "100000", "--rate", "20/s"],
        Which::Consumer => ["--max-records", "100000", "--timeout", "60s"],
    };
    let began = Instant::now();
    let process = dressed(None)?.args(flags).spawn()?;
    let event = process.wait_for_stderr_event("admin_listening", READY)?;
    let admin = event.get("address").and_then(Value::as_str).context("the event names no address")?.to_owned();
    http::wait_for(admin.as_str(), "/readyz", READY, |answer| answer.status == 200)?;
    if which == Which::Consumer {
        process.wait_for_stdout(READY, |_| true)?;
    }
    let [metrics, readiness, page] =
        ["/metrics", "/readyz", "/"].map(|path| http::get(admin.as_str(), path).map(|answer| answer.body));
    let command_line = fs::read_to_string(format!("/proc/{}/cmdline", process.pid()))?;
    let asked = Instant::now();
    let Outcome { status, stdout, stderr, .. } = process.stop(Signal::TERM, RUN)?;
    // Far from the drain's deadline: what is in flight is not librdkafka's log.
    ensure!(asked.elapsed() < END, "the {} took {:?} to end after SIGTERM", which.name(), asked.elapsed());
    let code = status.code().context("a signal ended it")?;
    ensure!(code == 143, "the {} ended with {code} at SIGTERM, its work undone\n{stdout}", which.name());
    let texts = [
        stdout,
        stderr,
        config.stdout,
        config.stderr,
        metrics?,
        readiness?,
        page?,
        fs::read_to_string(&termination_log)?,
        command_line,
    ];
    Ok(Output { texts, code, took: began.elapsed() })
}
