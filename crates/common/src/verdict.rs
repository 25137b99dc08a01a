//! How a run ended and why: the one type for it, from the place that finds out to the report.

use crate::exit::Exit;

/// How a run ends, and the sentence that explains it where it did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The exit code.
    pub exit: Exit,
    /// What happened, where, and what to do about it; `None` when all went well.
    pub because: Option<String>,
}

impl Verdict {
    /// A run that ended well.
    pub const fn ok() -> Self {
        Self { exit: Exit::Ok, because: None }
    }

    /// A run that ended for a reason.
    pub fn new(exit: Exit, because: impl Into<String>) -> Self {
        Self { exit, because: Some(because.into()) }
    }

    /// The reason, empty where there is none.
    pub fn reason(&self) -> &str {
        self.because.as_deref().unwrap_or_default()
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.because.as_deref().unwrap_or(self.exit.outcome()))
    }
}
