//! The page: `page.html` with the facts in it, its style and its script. Everything from outside is escaped.

use std::fmt::Write;

use common::text::grouped;

use super::facts::{Broker, Count, Facts, Partition, Rebalanced, Told};
use super::text::{Escaped, quantile, rate, short, span, whole};

const TEMPLATE: &str = include_str!("page.html");
/// The one style.
pub const STYLE: &str = include_str!("page.css");
/// The one script.
pub const SCRIPT: &str = include_str!("page.js");
/// What a place of the template is marked by.
const MARKS: (&str, &str) = ("{{", "}}");

/// The whole page.
pub fn page(facts: &Facts) -> String {
    let mut page = String::with_capacity(TEMPLATE.len() + STYLE.len() + SCRIPT.len() + 256 * facts.partitions.len());
    let mut rest = TEMPLATE;
    while let Some((before, marked)) = rest.split_once(MARKS.0) {
        let (name, after) = marked.split_once(MARKS.1).unwrap_or((marked, ""));
        page.push_str(before);
        // What was filled in is not looked at again: it may hold anything.
        page.push_str(&fill(name, facts));
        rest = after;
    }
    page + rest
}

/// What stands in a place of the template.
fn fill(place: &str, facts: &Facts) -> String {
    let records = &facts.records;
    match place {
        "style" => STYLE.to_owned(),
        "script" => SCRIPT.to_owned(),
        "title" => {
            let group = facts.group.as_deref().map_or(String::new(), |group| format!("{} · ", Escaped(group)));
            format!("{group}{}", facts.program)
        }
        "program" => facts.program.to_owned(),
        "version" => facts.version.to_owned(),
        "librdkafka" => Escaped(&facts.librdkafka).to_string(),
        "openssl" => Escaped(facts.openssl).to_string(),
        "membership" => match &facts.group {
            Some(group) => format!("group <b>{}</b>", Escaped(group)),
            None => "given partitions, no group".to_owned(),
        },
        "client_id" => Escaped(&facts.client_id).to_string(),
        "live" => state(&facts.live, "live"),
        "live_class" => class(facts.live.ok).to_owned(),
        "ready" => state(&facts.ready, "ready"),
        "ready_class" => class(facts.ready.ok).to_owned(),
        "reason" => reason(facts).map_or(String::new(), |reason| Escaped(reason).to_string()),
        "reason_hidden" => hidden(reason(facts).is_none()),
        "rate" => rate(records.per_second),
        "rate_1m" => rate(records.per_second_1m),
        "rate_5m" => rate(records.per_second_5m),
        "line" => line(&records.history),
        "area" => area(&records.history),
        "from" => {
            let steps = records.history.len().saturating_sub(1) as u64;
            format!("{} ago", span(Some((steps * records.history_step_seconds) as f64)))
        }
        "peak" => rate(Some(peak(&records.history))),
        "p50" => Escaped(&quantile(facts.latency.p50)).to_string(),
        "p99" => Escaped(&quantile(facts.latency.p99)).to_string(),
        "lag" => whole(facts.lag_records),
        "total" => grouped(records.total),
        "uptime" => span(Some(facts.uptime_seconds as f64)),
        "assigned" => grouped(facts.assigned_partitions as u64),
        "partitions" => partitions(&facts.partitions),
        "more" => match facts.partitions_left_out {
            0 => String::new(),
            more => format!("and {} more, none of them with more lag", grouped(more as u64)),
        },
        "rebalances" => rows(&facts.rebalances, "none", rebalance),
        "brokers" => rows(&facts.brokers, "none known yet", broker),
        "commits" => rows(&facts.commits, "none", count),
        "errors" => rows(&facts.errors, "none", count),
        "spans" => rows(&facts.spans, "none", count),
        "spans_hidden" => hidden(facts.spans.is_empty()),
        // A place without its value: a test finds it.
        _ => format!("{}{place}{}", MARKS.0, MARKS.1),
    }
}

fn state(told: &Told, word: &str) -> String {
    if told.ok { word.to_owned() } else { format!("not {word}") }
}

fn class(is_good: bool) -> &'static str {
    if is_good { "good" } else { "bad" }
}

fn hidden(is_hidden: bool) -> String {
    if is_hidden { " hidden".to_owned() } else { String::new() }
}

/// Why the process is not live, else why it is not ready.
fn reason(facts: &Facts) -> Option<&str> {
    facts.live.reason.as_deref().or(facts.ready.reason.as_deref())
}

/// Table rows, or one that says that there are none.
fn rows<T>(list: &[T], empty: &str, cells: impl Fn(&mut String, &T)) -> String {
    if list.is_empty() {
        return format!("<tr><td class=\"sub\">{empty}</td></tr>");
    }
    let mut rows = String::new();
    for one in list {
        rows.push_str("<tr>");
        cells(&mut rows, one);
        rows.push_str("</tr>");
    }
    rows
}

fn partitions(list: &[Partition]) -> String {
    let most = list.iter().filter_map(|partition| partition.lag_records).max().unwrap_or(0).max(1);
    rows(list, "none assigned", |row, partition| {
        let share = partition.lag_records.unwrap_or(0) as f64 / most as f64 * 100.0;
        // Writing to memory does not fail.
        let _ = write!(
            row,
            "<td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"bar\"><svg viewBox=\"0 0 100 1\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <rect width=\"{}\" height=\"1\"></rect></svg></td><td class=\"n\">{}</td>",
            Escaped(&partition.topic),
            partition.partition,
            whole(partition.next_offset),
            rate(partition.records_per_second),
            whole(partition.lag_records),
            share.round(),
            span(partition.lag_seconds),
        );
    })
}

fn rebalance(row: &mut String, rebalance: &Rebalanced) {
    let Rebalanced { time, seconds_ago, kind, partitions, assigned } = rebalance;
    let (ago, class) = (span(Some(*seconds_ago as f64)), class(*kind != "lost"));
    let (partitions, assigned) = (grouped(*partitions as u64), grouped(*assigned as u64));
    let _ = write!(
        row,
        "<td><time datetime=\"{time}\" title=\"{time}\">{ago} ago</time></td><td><span class=\"tag {class}\">{kind}</span></td>\
         <td class=\"n\">{partitions}</td><td class=\"n\">{assigned}</td>"
    );
}

fn broker(row: &mut String, broker: &Broker) {
    let state = if broker.up { "up" } else { "down" };
    let (p50, p99) = (short(broker.p50_seconds), short(broker.p99_seconds));
    let (id, class) = (Escaped(&broker.id), class(broker.up));
    let _ = write!(
        row,
        "<td>{id}</td><td><span class=\"tag {class}\">{state}</span></td><td class=\"n\">{p50}</td><td class=\"n\">{p99}</td>"
    );
}

fn count(row: &mut String, count: &Count) {
    let _ = write!(row, "<td>{}</td><td class=\"n\">{}</td>", Escaped(&count.name), grouped(count.count));
}

fn peak(history: &[f64]) -> f64 {
    history.iter().copied().fold(0.0, f64::max)
}

/// The curve in a box of 300 by 80, from the left edge to the right. A single point is no curve.
fn line(history: &[f64]) -> String {
    let (highest, last) = (peak(history).max(1.0), history.len().saturating_sub(1));
    let mut line = String::new();
    if last == 0 {
        return line;
    }
    for (index, rate) in history.iter().enumerate() {
        let (x, y) = (index as f64 * 300.0 / last as f64, 78.0 - rate / highest * 74.0);
        let _ = write!(line, "{}{x:.1},{y:.1}", if index == 0 { "M" } else { " " });
    }
    line
}

/// The curve and what lies below it.
fn area(history: &[f64]) -> String {
    let line = line(history);
    if line.is_empty() { line } else { format!("{line} V80 H0Z") }
}

#[cfg(test)]
mod tests;
