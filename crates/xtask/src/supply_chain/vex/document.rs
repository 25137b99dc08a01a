//! The form of `security/vex.openvex.json`: OpenVEX 0.2.0, of which a key that is misspelt is an error and not ignored.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::programs;

/// All statements.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The version of the form.
    #[serde(rename = "@context")]
    pub context: String,
    /// The document's name.
    #[serde(rename = "@id")]
    pub id: String,
    /// Who says it.
    pub author: String,
    /// When, by RFC 3339.
    pub timestamp: String,
    /// Counted up with each change.
    pub version: u64,
    /// What is said.
    pub statements: Vec<Statement>,
}

/// One vulnerability.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Its name.
    pub vulnerability: Vulnerability,
    /// What the statement holds for.
    pub products: Vec<Product>,
    /// `not_affected`, the only one that is of use here.
    pub status: String,
    /// Why, as one of the form's words.
    pub justification: String,
    /// Why, for people.
    pub impact_statement: String,
}

/// A vulnerability's name.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vulnerability {
    /// As `CVE-2025-57052`.
    pub name: String,
}

/// An image with the components in it, or a component by itself.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// A purl.
    #[serde(rename = "@id")]
    pub id: String,
    /// Those of an image.
    #[serde(default)]
    pub subcomponents: Vec<Subcomponent>,
}

/// A component of an image.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subcomponent {
    /// A purl.
    #[serde(rename = "@id")]
    pub id: String,
}

/// The committed file.
pub fn file() -> PathBuf {
    programs::root().join("security/vex.openvex.json")
}

/// Reads it.
pub fn read() -> Result<Document> {
    let text = fs::read_to_string(file()).with_context(|| format!("can't read {}", file().display()))?;
    serde_json::from_str(&text).context("security/vex.openvex.json")
}
