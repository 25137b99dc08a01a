//! `cargo xtask guard`: counts the instructions of the pure hot functions, by valgrind's callgrind, against serde_json doing
//! the same. Nothing is timed, so it holds on a busy machine too.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::terminal::{Style, grouped, paint};

/// What is counted, and at most how many instructions of the reference's it may take.
const GUARDED: [(&str, &str, f64); 2] =
    [("record", "a record becomes a line", 0.45), ("message", "a message is made, with its envelope", 0.55)];
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
        ensure!(ours > 0 && reference > 0, "{what}: nothing was counted");
        let ratio = ours as f64 / reference as f64;
        let verdict = if ratio <= limit { paint(Style::Good, "ok") } else { paint(Style::Bad, "TOO MANY") };
        println!(
            "{verdict}  {meaning}: {} instructions, {ratio:.2} of serde_json's {} (at most {limit:.2})",
            grouped(ours),
            grouped(reference)
        );
        well &= ratio <= limit;
    }
    Ok(well)
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
