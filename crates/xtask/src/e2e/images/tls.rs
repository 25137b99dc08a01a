//! Logins over TLS from the containers: with the base's OpenSSL, its certificate authorities, and files mounted as in the manifests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use testbed::apache::{Builder, Cluster, Sasl, Tls};
use testbed::process::{Outcome, Signal};

use super::container::Root;
use super::contents::CERTIFICATES;
use super::runs::{RUN, Running};
use super::{Bench, Scenario};
use crate::e2e::bench::{PASSWORD, Place, Report, USER, expect_exactly_once, on_broker};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "image-sasl-ssl",
        claim: "confined, both log in by SASL_SSL with SCRAM and files as in the manifests, or with the image's own list of \
                authorities; a wrong password or an unknown authority is exit code 4",
        run: scram,
    },
    Scenario {
        name: "image-mutual-tls",
        claim: "confined, both log in by a client certificate with an encrypted key; without a certificate it is exit code 4",
        run: mutual,
    },
];

const MESSAGES: u64 = 1_000;
/// Where the manifests mount the Secret.
const SECRETS: &str = "/etc/kafka-clients";
const KEY_PASSWORD: &str = "key password";

/// What a container needs to log in: variables, and files that it sees.
struct Login<'a> {
    variables: Vec<(&'a str, &'a str)>,
    mounts: Vec<(&'a Path, &'a str)>,
}

impl Login<'_> {
    /// Runs a producer to its end.
    fn produce(&self, bench: &Bench, place: &Place) -> Result<Outcome> {
        let mut container = bench.runtime.container("producer");
        for (from, to) in &self.mounts {
            container = container.mounted(from, to);
        }
        let messages = MESSAGES.to_string();
        let own =
            [("PRODUCER_MESSAGES", messages.as_str()), ("PRODUCER_RUN_ID", &place.run), ("PRODUCER_TIMEOUT", "60s")];
        let variables = [&own, &self.variables[..]].concat();
        container.program(bench.producer(), Root::ReadOnly, place, &variables).run(RUN)
    }

    /// Publishes and logs: each message once.
    fn both(&self, bench: &Bench, place: &Place) -> Result<()> {
        let mut container = bench.runtime.container("consumer");
        for (from, to) in &self.mounts {
            container = container.mounted(from, to);
        }
        let running = Running::start_in(container, bench.consumer(), place, Root::ReadOnly, &self.variables)?;
        Report::of_all(self.produce(bench, place)?, MESSAGES)?;
        expect_exactly_once(&running.received, MESSAGES)?;
        running.consumer.stop(Signal::TERM)?.expect_code(0)?;
        Ok(())
    }
}

fn scram(bench: &mut Bench) -> Result<String> {
    let builder = Cluster::builder().sasl(&[Sasl::ScramSha512]).user(USER, PASSWORD).tls(Tls::Server);
    let (place, cluster) = start(bench, builder, "image-sasl-ssl")?;
    let (folder, authority) = (TempDir::new()?, fs::read(cluster.pki()?.ca_path())?);
    readable(folder.path(), "ca.crt", &authority)?;
    readable(folder.path(), "password", PASSWORD.as_bytes())?;
    readable(folder.path(), "wrong", b"wrong")?;
    let file = |name: &str| format!("{SECRETS}/{name}");
    let (ca, password, wrong) = (file("ca.crt"), file("password"), file("wrong"));
    let login = |more: &[(&'static str, String)]| -> Vec<(&'static str, String)> {
        let fixed = [
            ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL".to_owned()),
            ("KAFKA_SASL_MECHANISM", Sasl::ScramSha512.name().to_owned()),
            ("KAFKA_USERNAME", USER.to_owned()),
        ];
        [&fixed, more].concat()
    };
    let secret = vec![(folder.path(), SECRETS)];

    let good = login(&[("KAFKA_SSL_CA_LOCATION", ca.clone()), ("KAFKA_PASSWORD_FILE", password.clone())]);
    Login { variables: borrowed(&good), mounts: secret.clone() }.both(bench, &place)?;
    let stored = on_broker(&cluster, &place.topic)?;
    ensure!(stored == MESSAGES, "{stored} records are on the broker instead of {MESSAGES}");

    // No file is named: the authorities are those of the image, where the broker's is put in place of all others.
    let default = login(&[("KAFKA_PASSWORD_FILE", password.clone())]);
    let (list, own_place) = (folder.path().join("ca.crt"), format!("/{CERTIFICATES}"));
    let own_list = [&secret[..], &[(list.as_path(), own_place.as_str())]].concat();
    let outcome = Login { variables: borrowed(&default), mounts: own_list }.produce(bench, &place)?;
    Report::of_all(outcome, MESSAGES).context("with the image's own list of authorities")?;

    let outcome = Login { variables: borrowed(&default), mounts: secret.clone() }.produce(bench, &place)?;
    let unverified = Report::of(outcome, 4).context("the broker's authority is not in the image")?;
    ensure!(unverified.message.contains("certificate"), "the cause is not named: {}", unverified.message);
    let refused = login(&[("KAFKA_SSL_CA_LOCATION", ca), ("KAFKA_PASSWORD_FILE", wrong)]);
    let outcome = Login { variables: borrowed(&refused), mounts: secret }.produce(bench, &place)?;
    let refused = Report::of(outcome, 4).context("a wrong password")?;
    Ok(format!(
        "{MESSAGES} published and logged, {MESSAGES} with the image's authorities\n     authority unknown: {}\n     wrong \
         password: {}",
        unverified.message, refused.message
    ))
}

fn mutual(bench: &mut Bench) -> Result<String> {
    let (place, cluster) = start(bench, Cluster::builder().tls(Tls::Mutual), "image-mutual-tls")?;
    let (folder, pki) = (TempDir::new()?, cluster.pki()?);
    readable(folder.path(), "ca.crt", &fs::read(pki.ca_path())?)?;
    readable(folder.path(), "tls.crt", &fs::read(pki.client_certificate())?)?;
    readable(folder.path(), "tls.key", &fs::read(pki.encrypted_client_key(KEY_PASSWORD)?)?)?;
    readable(folder.path(), "key-password", KEY_PASSWORD.as_bytes())?;
    let file = |name: &str| format!("{SECRETS}/{name}");
    let server = [("KAFKA_SECURITY_PROTOCOL", "SSL".to_owned()), ("KAFKA_SSL_CA_LOCATION", file("ca.crt"))];
    let client = [
        ("KAFKA_SSL_CERTIFICATE_LOCATION", file("tls.crt")),
        ("KAFKA_SSL_KEY_LOCATION", file("tls.key")),
        ("KAFKA_SSL_KEY_PASSWORD_FILE", file("key-password")),
    ];
    let mounts = vec![(folder.path(), SECRETS)];
    let with = [&server[..], &client].concat();
    Login { variables: borrowed(&with), mounts: mounts.clone() }.both(bench, &place)?;
    let stored = on_broker(&cluster, &place.topic)?;
    ensure!(stored == MESSAGES, "{stored} records are on the broker instead of {MESSAGES}");
    let outcome = Login { variables: borrowed(&server), mounts }.produce(bench, &place)?;
    let without = Report::of(outcome, 4).context("without a certificate")?;
    Ok(format!("{MESSAGES} published and logged; without a certificate: {}", without.message))
}

/// A cluster of this scenario's own, with a topic.
fn start(bench: &mut Bench, builder: Builder, topic: &str) -> Result<(Place, Cluster)> {
    // Not needed any more, and a machine of two cores has enough to do.
    bench.cluster = None;
    let cluster = builder.start()?;
    cluster.create_topic(topic, 6, 1, &[])?;
    Ok((Place::new(&cluster, topic, topic), cluster))
}

/// A file that the container's user can read, whoever runs this.
fn readable(folder: &Path, name: &str, contents: &[u8]) -> Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    let path = folder.join(name);
    fs::write(&path, contents)?;
    Ok(fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?)
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
