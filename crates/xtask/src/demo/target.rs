//! The broker of a demo: embedded, a real one started for it, or one that is already there.

use anyhow::{Result, ensure};
use testbed::apache::{Cluster, Distribution};
use testbed::mock::Mock;

use super::{Args, Broker};
use crate::terminal::{Step, grouped};

/// Of the topic.
pub const PARTITIONS: i32 = 6;
const MOCK_BROKERS: i32 = 3;
/// The mock cluster keeps 5 MB a partition, 30 MB in all; partitions do not fill evenly, so this much is safe in any case.
const MOCK_BYTES: u64 = 20_000_000;
/// Beyond it the consumer has to keep up. It does ten times this; the rest is for a machine that does other things too.
const MOCK_BYTES_PER_SECOND: f64 = 8_000_000.0;
/// A real broker answers a waiting fetch when a record comes; the mock cluster only when its time is over, 500 ms by default.
const MOCK_FETCH: [&str; 2] = ["-X", "fetch.wait.max.ms=10"];
/// What a demo message has, and what headers and the format add to any.
const DEMO_BYTES: usize = 120;
const ENVELOPE_BYTES: usize = 120;

/// A broker that runs, as long as this lives.
pub struct Target {
    /// Its addresses.
    pub servers: String,
    /// The topic is there.
    pub has_topic: bool,
    /// What both readers need on it.
    pub reader_args: &'static [&'static str],
    _running: Running,
}

enum Running {
    Mock { _cluster: Mock },
    Apache { _cluster: Box<Cluster> },
    Theirs,
}

impl Target {
    /// Starts what was asked for.
    pub fn start(args: &Args) -> Result<Self> {
        if let Some(servers) = &args.bootstrap_servers {
            return Ok(Self {
                servers: servers.clone(),
                has_topic: false,
                reader_args: &[],
                _running: Running::Theirs,
            });
        }
        match args.broker {
            Broker::Mock => {
                let step = Step::begin(format!("starting the embedded broker ({MOCK_BROKERS} nodes)"));
                let mock = Mock::start(MOCK_BROKERS)?;
                // Created here: the mock cluster has no admin API.
                mock.create_topic(&args.topic, PARTITIONS, MOCK_BROKERS)?;
                step.end();
                let servers = mock.bootstrap_servers();
                Ok(Self {
                    servers,
                    has_topic: true,
                    reader_args: &MOCK_FETCH,
                    _running: Running::Mock { _cluster: mock },
                })
            }
            Broker::Apache => {
                let step = Step::begin(format!("starting Apache Kafka {}", Distribution::version()?));
                let cluster = Box::new(Cluster::start()?);
                step.end();
                let servers = cluster.bootstrap_servers();
                let running = Running::Apache { _cluster: cluster };
                Ok(Self { servers, has_topic: false, reader_args: &[], _running: running })
            }
        }
    }
}

/// Bytes of a message on the broker.
fn message_bytes(args: &Args) -> usize {
    args.size.unwrap_or(DEMO_BYTES) + ENVELOPE_BYTES
}

/// Whether the broker still has all messages at the end.
fn keeps_all(args: &Args) -> bool {
    let bytes = args.messages.saturating_mul(message_bytes(args) as u64);
    args.bootstrap_servers.is_some() || args.broker != Broker::Mock || bytes <= MOCK_BYTES
}

/// The rate to publish at, if any: as asked, or what the embedded broker can hold.
pub fn rate(args: &Args) -> Result<Option<f64>> {
    let asked = args.rate.map(common::config::units::Rate::per_second);
    let bytes = message_bytes(args);
    if keeps_all(args) {
        return Ok(asked);
    }
    let highest = (MOCK_BYTES_PER_SECOND / bytes as f64).max(1.0).floor();
    ensure!(
        asked.is_none_or(|asked| asked <= highest),
        "the embedded broker forgets what exceeds 5 MB a partition, so {} messages of this size go through it at {}/s \
         at most: lower --rate, or use --broker apache",
        grouped(args.messages),
        grouped(highest as u64)
    );
    Ok(Some(asked.unwrap_or(highest)))
}
