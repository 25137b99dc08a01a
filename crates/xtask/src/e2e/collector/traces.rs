//! Spans through the gateway into Jaeger: a message is one trace, and of many traces those are kept that are worth it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Scenario;
use super::bench::{Bench, Traces};
use crate::e2e::bench::RUN;
use crate::manifests::set::{list_at, text};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "trace-sampling",
        claim: "the gateway keeps every trace with an error, every slow one, and a tenth of the rest",
        run: sampling,
    },
    Scenario {
        name: "trace-whole",
        claim: "each message of a run is one trace in Jaeger: sent by the one program, processed by the other, as its line says",
        run: whole,
    },
];

/// The gateway decides this long after a trace's first span, and Jaeger gets it a moment later.
const DECIDED: Duration = Duration::from_secs(60);
/// From sending to the end of processing, for a trace that the gateway calls slow.
const SLOW: Duration = Duration::from_secs(1);
/// Messages of the run.
const MESSAGES: usize = 60;
/// Traces of each kind.
const TRACES: u64 = 300;
/// Of the rest: a tenth of them, with more than four standard deviations on both sides.
const SHARE: std::ops::RangeInclusive<usize> = 8..=56;

fn sampling(bench: &mut Bench) -> Result<String> {
    let traces = bench.traces()?;
    let (errors, slow, rest) = (0..TRACES, TRACES..2 * TRACES, 2 * TRACES..3 * TRACES);
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let span = |number: u64| {
        let length = if slow.contains(&number) { SLOW + Duration::from_millis(1) } else { Duration::from_millis(5) };
        let status = if errors.contains(&number) { 2 } else { 1 };
        json!({
            "traceId": id(number), "spanId": format!("{:016x}", number + 1), "name": "send t", "kind": 4,
            "startTimeUnixNano": (now - length).as_nanos().to_string(), "endTimeUnixNano": now.as_nanos().to_string(),
            "status": {"code": status},
        })
    };
    let spans: Vec<Value> = (0..3 * TRACES).map(span).collect();
    let service = json!([{"key": "service.name", "value": {"stringValue": "sampling"}}]);
    let request = json!({"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [{"spans": spans}]}]});
    post(&traces.gateway.otlp, "/v1/traces", &request)?;
    let found = |range: &std::ops::Range<u64>| -> Result<usize> {
        let mut found = 0;
        for number in range.clone() {
            found += usize::from(traces.store.trace(&id(number))?.is_some());
        }
        Ok(found)
    };
    // The last ones come with all the others: the gateway decides on all at once.
    until(DECIDED, || Ok(traces.store.trace(&id(2 * TRACES - 1))?.is_some()))
        .with_context(|| format!("the gateway's log:\n{}", traces.gateway.log()))?;
    until(DECIDED, || Ok((found(&errors)?, found(&slow)?) == (errors.clone().count(), slow.clone().count())))?;
    let kept = found(&rest)?;
    ensure!(SHARE.contains(&kept), "{kept} of {TRACES} ordinary traces are kept");
    Ok(format!("{TRACES} with errors and {TRACES} slow ones all kept, {kept} of {TRACES} others"))
}

/// A trace id that is spread over all values, as real ones are: the share is taken by it.
fn id(number: u64) -> String {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    format!("{mixed:016x}{:016x}", mixed ^ (mixed >> 32) ^ number)
}

fn whole(bench: &mut Bench) -> Result<String> {
    let (lines, traces) = messages(bench, "traced")?;
    for line in &lines {
        let trace = traces.store.trace(text(line, "/trace_id"))?.context("the trace is gone")?;
        is_of(&trace, line).with_context(|| format!("{line}\n{trace:#}"))?;
    }
    Ok(format!("{} messages, each one trace: sent, then processed", lines.len()))
}

/// Sends a run and reads it later than [`SLOW`], so that the gateway keeps all of it. Returns the records' lines.
pub fn messages<'a>(bench: &'a mut Bench, name: &str) -> Result<(Vec<Value>, &'a Traces)> {
    let endpoint = format!("http://{}", bench.traces()?.gateway.otlp);
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("OTEL_TRACES_SAMPLER", "parentbased_always_on")];
    let place = bench.kafka.topic(name)?;
    let sent = bench.kafka.producer(&place).args(["-n", &MESSAGES.to_string()]).envs(variables).run(RUN)?;
    sent.expect_code(0)?;
    // A trace is slow by its age, and by nothing else.
    thread::sleep(SLOW);
    let read = bench.kafka.consumer(&place).arg("--exit-at-end").envs(variables).run(RUN)?.expect_code(0)?;
    let lines = read.json_lines()?;
    ensure!(lines.len() == MESSAGES, "{} records", lines.len());
    let traces = bench.traces()?;
    let arrived = || {
        for line in &lines {
            let trace = traces.store.trace(text(line, "/trace_id"))?;
            if trace.is_none_or(|trace| list_at(&trace, "/spans").count() < 2) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    until(DECIDED, arrived).with_context(|| format!("the gateway's log:\n{}", traces.gateway.log()))?;
    Ok((lines, traces))
}

/// A trace has the two spans of a message, the second below the first, at the place that the record's line names.
fn is_of(trace: &Value, line: &Value) -> Result<()> {
    let services = trace["processes"].as_object().context("no processes")?;
    let mut spans = BTreeMap::new();
    for span in list_at(trace, "/spans") {
        let service = services.get(text(span, "/processID")).map(|process| text(process, "/serviceName"));
        spans.insert(service.unwrap_or_default(), span);
    }
    let count = list_at(trace, "/spans").count();
    ensure!(count == 2, "{count} spans");
    let send = spans.get("kafka-producer").context("no span of kafka-producer")?;
    let process = spans.get("kafka-consumer").context("no span of kafka-consumer")?;
    let topic = text(line, "/topic");
    for (span, name, kind) in [(send, "send", "producer"), (process, "process", "consumer")] {
        ensure!(text(span, "/operationName") == format!("{name} {topic}"), "{name}: {}", text(span, "/operationName"));
        ensure!(tag(span, "span.kind") == kind, "{name} is of the kind {}", tag(span, "span.kind"));
        ensure!(
            tag(span, "messaging.destination.partition.id").parse::<u64>().ok() == line["partition"].as_u64(),
            "{name}: the partition"
        );
        ensure!(
            tag(span, "messaging.kafka.offset").parse::<u64>().ok() == line["offset"].as_u64(),
            "{name}: the offset"
        );
    }
    // The consumer's span has the producer's as its parent and links to it too; Jaeger shows both as one reference, the link's.
    let mut references = list_at(process, "/references");
    ensure!(references.any(|reference| reference["spanID"] == send["spanID"]), "the second is not below the first");
    ensure!(list_at(send, "/references").next().is_none(), "the first is below something");
    Ok(())
}

/// A tag of a span in Jaeger's answer, as text.
pub fn tag(span: &Value, key: &str) -> String {
    let tag = list_at(span, "/tags").find(|tag| text(tag, "/key") == key);
    tag.map(|tag| tag["value"].as_str().map_or_else(|| tag["value"].to_string(), str::to_owned)).unwrap_or_default()
}

/// Looks until it is so.
fn until(timeout: Duration, mut look: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + timeout;
    while !look()? {
        ensure!(Instant::now() < deadline, "not seen within {timeout:?}");
        thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

/// Posts JSON and expects 200.
fn post(address: &str, path: &str, body: &Value) -> Result<()> {
    let body = body.to_string();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DECIDED))?;
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.split(' ').nth(1) == Some("200"), "{answer}");
    Ok(())
}
