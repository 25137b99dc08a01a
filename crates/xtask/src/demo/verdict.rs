//! What a demo shows at its end: numbers of both sides next to each other, and one sentence.

use serde_json::Value;

use crate::received::Received;
use crate::terminal::{Style, grouped, paint};

/// Lines of `/metrics` that tell most to a newcomer, by their beginnings.
const METRICS: [&str; 5] = [
    "kafka_consumer_records_total",
    "kafka_consumer_assigned_partitions",
    "kafka_consumer_end_to_end_latency_seconds_sum",
    "kafka_consumer_end_to_end_latency_seconds_count",
    "process_resident_memory_bytes",
];

/// What the topic must not have, as it is called here and in the report.
const FAULTS: [(&str, &str); 4] =
    [("missing", "missing"), ("duplicated", "written_twice"), ("out of order", "reordered"), ("damaged", "damaged")];

/// Both sides of a run.
pub struct Verdict<'a> {
    /// Messages to publish.
    pub requested: u64,
    /// Of the round trip: what was published, and what is in the topic.
    pub report: &'a Value,
    /// The consumer's lines.
    pub received: &'a Received,
}

impl Verdict<'_> {
    /// The topic has every message exactly once, whole and in order, and the consumer has logged each once.
    pub fn is_good(&self) -> bool {
        let audited = |field: &str| self.audited(field).unwrap_or(u64::MAX);
        self.number("requested") == self.requested
            && self.number("delivered") == self.requested
            && audited("distinct") == self.requested
            && ["missing", "lost", "written_twice", "reordered", "damaged"].iter().all(|fault| audited(fault) == 0)
            && self.received.distinct() == self.requested
            && self.received.missing(self.requested) == 0
            && self.received.duplicated() == 0
            && self.received.out_of_order() == 0
            && self.received.broken().is_none()
    }

    /// A table.
    pub fn print(&self) {
        let received = self.received;
        let zero = |count: u64| paint(if count == 0 { Style::Bold } else { Style::Bad }, &grouped(count));
        let all = |count: u64| paint(if count == self.requested { Style::Bold } else { Style::Bad }, &grouped(count));
        println!();
        row("requested", &paint(Style::Bold, &grouped(self.requested)));
        row("delivered", &all(self.number("delivered")));
        row(
            "received",
            &format!("{} from {} partitions", all(self.audited("distinct").unwrap_or(0)), received.partitions()),
        );
        for (name, field) in FAULTS {
            row(name, &self.audited(field).map_or_else(|| paint(Style::Bad, "not known"), zero));
        }
        row("logged", &format!("{}, {} of them twice", all(received.distinct()), zero(received.duplicated())));
        row("rate", &format!("{} messages/s", grouped(self.number("messages_per_second"))));
        let delivery = |name| self.report.pointer(&format!("/delivery_ms/{name}")).and_then(Value::as_f64);
        row("delivery", &latencies([delivery("p50"), delivery("p95"), delivery("p99")]));
        let end_to_end = |name| self.report.pointer(&format!("/end_to_end_ms/{name}")).and_then(Value::as_f64);
        row("end to end", &latencies([end_to_end("p50"), end_to_end("p95"), end_to_end("p99")]));
        if let Some(message) = self.report.get("message").and_then(Value::as_str) {
            row("because", message);
        }
        if let Some(broken) = received.broken() {
            row("broken line", broken);
        }
    }

    /// A number of what was found in the topic, if it was looked at.
    fn audited(&self, field: &str) -> Option<u64> {
        self.report.pointer(&format!("/audit/{field}")).and_then(Value::as_u64)
    }

    fn number(&self, field: &str) -> u64 {
        self.report.get(field).and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Some of the lines that Prometheus would scrape.
pub fn print_metrics(text: &str) {
    println!("\n{}", paint(Style::Bold, "from the running consumer's /metrics"));
    for line in text.lines().filter(|line| METRICS.iter().any(|name| line.starts_with(name))) {
        println!("  {}", paint(Style::Dim, line));
    }
}

/// The sentence.
pub fn conclude(well: bool) {
    println!();
    if well {
        println!("{}", paint(Style::Good, "✓ every message was received exactly once"));
    } else {
        println!("{}", paint(Style::Bad, "✗ not every message was received exactly once"));
    }
}

fn row(name: &str, value: &str) {
    println!("  {name:<13} {value}");
}

fn latencies(values: [Option<f64>; 3]) -> String {
    let [p50, p95, p99] = values.map(|value| value.map_or("-".to_owned(), |ms| format!("{ms:.1} ms")));
    format!("p50 {p50}, p95 {p95}, p99 {p99}")
}
