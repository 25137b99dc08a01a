//! A token endpoint on loopback that hangs, refuses, or grants; and a real client that wants a token.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::*;
use crate::config::Secret;
use crate::connection::Oauth;
use crate::exit::Exit;
use crate::kafka::context::SharedContext;
use crate::kafka::create;
use crate::kafka::fakes::{Fake, properties, wait_for};
use crate::metrics::{ClientMetrics, Metrics, Program};

const GRANT: &str = r#"{"access_token":"e30.e30.","token_type":"Bearer","expires_in":LIFETIME}"#;

fn respond(stream: &mut TcpStream, status: &str, body: &str) {
    let _ = stream.read(&mut [0; 4096]);
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close");
    let _ = stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

fn state(endpoint: &Fake) -> Arc<ClientState> {
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: "ssl".into(), openssl: "3" };
    let metrics = ClientMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap();
    let tokens = TokenSource::new(Oauth {
        token_url: format!("http://{}/token", endpoint.address()),
        client_id: "client".to_owned(),
        client_secret: Secret::new("secret".to_owned()),
        client_secret_file: None,
        scope: None,
        ca_location: None,
    });
    Arc::new(ClientState::new("topic test".to_owned(), metrics, Some(tokens.unwrap())))
}

fn granted(state: &ClientState) -> u64 {
    state.metrics.token_requests.with_label_values(&["ok"]).get()
}

#[test]
fn an_endpoint_that_hangs_holds_no_loop_up_and_its_token_is_handed_over() {
    // The endpoint says nothing as long as the lock is held.
    let silence = Arc::new(Mutex::new(()));
    let held = silence.lock().unwrap();
    let endpoint = {
        let silence = Arc::clone(&silence);
        Fake::new(move |mut stream| {
            drop(silence.lock());
            respond(&mut stream, "200 OK", &GRANT.replace("LIFETIME", "3600"));
        })
    };
    let broker = Fake::sasl(0, &["OAUTHBEARER"]);
    let state = state(&endpoint);
    let servers = broker.address();
    let set = [
        ("bootstrap.servers", servers.as_str()),
        ("security.protocol", "sasl_plaintext"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("group.id", "g"),
    ];
    let context = SharedContext::new(Arc::clone(&state), ());
    let consumer: BaseConsumer<SharedContext> = create(&properties(&set), context).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(1) {
        let round = Instant::now();
        consumer.poll(Duration::from_millis(10));
        state.tend(consumer.client());
        assert!(round.elapsed() < Duration::from_millis(900), "a round took {:?}", round.elapsed());
    }
    assert_eq!(granted(&state), 0);
    assert_eq!(state.refused(), None, "to wait is no refusal");
    drop(held);
    wait_for("the token", || (granted(&state) > 0).then_some(()));
    // librdkafka itself would ask again only after ten seconds; now it has the token and tries to log in.
    let handed = Instant::now();
    wait_for("an attempt to log in", || {
        consumer.poll(Duration::from_millis(10));
        state.tend(consumer.client());
        state.trouble(Duration::from_secs(60))
    });
    assert!(handed.elapsed() < Duration::from_secs(8), "{:?}", handed.elapsed());
}

#[test]
fn a_refused_client_is_final_and_an_endpoint_that_is_away_or_busy_is_not() {
    let refusing = Fake::new(|mut stream| respond(&mut stream, "401 Unauthorized", r#"{"error":"invalid_client"}"#));
    let client = state(&refusing);
    assert!(client.token().is_err());
    let refused = wait_for("a refusal", || client.refused());
    assert_eq!(refused.exit, Exit::Refused);
    assert!(refused.reason().contains("invalid_client") && refused.reason().contains("KAFKA_OAUTH_"), "{refused}");
    assert!(!refused.reason().contains("secret/"), "{refused}");

    for status in ["503 Service Unavailable", "429 Too Many Requests"] {
        let busy = Fake::new(move |mut stream| respond(&mut stream, status, ""));
        let client = state(&busy);
        assert!(client.token().is_err());
        wait_for("an attempt", || client.trouble(Duration::from_secs(60)));
        assert_eq!(client.refused(), None, "{status}");
        let unreachable = client.unreachable("kafka:9092");
        assert_eq!(unreachable.exit, Exit::Unreachable);
        for word in ["no login at kafka:9092: token endpoint http://", &status[..3], "KAFKA_OAUTH_TOKEN_URL"] {
            assert!(unreachable.reason().contains(word), "{word} is not in {unreachable}");
        }
    }
}

#[test]
fn an_endpoint_that_comes_back_is_asked_again_before_librdkafka_would() {
    let asked = Arc::new(AtomicU64::new(0));
    let endpoint = {
        let asked = Arc::clone(&asked);
        Fake::new(move |mut stream| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => respond(&mut stream, "503 Service Unavailable", ""),
            _ => respond(&mut stream, "200 OK", &GRANT.replace("LIFETIME", "3600")),
        })
    };
    let client = state(&endpoint);
    assert!(client.token().is_err());
    wait_for("the token", || (granted(&client) > 0).then_some(()));
    assert_eq!(client.trouble(Duration::from_secs(60)), None, "what has passed is no reason any more");
    assert_eq!(client.token().unwrap().token, "e30.e30.");
    assert_eq!(asked.load(Ordering::Relaxed), 2, "a fresh token is not fetched again");
}

#[test]
fn a_broker_that_refuses_an_ended_token_is_waited_for_and_one_that_refuses_a_fresh_one_is_not() {
    let refusal = KafkaError::Global(RDKafkaErrorCode::Authentication);
    let words = "SASL authentication error: {\"status\":\"invalid_token\"}";
    // A lifetime of nothing is over at once.
    for (lifetime, is_final) in [("3600", true), ("0", false)] {
        let endpoint =
            Fake::new(move |mut stream| respond(&mut stream, "200 OK", &GRANT.replace("LIFETIME", lifetime)));
        let client = state(&endpoint);
        let _ = client.token();
        wait_for("the token", || (granted(&client) > 0).then_some(()));
        client.error(&refusal, words);
        assert_eq!(client.refused().is_some(), is_final, "lifetime {lifetime}");
    }
}

#[test]
fn a_refusal_just_after_a_token_ended_is_not_about_the_one_that_replaced_it() {
    let asked = Arc::new(AtomicU64::new(0));
    let endpoint = {
        let asked = Arc::clone(&asked);
        Fake::new(move |mut stream| {
            let lifetime = if asked.fetch_add(1, Ordering::Relaxed) == 0 { "0" } else { "3600" };
            respond(&mut stream, "200 OK", &GRANT.replace("LIFETIME", lifetime));
        })
    };
    let client = state(&endpoint);
    let _ = client.token();
    wait_for("the first token", || (granted(&client) > 0).then_some(()));
    let _ = client.token();
    wait_for("the second token", || (granted(&client) > 1).then_some(()));
    client.error(&KafkaError::Global(RDKafkaErrorCode::Authentication), "SASL authentication error: invalid_token");
    assert_eq!(client.refused(), None);
}
