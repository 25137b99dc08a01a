//! What the programs do in their life, each thing once and small, wherever a stage puts them: traced, or in a container. For the
//! system calls that they need.

mod ends;
mod files;
mod login;
mod names;
mod observed;
pub mod probe;
pub mod stage;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use testbed::apache::{Cluster, Sasl, Tls};
use testbed::dns::{Answer, NameServer};
use testbed::mock::Mock;
use testbed::ports::free_port;
use testbed::process::{Outcome, Signal};

use super::bench::{PASSWORD, Report, SERVICE, USER};
use crate::consumer::{Consumer, Shared, shared};
use stage::{Actor, Run, Stage};

/// One of them.
pub struct Activity {
    /// What it is called.
    pub name: &'static str,
    /// Whether it belongs to a short run, too.
    pub short: bool,
    /// Does it, and says what was seen.
    pub run: fn(&mut Scene, &dyn Stage) -> Result<String>,
}

/// All of them.
pub const ALL: [&[Activity]; 5] =
    [&login::ACTIVITIES, &names::ACTIVITIES, &observed::ACTIVITIES, &files::ACTIVITIES, &ends::ACTIVITIES];

/// How long a program may take for its part.
const RUN: Duration = Duration::from_secs(180);
/// The names that the name server knows.
const ANSWERED: &str = "kafka.test";
const OVER_TCP: &str = "long.kafka.test";
/// ... and one that it denies.
const DENIED: &str = "denied.test";

/// What the activities share: a name server, a mock cluster, files, and a real cluster with logins once it is asked for.
pub struct Scene {
    names: NameServer,
    mock: Mock,
    login: Option<Cluster>,
    folder: TempDir,
    topics: usize,
}

/// A consumer on a stage, its records counted.
struct Reading<'a> {
    consumer: Consumer,
    actor: Box<dyn Actor + 'a>,
    received: Shared,
    admin: String,
}

impl Scene {
    /// Only the name server and the mock cluster run.
    pub fn new() -> Result<Self> {
        let here = std::net::Ipv4Addr::LOCALHOST;
        let names = NameServer::start(&[(ANSWERED, Answer::Address(here)), (OVER_TCP, Answer::OverTcp(here))])?;
        let (folder, mock) = (TempDir::new()?, Mock::start(1)?);
        mock.group_start_delay(Duration::ZERO)?;
        // The programs' user is another one.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let scene = Self { names, mock, login: None, folder, topics: 0 };
        scene.file("resolv.conf", scene.names.resolv_conf())?;
        Ok(scene)
    }

    /// A file that the programs can read. Its path on this machine.
    fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> Result<PathBuf> {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        fs::write(&path, contents)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444))?;
        Ok(path)
    }

    /// Settings that all runs have: names are looked up at the name server, and the report is written to a file as well.
    fn run(&self) -> Run {
        Run::default().file(self.folder.path().join("resolv.conf"), "/etc/resolv.conf")
    }

    /// A new topic on the mock cluster, reached by a name of the name server or an address.
    fn mock_run(&mut self, host: &str) -> Result<(Run, String)> {
        self.topics += 1;
        let topic = format!("topic-{}", self.topics);
        self.mock.create_topic(&topic, 2, 1)?;
        let servers = self.mock.bootstrap_servers();
        let port = servers.rsplit(':').next().context("the mock cluster has no port")?;
        let servers = format!("{host}:{port}");
        Ok((self.run().env("KAFKA_BOOTSTRAP_SERVERS", servers).env("KAFKA_TOPIC", &topic), topic))
    }

    /// One real broker, reached by TLS only, with logins by password and by token. It has no topic.
    fn login(&mut self) -> Result<&Cluster> {
        if self.login.is_none() {
            let builder = Cluster::builder().sasl(&[Sasl::ScramSha512, Sasl::OAuthBearer]).tls(Tls::Server);
            self.login = Some(builder.user(USER, PASSWORD).user(SERVICE, PASSWORD).start()?);
        }
        self.login.as_ref().context("the cluster has just been started")
    }

    /// Settings for [`Scene::login`], by SCRAM, with files as the manifests mount them.
    fn login_run(&mut self, topic: &str) -> Result<Run> {
        let cluster = self.login()?;
        let (servers, authority) = (cluster.bootstrap_servers(), fs::read(cluster.pki()?.ca_path())?);
        self.file("clients/ca.crt", authority)?;
        self.file("clients/password", PASSWORD)?;
        let run = self.run().file(self.folder.path().join("clients"), "/etc/kafka-clients");
        let run = run.env("KAFKA_BOOTSTRAP_SERVERS", servers).env("KAFKA_TOPIC", topic);
        let run = run.env("KAFKA_SECURITY_PROTOCOL", "SASL_SSL").env("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
        let run = run.env("KAFKA_USERNAME", USER).env("KAFKA_PASSWORD_FILE", "/etc/kafka-clients/password");
        Ok(run.env("KAFKA_SSL_CA_LOCATION", "/etc/kafka-clients/ca.crt"))
    }
}

/// Runs a producer to its end.
fn produce(stage: &dyn Stage, run: Run) -> Result<Outcome> {
    let (program, _actor) = stage.producer(run)?;
    program.run(RUN)
}

/// Runs a producer, which must deliver all of them, in a run of this name.
fn deliver(stage: &dyn Stage, run: &Run, name: &str, messages: u64) -> Result<()> {
    let run = run.clone().env("PRODUCER_MESSAGES", messages.to_string()).env("PRODUCER_RUN_ID", name);
    Report::of_all(produce(stage, run)?, messages).map(drop)
}

impl<'a> Reading<'a> {
    /// Starts one that counts the records of the run with its group's name, and waits until it is ready.
    fn start(stage: &'a dyn Stage, run: &Run, group: &str) -> Result<Self> {
        let admin = format!("127.0.0.1:{}", free_port()?);
        let run = run.clone().env("KAFKA_CONSUMER_GROUP", group).env("ADMIN_LISTEN", &admin);
        let (program, actor) = stage.consumer(run)?;
        let received = shared(Some(group))?;
        let consumer = Consumer::start(program, &received)?;
        consumer.wait_until_ready()?;
        Ok(Self { consumer, actor, received, admin })
    }

    /// SIGTERM, which must end it well.
    fn stop(self) -> Result<Outcome> {
        self.consumer.stop(Signal::TERM)?.expect_code(0)
    }
}

/// One message a line, from a consumer that ends by itself.
fn read(stage: &dyn Stage, run: Run, records: u64) -> Result<Outcome> {
    let run = run.env("CONSUMER_MAX_RECORDS", records.to_string()).env("CONSUMER_FROM", "earliest");
    let (program, _actor) = stage.consumer(run.env("CONSUMER_TIMEOUT", "60s").env("ADMIN_LISTEN", "off"))?;
    let outcome = program.run(RUN)?.expect_code(0)?;
    let lines = outcome.stdout.lines().count() as u64;
    ensure!(lines >= records, "{lines} lines instead of {records}\n{outcome}");
    Ok(outcome)
}
