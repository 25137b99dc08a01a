//! Where a program has its OpenSSL from: the base image, or inside.

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use super::parts::{self, Part};
use super::sources::Sources;
use crate::manifests::tools::output;
use crate::supply_chain::tools::Tools;

/// One of the two.
pub enum OpenSsl {
    /// A package of the base.
    Base,
    /// Compiled into the program.
    Inside(Part),
}

/// Asks the program itself.
pub fn of(tools: &Tools, sources: &Sources, binary: &[u8]) -> Result<OpenSsl> {
    let folder = tempfile::tempdir_in(tools.folder())?;
    let file = folder.path().join("program");
    fs::write(&file, binary)?;
    let needed = output(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&file))?;
    if needed.lines().any(|line| line.contains("(NEEDED)") && line.contains("[libssl.so.")) {
        return Ok(OpenSsl::Base);
    }
    let part = parts::openssl(sources)?;
    if !contains(binary, &format!("OpenSSL {} ", part.version)) {
        bail!("the program needs no libssl and has no OpenSSL {} inside, which Cargo.lock would compile", part.version);
    }
    Ok(OpenSsl::Inside(part))
}

/// Whether a text is in a program.
pub fn contains(binary: &[u8], text: &str) -> bool {
    binary.windows(text.len()).any(|window| window == text.as_bytes())
}
