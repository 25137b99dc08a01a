//! The programs that somebody would use instead, installed into the target folder with the versions that `crates/xtask/rivals`
//! pins. One that cannot be had is told in the table, never left out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::terminal::Step;

/// Where each kind of rival is, or why it is not.
pub struct Rivals {
    /// Python with the packages.
    pub python: Result<PathBuf, String>,
    /// kcat.
    pub kcat: Result<PathBuf, String>,
    /// The Go program.
    pub franz_go: Result<PathBuf, String>,
    /// The folder with Node's programs.
    pub kafkajs: Result<PathBuf, String>,
}

/// The folder of what the benchmark makes.
pub fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| programs::root().join("target"), PathBuf::from);
    std::path::absolute(&target).unwrap_or(target).join("bench")
}

/// The folder of the rivals' sources.
pub fn sources() -> PathBuf {
    let sources = programs::root().join("crates/xtask/rivals");
    sources.canonicalize().unwrap_or(sources)
}

impl Rivals {
    /// Installs what is missing.
    pub fn install() -> Self {
        let step = Step::begin("installing the rivals");
        let told = |rival: Result<PathBuf>| rival.map_err(|error| format!("not installed: {error:#}"));
        let rivals =
            Self { python: told(python()), kcat: told(kcat()), franz_go: told(franz_go()), kafkajs: told(kafkajs()) };
        step.end();
        rivals
    }

    /// The Python program of this name.
    pub fn python_script(name: &str) -> PathBuf {
        sources().join("python").join(name)
    }

    /// Node itself.
    pub fn node() -> PathBuf {
        on_path("node").unwrap_or_else(|| PathBuf::from("node"))
    }

    /// The versions, for the page.
    pub fn versions(&self) -> Vec<String> {
        let mut versions = Vec::new();
        let first_line = |program: &Path, args: &[&str]| {
            let output = Command::new(program).args(args).output().ok()?;
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            text.lines().map(str::trim).find(|line| line.contains(char::is_numeric)).map(str::to_owned)
        };
        if let Ok(python) = &self.python {
            versions.extend(first_line(python, &["--version"]));
            let pinned = fs::read_to_string(sources().join("python/requirements.txt")).unwrap_or_default();
            let named = |line: &&str| line.contains("kafka");
            versions.extend(pinned.lines().filter(named).map(|line| line.replace("==", " ")));
        }
        if let Ok(kcat) = &self.kcat {
            versions.extend(first_line(kcat, &["-V"]).map(|line| format!("kcat: {line}")));
        }
        if self.franz_go.is_ok() {
            versions.extend(on_path("go").and_then(|go| first_line(&go, &["version"])));
            let pinned = fs::read_to_string(sources().join("franz-go/go.mod")).unwrap_or_default();
            versions.extend(pinned.lines().find_map(|line| line.strip_prefix("require ")).map(str::to_owned));
        }
        if self.kafkajs.is_ok() {
            versions.extend(first_line(&Self::node(), &["--version"]).map(|line| format!("Node {line}")));
            let pinned = fs::read_to_string(sources().join("kafkajs/package.json")).unwrap_or_default();
            let line = pinned.lines().find(|line| line.contains("\"kafkajs\":"));
            versions.extend(line.map(|line| line.replace(['"', ':'], "").trim().to_owned()));
        }
        versions
    }
}

fn python() -> Result<PathBuf> {
    let (folder, pinned) = (folder().join("python"), sources().join("python/requirements.txt"));
    let python = folder.join("bin/python");
    once(&folder, &pinned, || {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        run(Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"])
            .arg("-r")
            .arg(&pinned))
    })?;
    Ok(python)
}

/// Debian's package: it has no other home that a benchmark could install it from.
fn kcat() -> Result<PathBuf> {
    if on_path("kcat").is_none() {
        run(Command::new("apt-get").args(["install", "-qq", "-y", "--no-install-recommends", "kcat"]))?;
    }
    on_path("kcat").context("kcat is not on the search path")
}

fn franz_go() -> Result<PathBuf> {
    let (folder, sources) = (folder().join("franz-go"), sources().join("franz-go"));
    let program = folder.join("franz-go");
    once(&folder, &sources.join("main.go"), || {
        run(Command::new("go").args(["build", "-trimpath", "-o"]).arg(&program).arg(".").current_dir(&sources))
    })?;
    Ok(program)
}

/// Node finds packages beside the program, so the programs are copied to where the packages go.
fn kafkajs() -> Result<PathBuf> {
    let (folder, sources) = (folder().join("kafkajs"), sources().join("kafkajs"));
    fs::create_dir_all(&folder)?;
    for name in ["package.json", "package-lock.json", "produce.js", "consume.js"] {
        fs::copy(sources.join(name), folder.join(name))?;
    }
    once(&folder, &sources.join("package-lock.json"), || {
        run(Command::new("npm")
            .args(["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&folder))
    })?;
    Ok(folder)
}

/// Does it unless it was done with the same pins.
fn once(folder: &Path, pins: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let (wanted, mark) = (fs::read(pins)?, folder.join("installed"));
    if fs::read(&mark).is_ok_and(|done| done == wanted) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    install()?;
    Ok(fs::write(mark, wanted)?)
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("{name} can't be run"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{name}: {}", said.lines().last().unwrap_or("failed"));
    Ok(())
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}
