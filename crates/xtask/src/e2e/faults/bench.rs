//! What the rows share: three brokers, the way in which connections are cut, the programs.

use std::fs;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use anyhow::Result;
use testbed::apache::{Cluster, Sasl};
use testbed::process::Program;

use crate::programs::Programs;

use super::cut::Cutting;
use super::disk::Disk;
use super::namespace;

/// The brokers' ids.
pub const ALL: [i32; 3] = [1, 2, 3];
/// The broker whose data lie on a disk of their own.
pub const ON_DISK: i32 = 3;
/// Who logs in, where logins are asked for.
pub const USER: &str = "alice";
/// The password, most of the time.
pub const PASSWORD: &str = "correct horse";
/// Partitions of a row's topic.
pub const PARTITIONS: i32 = 12;
/// Of a row's topic.
pub const TOPIC: [(&str, &str); 1] = [("min.insync.replicas", "2")];

/// Which cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Without logins.
    Open,
    /// With SCRAM; brokers ask for the password again every 10 s.
    Login,
}

/// Three brokers and the programs.
pub struct Bench {
    cluster: RwLock<Cluster>,
    /// What cuts connections.
    pub cutting: Cutting,
    /// The disk of [`ON_DISK`].
    pub disk: Option<Disk>,
    producer: std::path::PathBuf,
    consumer: std::path::PathBuf,
    kind: Kind,
    proxy: bool,
    /// When memory is looked at, after a fault.
    pub settle: Duration,
}

impl Bench {
    /// Starts the brokers.
    pub fn start(programs: &Programs, kind: Kind, proxy: bool, settle: Duration) -> Result<Self> {
        let builder = Cluster::builder().brokers(3).property("log.segment.delete.delay.ms", "1000");
        // As little as the members of KIP-848 in these rows die often; 45 s otherwise.
        let builder = builder.property("group.consumer.min.session.timeout.ms", "6000");
        let mut builder =
            builder.property("group.consumer.session.timeout.ms", "10000").jvm_option("-XX:TieredStopAtLevel=4");
        let mut disk = None;
        match kind {
            Kind::Open => {
                builder = builder.proxied();
                if namespace::is_inside() {
                    let device = Disk::device()?;
                    let data = device.path().join("data");
                    fs::create_dir(&data)?;
                    builder = builder.data_in(ON_DISK, data);
                    disk = Some(device);
                }
            }
            Kind::Login => {
                builder = builder.sasl(&[Sasl::ScramSha512]).user(USER, PASSWORD);
                builder = builder.property("listener.name.clients.scram-sha-512.connections.max.reauth.ms", "10000");
            }
        }
        Ok(Self {
            cluster: RwLock::new(builder.start()?),
            cutting: Cutting::choose(proxy)?,
            disk,
            producer: programs.producer.clone(),
            consumer: programs.consumer.clone(),
            kind,
            proxy,
            settle,
        })
    }

    /// A new cluster in the place of this one.
    pub fn again(self, programs: &Programs) -> Result<Self> {
        let (kind, proxy, settle) = (self.kind, self.proxy, self.settle);
        drop(self);
        Self::start(programs, kind, proxy, settle)
    }

    /// The cluster, for questions.
    pub fn cluster(&self) -> RwLockReadGuard<'_, Cluster> {
        self.cluster.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cluster, for the death of brokers.
    pub fn cluster_mut(&self) -> RwLockWriteGuard<'_, Cluster> {
        self.cluster.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where clients find the brokers; rows that need a proxy, or have nothing else to cut with, go through it.
    pub fn servers(&self, through_proxy: bool) -> String {
        let cluster = self.cluster();
        if through_proxy { cluster.proxied_servers() } else { cluster.bootstrap_servers() }
    }

    /// A producer of this run.
    pub fn producer(&self, servers: &str, topic: &str, run: &str) -> Program {
        let program = Program::new(&self.producer).args(["--run-id", run, "--report", "json", "--log-format", "json"]);
        self.logged_in(program.args(["--bootstrap-servers", servers, "--topic", topic]))
    }

    /// A member of this group, without an admin server.
    pub fn consumer(&self, servers: &str, topic: &str, group: &str) -> Program {
        let program = Program::new(&self.consumer).args(["--group", group, "--format", "json", "--log-format", "json"]);
        self.logged_in(program.args(["--bootstrap-servers", servers, "--topic", topic]))
    }

    /// The consumer's audit of a run.
    pub fn auditor(&self, servers: &str, topic: &str, run: &str) -> Program {
        let program = Program::new(&self.consumer).args(["audit", "--run", run, "--log-format", "json"]);
        self.logged_in(program.args(["--bootstrap-servers", servers, "--topic", topic]))
    }

    /// Where both programs are.
    pub fn paths(&self) -> [&std::path::Path; 2] {
        [&self.producer, &self.consumer]
    }

    fn logged_in(&self, program: Program) -> Program {
        match self.kind {
            Kind::Open => program,
            Kind::Login => program
                .args([
                    "--security-protocol",
                    "SASL_PLAINTEXT",
                    "--sasl-mechanism",
                    "SCRAM-SHA-512",
                    "--username",
                    USER,
                ])
                .env("KAFKA_PASSWORD", PASSWORD),
        }
    }
}
