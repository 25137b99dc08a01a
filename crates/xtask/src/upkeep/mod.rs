//! `cargo xtask upkeep`: what gets worse although nobody changes anything. For the nightly workflow, and for whoever wants to know.

mod advisories;
mod bases;
mod released;
pub mod support;

use std::path::PathBuf;

use anyhow::Result;

/// What may have got worse.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Known vulnerabilities of the crates in the lock file; needs the internet, and installs cargo-deny
    Advisories,
    /// Bases of the images that were pinned more than 30 days ago while their makers have newer ones; needs skopeo
    Bases,
    /// Support of what is in the images that ends within 90 days
    Support,
    /// Fetch the SBOMs of the latest release, to scan them again; needs gh
    Released {
        /// The folder to write to
        #[arg(long, value_name = "FOLDER", default_value = "target/released")]
        out: PathBuf,
    },
}

/// Looks at one. `false` when somebody has to do something.
pub fn run(command: &Command) -> Result<bool> {
    match command {
        Command::Advisories => advisories::run(),
        Command::Bases => bases::run(),
        Command::Support => support::run(),
        Command::Released { out } => released::run(out),
    }
}
