//! The tool that builds images: docker, podman or buildah.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::tempdir;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// With BuildKit, as all of 23 and newer have it.
    Docker,
    /// 4.2 or newer.
    Podman,
    /// 1.28 or newer.
    Buildah,
}

/// What to build.
#[derive(Clone)]
pub struct Build {
    /// The image's name.
    pub tag: String,
    /// The Dockerfile.
    pub dockerfile: PathBuf,
    /// The folder whose files it may copy.
    pub context: PathBuf,
    /// Labels beside those of the Dockerfile.
    pub labels: Vec<(String, String)>,
    /// Local images in place of those that the Dockerfile names.
    pub bases: Vec<(String, String)>,
    /// Files that steps may see and no layer keeps.
    pub secrets: Vec<(&'static str, PathBuf)>,
    /// The time that the image and its files bear, in seconds since 1970.
    pub epoch: Option<u64>,
    /// Whether layers of earlier builds may be used.
    pub cached: bool,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

impl Engine {
    /// The wanted one, else the first that works, to build with.
    pub fn find(wanted: Option<Self>) -> Result<Self> {
        Self::first("builds images", wanted, &[Self::Docker, Self::Podman, Self::Buildah])
    }

    /// The wanted one, else the first that works, to run containers with.
    pub fn find_runner(wanted: Option<Self>) -> Result<Self> {
        ensure!(wanted != Some(Self::Buildah), "buildah builds images; docker or podman runs them");
        Self::first("runs containers", wanted, &[Self::Docker, Self::Podman])
    }

    fn first(does: &str, wanted: Option<Self>, all: &[Self]) -> Result<Self> {
        let mut why = Vec::new();
        for &engine in wanted.as_ref().map_or(all, std::slice::from_ref) {
            match engine.try_it() {
                Ok(()) => return Ok(engine),
                Err(error) => why.push(format!("{engine}: {error:#}")),
            }
        }
        bail!("nothing here {does}. {}", why.join("; "))
    }

    /// Its name on the command line.
    pub fn program(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }

    /// Whether it is there, with the daemon that docker needs.
    fn try_it(self) -> Result<()> {
        let output = Command::new(self.program()).arg("info").output().context("can't be run")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{}", said.lines().last().unwrap_or_default());
        Ok(())
    }

    /// Whether an image of this name is here.
    pub fn has(self, image: &str) -> Result<bool> {
        let inspect = ["inspect", "--type=image", image];
        let status = Command::new(self.program()).args(inspect).stdout(Stdio::null()).stderr(Stdio::null()).status();
        Ok(status.with_context(|| format!("{self} can't be run"))?.success())
    }

    /// What of an image comes from its sources: its layers and its settings. The id is no measure: podman and buildah write random
    /// names of the containers that a build took into what it is made of.
    pub fn contents(self, image: &str) -> Result<Value> {
        let output = Command::new(self.program()).args(["inspect", "--type=image", image]).output()?;
        ensure!(output.status.success(), "{self}: {}", String::from_utf8_lossy(&output.stderr).trim());
        let found: Value = serde_json::from_slice(&output.stdout)?;
        let (layers, settings) = match self {
            Self::Buildah => ("/OCIv1/rootfs", "/OCIv1/config"),
            Self::Docker | Self::Podman => ("/0/RootFS", "/0/Config"),
        };
        let part = |at: &str| found.pointer(at).cloned().with_context(|| format!("{self} says no {at} of {image}"));
        Ok(json!([part(layers)?, part(settings)?]))
    }

    /// Builds it, its steps told on stderr, and returns the image's id.
    pub fn build(self, build: &Build) -> Result<String> {
        let folder = tempdir()?;
        let id = folder.path().join("id");
        let mut command = Command::new(self.program());
        command.args(self.arguments(build)).arg("--iidfile").arg(&id).arg(&build.context);
        // Steps are of interest when they fail, and to see that something happens.
        command.stdin(Stdio::null()).stdout(std::io::stderr());
        let status = command.status().with_context(|| format!("{self} can't be run"))?;
        ensure!(status.success(), "{self} could not build {}: {status}", build.tag);
        let id = fs::read_to_string(&id).context("the build has left no id")?;
        Ok(id.trim().trim_start_matches("sha256:").to_owned())
    }

    fn arguments(self, build: &Build) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["build".into()];
        let mut add = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
        if self == Self::Docker {
            if let Some(epoch) = build.epoch {
                add("--build-arg", format!("SOURCE_DATE_EPOCH={epoch}").into());
            }
            // The others hand proxies to the steps by themselves.
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"] {
                if std::env::var_os(name).is_some() {
                    add("--build-arg", name.into());
                }
            }
        } else {
            // The OCI format has no place for HEALTHCHECK. The isolation needs no rights that a container lacks.
            add("--format", "docker".into());
            add("--isolation", "chroot".into());
            if let Some(epoch) = build.epoch {
                add("--timestamp", epoch.to_string().into());
            }
        }
        for (pinned, local) in &build.bases {
            add("--build-context", format!("{pinned}=docker-image://{local}").into());
        }
        for (id, file) in &build.secrets {
            add("--secret", format!("id={id},src={}", file.display()).into());
        }
        for (key, value) in &build.labels {
            add("--label", format!("{key}={value}").into());
        }
        add("--tag", (&build.tag).into());
        add("--file", build.dockerfile.clone().into());
        if self != Self::Docker {
            // Each step's layer is kept, for the other image and the next build.
            arguments.push("--layers".into());
        }
        if !build.cached {
            arguments.push("--no-cache".into());
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(engine: Engine) -> Vec<String> {
        let build = Build {
            tag: "a:1".into(),
            dockerfile: "Dockerfile.a".into(),
            context: ".".into(),
            labels: vec![("key".into(), "value".into())],
            bases: vec![("far:1@sha256:0".into(), "localhost/near:1".into())],
            secrets: vec![("ca-certificates", "/etc/ca.crt".into())],
            epoch: Some(7),
            cached: false,
        };
        let arguments = engine.arguments(&build);
        arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    fn has(arguments: &[String], flag: &str, value: &str) -> bool {
        arguments.windows(2).any(|pair| pair == [flag, value])
    }

    #[test]
    fn every_engine_is_told_the_same() {
        for engine in [Engine::Docker, Engine::Podman, Engine::Buildah] {
            let arguments = arguments(engine);
            assert_eq!(arguments[0], "build");
            assert!(has(&arguments, "--build-context", "far:1@sha256:0=docker-image://localhost/near:1"));
            assert!(has(&arguments, "--secret", "id=ca-certificates,src=/etc/ca.crt"));
            assert!(has(&arguments, "--label", "key=value") && has(&arguments, "--tag", "a:1"));
            assert!(has(&arguments, "--file", "Dockerfile.a"));
            assert!(arguments.contains(&"--no-cache".to_owned()));
        }
    }

    #[test]
    fn each_engine_learns_the_time_in_its_way_and_keeps_the_health_check() {
        assert!(has(&arguments(Engine::Docker), "--build-arg", "SOURCE_DATE_EPOCH=7"));
        for engine in [Engine::Podman, Engine::Buildah] {
            assert!(has(&arguments(engine), "--timestamp", "7") && has(&arguments(engine), "--format", "docker"));
        }
    }
}
