//! The bill, put together from a small inventory.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::bom::{Bom, Subject, assemble, is_about};
use super::linked::{Crate, Linked};
use super::openssl::OpenSsl;
use super::parts::Part;

fn krate(name: &str) -> Crate {
    (name.to_owned(), "1.0.0".to_owned())
}

fn linked() -> Linked {
    let uses = |names: &[&str]| names.iter().map(|name| krate(name)).collect::<BTreeSet<_>>();
    Linked::from([
        (krate("kafka-consumer"), uses(&["rdkafka-sys"])),
        (krate("rdkafka-sys"), uses(&["openssl-sys"])),
        (krate("openssl-sys"), uses(&[])),
    ])
}

fn part(name: &'static str, of: &'static str, version: &str) -> Part {
    Part { name, version: version.to_owned(), cpe: Some(("vendor", name)), of }
}

fn inventory(crates: &[&str]) -> Value {
    let of = |kind: &str, name: &str| {
        let purl = format!("pkg:{kind}/{name}@1.0.0");
        json!({"type": "library", "bom-ref": purl, "name": name, "version": "1.0.0", "purl": purl})
    };
    let mut components: Vec<Value> = crates.iter().map(|name| of("cargo", name)).collect();
    components.push(of("deb/debian", "libssl3t64"));
    json!({"metadata": {"tools": {"components": []}}, "components": components})
}

fn made(crates: &[&str], openssl: &OpenSsl) -> anyhow::Result<Bom> {
    let index = Some("sha256:1");
    let about = Subject { program: "kafka-consumer", digest: "sha256:0", index, architecture: "amd64" };
    assemble(inventory(crates), &about, &linked(), &[part("nanopb", "rdkafka-sys", "0.4.8-dev")], openssl)
}

const ALL: [&str; 4] = ["kafka-consumer", "rdkafka-sys", "openssl-sys", "cookie"];

fn ends(bom: &Value, from: &str) -> Vec<String> {
    let edges = bom["dependencies"].as_array().unwrap();
    let edge = edges.iter().find(|edge| edge["ref"] == from).unwrap();
    edge["dependsOn"].as_array().unwrap().iter().map(|end| end.as_str().unwrap().to_owned()).collect()
}

#[test]
fn crates_that_nothing_links_are_dropped_and_remembered() {
    let bom = made(&ALL, &OpenSsl::Base).unwrap();
    assert_eq!(bom.dropped, BTreeSet::from(["pkg:cargo/cookie@1.0.0".to_owned()]));
    assert!(!bom.json.to_string().contains("cookie"));
}

#[test]
fn a_crate_that_the_program_does_not_name_is_an_error() {
    let error = made(&["kafka-consumer", "rdkafka-sys"], &OpenSsl::Base).err().unwrap().to_string();
    assert!(error.contains("openssl-sys 1.0.0"), "{error}");
}

#[test]
fn c_libraries_hang_on_their_crates_with_purl_and_cpe() {
    let bom = made(&ALL, &OpenSsl::Base).unwrap().json;
    assert!(ends(&bom, "pkg:cargo/rdkafka-sys@1.0.0").contains(&"pkg:generic/nanopb@0.4.8-dev".to_owned()));
    assert!(bom.to_string().contains("cpe:2.3:a:vendor:nanopb:0.4.8:dev:*:*:*:*:*:*"));
}

#[test]
fn openssl_is_the_base_s_package_or_a_part_of_its_own() {
    let bom = made(&ALL, &OpenSsl::Base).unwrap().json;
    assert_eq!(ends(&bom, "pkg:cargo/openssl-sys@1.0.0"), ["pkg:deb/debian/libssl3t64@1.0.0"]);
    let bom = made(&ALL, &OpenSsl::Inside(part("openssl", "openssl-sys", "3.6.3"))).unwrap().json;
    assert_eq!(ends(&bom, "pkg:cargo/openssl-sys@1.0.0"), ["pkg:generic/openssl@3.6.3"]);
}

#[test]
fn a_bill_is_about_one_image_and_its_index() {
    let bom = made(&ALL, &OpenSsl::Base).unwrap().json;
    assert!(is_about(&bom, "sha256:0") && is_about(&bom, "sha256:1") && !is_about(&bom, "sha256:2"));
}
