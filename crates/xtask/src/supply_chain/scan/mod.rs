//! The gate for vulnerabilities, proven on known ones: it must stop what it should stop, and nothing else.

pub mod grype;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::image::Image;
use super::sbom::Sbom;
use super::sbom::bom::text;
use super::tools::Tools;
use super::vex::components;
use super::vex::document::{self, Document};
use grype::{FOUND, Grype, Record, Scanned};

/// zlib's overflow of 2022, fixed in 1.2.13; the bill is given the version before for it.
const OLD: (&str, &str, &str) = ("CVE-2022-37434", "1.2.12", "1.2.13");
/// One that nobody has mended: made up, so that its name is none of a real one.
const UNFIXED: &str = "CVE-2000-0000";
/// One of a crate that the image lists and the program does not have; made up, too.
const NOT_LINKED: &str = "CVE-2000-0001";

/// A case: what it is called, and what returns what was seen.
pub type Case = (&'static str, fn(&Gate) -> Result<String>);

/// All of them.
pub const ALL: [Case; 7] = [
    ("a vulnerable bill", vulnerable),
    ("the fixed bill, with the statements", fixed),
    ("the statements' CVEs, without the statements", uncovered),
    ("statements for the image only", image_only),
    ("a CVE without a fix", unfixed),
    ("the crates alone, without the C libraries", crates_alone),
    ("the image itself, a crate that is not linked", not_linked),
];

/// What the cases work with.
pub struct Gate<'t> {
    grype: Grype<'t>,
    bill: &'t Sbom,
    image: &'t Image,
    document: Document,
    folder: &'t Path,
}

impl<'t> Gate<'t> {
    /// Writes the database: zlib's, each that a statement covers, and one without a fix, on the versions of the bill.
    pub fn new(tools: &'t Tools, image: &'t Image, bill: &'t Sbom) -> Result<Self> {
        let document = document::read()?;
        let mut records = vec![record(OLD.0, "critical", bill, "zlib", &format!("< {}", OLD.2), OLD.2)?];
        records.push(record(UNFIXED, "critical", bill, "zstd", ">= 0", "")?);
        for statement in &document.statements {
            for purl in components(statement) {
                let name = purl.rsplit('/').next().and_then(|last| last.split('@').next()).unwrap_or_default();
                // The gate must see them: with a fix, and severe.
                records.push(record(&statement.vulnerability.name, "high", bill, name, "< 9999", "9999")?);
            }
        }
        let (name, _) = unlinked(bill)?;
        records.push(of_cpe(NOT_LINKED, "high", (&name, &name), "< 9999", "9999"));
        Ok(Self { grype: Grype::on(tools, &records)?, bill, image, document, folder: tools.folder() })
    }

    fn covered(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.document.statements.iter().map(|statement| statement.vulnerability.name.clone()).collect();
        names.sort();
        names
    }

    fn write(&self, name: &str, json: &Value) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, serde_json::to_vec(json)?)?;
        Ok(file)
    }
}

/// The gate on Grype's own database, for a place with the internet.
pub fn online(tools: &Tools, bill: &Path) -> Result<String> {
    let scanned = Grype::online(tools).gate(bill, Some(&document::file()), true)?;
    ensure!(scanned.code == 0, "high or critical, and fixed: {}", scanned.matches.join(", "));
    Ok(format!("nothing high that has a fix ({} lower, {} covered)", scanned.matches.len(), scanned.ignored.len()))
}

fn vulnerable(gate: &Gate) -> Result<String> {
    let mut json = gate.bill.json.clone();
    let components = json["components"].as_array_mut().context("no components")?;
    let zlib = components.iter_mut().find(|component| component["name"] == "zlib").context("no zlib in the bill")?;
    let now = text(zlib, "version");
    for key in ["version", "purl", "cpe"] {
        zlib[key] = text(zlib, key).replace(&now, OLD.1).into();
    }
    let bill = gate.write("vulnerable.cdx.json", &json)?;
    let scanned = gate.grype.gate(&bill, Some(&document::file()), true)?;
    expect(&scanned, FOUND, &[OLD.0])
}

fn fixed(gate: &Gate) -> Result<String> {
    let scanned = gate.grype.gate(&gate.bill.file, Some(&document::file()), true)?;
    for name in gate.covered() {
        ensure!(scanned.ignored.contains(&name), "the statement on {name} suppresses nothing");
    }
    let said = expect(&scanned, 0, &[])?;
    Ok(format!("{said}; {} covered by statements", gate.covered().len()))
}

fn uncovered(gate: &Gate) -> Result<String> {
    let scanned = gate.grype.gate(&gate.bill.file, None, true)?;
    let covered = gate.covered();
    expect(&scanned, FOUND, &covered.iter().map(String::as_str).collect::<Vec<_>>())
}

/// When a bill is scanned, a scanner asks for the component's own purl: the image alone as a product is ignored silently.
fn image_only(gate: &Gate) -> Result<String> {
    let mut statements: Value = serde_json::from_str(&fs::read_to_string(document::file())?)?;
    for statement in statements["statements"].as_array_mut().context("no statements")? {
        let products = statement["products"].as_array_mut().context("no products")?;
        products.retain(|product| text(product, "@id").starts_with("pkg:oci/"));
    }
    let vex = gate.write("image-only.openvex.json", &statements)?;
    let scanned = gate.grype.gate(&gate.bill.file, Some(&vex), true)?;
    let covered = gate.covered();
    expect(&scanned, FOUND, &covered.iter().map(String::as_str).collect::<Vec<_>>())
}

fn unfixed(gate: &Gate) -> Result<String> {
    let all = gate.grype.gate(&gate.bill.file, Some(&document::file()), false)?;
    expect(&all, FOUND, &[UNFIXED]).context("without --only-fixed")?;
    let scanned = gate.grype.gate(&gate.bill.file, Some(&document::file()), true)?;
    ensure!(scanned.ignored.iter().any(|name| name == UNFIXED), "{UNFIXED} was not seen at all");
    expect(&scanned, 0, &[])
}

/// Why the C libraries are components: their crates match nothing.
fn crates_alone(gate: &Gate) -> Result<String> {
    let mut json = gate.bill.json.clone();
    let crates = |component: &Value| text(component, "purl").starts_with("pkg:cargo/");
    let components = json["components"].as_array().into_iter().flatten();
    json["components"] = components.filter(|component| crates(component)).cloned().collect();
    json["dependencies"] = json!([]);
    let bill = gate.write("crates-alone.cdx.json", &json)?;
    let scanned = gate.grype.gate(&bill, None, false)?;
    ensure!(scanned.ignored.is_empty(), "the crates match {}", scanned.ignored.join(", "));
    expect(&scanned, 0, &[])
}

/// Who scans the image finds the crates of its own list, linked or not; a statement that names the image silences those that are
/// not. Nothing else is looked at: the database knows no other crate.
fn not_linked(gate: &Gate) -> Result<String> {
    let reference = gate.image.reference();
    let (_, purl) = unlinked(gate.bill)?;
    expect(&gate.grype.image(&reference, None)?, FOUND, &[NOT_LINKED]).context("without a statement")?;
    let mut document: Value = serde_json::from_str(&fs::read_to_string(document::file())?)?;
    let image = format!("pkg:oci/{}", gate.image.program);
    document["statements"] = json!([{
        "vulnerability": {"name": NOT_LINKED}, "products": [{"@id": image, "subcomponents": [{"@id": purl}]}],
        "status": "not_affected", "justification": "component_not_present", "impact_statement": "Nothing links it."
    }]);
    let vex = gate.write("not-linked.openvex.json", &document)?;
    let scanned = gate.grype.image(&reference, Some(&vex))?;
    ensure!(scanned.ignored.iter().any(|name| name == NOT_LINKED), "the statement suppresses nothing");
    Ok(format!("{purl}: {}", expect(&scanned, 0, &[])?))
}

/// A crate that the image lists and nothing links: its name, and its purl.
fn unlinked(bill: &Sbom) -> Result<(String, String)> {
    let purl = bill.dropped.iter().next().context("everything that the image lists is linked")?;
    let name = purl.trim_start_matches("pkg:cargo/").split('@').next().unwrap_or_default();
    Ok((name.to_owned(), purl.clone()))
}

fn expect(scanned: &Scanned, code: i32, names: &[&str]) -> Result<String> {
    let found = scanned.matches.join(", ");
    ensure!(
        scanned.code == code && scanned.matches == names,
        "the gate ended with {} for [{found}], and should with {code} for [{}]",
        scanned.code,
        names.join(", ")
    );
    Ok(if found.is_empty() { format!("code {code}, nothing found") } else { format!("code {code}: {found}") })
}

/// A record for a component of the bill, by the CPE that stands there.
fn record(id: &str, severity: &'static str, bill: &Sbom, name: &str, constraint: &str, fixed: &str) -> Result<Record> {
    let component = bill.components().find(|component| text(component, "name") == name);
    let cpe = text(component.with_context(|| format!("the bill has no {name}"))?, "cpe");
    let parts: Vec<&str> = cpe.split(':').collect();
    let (vendor, product) = parts.get(3).zip(parts.get(4)).with_context(|| format!("{name} has no CPE"))?;
    Ok(of_cpe(id, severity, (vendor, product), constraint, fixed))
}

fn of_cpe(id: &str, severity: &'static str, (vendor, product): (&str, &str), constraint: &str, fixed: &str) -> Record {
    Record {
        id: id.to_owned(),
        severity,
        vendor: vendor.to_owned(),
        product: product.to_owned(),
        constraint: constraint.to_owned(),
        fixed: fixed.to_owned(),
    }
}
