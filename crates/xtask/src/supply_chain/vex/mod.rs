//! The statements on vulnerabilities that match and can't be reached. A scanner ignores one that matches nothing; here it is an
//! error, as is one that is true no longer.

pub mod document;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};

use super::sbom::Sbom;
use super::sbom::sources::Sources;
use document::{Document, Statement};
use reach::REASONS;

const CONTEXT: &str = "https://openvex.dev/ns/v0.2.0";
const IMAGE: &str = "pkg:oci/";

/// For crates that the image's own list names and nothing links.
const NOT_PRESENT: &str = "component_not_present";

/// Checks each statement against the images. Returns how many there are.
pub fn check(document: &Document, sboms: &[Sbom], sources: &Sources) -> Result<usize> {
    ensure!(document.context == CONTEXT, "@context must be {CONTEXT}");
    ensure!(document.version > 0 && !document.id.is_empty() && !document.author.is_empty(), "who says it is missing");
    let time: Result<jiff::Timestamp, _> = document.timestamp.parse();
    time.with_context(|| format!("{:?} is no time", document.timestamp))?;
    let mut names = BTreeSet::new();
    for statement in &document.statements {
        let name = &statement.vulnerability.name;
        ensure!(names.insert(name.as_str()), "{name} is there twice");
        one(statement, sboms, sources).with_context(|| name.clone())?;
    }
    for (name, ..) in REASONS {
        ensure!(names.contains(name), "{name} has a reason here and no statement");
    }
    Ok(document.statements.len())
}

/// The components that a statement names by themselves, as scanners of a bill of materials ask for them.
pub fn components(statement: &Statement) -> Vec<&str> {
    statement.products.iter().map(|product| product.id.as_str()).filter(|id| !id.starts_with(IMAGE)).collect()
}

fn one(statement: &Statement, sboms: &[Sbom], sources: &Sources) -> Result<()> {
    ensure!(statement.status == "not_affected", "the status {:?} suppresses nothing", statement.status);
    ensure!(!statement.impact_statement.trim().is_empty(), "impact_statement says nothing");
    let components = components(statement);
    ensure!(!components.is_empty(), "no product is a component: a scanner of a bill of materials finds nothing");
    for purl in &components {
        for sbom in sboms {
            let image = format!("{IMAGE}{}", sbom.program);
            let named = statement.products.iter().any(|product| {
                product.id == image && product.subcomponents.iter().any(|component| component.id == *purl)
            });
            let there = present(statement, purl, sbom);
            ensure!(named || !there, "{image} has {purl}, and is no product with that subcomponent");
            ensure!(there || !named, "{image} has no {purl} (any more): the statement matches nothing");
        }
        ensure!(
            sboms.iter().any(|sbom| present(statement, purl, sbom)),
            "{purl} is in no image (any more): the statement matches nothing"
        );
    }
    for product in &statement.products {
        if let Some(program) = product.id.strip_prefix(IMAGE) {
            // With a version or qualifiers it would hold for one image only.
            ensure!(sboms.iter().any(|sbom| sbom.program == program), "{} is none of the images", product.id);
            ensure!(
                !product.subcomponents.is_empty(),
                "{} without a subcomponent would hold for all of it",
                product.id
            );
            for component in &product.subcomponents {
                ensure!(components.contains(&component.id.as_str()), "{} must be a product, too", component.id);
            }
        } else {
            ensure!(product.subcomponents.is_empty(), "{} has subcomponents", product.id);
        }
    }
    reason(statement, sboms, sources)
}

/// Whether the image has the component, in the sense of the statement.
fn present(statement: &Statement, purl: &str, sbom: &Sbom) -> bool {
    if statement.justification == NOT_PRESENT { sbom.dropped.contains(purl) } else { sbom.component(purl).is_some() }
}

fn reason(statement: &Statement, sboms: &[Sbom], sources: &Sources) -> Result<()> {
    if statement.justification == NOT_PRESENT {
        // That it is on the image's list and not linked was the condition above.
        return Ok(());
    }
    let known = REASONS.iter().find(|(name, ..)| *name == statement.vulnerability.name);
    let Some((_, reason, justification)) = known else {
        bail!("nothing here checks that it is true: give it a reason in supply_chain/vex/reach.rs")
    };
    ensure!(statement.justification == *justification, "the justification must be {justification}");
    for sbom in sboms {
        reach::holds(*reason, sources, &sbom.binary).with_context(|| format!("no longer true of {}", sbom.program))?;
    }
    Ok(())
}
