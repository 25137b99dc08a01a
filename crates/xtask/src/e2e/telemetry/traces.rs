//! A message's trace: one span when it is sent and one when it is logged, for those that the producer sampled.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::otlp::{Kind, Receiver, Span};
use testbed::process::Signal;

use super::super::Scenario;
use super::super::bench::{ARRIVAL, Bench, Place, RUN, Report};
use super::super::watch::Watch;
use super::traced;

pub(super) const SCENARIOS: [Scenario; 4] = [
    Scenario {
        name: "trace-every-record",
        claim: "at 100% each record has one send and one process in one trace, and both say what its line says",
        run: every_record,
    },
    Scenario {
        name: "trace-one-percent",
        claim: "at 1% the consumer makes a span for exactly the records that the producer sampled",
        run: one_percent,
    },
    Scenario {
        name: "trace-not-sampled",
        claim: "a consumer that samples everything follows the flag of records that were not sampled",
        run: not_sampled,
    },
    Scenario {
        name: "trace-no-context",
        claim: "records without a trace context are sampled by the consumer's own ratio, as traces of their own",
        run: no_context,
    },
];

/// What a run left: its spans, and its record lines.
struct Seen {
    spans: Vec<Span>,
    lines: Vec<Value>,
}

impl Seen {
    fn named<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a Span> {
        self.spans.iter().filter(move |span| span.name.starts_with(start))
    }
}

fn run(place: &Place, bench: &Bench, messages: u64, flags: &[&str], samplers: [(&str, &str); 2]) -> Result<Seen> {
    let receiver = Receiver::start()?;
    let [(sends, send_ratio), (reads, read_ratio)] = samplers;
    let consumer = Watch::ready(traced(bench.consumer(place), &receiver, reads, read_ratio))?;
    let count = messages.to_string();
    let producer = bench.producer(place).args(["--messages", &count]).args(flags);
    Report::of_all(traced(producer, &receiver, sends, send_ratio).run(RUN)?, messages)?;
    consumer.wait_for_lines(usize::try_from(messages)?, ARRIVAL)?;
    let outcome = consumer.stop(Signal::TERM)?.expect_code(0)?;
    let strange = receiver.requests()?.into_iter().find(|request| request.http.path() != "/v1/traces");
    ensure!(strange.is_none(), "a request to another path: {strange:?}");
    // Both have ended, each after its last flush: nothing follows.
    Ok(Seen { spans: receiver.spans()?, lines: outcome.json_lines()? })
}

fn every_record(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 300;
    let place = bench.topic("trace-every-record")?;
    let always = ("parentbased_always_on", "");
    let seen = run(&place, bench, MESSAGES, &[], [always, always])?;
    let sends: BTreeMap<_, _> = seen.named("send ").map(|span| (place_of(span), span)).collect();
    let processes: BTreeMap<_, _> = seen.named("process ").map(|span| (place_of(span), span)).collect();
    let all = usize::try_from(MESSAGES)?;
    let (sent, processed) = (seen.named("send ").count(), seen.named("process ").count());
    ensure!((sent, processed) == (all, all), "{sent} send and {processed} process for {all} records");
    for line in &seen.lines {
        let at = (text(line, "partition"), text(line, "offset"));
        let send = sends.get(&at).with_context(|| format!("no send for {at:?}"))?;
        let process = processes.get(&at).with_context(|| format!("no process for {at:?}"))?;
        ensure!(send.name == format!("send {}", place.topic) && send.kind == Kind::Producer, "not a send: {send:?}");
        ensure!(process.name == format!("process {}", place.topic) && process.kind == Kind::Consumer, "{process:?}");
        ensure!(send.trace_id == process.trace_id && process.parent_id == send.span_id, "{send:?} {process:?}");
        ensure!(process.links == [(send.trace_id.clone(), send.span_id.clone())], "another link: {process:?}");
        ensure!(line["trace_id"] == process.trace_id.as_str(), "the line has another trace: {line}");
        for span in [send, process] {
            ensure!(span.attribute("messaging.destination.name") == &line["topic"], "another topic: {span:?}");
            ensure!(span.attribute("messaging.system") == "kafka", "no system: {span:?}");
            ensure!(!span.is_error && span.times.0 <= span.times.1, "{span:?}");
        }
        ensure!(process.attribute("messaging.consumer.group.name") == place.run.as_str(), "another group: {process:?}");
    }
    let traces: BTreeSet<_> = seen.named("send ").map(|span| &span.trace_id).collect();
    ensure!(traces.len() == all, "{} traces for {all} records", traces.len());
    let others = seen.spans.iter().filter(|span| !span.name.starts_with("send ") && !span.name.starts_with("process "));
    let (mut polls, mut commits) = (0, 0);
    for span in others {
        ensure!(!traces.contains(&span.trace_id), "{} is in a message's trace: {span:?}", span.name);
        polls += usize::from(span.name.starts_with("poll"));
        commits += usize::from(span.name.starts_with("commit"));
    }
    ensure!(polls > 0 && commits > 0, "{polls} poll and {commits} commit spans");
    Ok(format!("{all} traces of 2 spans; {polls} poll and {commits} commit"))
}

fn one_percent(bench: &mut Bench) -> Result<String> {
    const MESSAGES: u64 = 20_000;
    let place = bench.topic("trace-one-percent")?;
    let ratio = ("parentbased_traceidratio", "0.01");
    let seen = run(&place, bench, MESSAGES, &[], [ratio, ratio])?;
    let traces = |start| -> BTreeSet<_> { seen.named(start).map(|span| span.trace_id.clone()).collect() };
    let (sent, processed) = (traces("send "), traces("process "));
    ensure!(sent == processed, "{} were sent and {} processed", sent.len(), processed.len());
    // 200 are expected, and seven standard deviations are 98.
    ensure!((100..=300).contains(&sent.len()), "{} of {MESSAGES} records were sampled", sent.len());
    ensure!(processed.len() == seen.named("process ").count(), "a record has several spans");
    let named: BTreeSet<_> =
        seen.lines.iter().filter_map(|line| line["trace_id"].as_str().map(str::to_owned)).collect();
    ensure!(named.len() == usize::try_from(MESSAGES)?, "{} lines have a trace id of their own", named.len());
    ensure!(sent.is_subset(&named), "a sampled trace is in no line");
    Ok(format!("{} of {MESSAGES} records were sampled, by both alike", sent.len()))
}

fn not_sampled(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("trace-not-sampled")?;
    let samplers = [("parentbased_always_off", ""), ("parentbased_always_on", "")];
    let seen = run(&place, bench, 500, &[], samplers)?;
    ensure!(seen.spans.is_empty(), "{} spans; the first: {:?}", seen.spans.len(), seen.spans.first());
    ensure!(seen.lines.iter().all(|line| line["trace_id"].is_string()), "a line without the header's trace id");
    Ok("no span for 500 records".to_owned())
}

fn no_context(bench: &mut Bench) -> Result<String> {
    let place = bench.topic("trace-no-context")?;
    let always = ("parentbased_always_on", "");
    let seen = run(&place, bench, 100, &["--no-headers"], [always, always])?;
    let processes: Vec<_> = seen.named("process ").collect();
    ensure!(processes.len() == 100, "{} process spans for 100 records", processes.len());
    let alone = |span: &&&Span| span.parent_id.is_empty() && span.links.is_empty();
    ensure!(processes.iter().all(|span| alone(&span)), "a process span has a parent that nobody propagated");
    Ok("100 records, 100 traces of the consumer's".to_owned())
}

/// Partition and offset, as text.
fn place_of(span: &Span) -> (String, String) {
    let text = |name| match span.attribute(name) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    (text("messaging.destination.partition.id"), text("messaging.kafka.offset"))
}

fn text(line: &Value, name: &str) -> String {
    line[name].to_string()
}
