//! `cargo xtask images`: the images of both programs, built by docker, podman or buildah, on the pinned bases or on stand-ins.

pub mod engine;
mod labels;
pub mod reference;
mod stand_in;
mod two_folders;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::programs;
use crate::terminal::Step;
use engine::{Build, Engine};

/// The programs, by the ending of their Dockerfiles' names.
pub const PROGRAMS: [&str; 2] = ["producer", "consumer"];

/// The label of every stand-in, and so of what is built on one: what it stands for.
pub const STAND_IN: &str = "stand-in-for";

/// The flags of the task.
#[derive(clap::Args)]
pub struct Args {
    /// First make the base images from Debian 13 packages and this machine's Rust, and build on those: for places that reach
    /// no registry of images. Needs debootstrap, and root
    #[arg(long)]
    stand_in: bool,

    /// With --stand-in: also an image of Apache Kafka, called as the official one, from Debian's Java and Maven's jars
    #[arg(long, requires = "stand_in")]
    broker: bool,

    /// With --stand-in: the mirror of Debian [default: the one that apt is configured with, else deb.debian.org]
    #[arg(long, value_name = "URL", requires = "stand_in")]
    mirror: Option<String>,

    /// What builds [default: the first that works]
    #[arg(long, value_enum)]
    engine: Option<Engine>,

    /// Certificates that the builder trusts when it fetches crates [default: $CARGO_HTTP_CAINFO, $SSL_CERT_FILE, or this
    /// machine's]
    #[arg(long, value_name = "FILE")]
    ca_certificates: Option<PathBuf>,

    /// A Cargo configuration for the builder's fetches: a mirror of crates.io, a proxy. In no layer of any image
    #[arg(long, value_name = "FILE")]
    cargo_config: Option<PathBuf>,

    /// In place of images: build the release programs in two folders of other names, as the images' builder does, and compare
    /// them. Needs the system's OpenSSL (libssl-dev, pkg-config)
    #[arg(long, conflicts_with_all = ["stand_in", "twice", "engine"])]
    two_folders: bool,

    /// Build everything a second time without any cache, and compare all layers and settings
    #[arg(long)]
    twice: bool,
}

/// The image of a program, as the manifests name it.
pub fn image(program: &str) -> String {
    format!("localhost:5000/kafka-{program}:{}", env!("CARGO_PKG_VERSION"))
}

/// Builds them. `false` when a second build gave other bytes.
pub fn run(args: &Args) -> Result<bool> {
    if args.two_folders {
        return two_folders::run();
    }
    let engine = Engine::find(args.engine)?;
    ensure!(
        !args.twice || engine != Engine::Docker,
        "--twice needs podman or buildah: docker keeps the times of files"
    );
    let root = programs::root().canonicalize()?;
    let bases = if args.stand_in { stand_in::bases(engine, &root, args.mirror.as_deref())? } else { Vec::new() };
    if args.broker {
        stand_in::broker(engine)?;
    }
    let (secrets, epoch) = (secrets(args)?, epoch()?);
    let mut same = true;
    for program in PROGRAMS {
        let build = Build {
            tag: image(program),
            dockerfile: root.join(format!("Dockerfile.{program}")),
            context: root.clone(),
            labels: labels::of(&root, program, &bases)?,
            bases: bases.clone(),
            secrets: secrets.clone(),
            epoch: Some(epoch.unwrap_or(0)),
            // podman and buildah would take layers of other times from their cache.
            cached: epoch.is_none() || engine == Engine::Docker,
        };
        let step = Step::begin(format!("{} by {engine}", build.tag));
        let id = engine.build(&build)?;
        step.end();
        println!("{} is {id}", build.tag);
        if args.twice {
            let again = Build { tag: format!("localhost/again/kafka-{program}"), cached: false, ..build };
            let step = Step::begin(format!("{} once more, without a cache", image(program)));
            let other = engine.build(&again)?;
            step.end();
            let equal = engine.contents(&id)? == engine.contents(&other)?;
            println!("{}: {}", again.tag, if equal { "the same layers and settings" } else { "NOT THE SAME" });
            same &= equal;
        }
    }
    Ok(same)
}

/// What a builder gets to see while it fetches crates, and no image keeps.
fn secrets(args: &Args) -> Result<Vec<(&'static str, PathBuf)>> {
    let of_this_machine = || {
        let named = ["CARGO_HTTP_CAINFO", "SSL_CERT_FILE"].into_iter().filter_map(env::var_os).map(PathBuf::from);
        named.chain([PathBuf::from("/etc/ssl/certs/ca-certificates.crt")]).find(|file| file.is_file())
    };
    let certificates = args.ca_certificates.clone().or_else(of_this_machine);
    let given = [("ca-certificates", certificates), ("cargo-config", args.cargo_config.clone())];
    let given = given.into_iter().filter_map(|(id, file)| Some((id, file?)));
    given
        .map(|(id, file)| Ok((id, file.canonicalize().with_context(|| format!("no file {}", file.display()))?)))
        .collect()
}

/// The time that the images bear, if somebody asks for one. Otherwise it is 1970: the same sources then give the same images,
/// whatever the commit, and no layer in a cache is of another time.
fn epoch() -> Result<Option<u64>> {
    let given = env::var("SOURCE_DATE_EPOCH").ok();
    given.map(|given| given.parse().context("SOURCE_DATE_EPOCH is not a number of seconds")).transpose()
}

/// The text of a program's Dockerfile.
pub fn dockerfile(root: &Path, program: &str) -> Result<String> {
    let path = root.join(format!("Dockerfile.{program}"));
    fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))
}
