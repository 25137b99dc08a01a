//! Files that are replaced as Kubernetes, editors and scripts do it, and a real client that logs in with what is new.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rdkafka::consumer::{BaseConsumer, Consumer};
use testbed::mount::Mount;

use super::*;
use crate::kafka::context::SharedContext;
use crate::kafka::create;
use crate::kafka::fakes::{Fake, Identity, SOON, Wanted, properties, wait_for};
use crate::metrics::{ClientMetrics, Metrics, Program};

fn connection(password_file: Option<PathBuf>) -> Connection {
    Connection { bootstrap_servers: String::new(), oauth: None, password_file, key_password_file: None }
}

fn of_password(path: &Path, password: &str) -> Watch {
    let set = [("sasl.username", "alice"), ("sasl.password", password)];
    Watch::new(&properties(&set), &connection(Some(path.to_owned())), OnChange::End).unwrap()
}

/// The password that was replaced, once.
fn news(replaced: &Replaced) -> Option<String> {
    replaced.news().map(|password| password.secret.expose().to_owned())
}

fn said(watch: &Watch) -> Option<&str> {
    watch.password.as_ref().unwrap().1.said()
}

#[test]
fn a_password_that_kubernetes_swaps_is_found_and_the_same_again_is_none() {
    let mut mount = Mount::new(&[("password", "old")]).unwrap();
    let (mut watch, replaced) = (of_password(&mount.path("password"), "old"), Replaced::default());
    assert!(!watch.look(&replaced));
    mount.replace(&[("password", "old\n")]).unwrap();
    assert!(!watch.look(&replaced), "another file with the same password, and a line break");
    assert_eq!(news(&replaced), None);
    mount.replace(&[("password", "new\n")]).unwrap();
    assert!(watch.look(&replaced), "it may be half-written");
    assert_eq!(news(&replaced), None);
    assert!(!watch.look(&replaced));
    assert_eq!(news(&replaced).as_deref(), Some("new"));
    assert!(!watch.look(&replaced));
    assert_eq!(news(&replaced), None, "found once");
    mount.replace(&[("password", "old")]).unwrap();
    assert!(watch.look(&replaced) && !watch.look(&replaced));
    assert_eq!(news(&replaced).as_deref(), Some("old"), "a way back is a change too");
    assert!(replaced.end().is_none(), "a password needs no new process");
}

#[test]
fn a_password_that_is_half_written_empty_or_gone_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    fs::write(&path, "old").unwrap();
    let (mut watch, replaced) = (of_password(&path, "old"), Replaced::default());
    for part in ["n", "ne", ""] {
        fs::write(&path, part).unwrap();
        assert!(watch.look(&replaced), "{part:?} is looked at again soon");
    }
    assert_eq!(said(&watch), None, "it may be empty for a moment");
    watch.look(&replaced);
    assert_eq!(said(&watch), Some("the file is empty"));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    watch.look(&replaced);
    watch.look(&replaced);
    assert_eq!(said(&watch), Some("the file is not UTF-8"));
    fs::remove_file(&path).unwrap();
    watch.look(&replaced);
    watch.look(&replaced);
    assert!(said(&watch).unwrap().starts_with("the file cannot be read: No such file"), "{:?}", said(&watch));
    assert_eq!(news(&replaced), None);
    fs::write(&path, "new").unwrap();
    watch.look(&replaced);
    watch.look(&replaced);
    assert_eq!(news(&replaced).as_deref(), Some("new"));
    assert_eq!(said(&watch), None);
}

/// A certificate and its key, in PEM form.
fn identity(authority: &Identity) -> (String, String) {
    let wanted = Wanted { name: "client", hosts: &["localhost"], from: -1, until: 20 };
    let Identity { certificate, key } = Identity::of(authority, &wanted);
    let text = |pem: Vec<u8>| String::from_utf8(pem).unwrap();
    (text(certificate.to_pem().unwrap()), text(key.private_key_to_pem_pkcs8().unwrap()))
}

fn of_certificates(mount: &Mount, on_change: OnChange) -> Watch {
    let path = |name: &str| mount.path(name).to_str().unwrap().to_owned();
    let (ca, certificate, key) = (path("ca.crt"), path("tls.crt"), path("tls.key"));
    let set = [
        ("security.protocol", "ssl"),
        ("ssl.ca.location", ca.as_str()),
        ("ssl.certificate.location", &certificate),
        ("ssl.key.location", &key),
    ];
    Watch::new(&properties(&set), &connection(None), on_change).unwrap()
}

#[test]
fn certificates_that_are_replaced_end_the_run_within_a_minute() {
    let authority = Identity::authority("an authority");
    let ca = String::from_utf8(authority.certificate.to_pem().unwrap()).unwrap();
    let [(first, key), (second, other)] = [identity(&authority), identity(&authority)];
    let mut mount = Mount::new(&[("ca.crt", &ca), ("tls.crt", &first), ("tls.key", &key)]).unwrap();
    let (mut watch, replaced) = (of_certificates(&mount, OnChange::End), Replaced::default());
    let looks = |watch: &mut Watch| (0..3).for_each(|_| _ = watch.look(&replaced));
    mount.replace(&[("ca.crt", &ca), ("tls.crt", &first), ("tls.key", &key)]).unwrap();
    looks(&mut watch);
    assert!(replaced.end().is_none(), "the same again is no change");
    // What the next process could not start with: of another key, cut, not there.
    mount.replace(&[("ca.crt", &ca), ("tls.crt", &second), ("tls.key", &key)]).unwrap();
    looks(&mut watch);
    mount.replace(&[("ca.crt", &ca[..40]), ("tls.crt", &first[..40]), ("tls.key", key.as_str())]).unwrap();
    looks(&mut watch);
    mount.replace::<&str>(&[]).unwrap();
    looks(&mut watch);
    assert!(replaced.end().is_none());
    let now = Instant::now();
    mount.replace(&[("ca.crt", &ca), ("tls.crt", &second), ("tls.key", &other)]).unwrap();
    looks(&mut watch);
    let end = replaced.end().unwrap();
    assert!(end >= now && end <= Instant::now() + Duration::from_secs(60));
    mount.replace(&[("ca.crt", &ca), ("tls.crt", &first), ("tls.key", &key)]).unwrap();
    looks(&mut watch);
    assert_eq!(replaced.end(), Some(end), "a second change does not put the end off");
}

#[test]
fn without_the_flag_and_without_tls_nothing_ends() {
    let authority = Identity::authority("an authority");
    let (first, key) = identity(&authority);
    let ca = String::from_utf8(authority.certificate.to_pem().unwrap()).unwrap();
    let mut mount = Mount::new(&[("ca.crt", &ca), ("tls.crt", &first), ("tls.key", &key)]).unwrap();
    let mut watch = of_certificates(&mount, OnChange::Warn(Some("--flag")));
    let (second, other) = identity(&authority);
    mount.replace(&[("ca.crt", &ca), ("tls.crt", &second), ("tls.key", &other)]).unwrap();
    let replaced = Replaced::default();
    assert!(watch.look(&replaced) && !watch.look(&replaced));
    assert!(replaced.end().is_none());
    let location = mount.path("ca.crt");
    for (protocol, location) in [
        ("plaintext", location.to_str().unwrap()),
        ("ssl", "probe"),
        ("ssl", location.parent().unwrap().to_str().unwrap()),
    ] {
        let set = properties(&[("security.protocol", protocol), ("ssl.ca.location", location)]);
        assert!(Watch::new(&set, &connection(None), OnChange::End).is_none(), "{protocol} {location}");
    }
}

#[test]
fn a_client_logs_in_with_the_new_password() {
    let mut mount = Mount::new(&[("password", "old")]).unwrap();
    let path = mount.path("password");
    let on_broker = Arc::new(Mutex::new("old".to_owned()));
    let broker = Fake::plain(&on_broker);
    let servers = broker.address();
    let set = properties(&[
        ("bootstrap.servers", servers.as_str()),
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "alice"),
        ("sasl.password", "old"),
        ("reconnect.backoff.max.ms", "500"),
    ]);
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: "ssl".into(), openssl: "3" };
    let metrics = ClientMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap();
    let state = Arc::new(ClientState::new("topic t".to_owned(), metrics, None));
    let client =
        || -> BaseConsumer<SharedContext> { create(&set, SharedContext::new(Arc::clone(&state), ())).unwrap() };
    let ask = |consumer: &BaseConsumer<SharedContext>| {
        let _ = consumer.poll(Duration::ZERO);
        state.tend(consumer.client());
        consumer.fetch_metadata(Some("t"), Duration::from_millis(500)).ok().filter(|known| known.brokers().len() == 1)
    };
    let consumer = client();
    wait_for("the first login", || ask(&consumer));
    // As a consumer that has had its partitions.
    state.established();
    watch(&state, &set, &connection(Some(path)), OnChange::Warn(None));
    "new".clone_into(&mut on_broker.lock().unwrap());
    wait_for("a refused login", || {
        let _ = ask(&consumer);
        state.trouble(SOON).filter(|trouble| trouble.contains("uthentication"))
    });
    mount.replace(&[("password", "new")]).unwrap();
    wait_for("the second login", || ask(&consumer));
    // A client that is made later has it from the start.
    let later = client();
    wait_for("a login of another client", || ask(&later));
    assert_eq!(state.refused(), None);
}

#[test]
fn a_new_secret_of_the_token_client_is_read_for_the_next_token() {
    use std::io::{Read, Write};
    use std::sync::mpsc;

    use crate::connection::Oauth;
    use crate::kafka::oauth::TokenSource;

    let (told, heard) = mpsc::channel();
    let endpoint = Fake::new(move |mut stream| {
        let mut request = [0; 4096];
        let size = stream.read(&mut request).unwrap_or_default();
        let request = String::from_utf8_lossy(&request[..size]).to_lowercase();
        let header = request.lines().find_map(|line| line.strip_prefix("authorization: basic ").map(str::to_owned));
        told.send(header.unwrap_or_default()).unwrap();
        let body = r#"{"access_token":"e30.e30.","expires_in":3600}"#;
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}", body.len());
        let _ = stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes());
    });
    let mut mount = Mount::new(&[("client-secret", "old")]).unwrap();
    let source = TokenSource::new(Oauth {
        token_url: format!("http://{}/token", endpoint.address()),
        client_id: "client".to_owned(),
        client_secret: Secret::new("old"),
        client_secret_file: Some(mount.path("client-secret")),
        scope: None,
        ca_location: None,
    })
    .unwrap();
    let sent = || {
        source.attempt().unwrap();
        heard.recv_timeout(SOON).unwrap()
    };
    let basic = |secret: &str| {
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("client:{secret}")).to_lowercase()
    };
    assert_eq!(sent(), basic("old"));
    mount.replace(&[("client-secret", "new\n")]).unwrap();
    assert_eq!(sent(), basic("new"));
    mount.replace(&[("client-secret", "")]).unwrap();
    assert_eq!(sent(), basic("new"), "an empty file is no new secret");
}
