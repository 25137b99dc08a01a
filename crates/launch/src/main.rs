//! Looks for the tools that librdkafka's build needs, before that build fails in its own words, then runs `xtask`.
//!
//! A crate of its own without dependencies, because `xtask` links librdkafka itself.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task that a person watches")]

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The README's line.
const NEEDED: &str = "You need Rust, `make`, a C compiler and `perl`";

fn main() -> ExitCode {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let tools = ["make", compiler.split_whitespace().next().unwrap_or("cc"), "perl"];
    let missing: Vec<&str> = tools.into_iter().filter(|tool| !runs(tool)).collect();
    if !missing.is_empty() {
        eprintln!("error: {NEEDED}. Not found: {}", missing.join(", "));
        return ExitCode::from(2);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // No `--package`: every member is selected, so features are resolved as in any other build of the workspace.
    let error = Command::new(cargo)
        .args(["run", "--quiet", "--release", "--bin", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .exec();
    eprintln!("error: cargo cannot be run: {error}");
    ExitCode::FAILURE
}

/// Whether a tool is there: it can be started, whatever it says of `--version`.
fn runs(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_found_missing() {
        assert!(runs("true"));
        assert!(!runs("no-such-tool-anywhere"));
    }

    #[test]
    fn the_line_is_the_readmes() {
        assert!(include_str!("../../../README.md").contains(NEEDED));
    }
}
