//! Traces: the flag of a record decides, its span is a child of the message's, and no receiver holds the consumer up.

use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::otlp::{Kind, Mood, Receiver, Span};
use testbed::process::{Program, Signal};
use testbed::records::NewRecord;

use crate::support::{Cluster, SOON, Served, consumer, lines, numbered, stop, wait_for_records};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN_ID: &str = "00f067aa0ba902b7";

fn traced(program: Program, receiver: &Receiver) -> Program {
    program.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()).env("OTEL_BSP_SCHEDULE_DELAY", "100")
}

/// The spans with this name, once there are so many.
fn wait_for(receiver: &Receiver, name: &str, count: usize) -> Vec<Span> {
    receiver.wait_for_named(SOON, name, count).unwrap()
}

fn with_context(value: &str, flags: &str) -> NewRecord {
    let parent = format!("00-{TRACE_ID}-{SPAN_ID}-{flags}");
    NewRecord::value(value)
        .partition(0)
        .header("traceparent", Some(parent.as_bytes()))
        .header("tracestate", Some(b"a=1"))
}

#[test]
fn a_records_flag_decides_and_its_span_is_a_child_of_the_messages() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::start().unwrap());
    cluster.produce(&[with_context("yes", "01"), with_context("no", "00"), NewRecord::value("none").partition(0)]);
    let member = cluster.member("g").args(["--client-id", "me", "--commit-interval", "100ms"]);
    let process = traced(member, &receiver).env("OTEL_TRACES_SAMPLER", "parentbased_always_off").spawn().unwrap();
    let spans = wait_for(&receiver, "process test", 1);
    let [commit] = <[_; 1]>::try_from(wait_for(&receiver, "commit test", 1)).unwrap();
    let [poll] = <[_; 1]>::try_from(wait_for(&receiver, "poll test", 1)).unwrap();
    let outcome = stop(process, Signal::TERM, 0);
    assert_eq!(wait_for(&receiver, "process test", 1).len(), 1, "the flag says no, and so does the sampler");
    let span = &spans[0];
    assert_eq!((span.trace_id.as_str(), span.parent_id.as_str()), (TRACE_ID, SPAN_ID));
    assert_eq!((span.kind, span.trace_state.as_str()), (Kind::Consumer, "a=1"));
    assert!(span.times.0 <= span.times.1);
    for (name, value) in [
        ("messaging.system", Value::from("kafka")),
        ("messaging.operation.name", "process".into()),
        ("messaging.operation.type", "process".into()),
        ("messaging.destination.name", "test".into()),
        ("messaging.destination.partition.id", "0".into()),
        ("messaging.kafka.offset", 0.into()),
        ("messaging.consumer.group.name", "g".into()),
        ("messaging.client.id", "me".into()),
    ] {
        assert_eq!(span.attribute(name), &value, "{name}: {span:#?}");
    }
    for (linking, to) in [(span, SPAN_ID), (&poll, SPAN_ID), (&commit, &span.span_id)] {
        assert_eq!(linking.links, [(TRACE_ID.to_owned(), to.to_owned())], "{}", linking.name);
    }
    for own in [&poll, &commit] {
        assert_eq!((own.kind, own.parent_id.len()), (Kind::Client, 0));
        assert_ne!(own.trace_id, TRACE_ID, "a trace of its own");
    }
    assert!(poll.attribute("messaging.batch.message_count").is_u64(), "{poll:#?}");
    assert!(receiver.requests().unwrap().iter().all(|request| request.http.path() == "/v1/traces"));
    let logged = lines(&outcome.stdout);
    assert_eq!((&logged[0]["trace_id"], &logged[1]["trace_id"]), (&TRACE_ID.into(), &TRACE_ID.into()));
    assert!(logged[2].get("trace_id").is_none());
}

#[test]
fn at_all_of_them_each_line_names_the_trace_of_its_span() {
    let (cluster, receiver) = (Cluster::new(2), Receiver::start().unwrap());
    cluster.produce(&numbered(0..40, 2));
    let program = traced(cluster.consumer().args(["-p", "0,1", "--exit-at-end"]), &receiver);
    let outcome = program.run(SOON).unwrap().expect_code(0).unwrap();
    let spans = wait_for(&receiver, "process test", 40);
    assert_eq!(spans.len(), 40);
    for line in lines(&outcome.stdout) {
        let partition = Value::from(line["partition"].to_string());
        let span = spans.iter().find(|span| {
            let place =
                ["messaging.destination.partition.id", "messaging.kafka.offset"].map(|name| span.attribute(name));
            place == [&partition, &line["offset"]]
        });
        let span = span.unwrap_or_else(|| panic!("no span of {line}"));
        assert_eq!(line["trace_id"], span.trace_id);
        assert!(span.parent_id.is_empty() && span.links.is_empty());
        assert!(span.attribute("messaging.consumer.group.name").is_null());
    }
}

#[test]
fn without_traces_or_propagators_no_context_counts() {
    let (cluster, receiver) = (Cluster::new(1), Receiver::start().unwrap());
    cluster.produce(&[with_context("a", "01"), NewRecord::value("b").partition(0)]);
    let read = || cluster.consumer().args(["-p", "0", "--exit-at-end"]);
    let plain = read().run(SOON).unwrap().expect_code(0).unwrap();
    assert_eq!(lines(&plain.stdout)[0]["trace_id"], TRACE_ID, "the header's");
    for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
        traced(read(), &receiver).envs([off]).run(SOON).unwrap().expect_code(0).unwrap();
    }
    assert!(receiver.spans().unwrap().is_empty());
    let own = traced(read(), &receiver).env("OTEL_PROPAGATORS", "none").run(SOON).unwrap().expect_code(0).unwrap();
    let spans = wait_for(&receiver, "process test", 2);
    assert!(spans.iter().all(|span| span.parent_id.is_empty() && span.trace_id != TRACE_ID));
    assert_ne!(lines(&own.stdout)[0]["trace_id"], TRACE_ID, "the span's");
}

#[test]
fn what_became_of_spans_adds_up_and_a_silent_receiver_holds_nobody_up() {
    let cluster = Cluster::new(1);
    cluster.produce(&numbered(0..500, 1));
    for mood in [Mood::Takes, Mood::Answers(400), Mood::Silent] {
        let receiver = Receiver::in_mood(mood).unwrap();
        let program = traced(cluster.consumer().args(["-p", "0"]), &receiver).env("OTEL_BSP_MAX_QUEUE_SIZE", "100");
        let served = Served::start(program.env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")).ready();
        wait_for_records(&served.process, 500);
        let count =
            |result: &str| served.metric(&format!(r#"kafka_consumer_spans_total{{result="{result}"}}"#)).unwrap();
        // One that is not answered is in none of the counts.
        let pending = if mood == Mood::Silent { 150.0 } else { 0.0 };
        let end = Instant::now() + SOON;
        loop {
            let counts = ["exported", "failed", "dropped"].map(count);
            let sum: f64 = counts.iter().sum();
            // The spans of the records, and one for each batch polled.
            if sum + pending > 500.0 {
                match mood {
                    Mood::Takes => assert!(counts[0] > 0.0 && counts[1] == 0.0, "{counts:?}"),
                    Mood::Silent => assert!(counts[0] == 0.0 && counts[2] > 0.0, "{counts:?}"),
                    _ => assert!(counts[0] == 0.0 && counts[1] > 0.0, "{counts:?}"),
                }
                break;
            }
            assert!(Instant::now() < end, "{mood:?}: {counts:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        let began = Instant::now();
        stop(served.process, Signal::TERM, 0);
        // Two seconds for the last flush; the rest is the group and a busy machine.
        assert!(began.elapsed() < Duration::from_secs(5), "{mood:?}: {:?}", began.elapsed());
    }
}

#[test]
fn traces_that_are_off_have_no_series_and_a_health_check_has_no_receiver() {
    let cluster = Cluster::new(1);
    let served = Served::start(cluster.consumer().args(["-p", "0"])).ready();
    assert!(!served.get("/metrics").body.contains("spans_total"));
    let receiver = Receiver::in_mood(Mood::Silent).unwrap();
    let began = Instant::now();
    let check = traced(consumer().args(["healthcheck", "--listen", &served.address.to_string()]), &receiver);
    check.run(SOON).unwrap().expect_code(0).unwrap();
    assert!(began.elapsed() < Duration::from_secs(2) && receiver.connections() == 0);
}

#[test]
fn what_cannot_be_used_is_a_problem_with_the_configuration() {
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere"), ("OTEL_PROPAGATORS", "b4")];
    let outcome = consumer().envs(variables).run(SOON).unwrap().expect_code(2).unwrap();
    for says in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_PROPAGATORS", "2 problems"] {
        assert!(outcome.stderr.contains(says), "{outcome}");
    }
}
