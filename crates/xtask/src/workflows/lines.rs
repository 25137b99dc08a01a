//! The commands of workflows: one line each, and one that the project's own parser takes.

use clap::Parser;

use super::Problems;
use super::file::Workflow;

/// The project's own check.
pub const CHECK: &str = ".ci/run";

/// All lines that are not as they have to be.
pub fn check(workflows: &[Workflow]) -> Problems {
    let mut problems = Problems::new();
    for workflow in workflows {
        for (job, line) in workflow.lines() {
            if let Err(why) = parse(line) {
                problems.push(format!("{}: job {job}: `{}`: {why}", workflow.path, line.trim()));
            }
        }
    }
    problems
}

/// Whether a line is the project's check, or a task with flags that it knows.
pub fn parse(line: &str) -> Result<(), String> {
    if line == CHECK {
        return Ok(());
    }
    // What a shell would make something else of. Values come by variables that the tasks read themselves.
    let plain = |letter: char| letter.is_ascii_alphanumeric() || " ._/=:@,+-".contains(letter);
    if !line.chars().all(plain) {
        return Err("one line of plain words, without a shell's signs and without ${{ }}".to_owned());
    }
    let Some(words) = line.strip_prefix("cargo xtask ") else {
        return Err(format!("neither `cargo xtask ...` nor `{CHECK}`"));
    };
    let words = ["cargo xtask"].into_iter().chain(words.split(' ').filter(|word| !word.is_empty()));
    match crate::Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_the_check_are_taken() {
        for line in [".ci/run", "cargo xtask licences --check", "cargo xtask release index --registry ghcr.io"] {
            parse(line).unwrap();
        }
    }

    #[test]
    fn what_the_parser_does_not_know_is_refused_and_so_is_a_shell() {
        for line in [
            "cargo xtask license",
            "cargo xtask licences --write",
            "cargo xtask release",
            "cargo test",
            ".ci/run --fast",
            "cargo xtask docs && cargo xtask guard",
            "cargo xtask docs\ncargo xtask guard\n",
            "cargo xtask release check --tag ${{ github.ref_name }}",
            "cargo xtask release check --tag $GITHUB_REF_NAME",
        ] {
            parse(line).unwrap_err();
        }
    }
}
