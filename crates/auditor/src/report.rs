//! The verdict on a run, for machines and for people.

use std::sync::Arc;

use common::exit::Exit;
use common::life;
use common::report::Report;
use common::text::grouped;
use common::verdict::Verdict;
use ledger::{Findings, Judgement, Place, Spot};
use serde::Serialize;

use crate::plan::Plan;
use crate::state::{State, Summary};

/// Reasons that are shown.
const REASONS: usize = 10;

/// What an audit says of its run.
#[derive(Clone, Serialize)]
struct Whole<'a> {
    topic: &'a str,
    run_id: &'a str,
    #[serde(flatten)]
    fields: Fields<'a>,
}

/// What was found.
#[derive(Clone, Serialize)]
pub struct Fields<'a> {
    expected: Option<u64>,
    records: u64,
    distinct: u64,
    missing: u64,
    /// First and last number of each.
    missing_ranges: &'a [(u64, u64)],
    lost: u64,
    written_twice: u64,
    resent: u64,
    reordered: u64,
    damaged: u64,
    unchecked: u64,
    other_records: u64,
    attempts: usize,
    #[serde(skip_serializing_if = "Places::is_empty")]
    places: Places,
    unproven: &'a [String],
}

/// The first places of each fault.
#[derive(Clone, Default, Serialize)]
struct Places {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lost: Vec<At>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    written_twice: Vec<At>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reordered: Vec<At>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<At>,
}

impl Places {
    fn is_empty(&self) -> bool {
        [&self.lost, &self.written_twice, &self.reordered, &self.damaged].iter().all(|places| places.is_empty())
    }
}

/// Where something is: a record, a message, or both.
#[derive(Clone, Serialize)]
struct At {
    #[serde(skip_serializing_if = "Option::is_none")]
    partition: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<String>,
}

impl From<&Place> for At {
    fn from(place: &Place) -> Self {
        let attempt = Some(format!("{:08x}", place.attempt));
        Self { partition: None, offset: None, seq: Some(place.seq), attempt }
    }
}

impl From<&Spot> for At {
    fn from(spot: &Spot) -> Self {
        let attempt = spot.message.map(|(attempt, _)| format!("{attempt:08x}"));
        let seq = spot.message.map(|(_, seq)| seq);
        Self { partition: Some(spot.partition), offset: Some(spot.offset), seq, attempt }
    }
}

/// The counts of an audit with what its verdict says beside them.
pub struct Account {
    plan: Arc<Plan>,
    state: Arc<State>,
}

impl Account {
    /// The account of an audit that begins.
    pub fn new(plan: Arc<Plan>, state: Arc<State>) -> Self {
        Self { plan, state }
    }
}

impl life::Account for Account {
    fn report(&self, verdict: &Verdict) -> Report {
        report(&self.plan, &self.state.summary(&self.plan), verdict)
    }

    fn undone(&self) -> Option<String> {
        Some(format!("{} records of the run read", grouped(self.state.records())))
    }
}

/// The verdict on what was found.
pub fn verdict(plan: &Plan, summary: &Summary) -> Verdict {
    match summary.judgement {
        Judgement::Proven => Verdict::ok(),
        Judgement::Faulty => Verdict::new(Exit::Assertion, faults(plan, &summary.findings)),
        Judgement::Unproven => Verdict::new(Exit::Incomplete, format!("unproven: {}", summary.unproven.join("; "))),
    }
}

/// What is wrong, as a sentence.
pub fn faults(plan: &Plan, findings: &Findings) -> String {
    let of = findings.expected.map_or(String::new(), |expected| format!(" of {}", grouped(expected)));
    let kinds = [
        (findings.missing.count, format!("missing{of}")),
        (findings.lost.count, "acknowledged and lost".to_owned()),
        (findings.written_twice.count, "written twice".to_owned()),
        (findings.reordered.count, "reordered".to_owned()),
        (findings.damaged.count, "damaged".to_owned()),
    ];
    let kinds = kinds.iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<_> = kinds.map(|(count, what)| format!("{} {what}", grouped(*count))).collect();
    format!("run {} in topic {}: {}", plan.run_id, plan.topic, kinds.join(", "))
}

impl<'a> Fields<'a> {
    /// What was found, with places and reasons.
    pub fn of(summary: &'a Summary) -> Self {
        let Summary { findings, unproven, .. } = summary;
        Self {
            expected: findings.expected,
            records: findings.records,
            distinct: findings.distinct,
            missing: findings.missing.count,
            missing_ranges: &findings.missing.first,
            lost: findings.lost.count,
            written_twice: findings.written_twice.count,
            resent: findings.resent,
            reordered: findings.reordered.count,
            damaged: findings.damaged.count,
            unchecked: findings.unchecked,
            other_records: findings.other_records,
            attempts: findings.attempts,
            places: Places {
                lost: findings.lost.first.iter().map(At::from).collect(),
                written_twice: findings.written_twice.first.iter().map(At::from).collect(),
                reordered: findings.reordered.first.iter().map(At::from).collect(),
                damaged: findings.damaged.first.iter().map(At::from).collect(),
            },
            unproven: &unproven[..unproven.len().min(REASONS)],
        }
    }

    /// The same for a termination log, which has no room for places; the message says the reasons.
    pub fn short(&self) -> Self {
        Self { places: Places::default(), unproven: &[], ..self.clone() }
    }
}

fn report(plan: &Plan, summary: &Summary, verdict: &Verdict) -> Report {
    let whole = |fields| Whole { topic: &plan.topic, run_id: &plan.run_id, fields };
    let fields = Fields::of(summary);
    let short = whole(fields.short());
    let mut all = vec![("run", plan.run_id.clone()), ("topic", plan.topic.clone())];
    all.extend(rows(summary));
    Report::new("audit", &whole(fields), all, verdict).or(&short, verdict)
}

/// What was found, for people.
pub fn rows(summary: &Summary) -> Vec<(&'static str, String)> {
    let Summary { findings, unproven, .. } = summary;
    let places = |count: u64, places: &[String]| match places {
        [] => grouped(count),
        places => {
            let more = if count > places.len() as u64 { ", ..." } else { "" };
            format!("{} ({}{more})", grouped(count), places.join(", "))
        }
    };
    let ranges = findings.missing.first.iter().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    });
    let messages = |first: &[Place]| -> Vec<String> { first.iter().map(|place| place.seq.to_string()).collect() };
    let records = |first: &[Spot]| -> Vec<String> {
        first.iter().map(|spot| format!("partition {} offset {}", spot.partition, spot.offset)).collect()
    };
    let mut rows = vec![
        ("expected", findings.expected.map_or("not known".to_owned(), grouped)),
        ("records", format!("{} of {} attempts", grouped(findings.records), findings.attempts)),
        ("distinct", grouped(findings.distinct)),
        ("missing", places(findings.missing.count, &ranges.collect::<Vec<_>>())),
        ("lost", places(findings.lost.count, &messages(&findings.lost.first))),
        ("written twice", places(findings.written_twice.count, &messages(&findings.written_twice.first))),
        ("resent", grouped(findings.resent)),
        ("reordered", places(findings.reordered.count, &records(&findings.reordered.first))),
        ("damaged", places(findings.damaged.count, &records(&findings.damaged.first))),
        (
            "others",
            format!(
                "{} without a stamp, {} of other runs",
                grouped(findings.unchecked),
                grouped(findings.other_records)
            ),
        ),
    ];
    rows.extend(unproven.iter().take(REASONS).map(|reason| ("unproven", reason.clone())));
    rows
}
