//! Certificates with one fault each, shown to the look and to a real client.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::*;
use crate::exit::Exit;
use crate::kafka::context::SharedContext;
use crate::kafka::fakes::{Fake, Identity, Wanted, properties, wait_for};
use crate::kafka::{ClientState, create};
use crate::metrics::{ClientMetrics, Metrics, Program};

fn state() -> Arc<ClientState> {
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: "ssl".into(), openssl: "3" };
    let metrics = ClientMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap();
    Arc::new(ClientState::new("topic test".to_owned(), metrics, None))
}

#[test]
fn each_fault_of_a_brokers_certificate_has_its_own_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Identity::authority("our authority");
    let ca = authority.certificate_file(folder.path()).to_str().unwrap().to_owned();
    let identity = |hosts, from, until| Identity::of(&authority, &Wanted { name: "broker-1", hosts, from, until });
    let stranger = Identity::of(
        &Identity::authority("another authority"),
        &Wanted { name: "broker-1", hosts: &["localhost"], from: -9, until: 9 },
    );
    let cases = [
        (identity(&["localhost"], -9, -1), "the certificate of broker-1 expired on ", "renew it"),
        (identity(&["localhost"], 1, 9), "the certificate of broker-1 is not valid before ", "clock"),
        (
            identity(&["broker-1.example", "*.kafka.example", "10.0.0.1"], -9, 9),
            "not for the host localhost, but for broker-1.example, *.kafka.example, 10.0.0.1",
            "connect by one of its names",
        ),
        (stranger, "signed by an unknown authority, another authority", "set KAFKA_SSL_CA_LOCATION"),
    ];
    for (identity, fault, hint) in cases {
        let server = Fake::tls(&identity, None);
        let place = server.localhost();
        let set = [("bootstrap.servers", place.as_str()), ("security.protocol", "ssl"), ("ssl.ca.location", &ca)];
        let client = state();
        let context = SharedContext::new(Arc::clone(&client), ());
        let consumer: BaseConsumer<SharedContext> = create(&properties(&set), context).unwrap();
        let refused = wait_for("a refusal", || {
            let _ = consumer.fetch_metadata(None, Duration::from_millis(50));
            consumer.poll(Duration::from_millis(20));
            client.refused()
        });
        assert_eq!(refused.exit, Exit::Refused);
        for word in [fault, hint, "topic test: ", &place] {
            assert!(refused.reason().contains(word), "{word:?} is not in {refused}");
        }
        assert_eq!(client.unreachable(&place), refused, "the refusal is the better reason at a deadline too");
    }
}

#[test]
fn host_names_that_are_not_compared_are_no_fault() {
    let wanted = Wanted { name: "broker-1", hosts: &["broker-1.example"], from: -9, until: 9 };
    let server = Fake::tls(&Identity::of(&Identity::authority("nobody knows"), &wanted), None);
    let said = fault(&server.localhost(), false).unwrap();
    assert!(said.contains("unknown authority, nobody knows"), "{said}");
    assert!(fault(&server.localhost(), true).unwrap().contains("not for the host localhost"));
}

#[test]
fn names_and_patterns() {
    let authority = Identity::authority("a");
    let of = |hosts| Identity::of(&authority, &Wanted { name: "common", hosts, from: -9, until: 9 }).certificate;
    let listed = of(&["one.example", "*.two.example", "127.0.0.1", "::1"]);
    for host in ["one.example", "ONE.example", "a.two.example", "127.0.0.1", "::1"] {
        assert!(is_for(&listed, host), "{host}");
    }
    for host in ["two.example", "a.b.two.example", "common", "127.0.0.2"] {
        assert!(!is_for(&listed, host), "{host}");
    }
    assert!(is_for(&of(&[]), "common"), "without other names the common one counts");
}
