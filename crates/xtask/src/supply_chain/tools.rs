//! The tools of the supply chain, installed on first use into the target folder: Go's by `go.sum`, Python's by hash.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::manifests::tools::{once, output};
use crate::programs;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// A Go module below `tools/`, and the programs that are built from it.
struct Module {
    name: &'static str,
    packages: &'static [&'static str],
}

const REGISTRY: Module = Module { name: "registry", packages: &["github.com/google/go-containerregistry/cmd/crane"] };
const COSIGN: Module = Module { name: "cosign", packages: &["github.com/sigstore/cosign/v3/cmd/cosign"] };
/// Grype, and the program of the module itself: `vulnerabilities`.
const GRYPE: Module = Module { name: "grype", packages: &["github.com/anchore/grype/cmd/grype", "."] };

/// Its own `go.mod` says that a part of it is replaced, which no installation by name allows.
const KYVERNO: Module = Module { name: "kyverno", packages: &["github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno"] };

/// Where the tools are, and where the task leaves its files.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs nothing yet.
    pub fn new() -> Result<Self> {
        let folder = programs::target()?.join("supply-chain");
        fs::create_dir_all(&folder)?;
        Ok(Self { folder: folder.canonicalize()? })
    }

    /// The task's results are in this folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The client of registries; it serves one, too.
    pub fn crane(&self) -> Result<Command> {
        self.go(&REGISTRY, "crane")
    }

    /// Signs and verifies.
    pub fn cosign(&self) -> Result<Command> {
        self.go(&COSIGN, "cosign")
    }

    /// Evaluates policies. It takes some minutes to build.
    pub fn kyverno(&self) -> Result<Command> {
        self.go(&KYVERNO, "kubectl-kyverno")
    }

    /// The scanner.
    pub fn grype(&self) -> Result<Command> {
        self.go(&GRYPE, "grype")
    }

    /// Writes a database of vulnerabilities for the scanner.
    pub fn vulnerabilities(&self) -> Result<Command> {
        self.go(&GRYPE, "vulnerabilities")
    }

    /// Python with the packages of `requirements.txt`.
    pub fn python(&self) -> Result<Command> {
        Ok(Command::new(self.environment()?.join("bin/python")))
    }

    /// The one on `PATH`, else the pinned one.
    pub fn syft(&self) -> Result<Command> {
        let there = Command::new("syft").arg("version").output().is_ok_and(|output| output.status.success());
        let program = if there { PathBuf::from("syft") } else { self.environment()?.join("bin/syft") };
        Ok(Command::new(program))
    }

    fn environment(&self) -> Result<PathBuf> {
        let folder = self.folder.join("python");
        once(&folder, REQUIREMENTS, |folder| {
            output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
            let requirements = programs::root().join("crates/xtask/src/supply_chain/requirements.txt");
            let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
            let pinned = ["--only-binary=:all:", "--require-hashes", "-r"];
            output(Command::new(folder.join("bin/python")).args(pip).args(pinned).arg(requirements)).map(drop)
        })?;
        Ok(folder)
    }

    fn go(&self, module: &Module, program: &str) -> Result<Command> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(module.name);
        let mut made_from = String::new();
        for file in ["go.mod", "go.sum", "main.go"] {
            let path = sources.join(file);
            if path.exists() {
                made_from += &fs::read_to_string(&path)?;
            }
        }
        let folder = self.folder.join(module.name);
        once(&folder, &made_from, |folder| {
            // A folder's name that ends in / makes Go name the programs.
            let mut out = folder.as_os_str().to_owned();
            out.push("/");
            let mut build = Command::new("go");
            build.current_dir(&sources).args(["build", "-mod=readonly", "-trimpath", "-o"]).arg(out);
            output(build.args(module.packages)).context("Go can't build it").map(drop)
        })?;
        let path = folder.join(program);
        ensure!(path.is_file(), "the module {} has built no {program}", module.name);
        Ok(Command::new(path))
    }
}
