//! The state alone, told what librdkafka tells it.

use rdkafka::consumer::{BaseConsumer, Consumer};

use super::*;
use crate::kafka::context::SharedContext;
use crate::kafka::create;
use crate::kafka::fakes::{Fake, properties, wait_for};
use crate::metrics::{Metrics, Program};

fn state() -> Arc<ClientState> {
    let program =
        Program { program: "test", version: "1", librdkafka: "2".into(), features: "ssl".into(), openssl: "3" };
    Arc::new(ClientState::new(
        "topic test".to_owned(),
        ClientMetrics::new(&mut Metrics::new("test", &program).unwrap()).unwrap(),
        None,
    ))
}

const fn global(code: RDKafkaErrorCode) -> KafkaError {
    KafkaError::Global(code)
}

#[test]
fn a_refusal_is_final_until_the_work_was_established() {
    let login = global(RDKafkaErrorCode::Authentication);
    let client = state();
    client.error(&global(RDKafkaErrorCode::BrokerTransportFailure), "away");
    assert_eq!(client.refused(), None);
    client.error(&login, "SASL authentication error: wrong");
    let refused = client.refused().unwrap();
    assert_eq!(refused.exit, Exit::Refused);
    assert!(refused.reason().starts_with("topic test: SASL authentication error: wrong; check "), "{refused}");
    let running = state();
    running.established();
    running.error(&login, "SASL authentication error: wrong");
    assert_eq!(running.refused(), None);
}

#[test]
fn a_final_word_of_the_coordinator_is_a_refusal_and_a_passing_one_is_not() {
    let client = state();
    client.error(&global(RDKafkaErrorCode::CoordinatorNotAvailable), "FindCoordinator response error");
    client.error(&global(RDKafkaErrorCode::RebalanceInProgress), "JoinGroup failed");
    assert_eq!(client.refused(), None);
    client.error(&global(RDKafkaErrorCode::InvalidSessionTimeout), "JoinGroup failed: Broker: Invalid session timeout");
    let refused = client.refused().unwrap();
    assert!(refused.reason().contains("session.timeout.ms"), "{refused}");
}

#[test]
fn without_a_group_nobody_is_refused_for_one() {
    let error = global(RDKafkaErrorCode::GroupAuthorizationFailed);
    let member = state();
    member.error(&error, "FindCoordinator response error: Group authorization failed");
    assert!(member.refused().unwrap().reason().contains("Read on the group"));
    let alone = state();
    alone.without_group();
    alone.error(&error, "FindCoordinator response error: Group authorization failed");
    assert_eq!(alone.refused(), None);
}

#[test]
fn a_fatal_error_is_judged_by_what_it_stands_for() {
    let unsupported = RDKafkaErrorCode::UnsupportedVersion;
    let client = state();
    let verdict = client.fatal(unsupported, "ConsumerGroupHeartbeat fatal error: Broker: API version not supported");
    assert_eq!(verdict.exit, Exit::Refused);
    assert!(verdict.reason().contains("--group-protocol"), "{verdict}");
    assert_eq!(client.fatal(RDKafkaErrorCode::UnreleasedInstanceId, "still there").exit, Exit::Incomplete);
    client.established();
    assert_eq!(client.fatal(unsupported, "later").exit, Exit::Incomplete);
}

#[test]
fn an_error_that_comes_twice_is_counted_once() {
    let client = state();
    for _ in 0..2 {
        client.error(&global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
    }
    assert_eq!(client.metrics.errors.with_label_values(&["AllBrokersDown"]).get(), 1);
}

#[test]
fn the_cause_of_a_failed_connection_is_kept_from_the_log() {
    let client = state();
    client.log(
        RDKafkaLogLevel::Info,
        "FAIL",
        "[thrd:localhost:1/bootstrap]: localhost:1/bootstrap: Connect refused (after 0ms in state CONNECT)",
    );
    let failure = client.unreachable("localhost:1");
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.reason().contains("localhost:1/bootstrap: Connect refused; check"), "{failure}");
    assert!(client.trouble(Duration::from_secs(60)).is_some());
    assert!(client.trouble(Duration::ZERO).is_none(), "what is long past is no trouble");
}

#[test]
fn a_name_that_a_broker_advertises_is_told_from_one_that_we_were_given() {
    let client = state();
    let mut properties = Properties::new();
    properties.fallback("bootstrap.servers", "boot.example");
    client.configured(&properties);
    let resolve = global(RDKafkaErrorCode::Resolve);
    client.error(
        &resolve,
        "boot.example:9092/bootstrap: Failed to resolve 'boot.example:9092': No such host (after 1ms in state CONNECT)",
    );
    let given = client.unreachable("boot.example");
    assert!(given.reason().contains("'boot.example:9092': No such host; check KAFKA_BOOTSTRAP_SERVERS"), "{given}");
    client.error(
        &resolve,
        "kafka-0.svc:9092/0: Failed to resolve 'kafka-0.svc:9092': No such host (after 1ms in state CONNECT)",
    );
    let advertised = client.unreachable("boot.example");
    assert_eq!(advertised.exit, Exit::Unreachable);
    assert!(
        advertised.reason().contains("advertises the name kafka-0.svc:9092: check advertised.listeners"),
        "{advertised}"
    );
}

#[test]
fn statistics_that_cannot_be_read_are_counted() {
    let client = state();
    assert!(client.statistics(br#"{"brokers":{"a":{"nodeid":01}}}"#).is_none());
    assert_eq!(client.metrics.statistics_failures.get(), 1);
}

#[test]
fn a_broker_that_left_the_cluster_has_no_series_any_more() {
    let client = state();
    let broker = |id: i32, state: &str| {
        format!(r#""a/{id}":{{"nodeid":{id},"state":"{state}","rtt":{{"p50":2000,"p99":3000,"cnt":3}}}}"#)
    };
    let series = |name: &str| -> Vec<String> {
        let families = prometheus::core::Collector::collect(&client.metrics.broker_up).into_iter();
        let families = families.chain(prometheus::core::Collector::collect(&client.metrics.round_trip));
        let family = families.filter(|family| family.name() == name).flat_map(|family| family.get_metric().to_vec());
        let labels = family.filter_map(|metric| metric.get_label().iter().find(|l| l.name() == "broker").cloned());
        let mut nodes: Vec<String> = labels.map(|label| label.value().to_owned()).collect();
        nodes.sort();
        nodes.dedup();
        nodes
    };
    // The coordinator's second connection to node 1 does not say that the node is down.
    let coordinator = r#""GroupCoordinator":{"nodeid":1,"source":"logical","state":"INIT"}"#;
    let both = format!(r#"{{"brokers":{{{},{},{coordinator}}}}}"#, broker(1, "UP"), broker(2, "DOWN"));
    assert!(client.statistics(both.as_bytes()).is_some());
    assert!(client.has_contact());
    assert_eq!(client.metrics.broker_up.with_label_values(&["1"]).get(), 1);
    assert_eq!(client.metrics.broker_up.with_label_values(&["2"]).get(), 0);
    assert_eq!(series("test_broker_up"), ["1", "2"]);
    assert_eq!(series("test_broker_round_trip_seconds"), ["1", "2"]);
    let one = format!(r#"{{"brokers":{{{}}}}}"#, broker(1, "UP"));
    assert!(client.statistics(one.as_bytes()).is_some());
    assert_eq!(series("test_broker_up"), ["1"]);
    assert_eq!(series("test_broker_round_trip_seconds"), ["1"]);
}

#[test]
fn a_client_that_was_told_of_no_broker_asks_the_first_addresses_again() {
    let is_fenced = Arc::new(AtomicBool::new(false));
    let broker = Fake::fenced_while(&is_fenced);
    let servers = broker.address();
    // What a race in librdkafka brings about now and then, this does each time.
    let lost = ("metadata.recovery.strategy", "none");
    let set = [("bootstrap.servers", servers.as_str()), ("statistics.interval.ms", "100"), lost];
    let client = state();
    let context = SharedContext::new(Arc::clone(&client), ());
    let consumer: BaseConsumer<SharedContext> = create(&properties(&set), context).unwrap();
    let ask = || consumer.fetch_metadata(Some("t"), Duration::from_secs(1)).map(|known| known.brokers().len());
    assert_eq!(ask(), Ok(1));
    is_fenced.store(true, Ordering::Relaxed);
    wait_for("statistics without an address", || {
        let _ = (ask(), consumer.poll(Duration::from_millis(10)));
        client.is_lost.load(Ordering::Relaxed).then_some(())
    });
    is_fenced.store(false, Ordering::Relaxed);
    assert!(ask().is_err(), "librdkafka finds back by itself");
    wait_for("the broker", || {
        let _ = consumer.poll(Duration::from_millis(10));
        client.tend(consumer.client());
        ask().ok().filter(|brokers| *brokers == 1)
    });
}

#[test]
fn a_listener_that_has_taken_a_login_offers_one() {
    let error = global(RDKafkaErrorCode::Authentication);
    let words = "127.0.0.1:9092/1: SASL OAUTHBEARER mechanism handshake failed: Broker: Request not valid in current SASL state";
    let client = state();
    client.reached();
    client.error(&error, words);
    assert_eq!(client.refused(), None);
    let new = state();
    new.error(&error, words);
    assert!(new.refused().unwrap().reason().contains("this listener offers no SASL"));
}
