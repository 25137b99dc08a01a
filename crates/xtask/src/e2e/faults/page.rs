//! The table of `docs/reliability.md`, written between its marks; the text around it is written by hand.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testbed::apache::Distribution;

use super::rows::ROWS;
use super::seen::Seen;
use crate::programs;

const PAGE: &str = "docs/reliability.md";
const BEGIN: &str = "<!-- written by cargo xtask e2e faults -->";
const END: &str = "<!-- end -->";
const HEAD: &str = "\
| row | fault | records | logged again | longest time to acknowledgement | longest gap of a partition | not ready | memory, MiB | \
WARN and ERROR lines | audit | verdict | run |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// What all rows of a run have in common.
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// When memory was looked at.
    pub settle: Duration,
    /// How connections were cut.
    pub cutting: &'static str,
}

/// Writes rows of a run over what the table says of them.
pub fn write(seen: &[Seen], run: &Run) -> Result<()> {
    let path = programs::root().join(PAGE);
    let text = fs::read_to_string(&path).with_context(|| format!("{PAGE} can't be read"))?;
    let (before, rest) = text.split_once(BEGIN).with_context(|| format!("{PAGE} has no line {BEGIN}"))?;
    let (old, after) = rest.split_once(END).with_context(|| format!("{PAGE} has no line {END}"))?;
    ensure!(!after.contains(BEGIN), "{PAGE} has two lines {BEGIN}");
    let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    let table = table(&names, old, seen, run)?;
    Ok(fs::write(&path, format!("{before}{BEGIN}\n\n{table}\n{END}{after}"))?)
}

/// The rows in their order: as they were seen now, else as the table had them.
fn table(names: &[&str], old: &str, seen: &[Seen], run: &Run) -> Result<String> {
    let mut lines: BTreeMap<&str, String> = BTreeMap::new();
    for line in old.lines().filter(|line| line.starts_with("| ")) {
        let name = line.split('|').nth(1).unwrap_or_default().trim();
        lines.extend(names.iter().find(|known| **known == name).map(|known| (*known, line.to_owned())));
    }
    for seen in seen {
        lines.insert(seen.name, line(seen, run));
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let text = format!(
        "{} of {} rows; Apache Kafka {}; {cores} cores. Connections were cut by {}.\n\n{HEAD}",
        lines.len(),
        names.len(),
        Distribution::version()?,
        run.cutting
    );
    Ok(names.iter().filter_map(|name| lines.get(name)).fold(text, |text, line| text + line + "\n"))
}

fn line(seen: &Seen, run: &Run) -> String {
    let verdict =
        if seen.problems.is_empty() { "ok".to_owned() } else { format!("failed: {}", short(&seen.problems[0])) };
    let cells = seen.cells().map(|cell| cell.replace('|', "/")).join(" | ");
    format!("| {cells} | {verdict} | seed {}, memory after {} s |", run.seed, run.settle.as_secs())
}

/// The first line of a problem, without what would break a table.
fn short(problem: &str) -> String {
    problem.lines().next().unwrap_or_default().replace('|', "/").chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &'static str, problem: Option<&str>) -> Seen {
        Seen { name, what: "x", problems: problem.map(str::to_owned).into_iter().collect(), ..Seen::default() }
    }

    #[test]
    fn rows_that_ran_replace_theirs_and_the_others_stay_in_order() {
        let run = Run { seed: 7, settle: Duration::from_secs(60), cutting: "nobody" };
        let names = ["a", "b", "c"];
        let first = table(&names, "", &[seen("c", None), seen("a", Some("it is\nbroken"))], &run).unwrap();
        assert!(first.contains("2 of 3 rows") && first.contains("failed: it is |"), "{first}");
        let second = table(&names, &first, &[seen("b", None), seen("a", None)], &run).unwrap();
        let order: Vec<_> = second.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim).collect();
        assert_eq!(order, ["row", "---", "a", "b", "c"]);
        assert!(!second.contains("failed"), "{second}");
        // A row that is no more is dropped.
        assert!(!table(&["b"], &second, &[], &run).unwrap().contains("| c |"));
    }
}
