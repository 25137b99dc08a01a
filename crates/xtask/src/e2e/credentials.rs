//! Credentials that are replaced while the programs run, in files as Kubernetes mounts them.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::apache::{Cluster, Sasl, Tls};
use testbed::mount::Mount;
use testbed::process::{Program, Signal};

use super::Scenario;
use super::bench::{
    ARRIVAL, Bench, PASSWORD, Place, RUN, Report, USER, expect_exactly_once, finish, wait_for_messages,
};
use super::watch::Watch;
use crate::consumer::{Consumer, shared};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "password-file-changes",
        claim: "a new password in the file is taken up by both programs without a restart; nothing is lost or repeated",
        run: password,
    },
    Scenario {
        name: "certificate-file-changes",
        claim: "a new certificate ends the consumer with 0 within a minute, the next one reads on; nothing is lost or repeated",
        run: certificate,
    },
];

/// The password that replaces the first one.
const NEW_PASSWORD: &str = "another horse";
/// The brokers ask for it again after this, or end the connection: librdkafka cannot log in again on it.
const ASKED_AGAIN: (&str, &str) = ("listener.name.clients.scram-sha-512.connections.max.reauth.ms", "30000");
/// How long the program may take to see that a file was replaced, on a busy machine.
const SEEN: Duration = Duration::from_secs(15);
/// The consumer ends within this time of the change.
const SPREAD: Duration = Duration::from_secs(60);
/// To flush, commit and leave the group.
const DRAIN: Duration = Duration::from_secs(20);
const CHANGED: &str = "credentials_changed";
const FLAG: &str = "--exit-on-credential-change";

fn password(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 6000;
    bench.forget_clusters();
    let builder = Cluster::builder().sasl(&[Sasl::ScramSha512]).user(USER, PASSWORD);
    let cluster = builder.property(ASKED_AGAIN.0, ASKED_AGAIN.1).start()?;
    let place = place(&cluster, "password-file-changes")?;
    let mut of_consumer = Mount::new(&[("password", PASSWORD)])?;
    let mut of_producer = Mount::new(&[("password", PASSWORD)])?;
    let received = shared(Some(&place.run))?;
    let consumer = Consumer::start(with_password(bench.consumer(&place), &of_consumer), &received)?;
    consumer.wait_until_ready()?;
    let program = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "100/s"]);
    let producer = with_password(program, &of_producer).spawn()?;
    wait_for_messages(&received, MESSAGES / 100)?;

    // The producer's connection lasts until it has the new password; a login refused would be its end.
    of_producer.replace(&[("password", NEW_PASSWORD)])?;
    producer.wait_for_stderr_event(CHANGED, SEEN)?;
    cluster.set_password(USER, NEW_PASSWORD)?;
    consumer.wait_for_readiness(false, ARRIVAL)?;
    let began = Instant::now();
    of_consumer.replace(&[("password", NEW_PASSWORD)])?;
    consumer.process().wait_for_stderr_event(CHANGED, SEEN)?;
    consumer.wait_until_ready()?;
    let took = began.elapsed().as_secs_f64();

    let ended = producer.wait(RUN)?;
    let mut logs = ended.stderr.clone();
    Report::of_all(ended, MESSAGES)?;
    expect_exactly_once(&received, MESSAGES)?;
    logs.push_str(&consumer.stop(Signal::TERM)?.expect_code(0)?.stderr);
    ensure!(!logs.contains(PASSWORD) && !logs.contains(NEW_PASSWORD), "a password is in the log:\n{logs}");
    Ok(format!("ready {took:.1} s after the file had the new password; {MESSAGES} delivered and logged once"))
}

fn certificate(bench: &mut Bench) -> Result<String> {
    // Longer than the consumer may take to end.
    const MESSAGES: u64 = 4500;
    bench.forget_clusters();
    let cluster = Cluster::builder().tls(Tls::Mutual).start()?;
    let place = place(&cluster, "certificate-file-changes")?;
    let pki = cluster.pki()?;
    let (authority, old) = (fs::read(pki.ca_path())?, (pki.client_certificate(), pki.client_key()));
    let new = pki.another_client("client.new")?;
    let files = |(certificate, key): &(PathBuf, PathBuf)| -> Result<[(&'static str, Vec<u8>); 3]> {
        Ok([("ca.crt", authority.clone()), ("tls.crt", fs::read(certificate)?), ("tls.key", fs::read(key)?)])
    };
    let mut mount = Mount::new(&files(&old)?)?;
    // Of another group and without the flag: it only says that it should be restarted.
    let warned = Place { run: "warned".to_owned(), ..place.clone() };
    let warned = Watch::ready(with_certificate(bench.consumer(&warned), &mount))?;
    let received = shared(Some(&place.run))?;
    let member = |mount: &Mount| with_certificate(bench.consumer(&place), mount).arg(FLAG);
    let consumer = Consumer::start(member(&mount), &received)?;
    consumer.wait_until_ready()?;
    let program = bench.producer(&place).args(["--messages", &MESSAGES.to_string(), "--rate", "50/s"]);
    let producer = with_certificate(program, &mount).spawn()?;
    wait_for_messages(&received, MESSAGES / 100)?;

    mount.replace(&files(&new)?)?;
    let began = Instant::now();
    let event = consumer.process().wait_for_stderr_event(CHANGED, SEEN)?;
    let named = ["tls.crt", "tls.key"].iter().all(|name| event.to_string().contains(name));
    ensure!(named && !event.to_string().contains("ca.crt"), "not the files that have changed: {event}");
    let seconds = event.get("seconds").and_then(Value::as_u64).context("the event has no seconds")?;
    ensure!(seconds < SPREAD.as_secs(), "{seconds} s are no moment within a minute");
    warned.wait_for_log("WARN", &[CHANGED, FLAG, "tls.crt"], SEEN)?;
    while consumer.process().is_running() {
        ensure!(began.elapsed() < SEEN + SPREAD + DRAIN, "it has not ended; {}", consumer.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let took = began.elapsed().as_secs_f64();
    let log = consumer.wait()?.expect_code(0)?.stderr;
    ensure!(log.contains("\"stopped\""), "it does not say that it has stopped:\n{log}");
    let next = Consumer::start(member(&mount), &received)?;
    next.wait_until_ready()?;
    finish(producer, MESSAGES)?;
    expect_exactly_once(&received, MESSAGES)?;
    next.stop(Signal::TERM)?.expect_code(0)?;
    warned.stop(Signal::TERM)?.expect_code(0)?;
    Ok(format!("said {seconds} s, ended with 0 after {took:.1} s; {MESSAGES} delivered, and logged once by the two"))
}

fn place(cluster: &Cluster, name: &str) -> Result<Place> {
    cluster.create_topic(name, 6, 1, &[])?;
    Ok(Place::new(cluster, name, name))
}

fn with_password(program: Program, mount: &Mount) -> Program {
    let login = ["--security-protocol", "SASL_PLAINTEXT", "--sasl-mechanism", "SCRAM-SHA-512", "--username", USER];
    program.args(login).env("KAFKA_PASSWORD_FILE", mount.path("password"))
}

fn with_certificate(program: Program, mount: &Mount) -> Program {
    let program = program.args(["--security-protocol", "SSL"]).arg("--ssl-ca-location").arg(mount.path("ca.crt"));
    let program = program.arg("--ssl-certificate-location").arg(mount.path("tls.crt"));
    program.arg("--ssl-key-location").arg(mount.path("tls.key"))
}
