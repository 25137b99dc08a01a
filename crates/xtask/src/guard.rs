//! `cargo xtask guard`: counts the instructions of the pure hot functions, by valgrind's callgrind, against the usual way of
//! doing the same, mostly serde_json. Nothing is timed, so it holds on a busy machine too.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::terminal::{Style, grouped, paint};

/// What is counted, and at most how many instructions of the reference's it may take.
const GUARDED: [(&str, &str, f64); 4] = [
    ("record", "a record becomes a line", 0.33),
    ("message", "a message is made, with its stamp", 0.31),
    ("stamp", "a stamp is written and read", 0.34),
    ("decision", "a record is not traced", 0.20),
];
/// Two lengths of run, so that the start of the process falls out of the difference.
const SHORT: u64 = 1_000;
const LONG: u64 = 11_000;

/// Runs it. `false` when a bar is exceeded.
pub fn run() -> Result<bool> {
    let built = programs::build()?;
    let program = built.producer.with_file_name("guard");
    let mut well = true;
    for (what, meaning, limit) in GUARDED {
        let each = |what: &str| -> Result<u64> {
            let (short, long) = (instructions(&program, what, SHORT)?, instructions(&program, what, LONG)?);
            Ok(long.saturating_sub(short) / (LONG - SHORT))
        };
        let (ours, reference) = (each(what)?, each(&format!("{what}-reference"))?);
        let (ratio, within) = judge(what, ours, reference, limit)?;
        let verdict = if within { paint(Style::Good, "ok") } else { paint(Style::Bad, "TOO MANY") };
        println!(
            "{verdict}  {meaning}: {} instructions, {ratio:.2} of the reference's {} (at most {limit:.2})",
            grouped(ours),
            grouped(reference)
        );
        well &= within;
    }
    Ok(well)
}

/// How many instructions they are of the reference's, and whether that is within the limit.
fn judge(what: &str, ours: u64, reference: u64, limit: f64) -> Result<(f64, bool)> {
    ensure!(ours > 0 && reference > 0, "{what}: nothing was counted");
    let ratio = ours as f64 / reference as f64;
    Ok((ratio, ratio <= limit))
}

fn instructions(program: &std::path::Path, what: &str, count: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([what, &count.to_string()])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .output()
        .context("valgrind can't be run: it counts the instructions")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{what}: {said}");
    // ==123== Collected : 12345678
    let collected =
        said.lines().find_map(|line| line.split_once("Collected : ")).context("valgrind counted nothing")?;
    Ok(collected.1.trim().parse()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_function_that_became_dearer_fails() {
        for (what, _, limit) in GUARDED {
            let reference = 10_000;
            let most = (limit * reference as f64) as u64;
            assert!(judge(what, most, reference, limit).unwrap().1, "{what}: at the limit");
            assert!(!judge(what, most + 1, reference, limit).unwrap().1, "{what}: one more");
            assert!(judge(what, 0, reference, limit).is_err(), "{what}: nothing counted is no success");
        }
    }
}
