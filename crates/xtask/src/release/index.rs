//! One image of those of all platforms: an index that a node's own platform is chosen from.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::images::PROGRAMS;
use crate::manifests::set::{list_at, text};
use crate::manifests::tools::output;
use crate::published::{PLATFORMS, Place};

/// Makes and pushes the indexes, keeps their digests, and tells all of them to a workflow.
pub fn run(place: &Place, tag: &str) -> Result<bool> {
    let version = tag.trim_start_matches('v');
    for program in PROGRAMS {
        let digest = make(place, program, version)?;
        place.keep(program, None, &digest)?;
        println!("{}:{version} is {digest}", place.image(program)?);
    }
    if let Some(file) = std::env::var_os("GITHUB_OUTPUT") {
        let there = fs::read_to_string(&file).unwrap_or_default();
        fs::write(&file, there + &outputs(place)?).context("GITHUB_OUTPUT can't be written")?;
    }
    Ok(true)
}

/// A local list of this name is made anew, filled with what was pushed, and pushed itself.
fn make(place: &Place, program: &str, version: &str) -> Result<String> {
    let list = format!("localhost/index/kafka-{program}:{version}");
    // It may not be there.
    let _ = podman().args(["manifest", "rm", &list]).output();
    output(podman().args(["manifest", "create", &list]))?;
    for platform in PLATFORMS {
        let image = format!("docker://{}", place.pinned(program, Some(platform))?);
        output(podman().args(["manifest", "add", &tls(place), &list, &image]))?;
    }
    complete(&output(podman().args(["manifest", "inspect", &list]))?).with_context(|| format!("kafka-{program}"))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("digest");
    let to = format!("docker://{}:{version}", place.image(program)?);
    // Docker's format: the images have it too, for their health checks. What is in it was pushed before.
    let mut push = podman();
    push.args(["manifest", "push", "--all", "--format=v2s2", &tls(place)]).arg("--digestfile").arg(&file);
    output(push.args([&list, &to]))?;
    output(podman().args(["manifest", "rm", &list]))?;
    Ok(fs::read_to_string(file).context("podman has told no digest")?.trim().to_owned())
}

/// Whether a list has one image for each platform: an image that was built for another one than it is kept as is told here.
fn complete(list: &str) -> Result<()> {
    let list: Value = serde_json::from_str(list)?;
    let mut there: Vec<&str> =
        list_at(&list, "/manifests").map(|manifest| text(manifest, "/platform/architecture")).collect();
    there.sort_unstable();
    ensure!(there == PLATFORMS, "the index is for {there:?} and not for {PLATFORMS:?}");
    Ok(())
}

/// What the workflow's other jobs have to know, in the form of `GITHUB_OUTPUT`.
fn outputs(place: &Place) -> Result<String> {
    let mut lines = String::new();
    for program in PROGRAMS {
        lines.push_str(&format!("{program}-name={}\n", place.image(program)?));
        lines.push_str(&format!("{program}={}\n", place.digest(program, None)?));
        for platform in PLATFORMS {
            lines.push_str(&format!("{program}-{platform}={}\n", place.digest(program, Some(platform))?));
        }
    }
    Ok(lines)
}

fn podman() -> Command {
    Command::new("podman")
}

fn tls(place: &Place) -> String {
    format!("--tls-verify={}", !place.is_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_each_platform_once() {
        let of = |platforms: &[&str]| {
            let manifests: Vec<_> = platforms
                .iter()
                .map(|it| serde_json::json!({"platform": {"architecture": it, "os": "linux"}}))
                .collect();
            complete(&serde_json::json!({ "manifests": manifests }).to_string())
        };
        of(&["arm64", "amd64"]).unwrap();
        for platforms in [&["amd64"][..], &["amd64", "amd64"], &["amd64", "arm64", "s390x"], &[]] {
            of(platforms).unwrap_err();
        }
    }

    #[test]
    fn the_workflow_learns_every_digest() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of("o/n", "ghcr.io", folder.path().to_owned());
        for (number, program) in PROGRAMS.iter().enumerate() {
            for (other, platform) in [None, Some("amd64"), Some("arm64")].iter().enumerate() {
                place.keep(program, *platform, &format!("sha256:{:064}", number * 3 + other)).unwrap();
            }
        }
        let outputs = outputs(&place).unwrap();
        assert_eq!(outputs.lines().count(), 8);
        assert!(outputs.contains("consumer-name=ghcr.io/o/n/kafka-consumer\n"));
        assert!(outputs.contains(&format!("consumer-arm64=sha256:{:064}\n", 5)), "{outputs}");
        // The workflow hands on each of them.
        let workflow = fs::read_to_string(crate::programs::root().join(crate::published::identity::WORKFLOW)).unwrap();
        for line in outputs.lines() {
            let (name, _) = line.split_once('=').unwrap();
            assert!(workflow.contains(&format!("{name}: ${{{{ steps.index.outputs.{name} }}}}")), "{name}");
        }
    }
}
