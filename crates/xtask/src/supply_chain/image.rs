//! An image in a registry: its digest, its settings, and the program inside.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::tools::Tools;
use crate::images::engine::Engine;
use crate::images::{PROGRAMS, STAND_IN, image};
use crate::manifests::tools::output;

/// What the files of an image say.
pub struct Contents {
    /// The program.
    pub binary: Vec<u8>,
    /// The names of the Debian packages that are installed, as distroless images note them.
    pub packages: BTreeSet<String>,
}

/// One image, by its digest.
pub struct Image {
    /// The program in it, as `kafka-consumer`.
    pub program: String,
    /// The repository with its registry.
    pub repository: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
    /// What the image's configuration says.
    pub config: Value,
}

impl Image {
    /// An image that is in a registry already.
    pub fn find(tools: &Tools, reference: &str) -> Result<Self> {
        let (repository, digest) =
            reference.split_once('@').with_context(|| format!("{reference} has no digest: NAME@sha256:..."))?;
        let repository = without_tag(repository);
        let last = repository.rsplit('/').next().unwrap_or_default();
        let program = PROGRAMS.iter().map(|name| format!("kafka-{name}")).find(|program| program == last);
        let program = program.with_context(|| format!("{repository} is not named after one of the programs"))?;
        let config = output(tools.crane()?.args(["config", &format!("{repository}@{digest}")]))?;
        let config = serde_json::from_str(&config)?;
        Ok(Self { program, repository: repository.to_owned(), digest: digest.to_owned(), config })
    }

    /// Pushes the local image of a program. Docker's format: the OCI format has no HEALTHCHECK, and would be another digest.
    pub fn push(tools: &Tools, engine: Engine, name: &str, host: &str) -> Result<Self> {
        let local = image(name);
        ensure!(engine.has(&local)?, "{engine} has no image {local}: run `cargo xtask images` first");
        let tagged = format!("{host}/kafka-{name}:{}", env!("CARGO_PKG_VERSION"));
        let mut push = Command::new(engine.program());
        if engine == Engine::Docker {
            output(Command::new("docker").args(["tag", &local, &tagged]))?;
            push.args(["push", "--quiet", &tagged]);
        } else {
            push.args([
                "push",
                "--quiet",
                "--tls-verify=false",
                "--format=v2s2",
                &local,
                &format!("docker://{tagged}"),
            ]);
        }
        output(&mut push)?;
        let digest = output(tools.crane()?.args(["digest", "--insecure", &tagged]))?;
        Self::find(tools, &format!("{}@{}", without_tag(&tagged), digest.trim()))
    }

    /// The image by its digest.
    pub fn reference(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }

    /// One of its labels.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config.pointer("/config/Labels")?.get(name)?.as_str()
    }

    /// The processor that it is for, in Docker's words.
    pub fn architecture(&self) -> Result<&str> {
        self.config.get("architecture").and_then(Value::as_str).context("the image names no architecture")
    }

    /// What Rust calls the platform.
    pub fn target(&self) -> Result<&'static str> {
        match self.architecture()? {
            "amd64" => Ok("x86_64-unknown-linux-gnu"),
            "arm64" => Ok("aarch64-unknown-linux-gnu"),
            other => bail!("no image is built for {other}"),
        }
    }

    /// Fails for an image that must not be released.
    pub fn releasable(&self) -> Result<()> {
        if let Some(base) = self.label(STAND_IN) {
            bail!("{} is built on a stand-in for {base} and must not be released", self.program);
        }
        Ok(())
    }

    /// What its files say.
    pub fn contents(&self, tools: &Tools) -> Result<Contents> {
        let folder = tempfile::tempdir_in(tools.folder())?;
        let file = folder.path().join("image.tar");
        output(tools.crane()?.args(["export", "--insecure", &self.reference()]).arg(&file))?;
        let (mut binary, mut packages) = (None, BTreeSet::new());
        for entry in tar::Archive::new(File::open(&file)?).entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().trim_start_matches('/').to_owned();
            if path == format!("usr/local/bin/{}", self.program) {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                binary = Some(bytes);
            } else if path.starts_with("var/lib/dpkg/status.d/") && !path.ends_with(".md5sums") {
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                packages.extend(text.lines().find_map(|line| Some(line.strip_prefix("Package:")?.trim().to_owned())));
            }
        }
        let binary = binary.with_context(|| format!("{} has no program {}", self.reference(), self.program))?;
        Ok(Contents { binary, packages })
    }
}

/// A reference without what follows the last colon, if that is a tag and no port.
fn without_tag(reference: &str) -> &str {
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => reference,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labelled(labels: Value) -> Image {
        let config = json!({"architecture": "arm64", "config": {"Labels": labels}});
        Image { program: "kafka-consumer".into(), repository: "r".into(), digest: "sha256:0".into(), config }
    }

    #[test]
    fn only_images_on_the_real_base_are_released() {
        assert!(labelled(json!({"org.opencontainers.image.title": "kafka-consumer"})).releasable().is_ok());
        let refused = labelled(json!({STAND_IN: "distroless"})).releasable().unwrap_err().to_string();
        assert!(refused.contains("must not be released"), "{refused}");
    }

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(without_tag("localhost:5000/kafka-consumer:1.0.0"), "localhost:5000/kafka-consumer");
        assert_eq!(without_tag("localhost:5000/kafka-consumer"), "localhost:5000/kafka-consumer");
    }

    #[test]
    fn crates_are_looked_up_for_the_platform_of_the_image() {
        assert_eq!(labelled(json!({})).target().unwrap(), "aarch64-unknown-linux-gnu");
    }
}
