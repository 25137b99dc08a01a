//! The bills of materials of the images: what is linked and installed, no more and no less.

pub mod bom;
mod check;
mod linked;
pub mod openssl;
mod parts;
pub mod sources;
mod syft;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::image::{Contents, Image};
use super::tools::Tools;
use bom::{Subject, text};
use sources::Sources;

/// A bill that is written, and what else is known of its image.
pub struct Sbom {
    /// The program, as `kafka-consumer`.
    pub program: String,
    /// The file.
    pub file: PathBuf,
    /// What is in it.
    pub json: Value,
    /// Crates that the program's own list names and nothing links, as `pkg:cargo/...`.
    pub dropped: BTreeSet<String>,
    /// The program itself.
    pub binary: Vec<u8>,
}

impl Sbom {
    /// Makes the bill of an image, writes it into a folder, and checks it.
    pub fn of(tools: &Tools, sources: &Sources, image: &Image, index: Option<&str>, folder: &Path) -> Result<Self> {
        let Contents { binary, packages } = image.contents(tools)?;
        let openssl = openssl::of(tools, sources, &binary)?;
        let linked = linked::linked(&image.program, image.target()?)?;
        let about =
            Subject { program: &image.program, digest: &image.digest, index, architecture: image.architecture()? };
        let found = syft::inventory(tools, image)?;
        let bom = bom::assemble(found, &about, &linked, &parts::parts(sources)?, &openssl)?;
        check::installed(&bom.json, &packages)?;
        fs::create_dir_all(folder)?;
        let file = folder.join(format!("{}.cdx.json", image.program));
        fs::write(&file, serde_json::to_string_pretty(&bom.json)? + "\n")?;
        check::valid(tools, &file)?;
        Ok(Self { program: image.program.clone(), file, json: bom.json, dropped: bom.dropped, binary })
    }

    /// The components.
    pub fn components(&self) -> impl Iterator<Item = &Value> {
        self.json["components"].as_array().into_iter().flatten()
    }

    /// The component of a purl.
    pub fn component(&self, purl: &str) -> Option<&Value> {
        self.components().find(|component| text(component, "purl") == purl)
    }

    /// How many of each kind there are.
    pub fn summary(&self) -> String {
        let count =
            |kind: &str| self.components().filter(|component| text(component, "purl").starts_with(kind)).count();
        let (crates, packages, parts) = (count("pkg:cargo/"), count("pkg:deb/"), count("pkg:generic/"));
        let dropped = self.dropped.len();
        format!(
            "{crates} crates ({dropped} of its own list are not linked), {packages} Debian packages, {parts} C libraries"
        )
    }
}
