//! A real Apache Kafka as processes of this machine: one to several combined KRaft nodes on loopback.
//!
//! Needs `java` (17 or newer), `mvn` for the first start on a machine, and `openssl` where TLS is asked for. What is missing
//! is an error, never a skipped test.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! use testbed::apache::{Cluster, Sasl};
//!
//! let mut cluster = Cluster::builder().brokers(3).sasl(&[Sasl::Plain]).user("alice", "secret").start()?;
//! cluster.create_topic("test", 6, 3, &[("min.insync.replicas", "2")])?;
//! let leader = cluster.leader_of("test", 0)?;
//! cluster.kill(leader)?;
//! # Ok(())
//! # }
//! ```

mod acl;
mod admin;
mod broker;
mod builder;
mod cluster;
mod detached;
mod distribution;
mod groups;
mod pki;
mod properties;
mod security;
mod settings;
mod storage;
mod topics;

pub use acl::Resource;
pub use builder::Builder;
pub use cluster::Cluster;
pub use detached::{count_detached, stop_detached};
pub use distribution::Distribution;
pub use groups::Member;
pub use pki::{Pki, Shown};
pub use security::{Listener, Sasl, Tls};
