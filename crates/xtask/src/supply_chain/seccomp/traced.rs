//! A stage on which every program is traced: in the files of its image, with its libc, as its user, and without a container engine,
//! whose own calls would be in the trace.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use testbed::process::{Process, Program};

use super::strace;
use crate::e2e::activities::stage::{Actor, Run, Stage};
use crate::images::engine::Engine;
use crate::images::{PROGRAMS, image};
use crate::manifests::tools::output;

/// Lays files over those of the image, in a mount namespace of its own, and goes on as `$@`. `$1` is the image's root, and then come
/// pairs of a file and its place, up to `--`.
const LAY_OUT: &str = r#"set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
exec "$@""#;
/// Of the images, and of the manifests.
const USER: &str = "65532:65532";

/// The images, unpacked, and the traces of what ran in them.
pub struct Traced {
    folder: TempDir,
    /// By program: its variables, as the image sets them.
    images: BTreeMap<&'static str, Vec<(String, String)>>,
    logs: RefCell<Vec<(PathBuf, String)>>,
    count: Cell<usize>,
}

struct Traces<'a> {
    stage: &'a Traced,
    name: String,
    entrypoint: Option<String>,
    run: Run,
}

impl Traced {
    /// Unpacks the local images.
    pub fn new(engine: Engine, target: &Path) -> Result<Self> {
        let folder = tempfile::tempdir_in(target)?;
        let mut images = BTreeMap::new();
        for name in PROGRAMS {
            let (reference, root) = (image(name), folder.path().join(name));
            ensure!(engine.has(&reference)?, "{engine} has no image {reference}: run `cargo xtask images` first");
            unpack(engine, &reference, &root)?;
            images.insert(name, variables(engine, &reference)?);
        }
        Ok(Self { folder, images, logs: RefCell::default(), count: Cell::new(0) })
    }

    /// The calls of all programs since the last time that somebody asked. All of them must have ended.
    pub fn calls(&self) -> Result<BTreeSet<String>> {
        let mut calls = BTreeSet::new();
        for (log, program) in self.logs.borrow_mut().drain(..) {
            calls.extend(strace::read(&log, &program)?);
            fs::remove_file(&log)?;
        }
        Ok(calls)
    }
}

impl Stage for Traced {
    fn prepare<'a>(&'a self, name: &str, entrypoint: Option<&str>, run: Run) -> Result<(Program, Box<dyn Actor + 'a>)> {
        let variables = self.images.get(name).with_context(|| format!("there is no image of {name}"))?;
        let root = self.folder.path().join(name);
        let path = entrypoint.map_or_else(|| format!("/usr/local/bin/kafka-{name}"), str::to_owned);
        self.count.set(self.count.get() + 1);
        let log = self.folder.path().join(format!("{}.log", self.count.get()));
        let mut program = Program::new("unshare").args(["--mount", "sh", "-c", LAY_OUT, "sh"]).arg(&root);
        for (from, to) in run.files.iter().chain(&run.writable) {
            place(&root, from, to)?;
            program = program.arg(from).arg(to);
        }
        program = program.arg("--");
        if let Some(bytes) = run.data {
            program = program.arg("prlimit").arg(format!("--data={bytes}"));
        }
        program = program.arg("strace").args(strace::arguments(&log));
        // The image's variables are for the program only.
        program = program.args(["chroot", &format!("--userspec={USER}")]);
        program = program.arg(&root).arg(&path).args(&run.args).current_dir(&root);
        program =
            program.envs(variables.iter().filter(|(name, _)| name != "PATH").chain(&run.envs).map(|(a, b)| (a, b)));
        self.logs.borrow_mut().push((log, path));
        let entrypoint = entrypoint.map(str::to_owned);
        Ok((program, Box::new(Traces { stage: self, name: name.to_owned(), entrypoint, run })))
    }
}

impl Actor for Traces<'_> {
    fn pid(&self, process: &Process) -> Result<u32> {
        Ok(process.pid())
    }

    fn beside(&self, args: &[&str]) -> Result<Option<i32>> {
        let run = Run { args: Vec::new(), ..self.run.clone() }.args(args);
        let (program, _actor) = self.stage.prepare(&self.name, self.entrypoint.as_deref(), run)?;
        Ok(program.run(std::time::Duration::from_secs(60))?.code())
    }
}

/// Makes the files of an image be in a folder.
fn unpack(engine: Engine, reference: &str, root: &Path) -> Result<()> {
    fs::create_dir_all(root)?;
    let container =
        output(Command::new(engine.program()).args(["create", "--network=none", "--no-healthcheck", reference]))?;
    let container = container.trim();
    let archive = root.with_extension("tar");
    let exported = output(Command::new(engine.program()).args(["export", "--output"]).arg(&archive).arg(container));
    output(Command::new(engine.program()).args(["rm", container]))?;
    exported?;
    output(
        Command::new("tar")
            .args(["--extract", "--same-owner", "--same-permissions", "--file"])
            .arg(&archive)
            .arg("-C")
            .arg(root),
    )?;
    fs::remove_file(archive)?;
    for folder in ["proc", "dev", "tmp"] {
        fs::create_dir_all(root.join(folder))?;
    }
    // The way to it, for the image's user.
    for folder in root.ancestors().take(2) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The variables that an image sets.
fn variables(engine: Engine, reference: &str) -> Result<Vec<(String, String)>> {
    let said = output(Command::new(engine.program()).args(["inspect", "--type=image", reference]))?;
    let said: Value = serde_json::from_str(&said)?;
    let variables = said.pointer("/0/Config/Env").and_then(Value::as_array).context("the image has no variables")?;
    let variables = variables.iter().filter_map(|variable| variable.as_str()?.split_once('='));
    Ok(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Makes something that a file or folder can be mounted on.
fn place(root: &Path, from: &Path, to: &str) -> Result<()> {
    // /dev is this machine's, where nothing is made.
    ensure!(!to.starts_with("/dev/"), "{to} is in /dev: mount it elsewhere");
    let target = root.join(to.trim_start_matches('/'));
    if from.is_dir() {
        return Ok(fs::create_dir_all(&target)?);
    }
    fs::create_dir_all(target.parent().context("a file is in a folder")?)?;
    if !target.exists() {
        fs::write(&target, "")?;
    }
    Ok(())
}
