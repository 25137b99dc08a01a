//! What the scenarios share: brokers, servers, and programs that have work.

use std::fs;
use std::io::{PipeReader, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use testbed::apache::Cluster;
use testbed::pipes;
use testbed::process::{Outcome, Program};
use testbed::records::{self, NewRecord};

use super::super::watch::Watch;
use super::shorter;
use super::slack::Slack;
use crate::manifests::tools::{once, output};
use crate::monitoring::rules;
use crate::programs::{self, Programs};
use crate::servers::{Alertmanager, Prometheus, Pushgateway};

/// The JMX exporter, from Maven Central.
const EXPORTER: &str = "io.prometheus.jmx:jmx_prometheus_javaagent:1.0.1";
const EXPORTER_JAR: &str = "jmx_prometheus_javaagent-1.0.1.jar";
const EXPORTER_SHA256: &str = "7d61f737fd661610ccc14aea79764faa1ea94a340cbc8f0029b3d2edea3d80c1";
/// As Kubernetes would have it.
pub const APPS: &str = "kafka-clients";
/// The topic that both consumers read, in groups of their own.
pub const TOPIC: &str = "orders";
/// How long a start may take.
const START: Duration = Duration::from_secs(60);
/// A broker that is away is fenced after 3 s, not 9.
const SESSION: [(&str, &str); 2] = [("broker.session.timeout.ms", "3000"), ("broker.heartbeat.interval.ms", "500")];

/// All of it; dropped, it ends. The fields are dropped in this order.
pub struct Stage {
    /// Where the programs are.
    programs: Programs,
    /// A producer that listens and sends slowly, so that rates are not 0.
    _producer: Watch,
    /// A consumer that works.
    pub consumer: Watch,
    /// A consumer whose stdout nobody takes.
    pub stalled: Watch,
    /// The other end of its stdout.
    stdout: Option<PipeReader>,
    /// Scrapes all of them.
    pub prometheus: Prometheus,
    /// Gets its alerts.
    pub alertmanager: Alertmanager,
    /// Keeps the runs of the producer.
    pub gateway: Pushgateway,
    /// Gets the messages.
    pub slack: Slack,
    /// Three brokers with the JMX exporter.
    pub cluster: Cluster,
    _folder: TempDir,
}

impl Stage {
    /// Starts all of it.
    pub fn start(programs: Programs) -> Result<Self> {
        let root = programs::root().canonicalize()?;
        let builder = Cluster::builder()
            .brokers(3)
            .jmx_exporter(exporter()?, root.join("infra/monitoring/kafka/jmx-exporter.yaml"));
        let builder = SESSION.iter().fold(builder, |builder, (key, value)| builder.property(key, value));
        let cluster = builder.start()?;
        cluster.create_topic(TOPIC, 6, 3, &[("min.insync.replicas", "2")])?;
        let some: Vec<_> = (0..300).map(|_| NewRecord::value("before")).collect();
        records::produce(&cluster.internal_config(), TOPIC, &some)?;

        let servers = cluster.bootstrap_servers();
        let consume = |group: &str| consumer(&programs, &servers, group);
        // Before the others: it has to stand still for a minute.
        let (reader, writer) = pipes::full()?;
        let stalled = Watch::start(consume("stalled").stdout(writer))?;
        let working = Watch::ready(consume("orders"))?;

        let producer = Program::new(&programs.producer).args(["--bootstrap-servers", &servers, "--topic", TOPIC]);
        let forever = ["--messages", "1000000", "--rate", "50", "--listen", "127.0.0.1:0", "--log-format", "json"];
        let producer = Watch::start(producer.args(forever))?;

        let (slack, gateway) = (Slack::start()?, Pushgateway::start()?);
        let folder = TempDir::with_prefix("monitoring-")?;
        let webhook = folder.path().join("slack");
        fs::write(&webhook, slack.url())?;
        let alertmanager = Alertmanager::start(&shorter::routes(&root, &webhook)?)?;
        for source in rules::SOURCES {
            fs::write(folder.path().join(format!("{source}.rules")), shorter::rules(&root, source)?)?;
        }
        let running = [
            ("kafka-consumer", "working", &working),
            ("kafka-consumer", "stalled", &stalled),
            ("kafka-producer", "sending", &producer),
        ];
        let configuration = scrapes(&cluster, &running, &gateway, &alertmanager, folder.path())?;
        let prometheus = Prometheus::start(&configuration, folder.path())?;
        let stdout = Some(reader);
        let stage = Self {
            programs,
            _producer: producer,
            consumer: working,
            stalled,
            stdout,
            prometheus,
            alertmanager,
            gateway,
            slack,
            cluster,
            _folder: folder,
        };
        for (job, count) in [("kafka", 3), ("kafka-consumer", 2), ("kafka-producer", 1), ("pushgateway", 1)] {
            stage.prometheus.wait_for(&format!("up{{job=\"{job}\"}} == 1"), START, |up| up.len() == count)?;
        }
        // The rules are read, and the way to Alertmanager is open: otherwise silence would prove nothing.
        stage.wait_for_state("Watchdog", "active", START)?;
        Ok(stage)
    }

    /// Runs a producer that pushes, with these flags.
    pub fn produce(&self, flags: &[&str]) -> Result<Outcome> {
        let program = Program::new(&self.programs.producer)
            .args(["--bootstrap-servers", &self.cluster.bootstrap_servers(), "--topic", TOPIC, "--log-format", "json"])
            .env("PRODUCER_PUSHGATEWAY", self.gateway.url())
            .env("POD_NAMESPACE", APPS);
        program.args(flags).run(Duration::from_secs(120))
    }

    /// Takes what the stalled consumer writes, from now on.
    pub fn unstall(&mut self) -> Result<()> {
        let mut reader = self.stdout.take().context("its stdout is taken already")?;
        std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while reader.read(&mut bytes).is_ok_and(|count| count > 0) {}
        });
        Ok(())
    }

    /// Waits until Alertmanager has this alert in this state: `active`, or `suppressed`.
    pub fn wait_for_state(&self, alert: &str, state: &str, timeout: Duration) -> Result<Value> {
        let deadline = Instant::now() + timeout;
        loop {
            let alerts = self.alertmanager.alerts()?;
            let is = |found: &&Value| found["labels"]["alertname"] == alert && found["status"]["state"] == state;
            if let Some(found) = alerts.iter().find(is) {
                return Ok(found.clone());
            }
            if Instant::now() >= deadline {
                bail!("{alert} is not {state} after {timeout:?}: {alerts:?}\n{}", self.alertmanager.log());
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Waits until Prometheus knows no such alert any more, neither firing nor pending.
    pub fn wait_for_end(&self, alert: &str, timeout: Duration) -> Result<()> {
        self.prometheus.wait_for(&format!("ALERTS{{alertname=\"{alert}\"}}"), timeout, <[Value]>::is_empty).map(drop)
    }
}

fn consumer(programs: &Programs, servers: &str, group: &str) -> Program {
    Program::new(&programs.consumer)
        .args(["--bootstrap-servers", servers, "--topic", TOPIC, "--group", group, "--from", "earliest"])
        .args([
            "--listen",
            "127.0.0.1:0",
            "--format",
            "json",
            "--log-format",
            "json",
            "-X",
            "statistics.interval.ms=1000",
        ])
}

/// The jar, fetched once, and the one that is expected.
fn exporter() -> Result<PathBuf> {
    let folder = programs::target()?.join("jmx-exporter");
    once(&folder, EXPORTER, |folder| {
        let goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";
        let to = [format!("-Dartifact={EXPORTER}"), format!("-DoutputDirectory={}", folder.display())];
        output(std::process::Command::new("mvn").args(["-B", "-q", goal]).args(to)).map(drop)
    })?;
    let jar = folder.join(EXPORTER_JAR);
    let sum: String = Sha256::digest(fs::read(&jar)?).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(sum == EXPORTER_SHA256, "{} is not the jar that is known: {sum}", jar.display());
    Ok(jar)
}

fn scrapes(
    cluster: &Cluster,
    running: &[(&str, &str, &Watch)],
    gateway: &Pushgateway,
    alertmanager: &Alertmanager,
    rules: &Path,
) -> Result<String> {
    let target = |address: &str, namespace: &str, pod: &str| json!({"targets": [address], "labels": {"namespace": namespace, "pod": pod}});
    let mut brokers = Vec::new();
    for id in 1..=3 {
        let address = cluster.exporter(id).context("the broker has no exporter")?;
        brokers.push(target(&address, "kafka", &format!("kafka-{id}")));
    }
    let of_job = |job: &str| -> Vec<_> {
        let own = running.iter().filter(|(of, _, _)| *of == job);
        own.map(|(_, pod, watch)| target(watch.admin(), APPS, pod)).collect()
    };
    let configuration = json!({
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.address()]}]}]},
        "rule_files": [rules.join("*.rules")],
        "scrape_configs": [
            // A busy broker takes a second to read its MBeans.
            {"job_name": "kafka", "scrape_interval": "5s", "scrape_timeout": "5s", "static_configs": brokers},
            {"job_name": "kafka-consumer", "static_configs": of_job("kafka-consumer")},
            {"job_name": "kafka-producer", "static_configs": of_job("kafka-producer")},
            {"job_name": "pushgateway", "honor_labels": true, "static_configs": [target(gateway.address(), "monitoring", "pushgateway")]},
        ],
    });
    Ok(serde_json::to_string_pretty(&configuration)?)
}
