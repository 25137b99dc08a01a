//! `infra/monitoring`, applied folder by folder as its README says, and taken away by the same lines in the reverse order.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use super::bench::{Bench, SOON};
use crate::programs;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "monitoring",
    claim: "each line of the README of infra/monitoring applies its folder, and takes it away; the operators' CRDs are installed",
    run: folders,
}];

const README: &str = "infra/monitoring/README.md";
const APPLY: &str = "kubectl apply -f ";

fn folders(bench: &mut Bench) -> Result<String> {
    bench.installed()?;
    bench.namespace("monitoring")?;
    let root = programs::root();
    let readme = fs::read_to_string(root.join(README)).with_context(|| format!("{README} can't be read"))?;
    let rows = readme.lines().filter(|line| line.starts_with("| ["));
    let paths: Vec<_> = rows.filter_map(|row| Some(row.split_once(APPLY)?.1.split('`').next()?.to_owned())).collect();
    ensure!(paths.len() >= 6, "{README} has the lines {paths:?} only");
    let mut objects = 0;
    for path in &paths {
        let file = root.join(path).display().to_string();
        objects +=
            bench.kubectl.run(&["apply", "-f", &file]).with_context(|| format!("{APPLY}{path}"))?.lines().count();
        // Once more changes nothing, and warns of nothing.
        let again = bench.kubectl.run(&["apply", "--warnings-as-errors", "-f", &file])?;
        let changed: Vec<_> = again.lines().filter(|line| !line.ends_with(" unchanged")).collect();
        ensure!(changed.is_empty(), "{APPLY}{path} changes on a second time: {changed:?}");
    }
    for path in paths.iter().rev() {
        let file = root.join(path).display().to_string();
        // The rules on the lag come with the lag, and two folders give it.
        bench.kubectl.delete(&["-f", &file], SOON).with_context(|| format!("deleting {path}"))?;
        let left = bench.kubectl.run(&["get", "--ignore-not-found", "--output=name", "-f", &file])?;
        ensure!(left.trim().is_empty(), "{path} leaves {left}");
    }
    Ok(format!("{objects} objects of {} lines, applied twice and taken away", paths.len()))
}
