//! Known vulnerabilities of crates, by cargo-deny and RustSec's database.

use std::process::Command;

use anyhow::{Context, Result};

use crate::manifests::tools::{once, output};
use crate::programs;

const VERSION: &str = "0.20.2";

/// `false` when a crate of the lock file has one, was withdrawn or abandoned.
pub fn run() -> Result<bool> {
    let folder = std::path::absolute(programs::root().join("target/cargo-deny"))?;
    once(&folder, VERSION, |folder| {
        let mut install = cargo();
        // Unoptimised: it runs for seconds.
        install.args(["install", "--quiet", "--locked", "--debug", "--version", VERSION, "cargo-deny", "--root"]);
        output(install.arg(folder)).map(drop)
    })?;
    let mut check = Command::new(folder.join("bin/cargo-deny"));
    check.args(["--locked", "check", "advisories"]).current_dir(programs::root());
    Ok(check.status().context("cargo-deny can't be run")?.success())
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
