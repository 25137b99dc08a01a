//! The table of `docs/reliability.md`, written between its marks; the text around it is written by hand.

use std::fmt::Write;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::apache::Distribution;

use super::seen::Seen;
use crate::programs;

const PAGE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- written by cargo xtask e2e faults -->";
const END: &str = "<!-- end -->";

/// Writes the table of a whole run.
pub fn write(all: &[Seen], seed: u64, settle: Duration, cutting: &str) -> Result<()> {
    let path = programs::root().join(PAGE);
    let text = fs::read_to_string(&path).with_context(|| format!("{PAGE} can't be read"))?;
    fs::write(&path, between(&text, &table(all, seed, settle, cutting)?)?)?;
    println!("wrote {PAGE}");
    Ok(())
}

fn table(all: &[Seen], seed: u64, settle: Duration, cutting: &str) -> Result<String> {
    let mut text = String::new();
    let failed = all.iter().filter(|seen| !seen.problems.is_empty()).count();
    let records: u64 = all.iter().filter_map(|seen| seen.records).sum();
    let cores = thread::available_parallelism().map_or(1, usize::from);
    writeln!(
        text,
        "{} rows, {failed} failed; {} records; Apache Kafka {}; {cores} cores; seed {seed}; memory looked at {} s after each fault.\nConnections were cut by {cutting}.\n",
        all.len(),
        crate::terminal::grouped(records),
        Distribution::version()?,
        settle.as_secs()
    )?;
    text += "| row | fault | records | logged again | longest time to acknowledgement | longest gap of a partition | not ready | memory, MiB | WARN and ERROR lines | audit | verdict |\n";
    text += "|---|---|---|---|---|---|---|---|---|---|---|\n";
    for seen in all {
        let verdict =
            if seen.problems.is_empty() { "ok".to_owned() } else { format!("failed: {}", short(&seen.problems[0])) };
        writeln!(text, "| {} | {verdict} |", seen.cells().map(|cell| cell.replace('|', "\\|")).join(" | "))?;
    }
    Ok(text)
}

/// The first line of a problem, without what would break a table.
fn short(problem: &str) -> String {
    problem.lines().next().unwrap_or_default().replace('|', "/").chars().take(200).collect()
}

/// The text with other lines between the marks.
fn between(text: &str, lines: &str) -> Result<String> {
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END}"))?;
    ensure!(!after.contains(BEGIN), "{PAGE} has two lines {BEGIN}");
    Ok(format!("{before}{BEGIN}\n\n{lines}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = format!("# Page\n\n{BEGIN}\nold\n{END}\n\nmore\n");
        assert_eq!(between(&text, "new\n").unwrap(), format!("# Page\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n"));
        assert!(between("# Page\n", "new").is_err());
    }
}
