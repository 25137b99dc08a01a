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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_openssl_inside_has_the_version_that_was_compiled() {
        let (tools, sources) = (Tools::new().unwrap(), Sources::find().unwrap());
        // These tests link librdkafka as the programs do, with the OpenSSL of the crates unless the build is told otherwise.
        let this = fs::read(std::env::current_exe().unwrap()).unwrap();
        match of(&tools, &sources, &this).unwrap() {
            OpenSsl::Inside(part) => assert!(part.version.starts_with("3."), "{}", part.version),
            OpenSsl::Base => assert!(std::env::var_os("OPENSSL_NO_VENDOR").is_some(), "it is linked to libssl"),
        }
    }

    #[test]
    fn a_program_without_openssl_is_none_of_ours() {
        let shell = fs::read("/bin/sh").unwrap();
        let error = of(&Tools::new().unwrap(), &Sources::find().unwrap(), &shell).err().unwrap().to_string();
        assert!(error.contains("needs no libssl"), "{error}");
    }
}
