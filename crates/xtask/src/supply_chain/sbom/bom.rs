//! The bill of materials: Syft's, without crates that are not linked, with the C libraries, and with edges that hold.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::linked::{Crate, Linked};
use super::openssl::OpenSsl;
use super::parts::Part;

/// What the bill is about.
pub struct Subject<'a> {
    /// The image's name, as `kafka-consumer`.
    pub program: &'a str,
    /// The digest of the platform's image.
    pub digest: &'a str,
    /// The digest of the index that names the image, where there is one.
    pub index: Option<&'a str>,
    /// The processor, in Docker's words.
    pub architecture: &'a str,
}

/// The property that names the index.
const INDEX: &str = "kafka-clients:index";

/// A bill, and the crates that the program's own list has although nothing links them.
pub struct Bom {
    /// CycloneDX.
    pub json: Value,
    /// `pkg:cargo/...` of each.
    pub dropped: BTreeSet<String>,
}

/// Makes it.
pub fn assemble(mut syft: Value, about: &Subject, linked: &Linked, parts: &[Part], openssl: &OpenSsl) -> Result<Bom> {
    let found = syft.get_mut("components").and_then(Value::as_array_mut).context("Syft has found nothing")?;
    let (mut kept, mut dropped, mut crates) = (Vec::new(), BTreeSet::new(), BTreeMap::<Crate, String>::new());
    let mut base = Vec::new();
    for component in std::mem::take(found) {
        let (purl, reference) = (text(&component, "purl"), text(&component, "bom-ref"));
        if purl.starts_with("pkg:cargo/") {
            let this = (text(&component, "name"), text(&component, "version"));
            if !linked.contains_key(&this) {
                dropped.insert(purl);
                continue;
            }
            crates.insert(this, reference);
        } else {
            base.push((text(&component, "name"), reference));
        }
        kept.push(component);
    }
    let missing: Vec<String> = linked
        .keys()
        .filter(|this| !crates.contains_key(this))
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    ensure!(
        missing.is_empty(),
        "the program in the image does not name {}: it was built from another Cargo.lock, or not by cargo auditable",
        missing.join(", ")
    );
    ensure!(base.iter().any(|(_, reference)| reference.starts_with("pkg:deb/")), "Syft has found no Debian package");

    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (this, uses) in linked {
        edges.insert(crates[this].clone(), uses.iter().map(|used| crates[used].clone()).collect());
    }
    let by_name =
        |name: &str| crates.iter().find(|((found, _), _)| found == name).map(|(_, reference)| reference.clone());
    let inside = if let OpenSsl::Inside(part) = openssl { Some(part) } else { None };
    for part in parts.iter().chain(inside) {
        let of = by_name(part.of).with_context(|| format!("{} compiles {}, and is not linked", part.of, part.name))?;
        let component = component(part);
        edges.entry(of).or_default().insert(text(&component, "bom-ref"));
        kept.push(component);
    }
    if let OpenSsl::Base = openssl {
        let package = base.iter().find(|(name, _)| name.starts_with("libssl"));
        let (_, package) = package.context("the program needs libssl, and no package of the base is called so")?;
        edges.entry(by_name("openssl-sys").context("nothing links openssl-sys")?).or_default().insert(package.clone());
    }
    let root = format!("pkg:oci/{}@{}", about.program, about.digest.replace(':', "%3A"));
    let program = by_name(about.program).context("the program is not in its own list")?;
    edges.insert(root.clone(), base.into_iter().map(|(_, reference)| reference).chain([program]).collect());

    syft["metadata"]["component"] = subject(about, &root);
    let tool = json!({"type": "application", "name": "cargo xtask supply-chain", "version": env!("CARGO_PKG_VERSION")});
    syft.pointer_mut("/metadata/tools/components").and_then(Value::as_array_mut).context("no tools")?.push(tool);
    syft["components"] = kept.into();
    let edges = edges.into_iter().filter(|(_, to)| !to.is_empty());
    syft["dependencies"] = edges.map(|(from, to)| json!({"ref": from, "dependsOn": to})).collect();
    Ok(Bom { json: syft, dropped })
}

/// The digest of an image or index that a bill is about.
pub fn is_about(bom: &Value, digest: &str) -> bool {
    let component = &bom["metadata"]["component"];
    let index = component["properties"].as_array().into_iter().flatten().find(|property| property["name"] == INDEX);
    component["version"] == digest || index.is_some_and(|index| index["value"] == digest)
}

fn subject(about: &Subject, reference: &str) -> Value {
    let mut component = json!({
        "type": "container", "bom-ref": reference, "name": about.program, "version": about.digest,
        "purl": format!("{reference}?arch={}", about.architecture),
    });
    if let Some(index) = about.index {
        component["properties"] = json!([{"name": INDEX, "value": index}]);
    }
    component
}

/// A C library as a component.
fn component(part: &Part) -> Value {
    let purl = format!("pkg:generic/{}@{}", part.name, part.version);
    let mut component =
        json!({"type": "library", "bom-ref": purl, "name": part.name, "version": part.version, "purl": purl});
    if let Some((vendor, product)) = part.cpe {
        // What follows a version's hyphen has a field of its own.
        let (version, update) = part.version.split_once('-').unwrap_or((&part.version, "*"));
        component["cpe"] = format!("cpe:2.3:a:{vendor}:{product}:{version}:{update}:*:*:*:*:*:*").into();
    }
    component
}

/// A string of a component, empty if it has none.
pub fn text(component: &Value, key: &str) -> String {
    component.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
