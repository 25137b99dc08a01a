//! Stand-ins for images of registries, from Debian 13 packages: for places where no registry is reached. Never to be released,
//! and labelled so that nobody does by accident.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use testbed::apache::Distribution;

use super::engine::{Build, Engine};
use super::reference::{self, Reference};
use super::{PROGRAMS, STAND_IN, dockerfile};
use crate::terminal::Step;

/// What all of them are built on; the Dockerfiles of `stand-in/` name it.
const DEBIAN: &str = "localhost/stand-in/debian:13";
const RELEASE: &str = "trixie";
const MIRROR: &str = "http://deb.debian.org/debian";

/// Makes the base images, and says which image of a registry each is to be taken for.
pub fn bases(engine: Engine, root: &Path, mirror: Option<&str>) -> Result<Vec<(String, String)>> {
    debian(engine, mirror)?;
    let mut pairs = Vec::new();
    for program in PROGRAMS {
        for base in reference::bases(&dockerfile(root, program)?)? {
            if pairs.iter().all(|(pinned, _)| *pinned != base.whole) {
                let local = base_image(engine, &base)?;
                pairs.push((base.whole, local));
            }
        }
    }
    Ok(pairs)
}

/// Makes the image of Apache Kafka, called as the official one.
pub fn broker(engine: Engine) -> Result<()> {
    let official = format!("docker.io/apache/kafka:{}", Distribution::version()?);
    let jars = Distribution::get()?;
    let context = tempfile::tempdir()?;
    // Copies: a build sees nothing outside of its context.
    for (from, to) in [(jars.jars(), "jars"), (&files().join("broker"), "broker")] {
        let status = Command::new("cp").arg("-R").arg(from).arg(context.path().join(to)).status()?;
        ensure!(status.success(), "{} can't be copied", from.display());
    }
    build(engine, "broker", &official, &official, context.path()).map(drop)
}

/// The image in place of one base.
fn base_image(engine: Engine, base: &Reference) -> Result<String> {
    let tag = format!("localhost/stand-in/{}:{}", base.name, base.tag);
    match base.name.as_str() {
        "rust" => build(engine, "builder", &tag, &base.whole, &toolchain(&base.tag)?),
        "cc-debian13" => build(engine, "runtime", &tag, &base.whole, &files()),
        other => bail!("there is no stand-in for {other}"),
    }
}

/// Debian itself. Made once; to have newer packages, remove the image.
fn debian(engine: Engine, mirror: Option<&str>) -> Result<()> {
    if engine.has(DEBIAN)? {
        return Ok(());
    }
    let mirror = mirror.map_or_else(configured_mirror, str::to_owned);
    let step = Step::begin(format!("Debian {RELEASE} by debootstrap"));
    // Not in /tmp, which may be small, or mounted without devices.
    let folder = tempfile::tempdir_in(target()?)?;
    let root = folder.path().join("root");
    let output = Command::new("debootstrap")
        .args(["--variant=minbase", RELEASE])
        .arg(&root)
        .arg(&mirror)
        .output()
        .context("debootstrap can't be run: the stand-ins for the base images are made by it")?;
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    ensure!(output.status.success(), "debootstrap failed:\n{said}");
    let packed = Command::new("tar")
        .args(["--numeric-owner", "--exclude=./dev/*", "--exclude=./var/cache/apt/archives/*.deb", "-cf"])
        .arg(folder.path().join("debian.tar"))
        .arg("-C")
        .arg(&root)
        .arg(".")
        .status()?;
    ensure!(packed.success(), "tar could not pack what debootstrap made");
    fs::remove_dir_all(&root)?;
    build(engine, "base", DEBIAN, "Debian", folder.path())?;
    step.end();
    Ok(())
}

/// Builds one of the Dockerfiles in `stand-in/`.
fn build(engine: Engine, name: &str, tag: &str, stands_for: &str, context: &Path) -> Result<String> {
    let step = Step::begin(format!("a stand-in for {stands_for}"));
    engine.build(&Build {
        tag: tag.to_owned(),
        dockerfile: files().join(format!("{name}.Dockerfile")),
        context: context.to_owned(),
        labels: vec![(STAND_IN.to_owned(), stands_for.to_owned())],
        bases: Vec::new(),
        secrets: Vec::new(),
        epoch: None,
        cached: true,
    })?;
    step.end();
    Ok(tag.to_owned())
}

/// The folder of this machine's Rust, which must be the version that the Dockerfiles pin.
fn toolchain(tag: &str) -> Result<PathBuf> {
    let ask = |args: &[&str]| -> Result<String> {
        let output = Command::new("rustc").args(args).current_dir(super::programs::root()).output()?;
        ensure!(output.status.success(), "rustc: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let version = ask(&["-V"])?;
    let wanted = tag.split('-').next().unwrap_or_default();
    let here = version.split_whitespace().nth(1).unwrap_or_default();
    ensure!(here == wanted, "the Dockerfiles build with Rust {wanted}, and this machine has {here}");
    Ok(ask(&["--print", "sysroot"])?.into())
}

/// The mirror that apt gets Debian from.
fn configured_mirror() -> String {
    let format = ["indextargets", "--format", "$(ORIGIN) $(REPO_URI)", "Created-By: Packages"];
    let said = Command::new("apt-get").args(format).output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    let mirror = said.lines().find_map(|line| line.strip_prefix("Debian "));
    mirror.unwrap_or(MIRROR).trim_end_matches('/').to_owned()
}

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stand-in")
}

fn target() -> Result<PathBuf> {
    let target = super::programs::target()?;
    fs::create_dir_all(&target)?;
    Ok(target.canonicalize()?)
}
