//! The YAML files of `infra/`, read: Kubernetes objects, and the files that are something else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

/// A YAML file, or one object of what kustomize makes.
#[derive(Clone, Debug)]
pub struct Object {
    /// Where it is, from the root of the repository.
    pub path: String,
    /// What it says.
    pub value: Value,
}

/// A pod, or the template of one.
#[derive(Clone, Copy)]
pub struct Pod<'a> {
    /// The object it is part of.
    pub owner: &'a Object,
    /// Its metadata.
    pub metadata: &'a Value,
    /// Its specification.
    pub spec: &'a Value,
}

/// All files.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// What an API server takes.
    pub objects: Vec<Object>,
    /// The rest: kustomizations, their patches, kind's cluster, compose and what it configures.
    pub others: Vec<Object>,
}

/// What is wrong: where, what, and what to do.
pub type Problems = Vec<String>;

impl Object {
    /// The value at a JSON pointer; null where there is none.
    pub fn at(&self, pointer: &str) -> &Value {
        at(&self.value, pointer)
    }

    /// The text at a JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        text(&self.value, pointer)
    }

    /// `Job`, `Deployment`, ...
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// The object's name.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// The object's namespace; a namespace is in itself.
    pub fn namespace(&self) -> &str {
        if self.kind() == "Namespace" { self.name() } else { self.text("/metadata/namespace") }
    }

    /// The pod that it is, or that it makes.
    pub fn pod(&self) -> Option<Pod<'_>> {
        let root = match self.kind() {
            "Pod" => "",
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => "/spec/template",
            "CronJob" => "/spec/jobTemplate/spec/template",
            _ => return None,
        };
        let template = self.at(root);
        Some(Pod { owner: self, metadata: at(template, "/metadata"), spec: at(template, "/spec") })
    }

    /// Says what is wrong with it.
    pub fn problem(&self, what: impl std::fmt::Display) -> String {
        format!("{}: {what}", self.path)
    }
}

impl<'a> Pod<'a> {
    /// The containers, init containers too.
    pub fn containers(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let spec = self.spec;
        ["/initContainers", "/containers"].into_iter().flat_map(move |list| list_at(spec, list))
    }
}

impl Set {
    /// Reads `infra/` of a repository.
    pub fn load(root: &Path) -> Result<Self> {
        let mut paths = Vec::new();
        files(&root.join("infra"), &mut paths)?;
        let mut read = Vec::new();
        for path in paths {
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            if !name.ends_with(".yaml") && !name.ends_with(".yaml.example") {
                ensure!(!name.ends_with(".yml"), "{name}: YAML files end with .yaml here");
                continue;
            }
            let text = fs::read_to_string(&path).with_context(|| format!("{name} can't be read"))?;
            ensure!(text.starts_with("# "), "{name}: the first line is a comment that says what the file is for");
            let value = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
            read.push(Object { path: name, value });
        }
        let patches: Vec<String> = read.iter().flat_map(patches).collect();
        let (objects, others) = read.into_iter().partition(|file| {
            is_object(&file.value) && !patches.contains(&file.path) && !file.path.ends_with(".example")
        });
        let set = Self { objects, others };
        ensure!(!set.objects.is_empty(), "infra/ has no Kubernetes objects");
        Ok(set)
    }

    /// Reads what `kubectl kustomize` prints.
    pub fn from_stream(name: &str, stream: &str) -> Result<Self> {
        let values: Vec<Value> =
            serde_saphyr::from_multiple(stream).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let objects = values.into_iter().map(|value| {
            let path = format!("{name}: {} {}", text(&value, "/kind"), text(&value, "/metadata/name"));
            Object { path, value }
        });
        Ok(Self { objects: objects.collect(), others: Vec::new() })
    }

    /// The object of this kind and name.
    pub fn find(&self, kind: &str, namespace: &str, name: &str) -> Option<&Object> {
        self.of_kind(kind).find(|object| object.name() == name && object.namespace() == namespace)
    }

    /// All objects of a kind.
    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |object| object.kind() == kind)
    }

    /// All pods.
    pub fn pods(&self) -> impl Iterator<Item = Pod<'_>> {
        self.objects.iter().filter_map(Object::pod)
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Result<&Object> {
        let all = self.objects.iter().chain(&self.others);
        all.into_iter().find(|file| file.path == path).with_context(|| format!("{path} is missing"))
    }
}

/// The value at a JSON pointer; null where there is none.
pub fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// The text at a JSON pointer; empty where there is none.
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    at(value, pointer).as_str().unwrap_or_default()
}

/// The items at a JSON pointer; none where there is none.
pub fn list_at<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    at(value, pointer).as_array().into_iter().flatten()
}

/// The fields at a JSON pointer; none where there is none.
pub fn map_at<'a>(value: &'a Value, pointer: &str) -> &'a Map<String, Value> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    at(value, pointer).as_object().unwrap_or(&NONE)
}

/// Kind's cluster and kustomizations look like objects too, but no API server knows them.
fn is_object(value: &Value) -> bool {
    let version = text(value, "/apiVersion");
    let foreign = ["kind.x-k8s.io/", "kustomize.config.k8s.io/"].iter().any(|group| version.starts_with(group));
    !version.is_empty() && value.get("kind").is_some() && !foreign
}

/// The files that a kustomization names as patches, by their paths from the root.
fn patches(file: &Object) -> Vec<String> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let named = list_at(&file.value, "/patches").map(|patch| text(patch, "/path")).filter(|path| !path.is_empty());
    named.map(|path| format!("{folder}/{path}")).collect()
}

/// All files below a folder, in the order of their names.
///
/// # Errors
/// When one can't be read, or is a link.
pub fn files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    let mut entries = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        if path.is_symlink() {
            bail!("{}: no links in infra/", path.display());
        }
        if path.is_dir() { files(&path, found)? } else { found.push(path) }
    }
    Ok(())
}
