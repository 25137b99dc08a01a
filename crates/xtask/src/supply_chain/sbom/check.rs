//! Whether a bill of materials is one: by the schema, strictly, and by what no schema says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::bom::text;
use crate::supply_chain::tools::Tools;

/// The validator is proven to refuse before it is asked: a checker that accepts everything checks nothing.
pub fn valid(tools: &Tools, file: &Path) -> Result<()> {
    let bom: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
    let mut wrong = bom.clone();
    wrong["components"][0]["kind"] = "not in the schema".into();
    let folder = tempfile::tempdir_in(tools.folder())?;
    let broken = folder.path().join("wrong.cdx.json");
    fs::write(&broken, serde_json::to_vec(&wrong)?)?;
    ensure!(
        schema(tools, &broken).is_err(),
        "the validator accepts a component with a key that the schema does not have"
    );
    schema(tools, file)?;
    whole(&bom)
}

fn schema(tools: &Tools, file: &Path) -> Result<()> {
    const SCRIPT: &str = "import sys\n\
        from cyclonedx.schema import SchemaVersion\n\
        from cyclonedx.validation.json import JsonStrictValidator\n\
        problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1]).read())\n\
        print('valid' if problem is None else problem)\n";
    let output = tools.python()?.args(["-c", SCRIPT]).arg(file).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() || said.trim() != "valid" {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("{} is no CycloneDX 1.6: {}{}", file.display(), said.chars().take(600).collect::<String>(), error.trim());
    }
    Ok(())
}

/// The Debian packages of a bill are those that the image's files name, each of them.
pub fn installed(bom: &Value, packages: &BTreeSet<String>) -> Result<()> {
    let components = bom["components"].as_array().into_iter().flatten();
    let listed: BTreeSet<String> = components
        .filter(|component| text(component, "purl").starts_with("pkg:deb/"))
        .map(|component| text(component, "name"))
        .collect();
    ensure!(!packages.is_empty(), "the image names no Debian package in var/lib/dpkg/status.d");
    let differ: Vec<&String> = listed.symmetric_difference(packages).collect();
    ensure!(differ.is_empty(), "the bill and the image differ in Debian packages: {differ:?}");
    Ok(())
}

/// References are unique, and no edge ends nowhere.
fn whole(bom: &Value) -> Result<()> {
    let mut references = BTreeSet::from([text(&bom["metadata"]["component"], "bom-ref")]);
    for component in bom["components"].as_array().into_iter().flatten() {
        let reference = text(component, "bom-ref");
        ensure!(references.insert(reference.clone()), "two components are {reference}");
        ensure!(!text(component, "version").is_empty(), "{reference} has no version");
    }
    for edge in bom["dependencies"].as_array().into_iter().flatten() {
        let to = edge["dependsOn"].as_array().into_iter().flatten();
        for end in [&edge["ref"]].into_iter().chain(to) {
            ensure!(
                references.contains(end.as_str().unwrap_or_default()),
                "an edge names {end}, which is no component"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn edges_end_at_components() {
        let bom = |to: &str| {
            json!({"metadata": {"component": {"bom-ref": "root"}}, "components": [{"bom-ref": "a", "version": "1"}],
                   "dependencies": [{"ref": "root", "dependsOn": [to]}]})
        };
        assert!(whole(&bom("a")).is_ok());
        assert!(whole(&bom("b")).is_err());
    }

    #[test]
    fn each_debian_package_is_in_the_bill() {
        let bom = json!({"components": [{"name": "libc6", "purl": "pkg:deb/debian/libc6@2.41"}]});
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert!(installed(&bom, &names(&["libc6"])).is_ok());
        assert!(installed(&bom, &names(&["libc6", "libssl3t64"])).is_err());
        assert!(installed(&bom, &names(&[])).is_err());
    }

    #[test]
    fn no_component_is_there_twice() {
        let a = json!({"bom-ref": "a", "version": "1"});
        let bom = json!({"metadata": {"component": {"bom-ref": "root"}}, "components": [a.clone(), a]});
        assert!(whole(&bom).is_err());
    }
}
