//! The steps of a run with their outcomes: told as they end, and once more as one table.

use std::time::Instant;

use anyhow::Result;

use crate::terminal::{Style, paint};

/// The steps so far.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    well: bool,
    said: String,
    seconds: f64,
}

impl Table {
    /// Runs a step, which returns its result and what to say of it. `None` when it failed.
    pub fn row<T>(&mut self, what: impl Into<String>, step: impl FnOnce() -> Result<(T, String)>) -> Option<T> {
        let (what, began) = (what.into(), Instant::now());
        let (result, said) = match step() {
            Ok((result, said)) => (Some(result), said),
            Err(error) => (None, format!("{error:#}")),
        };
        let row = Row { what, well: result.is_some(), said, seconds: began.elapsed().as_secs_f64() };
        eprintln!("{}", row.line(row.what.len()));
        self.rows.push(row);
        result
    }

    /// Whether a step has failed until now.
    pub fn has_failed(&self) -> bool {
        self.rows.iter().any(|row| !row.well)
    }

    /// Prints all of them; `false` when one has failed, or none has run.
    pub fn end(self) -> bool {
        let width = self.rows.iter().map(|row| row.what.len()).max().unwrap_or_default();
        println!();
        for row in &self.rows {
            println!("{}", row.line(width));
        }
        !self.rows.is_empty() && self.rows.iter().all(|row| row.well)
    }
}

impl Row {
    fn line(&self, width: usize) -> String {
        let outcome = if self.well { paint(Style::Good, "ok    ") } else { paint(Style::Bad, "FAILED") };
        format!("{outcome}  {:width$}  {:6.1} s  {}", self.what, self.seconds, self.said)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn one_failure_fails_the_run_and_the_others_still_run() {
        let mut table = Table::default();
        assert_eq!(table.row("a", || -> Result<((), String)> { bail!("no") }), None);
        assert_eq!(table.row("b", || Ok((1, String::new()))), Some(1));
        assert!(!table.end());
    }

    #[test]
    fn a_run_without_steps_proves_nothing() {
        assert!(!Table::default().end());
    }
}
