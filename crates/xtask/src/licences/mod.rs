//! `cargo xtask licences`: the licence texts of everything that is linked into the programs, as `THIRD-PARTY.html`, which lies in
//! the images. Fails for a licence that is not allowed and for a part whose text is missing.

mod c_parts;
mod expression;
mod linked;
mod page;
mod standard;
mod text;

use std::fs;

use anyhow::{Context, Result};

use crate::programs;

/// The generated page, from the root of the repository.
pub const PAGE: &str = "THIRD-PARTY.html";

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Write nothing; fail when the committed page is not what the sources say
    #[arg(long)]
    check: bool,
}

/// Something that a program contains and that others wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// Its name, as its authors write it.
    name: String,
    /// Its version, or the crate whose sources bring it.
    version: String,
    /// The licence that its authors name, an SPDX expression.
    declared: String,
    /// The licences under which it is used here, and the text of each.
    used: Vec<(&'static str, String)>,
    /// Notices that have to be passed on beside the texts.
    notices: Vec<String>,
}

/// What is wrong: where, what, and what to do.
type Problems = Vec<String>;

/// Writes or checks the page. `false` when a licence, a text or the page is not as it has to be.
pub fn run(args: &Args) -> Result<bool> {
    let root = programs::root();
    let apache = fs::read_to_string(root.join("LICENSE")).context("LICENSE can't be read")?;
    let (mut parts, mut problems) = (Vec::new(), Problems::new());
    let crates = linked::crates(&root)?;
    linked::parts(&crates, &apache, &mut parts, &mut problems);
    c_parts::parts(&crates, &apache, &mut parts, &mut problems);
    standard::parts(&root, &apache, &mut parts, &mut problems)?;
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        return Ok(false);
    }
    let (page, path) = (page::html(&parts, &apache), root.join(PAGE));
    let there = fs::read_to_string(&path).unwrap_or_default();
    if args.check {
        if there != page {
            eprintln!("{PAGE} is stale: run cargo xtask licences and commit it");
            return Ok(false);
        }
        println!("{} parts, each with an allowed licence and its text; {PAGE} is up to date", parts.len());
    } else {
        fs::write(&path, page).with_context(|| format!("{PAGE} can't be written"))?;
        println!("wrote {PAGE}: {} parts", parts.len());
    }
    Ok(true)
}
