//! What was seen of the programs from a fault on: readiness, memory, and lines of their logs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::member::Ended;
use super::samples::{Sample, rss_at};
use super::seen::Seen;

/// What one sample stands for.
const SAMPLE: Duration = Duration::from_millis(500);

/// Health, memory and logs of all members that were there.
pub fn of_members(ended: &[Ended], began: Instant, looked: Instant, seen: &mut Seen) {
    for member in ended {
        count_lines(&member.outcome.stderr, &mut seen.lines);
        let count = |asked: fn(&Sample) -> Option<bool>| {
            member.samples.iter().filter(|sample| sample.at >= began && asked(sample) == Some(false)).count()
        };
        seen.not_live += count(|sample| sample.live) as u64;
        let not_ready = SAMPLE * u32::try_from(count(|sample| sample.ready)).unwrap_or(u32::MAX);
        seen.not_ready = seen.not_ready.max(not_ready);
    }
    // The first members before the fault, and those that are there at the end: where members come and go none may be both.
    let before = ended.iter().filter(|member| member.first).filter_map(|member| rss_at(&member.samples, began)).max();
    let there = |member: &&Ended| member.samples.last().is_some_and(|sample| sample.at + SAMPLE * 4 > looked);
    let after = ended.iter().filter(there).filter_map(|member| rss_at(&member.samples, looked)).max();
    seen.consumer_growth = difference(before, after);
    seen.ended += ended.len();
}

/// By how many KiB memory has grown from one moment to another.
pub fn growth(samples: &[Sample], began: Instant, looked: Instant) -> Option<i64> {
    difference(rss_at(samples, began), rss_at(samples, looked))
}

fn difference(before: Option<u64>, after: Option<u64>) -> Option<i64> {
    Some(i64::try_from(after?).ok()? - i64::try_from(before?).ok()?)
}

/// Counts WARN and ERROR lines by their event and what it is about.
pub fn count_lines(log: &str, into: &mut BTreeMap<String, u64>) {
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let field = |name: &str| line.get(name).and_then(Value::as_str);
        if !matches!(field("level"), Some("WARN" | "ERROR")) {
            continue;
        }
        let event = field("event").unwrap_or("unnamed");
        let about = field("error").or_else(|| field("facility"));
        *into.entry(about.map_or_else(|| event.to_owned(), |about| format!("{event}/{about}"))).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_and_errors_are_counted_by_what_they_are_about() {
        let log = concat!(
            "{\"level\":\"WARN\",\"event\":\"client_error\",\"error\":\"Resolve\"}\n",
            "{\"level\":\"INFO\",\"event\":\"ready\"}\nno JSON\n",
            "{\"level\":\"WARN\",\"event\":\"client_error\",\"error\":\"Resolve\"}\n",
            "{\"level\":\"ERROR\"}\n",
        );
        let mut lines = BTreeMap::new();
        count_lines(log, &mut lines);
        assert_eq!(lines, [("client_error/Resolve".to_owned(), 2), ("unnamed".to_owned(), 1)].into());
    }
}
