//! The report on a run: how it is put together, shown, and left for Kubernetes. Programs only say what is in it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;

use crate::verdict::Verdict;

/// The version of the report's form. Fields may be added within one version, never renamed or removed.
pub const VERSION: u8 = 1;
/// Kubernetes shows at most this much of a termination log, in bytes.
const TERMINATION_LOG_BYTES: usize = 4096;
/// The message of a failure in the report, in bytes: it must not push the numbers out of the termination log.
const MESSAGE_BYTES: usize = 1500;

/// Where people and scripts find the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlet {
    /// On stdout: as a table, or as one line of JSON.
    Stdout {
        /// Whether as a table.
        table: bool,
    },
    /// On stderr, as one line of JSON, because stdout belongs to the records.
    Stderr,
    /// Nowhere but in the termination log: the run has no end of its own.
    TerminationLog,
}

/// A report, ready to be shown.
#[derive(Clone, Debug)]
pub struct Report {
    event: &'static str,
    json: String,
    table: String,
    /// What a termination log takes if it has no room for all.
    short: Option<String>,
}

/// What all reports have, around the program's own fields.
#[derive(Serialize)]
struct Whole<'a, T> {
    v: u8,
    event: &'static str,
    #[serde(flatten)]
    fields: &'a T,
    outcome: &'static str,
    exit_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Report {
    /// Puts a report together: what kind of report it is, the program's own fields for machines, its rows for people, and the
    /// verdict.
    pub fn new(event: &'static str, fields: &impl Serialize, rows: Vec<(&str, String)>, verdict: &Verdict) -> Self {
        let message = message(verdict);
        let (outcome, exit_code) = (verdict.exit.outcome(), verdict.exit.code());
        let mut rows = rows;
        rows.push(("outcome", format!("{outcome} (exit code {exit_code})")));
        rows.extend(message.map(|message| ("because", message.to_owned())));
        let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(10);
        Self {
            event,
            json: json(event, fields, verdict),
            table: rows.iter().map(|(name, value)| format!("{name:>width$}  {value}\n")).collect(),
            short: None,
        }
    }

    /// The same with other fields, for a termination log that has no room for all.
    pub fn or(mut self, fields: &impl Serialize, verdict: &Verdict) -> Self {
        self.short = Some(json(self.event, fields, verdict));
        self
    }

    /// One JSON object on one line.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What a termination log has room for.
    fn fitting(&self) -> &str {
        match &self.short {
            Some(short) if self.json.len() >= TERMINATION_LOG_BYTES => short,
            _ => &self.json,
        }
    }

    /// A row for each field, for people.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// Leaves the report where Kubernetes looks for it, if that place exists; it is never created.
    pub fn leave(&self, path: &Path) {
        // A named pipe that nobody reads is an error, not a wait.
        let at_once = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let written = match OpenOptions::new().write(true).truncate(true).custom_flags(at_once).open(path) {
            Ok(mut file) => file.write_all(cut(self.fitting(), TERMINATION_LOG_BYTES - 1).as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::warn!(event = "termination_log_unwritten", path = %path.display(), "{error}");
        }
    }
}

fn json(event: &'static str, fields: &impl Serialize, verdict: &Verdict) -> String {
    let (outcome, exit_code) = (verdict.exit.outcome(), verdict.exit.code());
    let whole = Whole { v: VERSION, event, fields, outcome, exit_code, message: message(verdict) };
    // Numbers, strings, lists and maps of strings always serialise.
    serde_json::to_string(&whole).unwrap_or_default()
}

fn message(verdict: &Verdict) -> Option<&str> {
    verdict.because.as_deref().map(|message| cut(message, MESSAGE_BYTES))
}

/// The text, cut at a character's boundary.
fn cut(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::collections::BTreeMap;

    use super::*;
    use crate::exit::Exit;

    #[derive(Serialize)]
    struct Fields {
        records: u64,
        seconds: f64,
    }

    const FIELDS: Fields = Fields { records: u64::MAX, seconds: 0.5 };

    #[test]
    fn the_version_comes_first_and_the_verdict_last() {
        let report = Report::new("report", &FIELDS, Vec::new(), &Verdict::ok());
        assert_eq!(
            report.json(),
            r#"{"v":1,"event":"report","records":18446744073709551615,"seconds":0.5,"outcome":"ok","exit_code":0}"#
        );
    }

    #[test]
    fn the_table_has_the_programs_rows_and_the_verdict() {
        let report = Report::new(
            "report",
            &FIELDS,
            vec![("records", "7".to_owned())],
            &Verdict::new(Exit::Incomplete, "too few"),
        );
        assert_eq!(report.table(), "   records  7\n   outcome  incomplete (exit code 1)\n   because  too few\n");
    }

    #[test]
    fn a_long_message_leaves_room_in_the_termination_log() {
        let verdict = Verdict::new(Exit::Refused, "ä".repeat(5000));
        let report = Report::new("report", &FIELDS, Vec::new(), &verdict);
        let file = tempfile::NamedTempFile::new().unwrap();
        report.leave(file.path());
        let left = std::fs::read_to_string(file.path()).unwrap();
        assert!(left.len() < TERMINATION_LOG_BYTES, "{}", left.len());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&left).unwrap()["exit_code"], 4);
    }

    #[test]
    fn a_report_that_is_too_long_leaves_its_short_form() {
        let long = Fields { records: 1, seconds: 0.5 };
        let verdict = Verdict::ok();
        let file = tempfile::NamedTempFile::new().unwrap();
        let leave = |fields: &BTreeMap<&str, String>| {
            Report::new("audit", fields, Vec::new(), &verdict).or(&long, &verdict).leave(file.path());
            serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(file.path()).unwrap()).unwrap()
        };
        assert_eq!(leave(&BTreeMap::from([("places", "x".repeat(5000))]))["records"], 1);
        assert_eq!(leave(&BTreeMap::from([("places", "x".repeat(50))]))["places"], "x".repeat(50));
    }

    #[test]
    fn a_termination_log_is_never_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("termination-log");
        Report::new("report", &FIELDS, Vec::new(), &Verdict::ok()).leave(&path);
        assert!(!path.exists());
    }
}
