//! What was sent, as the producers' reports say it.

use std::path::Path;

use common::config::Problems;
use ledger::{MOST_MESSAGES, Sent, Share};
use serde::Deserialize;

/// What all reports of a run say together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// Of each attempt.
    pub sent: Vec<Sent>,
    /// Messages of the run, where a report knows.
    pub total: Option<u64>,
    /// When the first of the attempts started, in milliseconds since 1970.
    pub started_ms: Option<i64>,
}

/// A report, as far as it matters here. Fields that are new are no error.
#[derive(Deserialize)]
struct Line {
    v: u64,
    run_id: Option<String>,
    topic: Option<String>,
    attempt: Option<String>,
    started: Option<String>,
    total: Option<u64>,
    shard: Option<u64>,
    shards: Option<u64>,
    requested: Option<u64>,
    delivered: Option<u64>,
    unacknowledged: Option<Vec<(u64, u64)>>,
}

/// Where every report of a log has its beginning.
const BEGINNING: &str = "\"event\":\"report\"";

impl Reports {
    /// Reads the reports of a run. What is wrong goes to `problems`.
    pub fn read(paths: &[impl AsRef<Path>], run_id: &str, topic: &str, problems: &mut Problems) -> Self {
        let mut reports = Self::default();
        for path in paths {
            let path = path.as_ref();
            let text = match std::fs::read(path) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(error) => {
                    problems.add(format!("--report {}: cannot be read: {error}", path.display()));
                    continue;
                }
            };
            if let Err(problem) = reports.add(&text, run_id, topic) {
                problems.add(format!("--report {}: {problem}", path.display()));
            }
        }
        reports
    }

    /// Takes all reports of the run in a text, which may have other lines: a pod's log.
    fn add(&mut self, text: &str, run_id: &str, topic: &str) -> Result<(), String> {
        let (mut found, mut other) = (0, None);
        for (number, line) in text.lines().enumerate() {
            // In front of it there may be what a log collector adds.
            let Some(object) = line.find('{').map(|at| &line[at..]).filter(|line| line.contains(BEGINNING)) else {
                continue;
            };
            let report: Line = serde_json::from_str(object).map_err(|error| {
                format!("line {} is no whole report ({error}): take it from the producer's stdout", number + 1)
            })?;
            match report.run_id.as_deref() {
                // A consumer's.
                None => continue,
                Some(run) if run != run_id => {
                    other = report.run_id;
                    continue;
                }
                Some(_) => found += 1,
            }
            self.take(report, topic).map_err(|problem| format!("line {}: {problem}", number + 1))?;
        }
        match (found, other) {
            (0, Some(run)) => Err(format!("its report is of run {run}, not of --run {run_id}")),
            (0, None) => {
                Err("no report of a producer is in it: expected a line of JSON with \"event\":\"report\"".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, report: Line, topic: &str) -> Result<(), String> {
        if report.v != 1 {
            return Err(format!("the report has version {}, known is 1: use the newer program", report.v));
        }
        if report.topic.as_deref() != Some(topic) {
            let other = report.topic.unwrap_or_default();
            return Err(format!("the report is of topic {other}, not of --topic {topic}"));
        }
        let attempt = report.attempt.as_deref().and_then(|text| u32::from_str_radix(text, 16).ok()).ok_or(
            "the report names no attempt: its messages carry no stamp (--no-headers), or its producer is older than the audit",
        )?;
        let (Some(requested), Some(delivered), Some(listed)) =
            (report.requested, report.delivered, report.unacknowledged)
        else {
            return Err("the report lacks requested, delivered or unacknowledged".to_owned());
        };
        let share = Share { index: report.shard.unwrap_or(0), count: report.shards.unwrap_or(1) };
        if share.index >= share.count || delivered > requested || listed.iter().any(|(first, last)| first > last) {
            return Err("the report contradicts itself".to_owned());
        }
        let most = share.end(requested).max(report.total.unwrap_or(0));
        if most > MOST_MESSAGES {
            return Err(format!("the run has {most} messages: an audit takes at most {MOST_MESSAGES}"));
        }
        if let (Some(one), Some(other)) = (self.total, report.total)
            && one != other
        {
            return Err(format!("the report says that the run has {other} messages, another one says {one}"));
        }
        self.total = self.total.or(report.total);
        let started = report.started.and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let started_ms = started.map(jiff::Timestamp::as_millisecond);
        self.started_ms = [self.started_ms, started_ms].into_iter().flatten().min();
        let unacknowledged = listed.into_iter().collect();
        let sent = Sent { attempt, share, requested, delivered, unacknowledged };
        // The same report may be on stdout and in the log.
        if !self.sent.contains(&sent) {
            self.sent.push(sent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use ledger::Ranges;

    use super::*;

    fn report(attempt: &str, more: &str) -> String {
        format!(
            r#"{{"v":1,"event":"report","run_id":"r","topic":"t",{attempt}"started":"2026-11-23T13:25:28.307Z",{more}"requested":10,"delivered":7,"failed":3,"unsent":0,"unacknowledged":[[2,3],[9,9]],"outcome":"ok","exit_code":0}}"#
        )
    }

    fn read(text: &str) -> Result<Reports, String> {
        let mut reports = Reports::default();
        reports.add(text, "r", "t").map(|()| reports)
    }

    const ATTEMPT: &str = r#""attempt":"0badcafe","#;

    #[test]
    fn reports_are_found_in_a_log() {
        let log = [
            r#"{"level":"INFO","event":"publishing"}"#,
            &report(ATTEMPT, r#""total":10,"#),
            "2026-11-23T13:25:28Z stdout F plain text {",
            &format!("[pod/kafka-producer-0] {}", report(r#""attempt":"00000001","#, "")),
            &report(ATTEMPT, r#""total":10,"#),
            r#"{"v":1,"event":"report","topics":["t"],"records":5}"#,
        ];
        let reports = read(&log.join("\n")).unwrap();
        assert_eq!((reports.total, reports.started_ms, reports.sent.len()), (Some(10), Some(1_795_440_328_307), 2));
        let unacknowledged = Ranges::from_iter([(2, 3), (9, 9)]);
        let share = Share { index: 0, count: 1 };
        let expected = Sent { attempt: 0xbad_cafe, share, requested: 10, delivered: 7, unacknowledged };
        assert_eq!(reports.sent[0], expected);
    }

    #[test]
    fn what_is_no_report_of_the_run_is_an_error() {
        for (text, says) in [
            (String::new(), "no report of a producer"),
            (report(ATTEMPT, "").replace(r#""run_id":"r""#, r#""run_id":"s""#), "of run s, not of --run r"),
            (report(ATTEMPT, "").replace(r#""topic":"t""#, r#""topic":"u""#), "of topic u, not of --topic t"),
            (report(ATTEMPT, "").replace(r#""v":1"#, r#""v":2"#), "version 2"),
            (report(ATTEMPT, "")[..90].to_owned(), "line 1 is no whole report"),
            (report("", ""), "names no attempt"),
            (report(ATTEMPT, r#""shard":3,"shards":3,"#), "contradicts itself"),
            (report(ATTEMPT, "").replace("[9,9]", "[9,8]"), "contradicts itself"),
            (report(ATTEMPT, r#""total":1000000001,"#), "at most 1000000000"),
            (
                format!("{}\n{}", report(ATTEMPT, r#""total":10,"#), report(ATTEMPT, r#""total":11,"#)),
                "line 2: the report says that the run has 11 messages",
            ),
        ] {
            let problem = read(&text).unwrap_err();
            assert!(problem.contains(says), "{problem}");
        }
    }
}
