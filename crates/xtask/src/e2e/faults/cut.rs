//! Cuts connections between clients and brokers: by the kernel's packet filter in a network of our own, or by proxies.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use testbed::apache::Cluster;
use testbed::process::Program;
use testbed::proxy::Way;

use super::namespace;

const COMMAND: Duration = Duration::from_secs(10);
const TABLE: &str = "faults";

/// What cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cutting {
    /// nftables: packets vanish, as on a network.
    Filter,
    /// The suite's proxies: bytes are held back, and the connections stay open.
    Proxy,
}

impl Cutting {
    /// The packet filter, where there is one and nobody else's rules are near.
    pub fn choose(proxy: bool) -> Result<Self> {
        if proxy || !namespace::is_inside() {
            return Ok(Self::Proxy);
        }
        let chain =
            format!("add table inet {TABLE}; add chain inet {TABLE} cut {{ type filter hook input priority 0; }}");
        let made = Program::new("nft").arg(chain).run(COMMAND);
        Ok(if made.is_ok_and(|outcome| outcome.code() == Some(0)) { Self::Filter } else { Self::Proxy })
    }

    /// For the document.
    pub fn words(self) -> &'static str {
        match self {
            Self::Filter => "the kernel's packet filter (nftables, in a network namespace of the suite's own)",
            Self::Proxy => {
                "the suite's own proxies, which hold bytes back: this machine had no packet filter, or no right to it"
            }
        }
    }

    /// Packets between clients and these brokers vanish for a while.
    pub fn cut(self, cluster: &Cluster, brokers: &[i32], way: Way, time: Duration) -> Result<()> {
        match self {
            Self::Filter => self.filtered(cluster, brokers, way, "drop", time),
            Self::Proxy => {
                for broker in brokers {
                    cluster.proxy(*broker)?.hold(way);
                }
                thread::sleep(time);
                brokers.iter().try_for_each(|broker| cluster.proxy(*broker).map(|proxy| proxy.release()))
            }
        }
    }

    /// Of a hundred packets so many are lost for a while.
    pub fn lose(self, cluster: &Cluster, brokers: &[i32], percent: u8, time: Duration) -> Result<()> {
        match self {
            Self::Filter => {
                let verdict = format!("numgen random mod 100 < {percent} drop");
                self.filtered(cluster, brokers, Way::Both, &verdict, time)
            }
            Self::Proxy => {
                for broker in brokers {
                    cluster.proxy(*broker)?.late(percent);
                }
                thread::sleep(time);
                brokers.iter().try_for_each(|broker| cluster.proxy(*broker).map(|proxy| proxy.late(0)))
            }
        }
    }

    fn filtered(self, cluster: &Cluster, brokers: &[i32], way: Way, verdict: &str, time: Duration) -> Result<()> {
        let ports: Vec<_> = brokers.iter().map(|broker| cluster.port(*broker).to_string()).collect();
        let ports = ports.join(", ");
        let rule = |side: &str| nft(&format!("add rule inet {TABLE} cut tcp {side} {{ {ports} }} {verdict}"));
        if matches!(way, Way::Out | Way::Both) {
            rule("dport")?;
        }
        if matches!(way, Way::In | Way::Both) {
            rule("sport")?;
        }
        thread::sleep(time);
        nft(&format!("flush chain inet {TABLE} cut"))
    }
}

fn nft(rule: &str) -> Result<()> {
    let outcome = Program::new("nft").arg(rule).run(COMMAND)?.expect_code(0);
    outcome.map(drop).with_context(|| format!("the packet filter refuses: {rule}"))
}
