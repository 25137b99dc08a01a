//! The variables of traces: OpenTelemetry's own names, without flags, as every program that is traced has them.

use crate::config::{PlainVariable, SecretVariable};

const fn variable(name: &'static str, default: &'static str, help: &'static str) -> PlainVariable {
    PlainVariable { name, default, help }
}

/// What traces can be told by variables that are no secrets. Where there are two of a kind, the one with `TRACES` in its name wins.
pub const TRACES: [PlainVariable; 25] = [
    variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Where spans are sent to, by OTLP over HTTP, as `http://collector:4318`; `/v1/traces` is appended. Unset: there are no traces",
    ),
    variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "", "The same with its path, as `http://collector:4318/v1/traces`"),
    variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "Only `http/protobuf`; gRPC is not built in"),
    variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "", "The same"),
    variable(
        "OTEL_EXPORTER_OTLP_TIMEOUT",
        "10000",
        "How long the receiver may take for a batch, retries included, in milliseconds",
    ),
    variable("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "", "The same"),
    variable("OTEL_EXPORTER_OTLP_COMPRESSION", "none", "`gzip` or `none`"),
    variable("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "", "The same"),
    variable(
        "OTEL_EXPORTER_OTLP_CERTIFICATE",
        "",
        "Certificate authorities to trust, a PEM file [default: the system's]",
    ),
    variable("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "", "The same"),
    variable("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "", "Client certificate for mutual TLS, a PEM file"),
    variable("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "", "The same"),
    variable(
        "OTEL_EXPORTER_OTLP_CLIENT_KEY",
        "",
        "Key of the client certificate, a PEM file in PKCS#8, without a password",
    ),
    variable("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "", "The same"),
    variable("OTEL_SDK_DISABLED", "false", "`true`: no traces, whatever else is set"),
    variable("OTEL_TRACES_EXPORTER", "otlp", "`otlp`, or `none`: no traces"),
    variable(
        "OTEL_PROPAGATORS",
        "tracecontext,baggage",
        "How contexts travel in headers; without `tracecontext` none are read or written, and nothing else is known",
    ),
    variable("OTEL_SERVICE_NAME", "", "Name of the program in traces [default: the program's name]"),
    variable(
        "OTEL_RESOURCE_ATTRIBUTES",
        "",
        "More about the process, as `deployment.environment.name=test,team=a%2Cb`",
    ),
    variable(
        "OTEL_TRACES_SAMPLER",
        "parentbased_always_on",
        "What is traced: `always_on`, `always_off` or `traceidratio`, each also with `parentbased_` in front, which lets the flag of the \
         context that came with a message decide where there is one",
    ),
    variable("OTEL_TRACES_SAMPLER_ARG", "1.0", "The part that `traceidratio` traces, from 0 to 1"),
    variable("OTEL_BSP_SCHEDULE_DELAY", "5000", "The longest wait before spans are sent, in milliseconds"),
    variable("OTEL_BSP_MAX_QUEUE_SIZE", "2048", "Spans that may wait; more are dropped and counted"),
    variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "512", "Spans in one request"),
    variable(
        "OTEL_BSP_EXPORT_TIMEOUT",
        "30000",
        "The longest time for one batch; the shorter one of this and the receiver's counts",
    ),
];

/// The headers for the receiver, which mostly hold a token.
pub const TRACE_SECRETS: [SecretVariable; 2] = [
    SecretVariable {
        name: "OTEL_EXPORTER_OTLP_HEADERS",
        file: "OTEL_EXPORTER_OTLP_HEADERS_FILE",
        help: "Headers for the receiver of traces, as `authorization=Bearer%20abc,tenant=a`",
        property: None,
    },
    SecretVariable {
        name: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
        file: "OTEL_EXPORTER_OTLP_TRACES_HEADERS_FILE",
        help: "The same, and wins",
        property: None,
    },
];
