//! `dependabot.yml`, against the files that it has to update: none is forgotten, and no folder is named where there is none.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Problems;
use crate::manifests::set::{list_at, text};
use crate::manifests::tools::output;

const FILE: &str = ".github/dependabot.yml";

/// An ecosystem of Dependabot, and whether a file's name is one of its.
type Ecosystem = (&'static str, fn(&str) -> bool);

const ECOSYSTEMS: [Ecosystem; 8] = [
    ("cargo", |name| name == "Cargo.lock"),
    ("github-actions", |name| name.ends_with(".yml")),
    ("docker", |name| name.contains("Dockerfile")),
    ("docker-compose", |name| name == "compose.yaml"),
    ("gomod", |name| name == "go.mod"),
    ("npm", |name| name == "package.json"),
    ("pip", |name| name.starts_with("requirements") && name.ends_with(".txt")),
    ("maven", |name| name == "pom.xml"),
];

/// Files that name images of this project's own making only.
const OWN: [&str; 1] = ["/crates/xtask/stand-in"];

/// Everything that is forgotten or gone.
pub fn check(root: &Path) -> Result<Problems> {
    let listed =
        output(std::process::Command::new("git").arg("-C").arg(root).args(["ls-files", "-co", "--exclude-standard"]))?;
    let text = fs::read_to_string(root.join(FILE)).with_context(|| format!("{FILE} can't be read"))?;
    let value: Value = serde_saphyr::from_str(&text).map_err(|error| anyhow::anyhow!("{FILE}: {error}"))?;
    Ok(compare(&value, &listed.lines().collect::<Vec<_>>()))
}

fn compare(value: &Value, files: &[&str]) -> Problems {
    let mut problems = Problems::new();
    let mut known = Vec::new();
    for update in list_at(value, "/updates") {
        let ecosystem = text(update, "/package-ecosystem");
        let Some((_, of)) = ECOSYSTEMS.iter().find(|(name, _)| *name == ecosystem) else {
            problems.push(format!("{FILE}: {ecosystem} is not known to workflows/updates.rs"));
            continue;
        };
        if update.pointer("/cooldown/default-days").and_then(Value::as_u64).is_none_or(|days| days == 0) {
            problems.push(format!("{FILE}: {ecosystem} has no cooldown: default-days"));
        }
        let one = update.get("directory").and_then(Value::as_str);
        for folder in one.into_iter().chain(list_at(update, "/directories").filter_map(Value::as_str)) {
            known.push((ecosystem, folder));
            if !files.iter().any(|file| matches(folder, file) && of(name(file))) && ecosystem != "github-actions" {
                problems.push(format!("{FILE}: {ecosystem}: nothing in {folder}"));
            }
        }
    }
    for (ecosystem, of) in ECOSYSTEMS {
        for file in files.iter().filter(|file| of(name(file))) {
            let folder = format!("/{}", file.rsplit_once('/').map_or("", |(folder, _)| folder));
            // Workflows lie where GitHub looks for them, and are named by the root.
            let is_action = ecosystem == "github-actions";
            let found = known.iter().any(|(of, at)| *of == ecosystem && (matches(at, file) || is_action && *at == "/"));
            if !found && !OWN.contains(&folder.as_str()) {
                problems.push(format!("{FILE}: {ecosystem} does not have {folder} ({file})"));
            }
        }
    }
    problems
}

fn name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or_default()
}

/// Whether a file is right in a folder, whose last part may be `*`.
fn matches(folder: &str, file: &str) -> bool {
    let of_file = format!("/{}", file.rsplit_once('/').map_or("", |(folder, _)| folder));
    match folder.strip_suffix("/*") {
        Some(parent) => of_file.rsplit_once('/').is_some_and(|(above, last)| above == parent && !last.is_empty()),
        None => of_file == folder,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problems(folders: Value, files: &[&str]) -> Problems {
        let update = json!({"package-ecosystem": "gomod", "directories": folders, "cooldown": {"default-days": 7}});
        compare(&json!({ "updates": [update] }), files)
    }

    #[test]
    fn a_forgotten_file_and_an_empty_folder_are_told() {
        assert_eq!(problems(json!(["/a/*", "/b"]), &["a/x/go.mod", "b/go.mod"]), Problems::new());
        let told = problems(json!(["/a/*"]), &["a/x/go.mod", "b/go.mod"]);
        assert!(told.len() == 1 && told[0].contains("gomod does not have /b (b/go.mod)"), "{told:?}");
        let told = problems(json!(["/a/*", "/b"]), &["b/go.mod"]);
        assert!(told.len() == 1 && told[0].contains("nothing in /a/*"), "{told:?}");
        let told = problems(json!(["/a"]), &["a/go.mod", "x/requirements.txt"]);
        assert!(told.len() == 1 && told[0].contains("pip does not have /x"), "{told:?}");
    }

    #[test]
    fn an_update_without_a_pause_is_told() {
        let update = json!({"package-ecosystem": "gomod", "directory": "/a"});
        let told = compare(&json!({ "updates": [update] }), &["a/go.mod"]);
        assert!(told.len() == 1 && told[0].contains("no cooldown"), "{told:?}");
    }
}
