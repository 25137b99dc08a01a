//! `cargo xtask docs`: the documents that are made from the code, so that they cannot differ from it.

mod configuration;
mod environment;
mod flags;
mod metrics;
mod queries;
mod rights;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::programs;
use flags::Commands;

/// Differing lines that are shown of a stale file.
const SHOWN: usize = 5;

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file is not what the code says
    #[arg(long)]
    check: bool,
}

/// Writes or checks all of them. `false` when one is stale.
pub fn run(args: &Args) -> Result<bool> {
    let mut fresh = true;
    for (name, text) in documents()? {
        let path = programs::root().join(name);
        let there = match fs::read_to_string(&path) {
            Ok(there) => Some(there),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("{name} can't be read")),
        };
        if there.as_ref() == Some(&text) {
            continue;
        }
        if args.check {
            fresh = false;
            eprintln!("{name} is stale: run cargo xtask docs and commit it");
            eprint!("{}", difference(there.as_deref().unwrap_or_default(), &text));
        } else {
            write(&path, &text).with_context(|| format!("{name} can't be written"))?;
            println!("wrote {name}");
        }
    }
    if fresh && args.check {
        println!("all generated documents are up to date");
    }
    Ok(fresh)
}

fn documents() -> Result<Vec<(&'static str, String)>> {
    let commands = Commands::new();
    Ok(vec![
        ("docs/configuration.md", configuration::document(&commands)?),
        ("docs/metrics.md", metrics::document()?),
        ("docs/log-queries.md", queries::document()?),
        ("docs/rights.md", rights::document()),
        (".env.example", environment::example(&commands)),
        ("crates/common/src/config/variables.txt", environment::variables(&commands)),
    ])
}

fn write(path: &PathBuf, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    Ok(fs::write(path, text)?)
}

/// The first lines that differ, as a diff shows them: `-` is committed, `+` is what the code says.
fn difference(there: &str, wanted: &str) -> String {
    let same = there.lines().zip(wanted.lines()).take_while(|(one, other)| one == other).count();
    let part = |text: &str, mark: &str| -> String {
        text.lines().skip(same).take(SHOWN).map(|line| format!("{mark}{line}\n")).collect()
    };
    format!("@@ line {} @@\n{}{}", same + 1, part(there, "-"), part(wanted, "+"))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "@@ line 2 @@\n-b\n+c\n");
        assert_eq!(difference("", "a\n"), "@@ line 1 @@\n+a\n");
    }
}
