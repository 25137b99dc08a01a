//! A case of the suite: what it is called, how it is shown, and what each program did.

use std::fmt;
use std::time::Duration;

use anyhow::Result;

use super::bench::Bench;
pub use super::which::{BOTH, Which};

/// One thing that must hold.
pub struct Case {
    /// What it is called on the command line.
    pub name: String,
    /// What is done, and what must hold, for the table.
    pub what: String,
    /// Of `--refusals`.
    pub is_refusal: bool,
    /// Shows it.
    pub run: Run,
}

/// Starts what a case is about, and says what it did.
pub type Run = Box<dyn Fn(&Bench) -> Result<Vec<Seen>>>;

/// What a program did.
pub struct Seen {
    /// Which one.
    pub program: Which,
    /// Its exit code.
    pub code: i32,
    /// From its start to its end.
    pub took: Duration,
    /// Its last words, or what it did.
    pub said: String,
}

/// A case that has run.
pub struct Told {
    /// As [`Case::name`].
    pub name: String,
    /// As [`Case::what`].
    pub what: String,
    /// What the programs did, or what went wrong.
    pub result: Result<Vec<Seen>, String>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (program, seconds) = (self.program.name(), self.took.as_secs_f64());
        write!(f, "{program} {} after {seconds:.1} s: {}", self.code, self.said)
    }
}
