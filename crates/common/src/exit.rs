//! The exit codes of both programs: the contract with Kubernetes' `podFailurePolicy` and with shell scripts.

use std::process::ExitCode;

/// How a program ended. The number is the process's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// All messages acknowledged, or a clean stop. The Job is complete.
    Ok = 0,
    /// Some messages not acknowledged, fewer records than asked, a drain deadline missed, or an audit without proof. Retried.
    Incomplete = 1,
    /// Usage or configuration. A retry cannot help.
    Usage = 2,
    /// No broker could be reached in time. Retried.
    Unreachable = 3,
    /// The broker refused: authentication, authorization, unknown topic, message too large. A retry cannot help.
    Refused = 4,
    /// An assertion or an audit failed: loss, duplicates, latency. A retry cannot help.
    Assertion = 5,
    /// SIGINT before the work was done (128 + 2).
    Interrupted = 130,
    /// SIGTERM before the work was done (128 + 15). Retried.
    Terminated = 143,
}

impl Exit {
    /// All codes, for documentation and tests.
    pub const ALL: [Exit; 8] = [
        Exit::Ok,
        Exit::Incomplete,
        Exit::Usage,
        Exit::Unreachable,
        Exit::Refused,
        Exit::Assertion,
        Exit::Interrupted,
        Exit::Terminated,
    ];

    /// The process's exit code.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether another try would end the same: Kubernetes then fails the Job at once, by its `podFailurePolicy`.
    pub const fn is_final(self) -> bool {
        matches!(self, Exit::Usage | Exit::Refused | Exit::Assertion)
    }

    /// The word used for this outcome in reports and logs.
    pub const fn outcome(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Incomplete => "incomplete",
            Exit::Usage => "usage",
            Exit::Unreachable => "unreachable",
            Exit::Refused => "refused",
            Exit::Assertion => "assertion",
            Exit::Interrupted => "interrupted",
            Exit::Terminated => "terminated",
        }
    }

    /// What the code means, one line, for `--help` and the docs.
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Ok => "all acknowledged, or a clean stop",
            Exit::Incomplete => "some messages not acknowledged, a drain deadline missed, or an audit without proof",
            Exit::Usage => "usage or configuration (all problems are listed)",
            Exit::Unreachable => "no broker reachable in time",
            Exit::Refused => "refused by the broker: login, rights, unknown topic, message too large",
            Exit::Assertion => "an assertion or an audit failed",
            Exit::Interrupted => "SIGINT before the work was done",
            Exit::Terminated => "SIGTERM before the work was done",
        }
    }

    /// The table of codes for the end of `--help`.
    pub fn help() -> String {
        let mut text = String::from("Exit codes:\n");
        for exit in Exit::ALL {
            text.push_str(&format!("  {:>3}  {}\n", exit.code(), exit.meaning()));
        }
        text
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_the_contract() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 130, 143]);
        let last: Vec<u8> = Exit::ALL.iter().filter(|exit| exit.is_final()).map(|exit| exit.code()).collect();
        assert_eq!(last, [2, 4, 5]);
    }
}
