//! Each row of the table, said by the real librdkafka to somebody who is no broker, or is one with a fault.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext};

use super::*;
use crate::kafka::client_config;
use crate::kafka::fakes::{Fake, Identity, Wanted, properties, wait_for};

/// All that librdkafka says of connections.
#[derive(Default)]
struct Recorder(Mutex<Vec<(RDKafkaErrorCode, String)>>);

impl ClientContext for Recorder {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        if facility == "FAIL" {
            self.0.lock().unwrap().push((RDKafkaErrorCode::BrokerTransportFailure, line.to_owned()));
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.lock().unwrap().push((error.rdkafka_error_code().unwrap(), reason.to_owned()));
    }
}

impl ProducerContext for Recorder {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

/// The first thing that librdkafka says to which a row fits, and the row's number.
fn said(servers: &str, set: &[(&str, &str)]) -> (usize, Reading) {
    let mut all = vec![("bootstrap.servers", servers)];
    all.extend_from_slice(set);
    let producer: BaseProducer<Recorder> =
        client_config(&properties(&all)).create_with_context(Recorder::default()).unwrap();
    wait_for(&format!("a phrase of the table, with {set:?},"), || {
        producer.poll(Duration::from_millis(20));
        let lines = producer.context().0.lock().unwrap();
        lines.iter().find_map(|(code, line)| {
            let row = PHRASES.iter().position(|phrase| phrase.words.iter().all(|word| line.contains(word)))?;
            let reading = read(*code, line);
            assert_eq!(reading.about, Some(PHRASES[row].about), "{line}");
            Some((row, reading))
        })
    })
}

#[test]
fn each_phrase_is_said_by_librdkafka() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Identity::authority("authority");
    let wanted = |until| Wanted { name: "somebody", hosts: &["localhost", "127.0.0.1"], from: -9, until };
    let server = Identity::of(&authority, &wanted(9));
    let ca = authority.certificate_file(folder.path());
    let ca = ca.to_str().unwrap();
    let stranger = Identity::of(&Identity::authority("another"), &wanted(9));
    let expired = Identity::of(&authority, &wanted(-1));
    let files = |identity: &Identity| {
        [identity.certificate_file(folder.path()), identity.key_file(folder.path())]
            .map(|path| path.to_str().unwrap().to_owned())
    };
    let (stranger, expired) = (files(&stranger), files(&expired));

    const TLS: (&str, &str) = ("security.protocol", "ssl");
    let trusting = [TLS, ("ssl.ca.location", ca)];
    let with = |[certificate, key]: &[String; 2]| {
        let mut set: Vec<(&str, String)> = trusting.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        set.push(("ssl.certificate.location", certificate.clone()));
        set.push(("ssl.key.location", key.clone()));
        set
    };
    let login = |mechanism| {
        let named = [("security.protocol", "sasl_plaintext"), ("sasl.mechanism", mechanism)];
        [named.as_slice(), &[("sasl.username", "u"), ("sasl.password", "p")]].concat()
    };
    let untrusted = Fake::tls(&stranger_server(), None);
    let mutual = Fake::tls(&server, Some(&authority));
    let no_sasl = Fake::sasl(34, &[]);
    let scram_only = Fake::sasl(33, &["SCRAM-SHA-256", "SCRAM-SHA-512"]);
    let ending = Fake::ends_before_login();
    let web = Fake::says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    let tls_only = Fake::says(&[0x15, 3, 1, 0, 2, 2, 40, 0, 0, 0, 0, 0]);
    let shell = Fake::says(b"SSH-2.0-OpenSSH_9.2\r\n");
    // Which of librdkafka's words for an end it gets, that of a reset or of a close, is a matter of luck: all have a row.
    let dropping = Fake::new(drop);
    let closing = Fake::says(b"");
    let (http, ssh) = (web.address(), shell.address());

    let owned = |set: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        set.iter().map(|(key, value)| (*key, (*value).to_owned())).collect()
    };
    let plain: &[(&str, &str)] = &[];
    let cases: Vec<Case> = vec![
        case(
            untrusted.localhost(),
            owned(&trusting),
            Class::Refused,
            &["certificate cannot be verified", "CA_LOCATION"],
        ),
        case(
            mutual.localhost(),
            owned(&trusting),
            Class::Refused,
            &["asks for a client certificate; set KAFKA_SSL_CERT"],
        ),
        case(mutual.localhost(), with(&stranger), Class::Refused, &["does not trust the authority of this client's"]),
        case(mutual.localhost(), with(&expired), Class::Refused, &["refuses this client's", "(certificate expired"]),
        case(
            no_sasl.address(),
            owned(&login("PLAIN")),
            Class::Refused,
            &["this listener offers no SASL; check KAFKA_SEC"],
        ),
        case(
            scram_only.address(),
            owned(&login("PLAIN")),
            Class::Refused,
            &["does not offer the mechanism PLAIN, but SCRAM-SHA-256,SCRAM-SHA-512; check KAFKA_SASL_MECHANISM"],
        ),
        case(
            ending.address(),
            owned(&login("PLAIN")),
            Class::Unreachable,
            &["hung up (Disconnected) before the login"],
        ),
        case(web.address(), owned(plain), Class::Unreachable, &[&format!("{http} speaks HTTP, not Kafka")]),
        case(
            tls_only.address(),
            owned(plain),
            Class::Unreachable,
            &["speaks TLS; check the port and KAFKA_SECURITY_PROT"],
        ),
        case(
            shell.address(),
            owned(plain),
            Class::Unreachable,
            &[&format!("{ssh} does not speak Kafka: it answers \"SSH-\"")],
        ),
        case(
            web.address(),
            owned(&trusting),
            Class::Unreachable,
            &["does not speak TLS; check KAFKA_SECURITY_PROTOCOL"],
        ),
        case(
            closing.address(),
            owned(&trusting),
            Class::Unreachable,
            &["hung up (Disconnected) during the TLS handshake"],
        ),
        case(
            dropping.address(),
            owned(&trusting),
            Class::Unreachable,
            &["hung up (Disconnected) during the TLS handshake"],
        ),
        case(closing.address(), owned(plain), Class::Unreachable, &["hung up (Disconnected)", "the port may want TLS"]),
        case(
            no_sasl.address(),
            owned(plain),
            Class::Unreachable,
            &["after the first request: it may want a login (SASL)"],
        ),
        case(
            "broker.invalid:9092".to_owned(),
            owned(plain),
            Class::Unreachable,
            &["Failed to resolve 'broker.invalid:9092': ", "check KAFKA_BOOTSTRAP_SERVERS"],
        ),
        case(
            closing.address(),
            owned(&[("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "OAUTHBEARER")]),
            Class::Unreachable,
            &["Failed to acquire SASL OAUTHBEARER token"],
        ),
    ];
    let rows: BTreeSet<usize> = std::thread::scope(|scope| {
        let running: Vec<_> = cases
            .iter()
            .map(|(servers, set, class, words)| {
                scope.spawn(move || {
                    let set: Vec<(&str, &str)> = set.iter().map(|(key, value)| (*key, value.as_str())).collect();
                    let (row, reading) = said(servers, &set);
                    assert_eq!(reading.class, *class, "{}", reading.text);
                    for word in words {
                        assert!(reading.text.contains(word), "{word:?} is not in {:?}", reading.text);
                    }
                    assert!(!reading.text.contains("(after "), "{}", reading.text);
                    row
                })
            })
            .collect();
        running.into_iter().map(|case| case.join().unwrap()).collect()
    });
    assert_eq!(rows, (0..PHRASES.len()).collect(), "rows that nothing said: add a case, or take them away");
}

/// Where, with which properties, how it is sorted, and what is in its text.
type Case = (String, Vec<(&'static str, String)>, Class, Vec<String>);

fn case(servers: String, set: Vec<(&'static str, String)>, class: Class, words: &[&str]) -> Case {
    (servers, set, class, words.iter().map(|word| (*word).to_owned()).collect())
}

/// A server whose authority nobody knows.
fn stranger_server() -> Identity {
    let wanted = Wanted { name: "broker", hosts: &["localhost"], from: -9, until: 9 };
    Identity::of(&Identity::authority("nobody knows"), &wanted)
}

#[test]
fn librdkafkas_count_of_brokers_is_not_repeated() {
    let reading = read(RDKafkaErrorCode::AllBrokersDown, "0/3 brokers are down");
    assert!(reading.text.starts_with("no connection to any of the brokers; check"), "{}", reading.text);
}

#[test]
fn the_place_of_a_line() {
    for (line, wanted) in [
        (
            "[thrd:ssl://a.example:9093/bootstrap]: ssl://a.example:9093/bootstrap: SSL handshake failed: x",
            "a.example:9093",
        ),
        ("sasl_ssl://[::1]:9092/1: Disconnected", "[::1]:9092"),
        ("127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed", "127.0.0.1:1"),
    ] {
        assert_eq!(place(line).as_deref(), Some(wanted), "{line}");
    }
    for line in ["GroupCoordinator: Disconnected", "1/1 brokers are down", "JoinGroup failed: Broker: no"] {
        assert_eq!(place(line), None, "{line}");
    }
}

/// The lines are those that a broker with rights provokes.
#[test]
fn the_one_right_that_is_missing_is_named() {
    let of = |line: &str| read(RDKafkaErrorCode::TopicAuthorizationFailed, line).text;
    let fetch = of("Fetch from broker 1 failed: Broker: Topic authorization failed");
    assert!(fetch.ends_with("authorization failed; the user needs Read on the topic"), "{fetch}");
    let unseen = of("Subscribed topic not available: hidden: Broker: Topic authorization failed");
    assert!(unseen.contains("; the user may not even see the topic: it needs Read"), "{unseen}");
    // Nothing else is about a right.
    let other = read(RDKafkaErrorCode::UnknownTopicOrPartition, "Fetch from broker 1 failed: Broker: Unknown topic");
    assert!(other.text.contains("; create the topic"), "{}", other.text);
}
