//! The committed statements, and each way in which one can be wrong.

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::supply_chain::sbom::Sbom;

fn sbom(program: &str, cjson: &str) -> Sbom {
    let binary = b"libcurl not available at build time\0OAuth/OIDC depends on libcurl and OpenSSL which were not available at build time";
    Sbom {
        program: program.to_owned(),
        file: "none".into(),
        json: json!({"components": [{"purl": format!("pkg:generic/cjson@{cjson}"), "version": cjson}]}),
        dropped: BTreeSet::from(["pkg:cargo/cookie@0.18.1".to_owned()]),
        binary: binary.to_vec(),
    }
}

fn sboms() -> [Sbom; 2] {
    [sbom("kafka-producer", "1.7.14"), sbom("kafka-consumer", "1.7.14")]
}

/// What is said of the committed document after a change.
fn said(change: impl FnOnce(&mut Document)) -> String {
    let mut document = document::read().unwrap();
    change(&mut document);
    let sources = Sources::find().unwrap();
    match check(&document, &sboms(), &sources) {
        Ok(count) => format!("{count} hold"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn the_committed_statements_hold() {
    assert_eq!(said(|_| ()), format!("{} hold", REASONS.len()));
}

#[test]
fn a_statement_for_a_version_that_is_gone_is_an_error() {
    let document = document::read().unwrap();
    let newer = [sbom("kafka-producer", "1.7.19"), sbom("kafka-consumer", "1.7.19")];
    let error = format!("{:#}", check(&document, &newer, &Sources::find().unwrap()).unwrap_err());
    assert!(error.contains("matches nothing"), "{error}");
}

#[test]
fn both_products_are_needed() {
    let without_image = said(|document| document.statements[0].products.retain(|product| product.id.contains("cjson")));
    assert!(without_image.contains("is no product with that subcomponent"), "{without_image}");
    let without_component = said(|document| document.statements[0].products.retain(|p| p.id.starts_with(IMAGE)));
    assert!(without_component.contains("no product is a component"), "{without_component}");
    let with_tag = said(|document| document.statements[0].products[0].id += "@1.0.0");
    assert!(with_tag.contains("is no product with that subcomponent"), "{with_tag}");
    let whole = said(|document| {
        let mut product = document.statements[0].products[0].clone();
        product.subcomponents.clear();
        document.statements[0].products.push(product);
    });
    assert!(whole.contains("would hold for all of it"), "{whole}");
}

#[test]
fn a_statement_that_nothing_checks_is_an_error() {
    let unknown = said(|document| {
        let mut statement = document.statements[0].clone();
        statement.vulnerability.name = "CVE-2000-1".to_owned();
        document.statements.push(statement);
    });
    assert!(unknown.contains("nothing here checks"), "{unknown}");
    let twice = said(|document| document.statements.push(document.statements[0].clone()));
    assert!(twice.contains("twice"), "{twice}");
    let missing = said(|document| drop(document.statements.pop()));
    assert!(missing.contains("no statement"), "{missing}");
    let other = said(|document| document.statements[1].justification = "vulnerable_code_not_present".to_owned());
    assert!(other.contains("the justification must be"), "{other}");
    let affected = said(|document| document.statements[0].status = "affected".to_owned());
    assert!(affected.contains("suppresses nothing"), "{affected}");
}

#[test]
fn a_dropped_crate_gets_a_statement_for_who_scans_the_image() {
    let statement = |purl: &str| {
        let images = ["kafka-producer", "kafka-consumer"]
            .map(|image| json!({"@id": format!("{IMAGE}{image}"), "subcomponents": [{"@id": purl}]}));
        let statement = json!({
            "vulnerability": {"name": "CVE-2000-2"}, "products": [images[0], images[1], {"@id": purl}],
            "status": "not_affected", "justification": NOT_PRESENT, "impact_statement": "No feature enables it."
        });
        serde_json::from_value::<Statement>(statement).unwrap()
    };
    let count = said(|document| document.statements.push(statement("pkg:cargo/cookie@0.18.1")));
    assert_eq!(count, format!("{} hold", REASONS.len() + 1));
    let linked = said(|document| document.statements.push(statement("pkg:cargo/tokio@1.54.1")));
    assert!(linked.contains("matches nothing"), "{linked}");
}
