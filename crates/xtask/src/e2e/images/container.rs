//! Containers that are confined as in the manifests, and go when their test ends.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use testbed::process::Program;

use super::super::bench::Place;
use crate::images::engine::Engine;

/// Of the Deployment and the Job.
pub const USER: u32 = 65_532;
/// As above, in bytes.
pub const MEMORY: u64 = 256 << 20;
/// As above, in cores.
pub const CPUS: f64 = 0.2;

/// Variables by which docker and podman are told where things are.
const ENGINES: [&str; 6] =
    ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "XDG_RUNTIME_DIR", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF"];

/// What runs containers, with the flags that it needs on this machine.
pub struct Runtime {
    engine: Engine,
    flags: &'static [&'static str],
    /// The seccomp profile of all containers, if it is not the engine's own.
    seccomp: Option<PathBuf>,
}

/// Whether a container can write to its own file system. In the manifests it cannot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// As in the manifests.
    ReadOnly,
    /// To see what a program would write if it could.
    Writable,
}

/// A container, made or about to be made. Dropped, it is removed, even when it runs.
pub struct Container<'a> {
    runtime: &'a Runtime,
    name: String,
    /// Files and folders of this machine that it sees, with where it sees them.
    mounts: Vec<String>,
    cores: f64,
    /// At most so many bytes of memory for data, beside the limit of all its memory.
    data: Option<u64>,
}

impl Runtime {
    /// Finds flags with which this image's program can be asked for its version here.
    pub fn find(engine: Engine, image: &str, seccomp: Option<&Path>) -> Result<Self> {
        // crun refuses machines that mix both versions of cgroups, and without systemd cgroups are files.
        let candidates: &[&'static [&'static str]] = match engine {
            Engine::Podman => &[&[], &["--runtime", "runc", "--cgroup-manager", "cgroupfs"]],
            _ => &[&[]],
        };
        let mut why = Vec::new();
        for &flags in candidates {
            let runtime = Self { engine, flags, seccomp: seccomp.map(Path::to_owned) };
            let (code, said) = runtime.container("version").run(image, Root::ReadOnly, None, &["--version"])?;
            if code == Some(0) {
                return Ok(runtime);
            }
            why.push(format!("{engine} {}: {}", flags.join(" "), said.trim()));
        }
        bail!("no container can be run confined as in the manifests:\n{}", why.join("\n"))
    }

    /// One of a new name.
    pub fn container(&self, name: &str) -> Container<'_> {
        let name = format!("kafka-test-{name}-{:08x}", fastrand::u32(..));
        Container { runtime: self, name, mounts: Vec::new(), cores: CPUS, data: None }
    }

    /// The same with this seccomp profile for all containers.
    pub fn under(&self, profile: &Path) -> Self {
        Self { engine: self.engine, flags: self.flags, seccomp: Some(profile.to_owned()) }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.engine.program());
        command.args(self.flags).stdin(Stdio::null());
        command
    }

    /// What the engine says on stdout.
    pub fn ask(&self, args: &[&str]) -> Result<Vec<u8>> {
        let output = self.command().args(args).output().with_context(|| format!("{} can't be run", self.engine))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{} {}: {}", self.engine, args.join(" "), said.trim());
        Ok(output.stdout)
    }
}

impl Container<'_> {
    /// The same, with a file or folder of this machine at a place where it can be read.
    pub fn mounted(mut self, from: &Path, to: &str) -> Self {
        self.mounts.push(format!("--volume={}:{to}:ro", from.display()));
        self
    }

    /// The same, with a file of this machine that it may write, too.
    pub fn writable(mut self, from: &Path, to: &str) -> Self {
        self.mounts.push(format!("--volume={}:{to}", from.display()));
        self
    }

    /// The same with so many cores in place of those of the manifests.
    pub fn cores(mut self, cores: f64) -> Self {
        self.cores = cores;
        self
    }

    /// The same with a limit for data.
    pub fn data(mut self, bytes: Option<u64>) -> Self {
        self.data = bytes;
        self
    }

    /// The flags of `run`, up to the image: the security context and the limits of the manifests, and the machine's network,
    /// where the broker is.
    fn arguments(&self, root: Root) -> Vec<String> {
        let mut arguments = vec!["run".to_owned(), format!("--name={}", self.name), "--network=host".to_owned()];
        arguments.extend([format!("--user={USER}:{USER}"), "--cap-drop=ALL".to_owned()]);
        arguments.extend([format!("--memory={MEMORY}"), format!("--cpus={}", self.cores)]);
        arguments.push("--security-opt=no-new-privileges".to_owned());
        arguments.extend(self.runtime.seccomp.iter().map(|file| format!("--security-opt=seccomp={}", file.display())));
        arguments.extend(self.data.map(|bytes| format!("--ulimit=data={bytes}:{bytes}")));
        // Kubernetes does not look at HEALTHCHECK, and podman needs systemd to.
        arguments.push("--no-healthcheck".to_owned());
        // Where the engine itself is confined it may not raise these.
        arguments.extend(["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"].map(str::to_owned));
        arguments.push("--log-driver=none".to_owned());
        arguments.extend(self.mounts.clone());
        if root == Root::ReadOnly {
            arguments.push("--read-only".to_owned());
            if self.runtime.engine == Engine::Podman {
                // Otherwise /tmp, /run and /var/tmp would be writable.
                arguments.push("--read-only-tmpfs=false".to_owned());
            }
        }
        arguments
    }

    /// The image's program in it, in the foreground, as a process of ours: its signals, streams and exit code are the
    /// container's. Settings come as variables, as in the manifests.
    pub fn program(&self, image: &str, root: Root, place: &Place, variables: &[(&str, &str)]) -> Program {
        let shared = [("KAFKA_BOOTSTRAP_SERVER", place.servers.as_str()), ("KAFKA_TOPIC", place.topic.as_str())];
        let shared = shared.iter().chain(&[("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT"), ("KAFKA_SASL_MECHANISM", "")]);
        self.foreground(root, None, shared.chain(variables).copied()).arg(image)
    }

    /// As [`Container::program`], up to the image, which follows with its arguments; with these variables and no others.
    pub fn foreground<'a>(
        &self,
        root: Root,
        entrypoint: Option<&str>,
        variables: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Program {
        let variables = variables.map(|(name, value)| format!("--env={name}={value}"));
        // Where the engine's daemon or its configuration is, if it is not where it is by default.
        let found = ENGINES.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        Program::new(self.runtime.engine.program())
            .envs(found)
            .args(self.runtime.flags)
            .args(self.arguments(root))
            .args(entrypoint.map(|program| format!("--entrypoint={program}")))
            .args(variables)
    }

    /// Runs a command in it. The exit code.
    pub fn exec(&self, command: &[&str]) -> Result<Option<i32>> {
        let output = self.runtime.command().args(["exec", &self.name]).args(command).output()?;
        Ok(output.status.code())
    }

    /// The id of its first process, seen from outside.
    pub fn pid(&self) -> Result<u32> {
        let said = self.runtime.ask(&["inspect", "--format={{.State.Pid}}", &self.name])?;
        let pid: u32 = String::from_utf8_lossy(&said).trim().parse()?;
        ensure!(pid > 0, "{} does not run", self.name);
        Ok(pid)
    }

    /// What differs from the image, a line each, sorted.
    pub fn changes(&self) -> Result<Vec<String>> {
        let said = String::from_utf8(self.runtime.ask(&["diff", &self.name])?)?;
        let mut lines: Vec<_> = said.lines().map(str::to_owned).collect();
        lines.sort();
        Ok(lines)
    }

    /// Makes it of an image, without starting it, and returns its files as a tar archive.
    pub fn export(&self, image: &str) -> Result<Vec<u8>> {
        self.runtime.ask(&["create", &format!("--name={}", self.name), "--network=none", image])?;
        self.runtime.ask(&["export", &self.name])
    }

    /// Starts a command in place of the image's program and waits for it. The exit code, and what it said.
    pub fn run(
        &self,
        image: &str,
        root: Root,
        entrypoint: Option<&str>,
        args: &[&str],
    ) -> Result<(Option<i32>, String)> {
        let mut command = self.runtime.command();
        command.args(self.arguments(root)).args(entrypoint.map(|program| format!("--entrypoint={program}")));
        let output = command.arg(image).args(args).output()?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        Ok((output.status.code(), said))
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        // There may be none of this name.
        let _ = self.runtime.command().args(["rm", "--force", &self.name]).output();
    }
}
