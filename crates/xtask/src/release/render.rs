//! What is attached to a release: manifests whose images have tag and digest, policies that admit just these images, alerts that lead to their runbooks, SBOMs, VEX, licences, and a checksum of each.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::images::PROGRAMS;
use crate::licences::PAGE;
use crate::manifests::tools::Tools;
use crate::manifests::variations::lay_out;
use crate::monitoring::generated;
use crate::programs;
use crate::published::{Place, policies};

/// The images' names in the repository's own manifests.
const LOCAL: &str = "localhost:5000/kafka-";

/// Writes all of it into a folder.
pub fn run(place: &Place, tag: &str, sboms: &Path, bundles: Option<&Path>, out: &Path) -> Result<bool> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    let images = images(place, tag)?;
    let folder = tempfile::tempdir()?;
    lay_out(folder.path(), &[])?;
    let kustomization = folder.path().join("infra/kustomization.yaml");
    let text = fs::read_to_string(&kustomization)?;
    fs::write(&kustomization, renamed(&text, &images)?)?;
    let manifests = Tools::install()?.kustomize(&folder.path().join("infra"))?;
    check(&manifests, &images)?;
    fs::write(out.join(format!("kafka-clients-{tag}.yaml")), manifests)?;

    for folder in policies::FOLDERS {
        let text = admitting(folder, place, &images)?;
        fs::write(out.join(format!("policies-{folder}-{tag}.yaml")), text)?;
    }

    let root = programs::root();
    // Only now is it known where the runbooks can be read.
    let runbooks = format!("https://github.com/{}/blob/{tag}/docs/", place.repository()?);
    for (source, rules) in generated::of_release(&root, &runbooks)? {
        ensure!(rules.contains("runbook_url: https://"), "the alerts of {source} lead to no runbook");
        fs::write(out.join(format!("alerts-{source}-{tag}.yaml")), rules)?;
    }
    fs::copy(root.join(PAGE), out.join(PAGE)).with_context(|| format!("{PAGE} can't be copied"))?;
    let (sboms, security) = (sboms.to_owned(), root.join("security"));
    let mut wanted =
        vec![(sboms, ".cdx.json", "SBOM: run cargo xtask release sboms"), (security, ".openvex.json", "VEX document")];
    wanted.extend(bundles.map(|from| (from.to_owned(), "", "file: run cargo xtask release bundles")));
    for (from, end, what) in wanted {
        let copied = copy(&from, end, out)?;
        ensure!(copied > 0, "{} has no {what}", from.display());
    }
    let sums = checksums(out)?;
    println!("{}:\n{sums}", out.display());
    fs::write(out.join("SHA256SUMS"), sums)?;
    Ok(true)
}

/// A program's image: the name in the manifests, the name in the registry, version and digest.
struct Released {
    local: String,
    name: String,
    version: String,
    digest: String,
}

fn images(place: &Place, tag: &str) -> Result<Vec<Released>> {
    let of = |program: &&str| {
        Ok(Released {
            local: format!("{LOCAL}{program}"),
            name: place.image(program)?,
            version: tag.trim_start_matches('v').to_owned(),
            digest: place.digest(program, None)?,
        })
    };
    PROGRAMS.iter().map(of).collect()
}

/// The policies of a folder for the release's images and its workflow, in one file.
fn admitting(folder: &str, place: &Place, images: &[Released]) -> Result<String> {
    let files = policies::filled(folder, &place.image("")?, place.repository()?)?;
    let text = files.iter().map(|file| file.text.as_str()).collect::<Vec<_>>().join("---\n");
    for Released { name, .. } in images {
        let prefix = place.image("")?;
        let named = text.contains(&format!("'{name}'")) || text.contains(&format!("glob: {prefix}*\n"));
        ensure!(named, "the policies of {folder} do not admit {name}");
    }
    Ok(text)
}

/// The kustomization with the release's images in place of the local ones.
fn renamed(kustomization: &str, images: &[Released]) -> Result<String> {
    let mut text = kustomization.to_owned();
    for Released { local, name, version, digest } in images {
        let from = format!("  - name: {local}\n    newTag: {version}\n");
        ensure!(text.contains(&from), "infra/kustomization.yaml does not have the lines {from:?}");
        let to = format!("  - name: {local}\n    newName: {name}\n    newTag: {version}\n    digest: {digest}\n");
        text = text.replace(&from, &to);
    }
    Ok(text)
}

/// Each image of the manifests has tag and digest, and the programs' are the release's.
fn check(manifests: &str, images: &[Released]) -> Result<()> {
    let values = manifests.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "));
    let found: Vec<&str> = values.map(|value| value.trim_matches('"')).collect();
    for Released { name, version, digest, .. } in images {
        let wanted = format!("{name}:{version}@{digest}");
        ensure!(found.contains(&wanted.as_str()), "the manifests do not name {wanted}: {found:?}");
    }
    let loose: Vec<_> = found.iter().filter(|image| !image.contains("@sha256:")).collect();
    ensure!(loose.is_empty(), "the manifests name images without a digest: {loose:?}");
    ensure!(!manifests.contains(LOCAL), "the manifests still name {LOCAL}*");
    Ok(())
}

/// Copies the files of a folder with this ending, and says how many.
fn copy(from: &Path, end: &str, out: &Path) -> Result<usize> {
    let mut copied = 0;
    for entry in fs::read_dir(from).with_context(|| format!("{} can't be read", from.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(end) {
            fs::copy(&path, out.join(name))?;
            copied += 1;
        }
    }
    Ok(copied)
}

/// The files' checksums, as `sha256sum --check` reads them.
fn checksums(folder: &Path) -> Result<String> {
    let mut paths: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    let mut lines = String::new();
    for path in paths {
        let hash = Sha256::digest(fs::read(&path)?);
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push_str(&format!("{hash}  {}\n", path.file_name().unwrap_or_default().to_string_lossy()));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released() -> Vec<Released> {
        let of = |program: &str| Released {
            local: format!("{LOCAL}{program}"),
            name: format!("ghcr.io/o/n/kafka-{program}"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            digest: format!("sha256:{}", "2".repeat(64)),
        };
        PROGRAMS.map(of).into()
    }

    #[test]
    fn the_committed_kustomization_takes_the_release() {
        let text = fs::read_to_string(programs::root().join("infra/kustomization.yaml")).unwrap();
        let renamed = renamed(&text, &released()).unwrap();
        assert_eq!(renamed.matches("newName: ghcr.io/o/n/kafka-").count(), 2);
        assert_eq!(renamed.matches("digest: sha256:2222").count(), 2);
        assert!(super::renamed("images: []\n", &released()).is_err());
    }

    #[test]
    fn a_tag_alone_a_local_name_and_a_missing_program_are_refused() {
        let line = |program: &str| {
            let version = env!("CARGO_PKG_VERSION");
            format!("      - image: ghcr.io/o/n/kafka-{program}:{version}@sha256:{}\n", "2".repeat(64))
        };
        let good = line("producer") + &line("consumer");
        check(&good, &released()).unwrap();
        let told = |manifests: &str| check(manifests, &released()).unwrap_err().to_string();
        assert!(told(&line("producer")).contains("do not name ghcr.io/o/n/kafka-consumer"));
        assert!(told(&format!("{good}        image: other:1\n")).contains("without a digest: [\"other:1\"]"));
        assert!(told(&format!("{good}        args: [{LOCAL}producer]\n")).contains("still name"));
    }

    #[test]
    fn each_alert_of_a_release_leads_to_its_runbook() {
        let rules = generated::of_release(&programs::root(), "https://example.org/docs/").unwrap();
        let sources: Vec<_> = rules.iter().map(|(source, _)| *source).collect();
        assert_eq!(sources, ["clients", "kube-state", "pipeline", "kafka-jmx", "group-lag"]);
        let (_, clients) = &rules[0];
        assert!(
            clients.contains("runbook_url: https://example.org/docs/operations.md#kafkaconsumersdown\n"),
            "{clients}"
        );
    }

    #[test]
    fn the_policies_admit_the_images_of_the_release_and_its_workflow() {
        let place = Place::of("O/n", "ghcr.io", std::path::PathBuf::new());
        for (folder, objects, words) in [
            ("admission", 4, "['ghcr.io/o/n/kafka-producer', 'ghcr.io/o/n/kafka-consumer']"),
            ("kyverno", 1, r"subjectRegExp: ^https://github\.com/O/n/\.github/workflows/image\.yml@refs/tags/v"),
        ] {
            let text = admitting(folder, &place, &released()).unwrap();
            let read: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text).unwrap();
            assert_eq!(read.len(), objects);
            assert!(text.contains(words), "{text}");
        }
        let elsewhere = Place::of("O/other", "ghcr.io", std::path::PathBuf::new());
        assert!(admitting("admission", &elsewhere, &released()).is_err());
    }

    #[test]
    fn checksums_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "abc").unwrap();
        assert_eq!(
            checksums(folder.path()).unwrap(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"
        );
    }
}
