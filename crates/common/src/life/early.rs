//! What is said of a run that does not begin: problems with flags and settings, a subcommand that failed. Text for people; events
//! of level ERROR where the log is JSON, so that a query for errors finds them.

use crate::config::Problems;
use crate::exit::Exit;
use crate::logging::{self, Lines};

/// Says why a run does not begin, whatever the log's filter lets through.
#[derive(Clone)]
pub(super) struct Early {
    /// The program's name.
    pub program: &'static str,
    /// Whether the log is JSON.
    pub json: bool,
    /// Where all that is said goes.
    pub lines: Lines,
}

impl Early {
    /// All problems with the settings, and how many there are.
    pub(super) fn configuration(&self, problems: &Problems) {
        let count = problems.iter().count();
        let plural = if count == 1 { "" } else { "s" };
        self.problems(problems, &format!("{}: {count} problem{plural} with the configuration", self.program));
    }

    /// All problems with the command line.
    pub(super) fn usage(&self, problems: &Problems) {
        self.problems(problems, "\nFor more information, try '--help'.");
    }

    fn problems(&self, problems: &Problems, last: &str) {
        if !self.json {
            self.lines.push(format!("{problems}\n{last}\n").as_bytes());
            return;
        }
        logging::unfiltered(&self.lines, || {
            for problem in problems.iter() {
                tracing::error!(event = "configuration_problem", "{problem}");
            }
            let (outcome, exit_code) = (Exit::Usage.outcome(), Exit::Usage.code());
            tracing::error!(event = "failed", outcome, exit_code, "{}", last.trim());
        });
    }

    /// The one reason why something else failed.
    pub(super) fn failed(&self, exit: Exit, reason: &str) {
        if !self.json {
            self.lines.push(format!("{}: {reason}\n", self.program).as_bytes());
            return;
        }
        logging::unfiltered(&self.lines, || {
            tracing::error!(event = "failed", outcome = exit.outcome(), exit_code = exit.code(), "{reason}");
        });
    }
}
