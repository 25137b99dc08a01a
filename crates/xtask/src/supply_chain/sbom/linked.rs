//! The crates that are linked into a program: what Cargo says, and not all that its lock file resolves.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::process::Command;

use anyhow::{Context, Result};

use crate::images::PROGRAMS;
use crate::manifests::tools::output;
use crate::programs;

/// A crate's name and version.
pub type Crate = (String, String);

/// Each crate with those that it uses.
pub type Linked = BTreeMap<Crate, BTreeSet<Crate>>;

/// Those of a program on a platform. Both programs are selected, as in the images: features are then the same.
pub fn linked(program: &str, target: &str) -> Result<Linked> {
    let mut tree = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tree.current_dir(programs::root()).args(["tree", "--locked", "--target", target]);
    tree.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--no-dedupe", "--format", " {p}"]);
    for name in PROGRAMS {
        tree.args(["--package", &format!("kafka-{name}")]);
    }
    parse(&output(&mut tree)?, program)
}

/// Takes the tree of one program out of lines such as `2 openssl-sys v0.9.118`.
fn parse(tree: &str, program: &str) -> Result<Linked> {
    let mut linked = Linked::new();
    let mut path: Vec<Crate> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let depth: usize =
            words.next().and_then(|word| word.parse().ok()).with_context(|| format!("no depth: {line}"))?;
        let name = words.next().with_context(|| format!("no crate: {line}"))?;
        let version = words.next().and_then(|word| word.strip_prefix('v'));
        let this = (name.to_owned(), version.with_context(|| format!("no version: {line}"))?.to_owned());
        path.truncate(depth);
        path.push(this.clone());
        if path.first().is_none_or(|(root, _)| root != program) {
            continue;
        }
        linked.entry(this.clone()).or_default();
        if let Some(parent) = depth.checked_sub(1).and_then(|parent| path.get(parent)) {
            linked.entry(parent.clone()).or_default().insert(this);
        }
    }
    anyhow::ensure!(!linked.is_empty(), "cargo tree says nothing of {program}");
    Ok(linked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_its_own_tree_only() {
        let tree = "0 kafka-consumer v1.0.0 (/src)\n1 a v1.0.0\n2 b-sys v2.1.3+zstd.1.5.7\n1 b-sys v2.1.3+zstd.1.5.7\n\n\
                    0 kafka-producer v1.0.0 (/src)\n1 c v3.0.0\n";
        let linked = parse(tree, "kafka-consumer").unwrap();
        let names: Vec<&str> = linked.keys().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b-sys", "kafka-consumer"]);
        let b = ("b-sys".to_owned(), "2.1.3+zstd.1.5.7".to_owned());
        assert!(linked[&("a".to_owned(), "1.0.0".to_owned())].contains(&b));
        assert_eq!(linked[&("kafka-consumer".to_owned(), "1.0.0".to_owned())].len(), 2);
        assert!(parse(tree, "kafka").is_err());
    }

    #[test]
    fn what_only_the_lock_file_knows_is_not_linked() {
        let linked = linked("kafka-consumer", "x86_64-unknown-linux-gnu").unwrap();
        let has = |name: &str| linked.keys().any(|(found, _)| found == name);
        // `syn` is part of macros, `plotters` of xtask.
        assert!(has("rdkafka-sys") && has("tokio") && !has("syn") && !has("plotters"));
    }
}
