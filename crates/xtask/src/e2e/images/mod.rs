//! `cargo xtask e2e images`: the images of both programs, run as the manifests run them, on real Apache Kafka.

pub mod confined;
mod confinement;
mod container;
mod contents;
mod image;
mod openssl;
mod runs;
mod seccomp;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use testbed::apache::{Cluster, Distribution};

use super::bench::Place;
use super::suite::{self, Chosen};
use crate::images::engine::Engine;
use crate::images::{self, PROGRAMS};
use crate::terminal::Step;
use container::Runtime;

/// The flags of the suite.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    chosen: Chosen,

    /// What runs the containers: docker or podman [default: the first that works]
    #[arg(long, value_enum)]
    engine: Option<Engine>,

    /// Image of the producer [default: the one that `cargo xtask images` builds]
    #[arg(long, value_name = "IMAGE", default_value_t = images::image(PROGRAMS[0]), hide_default_value = true)]
    producer: String,

    /// Image of the consumer [default: the one that `cargo xtask images` builds]
    #[arg(long, value_name = "IMAGE", default_value_t = images::image(PROGRAMS[1]), hide_default_value = true)]
    consumer: String,

    /// Run all of it under this seccomp profile, not under the engine's own
    #[arg(long, value_name = "FILE")]
    seccomp: Option<PathBuf>,
}

type Scenario = suite::Scenario<Bench>;

const SCENARIOS: [&[Scenario]; 5] =
    [&contents::SCENARIOS, &openssl::SCENARIOS, &runs::SCENARIOS, &tls::SCENARIOS, &seccomp::SCENARIOS];

/// What the scenarios share: what runs containers, the two images, and a broker once it is asked for.
pub struct Bench {
    runtime: Runtime,
    /// In the order of [`PROGRAMS`].
    images: [String; 2],
    cluster: Option<Cluster>,
}

/// Runs them. `false` when one failed.
pub fn run(args: &Args) -> Result<bool> {
    let Some(scenarios) = args.chosen.of(SCENARIOS.into_iter().flatten())? else { return Ok(true) };
    let images = [args.producer.clone(), args.consumer.clone()];
    let engine = Engine::find_runner(args.engine)?;
    for image in &images {
        ensure!(engine.has(image)?, "{engine} has no image {image}: cargo xtask images builds it");
    }
    // Each program of an engine runs in a folder of its own.
    let seccomp =
        args.seccomp.as_ref().map(|file| file.canonicalize().with_context(|| format!("no file {}", file.display())));
    let runtime = Runtime::find(engine, &images[0], seccomp.transpose()?.as_deref())?;
    let step = Step::begin(format!("Apache Kafka {}", Distribution::version()?));
    Distribution::get()?;
    step.end();
    Ok(suite::run(&scenarios, &mut Bench { runtime, images, cluster: None }, |bench| bench.cluster = None))
}

impl Bench {
    fn producer(&self) -> &str {
        &self.images[0]
    }

    fn consumer(&self) -> &str {
        &self.images[1]
    }

    /// A new topic of 6 partitions on the broker.
    fn topic(&mut self, name: &str) -> Result<Place> {
        if self.cluster.is_none() {
            self.cluster = Some(Cluster::start()?);
        }
        let cluster = self.cluster()?;
        cluster.create_topic(name, 6, 1, &[])?;
        Ok(Place::new(cluster, name, name))
    }

    fn cluster(&self) -> Result<&Cluster> {
        self.cluster.as_ref().context("no broker has been started")
    }
}

/// An address for a container's admin server, which others have to know before it starts.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", testbed::ports::free_port()?))?.local_addr()?)
}
