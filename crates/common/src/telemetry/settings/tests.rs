#![allow(clippy::expect_used, reason = "a failed expect is a failed test")]

use std::collections::BTreeMap;

use super::*;
use crate::config::Origin;

fn read(variables: &[(&str, &str)]) -> (Option<Settings>, Problems) {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let layers = Layers::from_maps([(Origin::Environment, variables.collect::<BTreeMap<_, _>>())]);
    let mut problems = Problems::new();
    let settings = Settings::new("kafka-test", &layers, &mut problems);
    (settings, problems)
}

fn on(variables: &[(&str, &str)]) -> Settings {
    let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")];
    let (settings, problems) = read(&[&endpoint, variables].concat());
    assert!(problems.is_empty(), "{variables:?}: {problems}");
    settings.expect("traces are on")
}

#[test]
fn an_endpoint_turns_traces_on_and_two_variables_turn_them_off() {
    assert!(read(&[]).0.is_none());
    let bad = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_BSP_SCHEDULE_DELAY", "soon")];
    let (settings, problems) = read(&bad);
    assert!(settings.is_none() && problems.is_empty(), "nothing is looked at while traces are off: {problems}");
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for off in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
        let (settings, problems) = read(&[endpoint, off, bad[0]]);
        assert!(settings.is_none() && problems.is_empty(), "{off:?}: {problems}");
    }
    assert!(read(&[endpoint, ("OTEL_SDK_DISABLED", "false"), ("OTEL_TRACES_EXPORTER", "otlp")]).0.is_some());
}

#[test]
fn what_nobody_says_has_the_conventions_defaults() {
    let settings = on(&[]);
    assert_eq!(settings.endpoint, "http://collector:4318/v1/traces");
    assert_eq!((settings.timeout, settings.delay), (Duration::from_secs(10), Duration::from_secs(5)));
    assert_eq!((settings.queue, settings.batch, settings.gzip, settings.propagates), (2048, 512, false, true));
    assert_eq!(settings.sampling, Sampling { follows_parent: true, ratio: 1.0 });
    assert_eq!(settings.resource, [("service.name".to_owned(), "kafka-test".to_owned())]);
}

#[test]
fn what_is_said_for_traces_wins_over_what_is_said_for_all() {
    let settings = on(&[
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces.example/in"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3000"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "authorization=Bearer%20abc"),
    ]);
    assert_eq!((settings.endpoint.as_str(), settings.gzip), ("https://traces.example/in", false));
    assert_eq!(settings.timeout, Duration::from_secs(2), "the shorter of the two");
    assert_eq!(settings.headers, [("authorization".to_owned(), Secret::new("Bearer abc"))]);
    assert!(!format!("{settings:?}").contains("abc"));
}

#[test]
fn names_samplers_and_propagators() {
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=one,team=a");
    let name = |settings: Settings| {
        settings
            .resource
            .into_iter()
            .filter(|(name, _)| name == "service.name")
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    assert_eq!(name(on(&[attributes])), ["one"]);
    assert_eq!(name(on(&[attributes, ("OTEL_SERVICE_NAME", "two")])), ["two"]);
    for (sampler, arg, follows_parent, ratio) in [
        ("always_on", "", false, 1.0),
        ("always_off", "nonsense of another sampler", false, 0.0),
        ("traceidratio", "0.25", false, 0.25),
        ("traceidratio", "", false, 1.0),
        ("parentbased_always_off", "", true, 0.0),
        ("parentbased_traceidratio", "0.01", true, 0.01),
    ] {
        let settings = on(&[("OTEL_TRACES_SAMPLER", sampler), ("OTEL_TRACES_SAMPLER_ARG", arg)]);
        assert_eq!(settings.sampling, Sampling { follows_parent, ratio }, "{sampler} {arg}");
    }
    for (list, propagates) in
        [("baggage, tracecontext", true), ("baggage", false), ("none", false), ("b3,jaeger", false)]
    {
        assert_eq!(on(&[("OTEL_PROPAGATORS", list)]).propagates, propagates, "{list}");
    }
}

#[test]
fn what_cannot_be_used_is_named_with_what_to_do() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
    for (name, value, says) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "4318"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318", "http://"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://user:hunter2@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:99999/", "65535"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "milliseconds"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", "none or gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem", "/nowhere/ca.pem: cannot be read"),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/dev/null", "one needs the other"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "entry 1 is not name=value"),
        ("OTEL_EXPORTER_OTLP_HEADERS_FILE", "/nowhere/headers", "cannot be read"),
        ("OTEL_SDK_DISABLED", "yes", "true or false"),
        ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "traceidratio"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team", "entry 1 is not name=value"),
        ("OTEL_PROPAGATORS", "trace_context", "tracecontext"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1", "milliseconds"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "from 1"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100", "must fit into the queue"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many", "from 1"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "x", "milliseconds"),
        ("OTEL_SERVICE_NAME", " a", "white space"),
    ] {
        let (_, problems) = read(&[endpoint, (name, value)]);
        let problems = problems.to_string();
        assert!(
            problems.contains(name) && problems.contains(says) && !problems.contains("hunter2"),
            "{name}={value}: {problems}"
        );
    }
    for size in ["0", "99999999"] {
        let (_, problems) = read(&[endpoint, ("OTEL_BSP_MAX_QUEUE_SIZE", size)]);
        assert_eq!(problems.iter().count(), 1, "a size that nobody gave is compared with nothing: {problems}");
    }
    for ratio in ["1.01", "-0.1", "1%", "NaN", "half"] {
        let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
        let (_, problems) = read(&[endpoint, sampler, ("OTEL_TRACES_SAMPLER_ARG", ratio)]);
        assert!(problems.to_string().contains("from 0 to 1"), "{ratio}: {problems}");
    }
    let (_, problems) = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/?a=b")]);
    assert!(problems.to_string().contains("nothing behind the URL's path"), "{problems}");
}
