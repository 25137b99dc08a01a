//! Every object against the schema of those who read it: Kubernetes' of each supported version, the custom resource definitions of
//! KEDA, Strimzi, Prometheus' operator and Kyverno, compose's. Strict: a field that no schema knows is a typing error. What only an API server
//! evaluates are the rules in CEL (`x-kubernetes-validations`); `cargo xtask e2e cluster` asks one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::set::{Problems, Set, list_at, text};
use super::tools::{Tools, once, output, said};
use crate::programs;

/// Supported: from the oldest that people still run to the newest that has a schema.
pub const KUBERNETES: [&str; 8] = ["1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37"];
/// Enough for what kustomize makes of files that were checked for all.
pub const ENDS: [&str; 2] = [KUBERNETES[0], KUBERNETES[KUBERNETES.len() - 1]];
/// The modules with definitions, and the folder of them: KEDA's, those of Prometheus' operator, and Kyverno's.
const MODULES: [(&str, &str); 3] = [
    ("github.com/kedacore/keda/v2@v2.21.0", "config/crd/bases"),
    ("github.com/prometheus-operator/prometheus-operator@v0.88.0", "example/prometheus-operator-crd"),
    ("github.com/kyverno/kyverno@v1.19.1", "config/crds/policies.kyverno.io"),
];
const STRIMZI: &str = include_str!("strimzi/pom.xml");
/// Strimzi's generator makes a definition of a class.
const STRIMZI_CLASSES: [(&str, &str); 4] = [
    ("Kafka", "io.strimzi.api.kafka.model.kafka.Kafka"),
    ("KafkaNodePool", "io.strimzi.api.kafka.model.nodepool.KafkaNodePool"),
    ("KafkaTopic", "io.strimzi.api.kafka.model.topic.KafkaTopic"),
    ("KafkaUser", "io.strimzi.api.kafka.model.user.KafkaUser"),
];

/// The schemas of custom resources, by `apiVersion kind`.
pub struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Fetches the definitions that are missing.
    pub fn fetch(tools: &Tools) -> Result<Self> {
        let mut schemas = BTreeMap::new();
        for path in definitions(tools)? {
            let text = fs::read_to_string(&path)?;
            let definition: Value =
                serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
            add(&definition, &mut schemas);
        }
        ensure!(schemas.len() >= STRIMZI_CLASSES.len(), "the custom resource definitions have no schemas");
        Ok(Self(schemas))
    }

    /// Checks all objects, for these versions of Kubernetes, in a folder of their own.
    pub fn check(&self, set: &Set, tools: &Tools, name: &str, versions: &[&str]) -> Result<Problems> {
        let folder = tools.folder().join("objects").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let (mut problems, mut core, mut custom) = (Problems::new(), Vec::new(), BTreeMap::<_, (_, Vec<_>)>::new());
        for (number, object) in set.objects.iter().enumerate() {
            let path = folder.join(format!("{number:02}-{}-{}.json", object.kind(), object.name()));
            fs::write(&path, serde_json::to_string(&object.value)?)?;
            let group = object.text("/apiVersion").split_once('/').map_or("", |(group, _)| group);
            let key = format!("{} {}", object.text("/apiVersion"), object.kind());
            match self.0.get(&key) {
                Some(schema) => custom.entry(key).or_insert((schema, Vec::new())).1.push(path),
                None if !group.contains('.') || group.ends_with(".k8s.io") => core.push(path),
                None => problems.push(object.problem(format!("no schema is known for {key}"))),
            }
        }
        for version in versions {
            let mut command = tools.tool("kubernetes-validate");
            let found = said(command.args(["--strict", "--quiet", "-k", version]).args(&core))?;
            problems.extend(found.into_iter().map(|line| format!("Kubernetes {version}: {line}")));
        }
        for (key, (schema, paths)) in custom {
            let file = folder.join(format!("{}.schema", key.replace(['/', ' '], "-")));
            fs::write(&file, serde_json::to_string(schema)?)?;
            problems.extend(said(tools.tool("check-jsonschema").arg("--schemafile").arg(file).args(paths))?);
        }
        Ok(problems)
    }
}

/// Compose has a schema of its own.
pub fn compose(tools: &Tools, file: &Path) -> Result<Problems> {
    said(tools.tool("check-jsonschema").args(["--builtin-schema", "vendor.compose-spec"]).arg(file))
}

/// The files of all definitions.
///
/// # Errors
/// When one can't be had.
pub fn definitions(tools: &Tools) -> Result<Vec<PathBuf>> {
    let mut paths = strimzi(tools)?;
    for (module, folder) in MODULES {
        paths.extend(of_module(tools, module, folder)?);
    }
    Ok(paths)
}

fn of_module(tools: &Tools, module: &str, folder: &str) -> Result<Vec<PathBuf>> {
    // Go keeps and verifies what it downloads; an own folder would be a second copy.
    let said = output(Command::new("go").current_dir(tools.folder()).args(["mod", "download", "-json", module]))?;
    let found: Value = serde_json::from_str(&said)?;
    let folder = Path::new(text(&found, "/Dir")).join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("{module} has no {}", folder.display()))?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn strimzi(tools: &Tools) -> Result<Vec<PathBuf>> {
    let folder = tools.folder().join("strimzi");
    let path = |folder: &Path, kind: &str| folder.join(format!("{kind}.yaml"));
    once(&folder, STRIMZI, |folder| {
        let pom = programs::root().join("crates/xtask/src/manifests/strimzi/pom.xml");
        let (jars, resolve) = (folder.join("jars"), "dependency:copy-dependencies");
        let to = format!("-DoutputDirectory={}", jars.display());
        output(Command::new("mvn").args(["-B", "-q", "-f"]).arg(pom).arg(resolve).arg(to))?;
        let mut generator = tools.java()?;
        generator.arg("-cp").arg(jars.join("*")).arg("io.strimzi.crdgenerator.CrdGenerator");
        generator
            .args("--target-kube 1.16+ --crd-api-version v1 --api-versions v1 --storage-version v1 --yaml".split(' '));
        output(
            generator.args(STRIMZI_CLASSES.map(|(kind, class)| format!("{class}={}", path(folder, kind).display()))),
        )?;
        Ok(())
    })?;
    Ok(STRIMZI_CLASSES.iter().map(|(kind, _)| path(&folder, kind)).collect())
}

/// The schemas of a definition, as JSON Schema and strict.
fn add(definition: &Value, schemas: &mut BTreeMap<String, Value>) {
    let (group, kind) = (text(definition, "/spec/group"), text(definition, "/spec/names/kind"));
    for version in list_at(definition, "/spec/versions") {
        let Some(schema) = version.pointer("/schema/openAPIV3Schema") else { continue };
        let mut schema = schema.clone();
        strict(&mut schema);
        if let Some(fields) = schema["properties"].as_object_mut() {
            // Of every object, and checked with the core objects' rules by the API server.
            for field in ["apiVersion", "kind", "metadata"] {
                fields.insert(field.to_owned(), json!({}));
            }
        }
        schemas.insert(format!("{group}/{} {kind}", text(version, "/name")), schema);
    }
}

/// OpenAPI as Kubernetes means it, said in JSON Schema: unknown fields are refused, where the definition does not keep them.
fn strict(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(strict),
        Value::Object(fields) => {
            fields.values_mut().for_each(strict);
            let [either, nullable, keeps] =
                ["x-kubernetes-int-or-string", "nullable", "x-kubernetes-preserve-unknown-fields"]
                    .map(|name| fields.get(name) == Some(&Value::Bool(true)));
            if either {
                fields.insert("type".into(), json!(["integer", "string"]));
            } else if nullable && fields.get("type").is_some_and(Value::is_string) {
                fields["type"] = json!([fields["type"], "null"]);
            }
            let open = keeps || fields.contains_key("additionalProperties");
            // A field may be called properties too: then its schema has a type, and this is a list of fields.
            if fields.get("properties").is_some_and(Value::is_object) && fields.contains_key("type") && !open {
                fields.insert("additionalProperties".into(), Value::Bool(false));
            }
            // Go's flags inside of a pattern are no regular expression elsewhere; the API server compares these itself.
            if fields.get("pattern").and_then(Value::as_str).is_some_and(|pattern| pattern.contains("(?i)")) {
                fields.remove("pattern");
            }
            // Formats of Go's that JSON Schema does not know.
            if fields.get("format").is_some_and(Value::is_string) {
                fields.remove("format");
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_becomes_a_strict_schema() {
        let definition = json!({"spec": {"group": "g", "names": {"kind": "K"}, "versions": [{"name": "v1", "schema":
            {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "port": {"x-kubernetes-int-or-string": true}, "open": {"type": "object", "additionalProperties": true}}}}}}}]}});
        let mut schemas = BTreeMap::new();
        add(&definition, &mut schemas);
        let schema = &schemas["g/v1 K"];
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["metadata"], json!({}));
        assert_eq!(schema["properties"]["spec"]["additionalProperties"], false);
        assert_eq!(schema["properties"]["spec"]["properties"]["port"]["type"], json!(["integer", "string"]));
        assert_eq!(schema["properties"]["spec"]["properties"]["open"]["additionalProperties"], true);
    }
}
