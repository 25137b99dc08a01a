//! Encrypted connections, certificates of both sides, and clients that have it wrong.

use std::path::Path;

use anyhow::{Result, ensure};
use testbed::apache::{Cluster, Tls};
use testbed::process::Program;

use super::Scenario;
use super::access::{with_authority, with_certificate, with_protocol};
use super::bench::{Bench, Place, RUN, Report};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "tls",
        claim: "TLS with the authority publishes and consumes; without it 4; a client without TLS ends with 3 and the cause",
        run: server,
    },
    Scenario {
        name: "mutual-tls",
        claim: "a client certificate with an encrypted key publishes; without a certificate it does not",
        run: mutual,
    },
];

const KEY_PASSWORD: &str = "key password";

fn server(bench: &mut Bench) -> Result<String> {
    bench.forget_clusters();
    let cluster = Cluster::builder().tls(Tls::Server).start()?;
    let place = place(&cluster)?;
    let authority = cluster.pki()?.ca_path();
    Report::of_all(with_tls(bench.producer(&place), Some(&authority)).args(["--messages", "100"]).run(RUN)?, 100)?;
    let consumer = bench.consumer(&place).args(["--max-records", "100", "--timeout", "60s"]);
    with_tls(consumer, Some(&authority)).run(RUN)?.expect_code(0)?;
    let unverified = Report::of(with_tls(bench.producer(&place), None).args(["--timeout", "60s"]).run(RUN)?, 4)?;
    let plain = Report::of(bench.producer(&place).args(["--timeout", "10s"]).run(RUN)?, 3)?;
    let named = plain.message.contains("Disconnected") && plain.message.contains("KAFKA_SECURITY_PROTOCOL");
    ensure!(named, "the cause is not named: {}", plain.message);
    Ok(format!(
        "100 delivered and logged\n     without the authority: {}\n     without TLS: {}",
        unverified.message, plain.message
    ))
}

fn mutual(bench: &mut Bench) -> Result<String> {
    bench.forget_clusters();
    let cluster = Cluster::builder().tls(Tls::Mutual).start()?;
    let place = place(&cluster)?;
    let pki = cluster.pki()?;
    let (authority, key) = (pki.ca_path(), pki.encrypted_client_key(KEY_PASSWORD)?);
    let with_certificate = |program: Program, password: &str| {
        let program = with_tls(program, Some(&authority)).args(["--messages", "100", "--timeout", "20s"]);
        let program = with_certificate(program, &pki.client_certificate(), &key);
        program.env("KAFKA_SSL_KEY_PASSWORD", password)
    };
    Report::of_all(with_certificate(bench.producer(&place), KEY_PASSWORD).run(RUN)?, 100)?;
    let wrong = with_certificate(bench.producer(&place), "wrong").run(RUN)?;
    ensure!(wrong.code() == Some(2), "a wrong key password ended with {:?}\n{wrong}", wrong.code());
    let without = with_tls(bench.producer(&place), Some(&authority)).args(["--timeout", "10s"]).run(RUN)?;
    let code = without.code().unwrap_or_default();
    ensure!(code == 4, "without a certificate it ended with {code}\n{without}");
    let report = Report::of(without, code)?;
    Ok(format!("100 delivered; wrong key password: 2; without a certificate: {code}, {}", report.message))
}

fn place(cluster: &Cluster) -> Result<Place> {
    cluster.create_topic("tls", 6, 1, &[])?;
    Ok(Place::new(cluster, "tls", "tls"))
}

fn with_tls(program: Program, authority: Option<&Path>) -> Program {
    let program = with_protocol(program, "SSL");
    match authority {
        Some(authority) => with_authority(program, authority),
        None => program,
    }
}
