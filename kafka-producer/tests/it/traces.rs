//! Traces: one span for each message that is sampled, the context in its headers, and a receiver that changes nothing else.

use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::apache::Pki;
use testbed::otlp::{Kind, Mood, Receiver};
use testbed::process::{Outcome, Program};
use testbed::records::Record;

use crate::support::{Cluster, SOON, arg, assert_says, file, number, producer, report};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN_ID: &str = "00f067aa0ba902b7";

fn traced(program: Program, receiver: &Receiver) -> Program {
    program.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
}

fn run(program: Program) -> Outcome {
    program.run(SOON).unwrap()
}

/// Trace id, span id and flags of a record.
fn context(record: &Record) -> [String; 3] {
    let value = record.header("traceparent").unwrap();
    let parts: Vec<&str> = value.split('-').collect();
    assert_eq!((parts.len(), parts[0], value.len()), (4, "00", 55), "{value}");
    [parts[1], parts[2], parts[3]].map(str::to_owned)
}

/// Spans exported, failed and dropped, by the line that says what was lost at the end; zeros without one.
fn lost(outcome: &Outcome) -> u64 {
    let event = outcome.events().into_iter().find(|event| event["event"] == "spans_lost");
    event.map_or(0, |event| event["spans"].as_u64().unwrap())
}

#[test]
fn at_all_of_them_each_message_is_a_span_that_names_its_place() {
    let (cluster, receiver) = (Cluster::new(3), Receiver::start().unwrap());
    let program = traced(cluster.producer(), &receiver).args(["-n", "50", "--client-id", "me"]);
    let outcome =
        run(program.env("OTEL_RESOURCE_ATTRIBUTES", "team=a%2Cb").env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"));
    report(&outcome, 0);
    let spans = receiver.spans().unwrap();
    assert_eq!((spans.len(), lost(&outcome)), (50, 0), "{outcome}");
    let request = &receiver.requests().unwrap()[0];
    assert_eq!((request.http.path(), request.http.header("content-encoding")), ("/v1/traces", Some("gzip")));
    for (name, value) in
        [("service.name", "kafka-producer"), ("team", "a,b"), ("service.version", env!("CARGO_PKG_VERSION"))]
    {
        assert_eq!(spans[0].resource[name], value);
    }
    for record in cluster.records() {
        let [trace_id, span_id, flags] = context(&record);
        let span = spans.iter().find(|span| span.span_id == span_id).unwrap();
        assert_eq!((&span.trace_id, flags.as_str()), (&trace_id, "01"));
        assert_eq!((span.name.as_str(), span.kind), ("send test", Kind::Producer));
        assert!(span.parent_id.is_empty() && span.times.0 <= span.times.1);
        for (name, value) in [
            ("messaging.system", Value::from("kafka")),
            ("messaging.operation.name", "send".into()),
            ("messaging.operation.type", "send".into()),
            ("messaging.destination.name", "test".into()),
            ("messaging.destination.partition.id", record.partition.to_string().into()),
            ("messaging.kafka.offset", record.offset.into()),
            ("messaging.client.id", "me".into()),
        ] {
            assert_eq!(span.attribute(name), &value, "{name}: {span:#?}");
        }
        assert!(span.attribute("error.type").is_null() && !span.is_error, "{span:#?}");
    }
}

#[test]
fn the_decision_travels_with_every_message() {
    let cluster = Cluster::new(1);
    let receiver = Receiver::start().unwrap();
    let program = traced(cluster.producer(), &receiver).args(["-n", "1000"]);
    let ratio = program.env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio").env("OTEL_TRACES_SAMPLER_ARG", "0.2");
    report(&run(ratio), 0);
    let records = cluster.records();
    let mut sampled: Vec<String> =
        records.iter().map(context).filter(|[.., flags]| flags == "01").map(|[_, span_id, _]| span_id).collect();
    let mut spans: Vec<String> = receiver.spans().unwrap().into_iter().map(|span| span.span_id).collect();
    assert!((100..350).contains(&spans.len()), "{} of 1000", spans.len());
    spans.sort_unstable();
    sampled.sort_unstable();
    assert_eq!(spans, sampled);
    assert!(records.iter().map(context).all(|[.., flags]| ["00", "01"].contains(&flags.as_str())));
}

#[test]
fn a_context_in_the_input_becomes_the_parent_and_is_replaced() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::start().unwrap());
    let message = |flags: &str| {
        let parent = format!("00-{TRACE_ID}-{SPAN_ID}-{flags}");
        format!(r#"{{"value":"{flags}","headers":{{"traceparent":"{parent}","tracestate":"a=1,b=2"}}}}"#)
    };
    let (_folder, path) = file("in.ndjson", format!("{}\n{}\n", message("01"), message("00")));
    let program = traced(cluster.producer(), &receiver).args(["-i", arg(&path), "--input-format", "json"]);
    report(&run(program), 0);
    let records = cluster.records();
    for (record, flags) in records.iter().zip(["01", "00"]) {
        let [trace_id, span_id, written] = context(record);
        assert_eq!((trace_id.as_str(), written.as_str()), (TRACE_ID, flags));
        assert_ne!(span_id, SPAN_ID);
        let names: Vec<&str> = record.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["stamp", "traceparent", "tracestate"]);
        assert_eq!(record.header("tracestate").as_deref(), Some("a=1,b=2"));
    }
    let spans = receiver.spans().unwrap();
    assert_eq!(spans.len(), 1, "the flag of the other one says no");
    assert_eq!((spans[0].parent_id.as_str(), spans[0].trace_state.as_str()), (SPAN_ID, "a=1,b=2"));
}

#[test]
fn nothing_is_propagated_where_that_is_off() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::start().unwrap());
    report(&run(traced(cluster.producer(), &receiver).args(["-n", "3", "--no-headers"])), 0);
    report(&run(traced(cluster.producer(), &receiver).args(["-n", "3"]).env("OTEL_PROPAGATORS", "baggage")), 0);
    let off = [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")];
    for variable in off {
        report(&run(traced(cluster.producer(), &receiver).args(["-n", "3"]).envs([variable])), 0);
    }
    let records = cluster.records();
    assert_eq!(records.len(), 12);
    assert!(records.iter().all(|record| record.header("traceparent").is_none()));
    assert_eq!(
        receiver.spans().unwrap().len(),
        6,
        "the spans themselves are made, and none of them when traces are off"
    );
}

#[test]
fn a_receiver_in_trouble_changes_no_verdict_and_costs_two_seconds_at_most() {
    let cluster = Cluster::new(1);
    let began = Instant::now();
    report(&cluster.run(&["-n", "300"]), 0);
    let plain = began.elapsed();
    for mood in [None, Some(Mood::Answers(503)), Some(Mood::Answers(400)), Some(Mood::Silent), Some(Mood::Rejects(7))] {
        let receiver = mood.map(|mood| Receiver::in_mood(mood).unwrap());
        let endpoint = receiver.as_ref().map_or_else(|| "http://127.0.0.1:1".to_owned(), Receiver::endpoint);
        let program = cluster.producer().args(["-n", "300"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        let began = Instant::now();
        let outcome = run(program.env("OTEL_BSP_MAX_QUEUE_SIZE", "100").env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100"));
        let took = began.elapsed();
        assert_eq!(number(&report(&outcome, 0), "delivered"), 300);
        // The second is for a busy machine.
        assert!(took < plain + Duration::from_secs(3), "{mood:?}: {took:?}, without traces {plain:?}");
        let troubles = outcome.events().iter().filter(|event| event["event"] == "spans_fail").count();
        let taken = receiver.as_ref().map_or(0, |receiver| receiver.spans().unwrap().len()) as u64;
        match mood {
            // What it was sent in time it has, less what it rejected; a queue of 100 may drop some.
            Some(Mood::Rejects(_)) => {
                let batches = receiver.unwrap().requests().unwrap().len() as u64;
                assert_eq!((lost(&outcome), troubles), (300 - taken + 7 * batches, 1), "{outcome}");
            }
            Some(Mood::Silent) => assert_eq!((lost(&outcome), taken), (300, 0), "{outcome}"),
            _ => assert_eq!((lost(&outcome), troubles), (300, 1), "told once: {outcome}"),
        }
    }
}

#[test]
fn a_receiver_that_is_silent_to_the_last_request_is_named() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::in_mood(Mood::Silent).unwrap());
    let program = traced(cluster.producer(), &receiver).args(["-n", "5"]);
    // However long the run takes, the spans wait for its end.
    let outcome = run(program.env("OTEL_BSP_SCHEDULE_DELAY", "600000"));
    report(&outcome, 0);
    let events = outcome.events();
    let trouble = events.iter().find(|event| event["event"] == "spans_fail").unwrap();
    let message = trouble["message"].as_str().unwrap();
    assert_says(message, &[&receiver.endpoint(), "no answer within 1.8s"]);
    assert_eq!(lost(&outcome), 5, "{outcome}");
}

#[test]
fn a_message_that_failed_is_a_span_that_says_so() {
    let receiver = Receiver::start().unwrap();
    let cluster = Cluster::new(1);
    let program =
        traced(cluster.producer(), &receiver).args(["-n", "1", "--size", "2MB", "-X", "message.max.bytes=1000"]);
    report(&run(program), 4);
    let spans = receiver.wait_for_named(SOON, "send test", 1).unwrap();
    assert_eq!(spans[0].attribute("error.type"), "MessageSizeTooLarge", "{spans:#?}");
    assert!(spans[0].is_error, "{spans:#?}");
}

#[test]
fn secrets_reach_the_receiver_and_nobody_else() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::start().unwrap());
    let (_folder, path) = file("headers", "authorization=Bearer%20hunter2,tenant=a\n");
    let program = traced(cluster.producer(), &receiver).args(["-n", "1"]);
    let outcome = run(program.env("OTEL_EXPORTER_OTLP_HEADERS_FILE", arg(&path)).env("DEBUG", "true"));
    report(&outcome, 0);
    let request = &receiver.requests().unwrap()[0].http;
    for (name, value) in
        [("authorization", "Bearer hunter2"), ("tenant", "a"), ("content-type", "application/x-protobuf")]
    {
        assert_eq!(request.header(name), Some(value), "{name}: {request:?}");
    }
    assert!(!outcome.stderr.contains("hunter2"), "{outcome}");
    let shown = traced(producer(), &receiver).arg("config").env("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=hunter2");
    let shown = run(shown.env("OTEL_TRACES_SAMPLER", "always_off")).expect_code(0).unwrap();
    assert_says(&shown.stdout, &["OTEL_EXPORTER_OTLP_TRACES_HEADERS=[redacted]", "OTEL_TRACES_SAMPLER=always_off"]);
    assert_says(&shown.stdout, &["OTEL_BSP_MAX_QUEUE_SIZE=2048", &receiver.endpoint()]);
    assert!(!shown.stdout.contains("hunter2"), "{shown}");
    assert_eq!(receiver.connections(), 1, "to show settings sends nothing");
}

#[test]
fn settings_come_from_the_layers_and_never_past_them() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::start().unwrap());
    let env = format!(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={}/own/path\nOTEL_EXPORTER_OTLP_TRACES_HEADERS=x=ours\n",
        receiver.endpoint()
    );
    let (folder, _) = file(".env.shared", env);
    // Variables of all signals, and of others, that an SDK would read.
    let program = cluster
        .producer()
        .args(["-n", "2"])
        .env("ENV_DIR", folder.path())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "y=theirs");
    let program = program.env("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1").env("OTEL_METRICS_EXPORTER", "nonsense");
    report(&run(program.env("OTEL_BLRP_SCHEDULE_DELAY", "nonsense").env("HTTP_PROXY", "http://127.0.0.1:1")), 0);
    let requests = receiver.requests().unwrap();
    let http = &requests[0].http;
    assert_eq!((http.path(), requests[0].spans.len()), ("/own/path", 2));
    assert_eq!((http.header("x"), http.header("y")), (Some("ours"), None), "{requests:?}");
    assert!(requests[0].spans.iter().all(|span| span.attributes.len() > 5), "{requests:?}");
}

#[test]
fn what_cannot_be_used_is_a_problem_with_the_configuration() {
    let outcome = run(producer().envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
    ]));
    let outcome = outcome.expect_code(2).unwrap();
    assert_says(
        &outcome.stderr,
        &["port, mostly 4318", "OTEL_TRACES_SAMPLER_ARG", "OTEL_EXPORTER_OTLP_HEADERS", "3 problems"],
    );
    assert!(!outcome.stderr.contains("hunter2"));
    let (_folder, key) = file("key.pem", "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n");
    let (_folder, certificate) = file("cert.pem", "nothing");
    let tls = run(producer().envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", arg(&certificate)),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", arg(&key)),
    ]));
    assert_says(&tls.expect_code(2).unwrap().stderr, &["holds no certificate in PEM form"]);
}

#[test]
fn port_4317_is_a_warning_and_versions_need_no_receiver() {
    let cluster = Cluster::new(1);
    let program = cluster.producer().args(["-n", "1"]).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let outcome = run(program);
    report(&outcome, 0);
    assert!(
        outcome.events().iter().any(|event| event["event"] == "otlp_port" && event["level"] == "WARN"),
        "{outcome}"
    );
    let receiver = Receiver::in_mood(Mood::Silent).unwrap();
    for args in [vec!["--version"], vec!["config"], vec!["--dry-run", "-n", "1"]] {
        let began = Instant::now();
        run(traced(producer(), &receiver).args(&args)).expect_code(0).unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{args:?} waited for somebody");
    }
}

#[test]
fn a_receiver_with_tls_is_believed_by_the_authority_given_and_believes_the_certificate_given() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::create(&folder.path().join("ours")).unwrap();
    let others = Pki::create(&folder.path().join("others")).unwrap();
    let cluster = Cluster::new(1);
    let publish = |receiver: &Receiver, ca: &Pki, client: Option<&Pki>| {
        let mut program = traced(cluster.producer(), receiver).args(["-n", "3"]);
        program = program.env("OTEL_EXPORTER_OTLP_CERTIFICATE", ca.ca_path());
        if let Some(client) = client {
            program = program
                .env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", client.client_certificate())
                .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", client.client_key());
        }
        let outcome = run(program);
        report(&outcome, 0);
        outcome
    };
    let receiver = Receiver::with_tls(&pki, false).unwrap();
    publish(&receiver, &pki, None);
    assert_eq!(receiver.spans().unwrap().len(), 3);
    let outcome = publish(&receiver, &others, None);
    assert_says(&outcome.stderr, &["spans_fail", "certificate"]);
    assert_eq!(receiver.spans().unwrap().len(), 3, "another authority's receiver got spans");

    let strict = Receiver::with_tls(&pki, true).unwrap();
    publish(&strict, &pki, Some(&pki));
    assert_eq!(strict.spans().unwrap().len(), 3);
    for stranger in [None, Some(&others)] {
        assert_says(&publish(&strict, &pki, stranger).stderr, &["spans_fail"]);
    }
    assert_eq!(strict.spans().unwrap().len(), 3, "spans came without the client's certificate");

    let key = pki.encrypted_client_key("hunter2").unwrap();
    let program = traced(cluster.producer(), &strict).args(["-n", "1"]);
    let program = program.env("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", pki.client_certificate());
    let outcome = run(program.env("OTEL_EXPORTER_OTLP_CLIENT_KEY", &key)).expect_code(2).unwrap();
    assert_says(&outcome.stderr, &["client.encrypted.key", "PKCS#8"]);
}
