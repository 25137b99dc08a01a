//! What scenarios have in common: clusters that several of them use, topics of their own, programs and their reports.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testbed::apache::{Cluster, Resource, Sasl};
use testbed::process::{Outcome, Process, Program};
use testbed::records;

use crate::consumer::{Consumer, Shared, lock, wait_until};
use crate::programs::Programs;

/// How long a producer's run may take that nothing disturbs for long.
pub const RUN: Duration = Duration::from_secs(120);
/// How long its last records may take to come out of a consumer.
pub const ARRIVAL: Duration = Duration::from_secs(60);
/// With all messages there: long enough to see a repeated one.
const QUIET: Duration = Duration::from_millis(500);
/// A dead broker is given up, and a restarted one taken back, after this; by default after 9 s.
const SESSION: [(&str, &str); 2] = [("broker.session.timeout.ms", "3000"), ("broker.heartbeat.interval.ms", "500")];

/// Ten minutes, if nothing else is said.
const SOAK: Duration = Duration::from_secs(600);

/// Compaction within a second or so, not within a quarter of a minute.
const CLEANER: (&str, &str) = ("log.cleaner.backoff.ms", "500");

/// May do all that the programs do.
pub const USER: &str = "alice";
/// May not write, and not read in a group.
pub const STRANGER: &str = "bob";
/// As [`USER`], by token.
pub const SERVICE: &str = "service";
/// Of [`USER`] and [`STRANGER`].
pub const PASSWORD: &str = "correct horse";
const LOGIN_TOPIC: &str = "guarded";

/// Clusters that are started when first asked for, and the programs.
pub struct Bench {
    programs: Programs,
    one: Option<Cluster>,
    three: Option<Cluster>,
    login: Option<Cluster>,
    /// How long both programs run at full speed, where that is shown.
    pub soak: Duration,
}

/// A topic on a cluster.
#[derive(Clone)]
pub struct Place {
    /// The cluster's addresses.
    pub servers: String,
    /// The topic.
    pub topic: String,
    /// The run id and the group's name, which no two scenarios share.
    pub run: String,
}

impl Place {
    /// This topic, for a run of this name.
    pub fn new(cluster: &Cluster, topic: &str, run: &str) -> Self {
        Self { servers: cluster.bootstrap_servers(), topic: topic.to_owned(), run: run.to_owned() }
    }
}

impl Bench {
    /// No cluster runs yet.
    pub fn new(programs: Programs) -> Self {
        Self { programs, one: None, three: None, login: None, soak: SOAK }
    }

    /// Ends all clusters; the next scenario starts its own anew.
    pub fn forget_clusters(&mut self) {
        (self.one, self.three, self.login) = (None, None, None);
    }

    /// One broker without security.
    pub fn one(&mut self) -> Result<&mut Cluster> {
        if self.one.is_none() {
            let builder = SESSION.iter().fold(Cluster::builder(), |builder, (key, value)| builder.property(key, value));
            self.one = Some(builder.property(CLEANER.0, CLEANER.1).start()?);
        }
        self.one.as_mut().context("the cluster has just been started")
    }

    /// Three brokers; topics have three replicas.
    pub fn three(&mut self) -> Result<&mut Cluster> {
        if self.three.is_none() {
            let builder = Cluster::builder().brokers(3);
            let builder = SESSION.iter().fold(builder, |builder, (key, value)| builder.property(key, value));
            self.three = Some(builder.start()?);
        }
        self.three.as_mut().context("the cluster has just been started")
    }

    /// One broker with logins and rights: [`USER`] (by password) and [`SERVICE`] (by token) may write and read the topic
    /// [`LOGIN_TOPIC`] in any group, [`STRANGER`] may only see that it exists and read it, in no group.
    pub fn login(&mut self) -> Result<&mut Cluster> {
        if self.login.is_none() {
            // Not needed any more, and a machine of two cores has enough to do.
            (self.one, self.three) = (None, None);
            let builder = Cluster::builder().sasl(&[Sasl::Plain, Sasl::ScramSha512, Sasl::OAuthBearer]).acls();
            let builder = SESSION.iter().fold(builder, |builder, (key, value)| builder.property(key, value));
            let cluster = builder.user(USER, PASSWORD).user(STRANGER, PASSWORD).start()?;
            cluster.create_topic(LOGIN_TOPIC, 6, 1, &[])?;
            for name in [USER, SERVICE] {
                cluster.allow(name, &["Write", "Read", "Describe"], Resource::Topic(LOGIN_TOPIC))?;
                cluster.allow(name, &["Read"], Resource::Group("*"))?;
            }
            cluster.allow(STRANGER, &["Read", "Describe"], Resource::Topic(LOGIN_TOPIC))?;
            self.login = Some(cluster);
        }
        self.login.as_mut().context("the cluster has just been started")
    }

    /// The topic of [`Bench::login`], for a run of this name.
    pub fn login_place(&mut self, run: &str) -> Result<Place> {
        Ok(Place::new(self.login()?, LOGIN_TOPIC, run))
    }

    /// A new topic of 6 partitions on the one broker.
    pub fn topic(&mut self, name: &str) -> Result<Place> {
        let cluster = self.one()?;
        cluster.create_topic(name, 6, 1, &[])?;
        Ok(Place::new(cluster, name, name))
    }

    /// A topic that does not exist on the one broker.
    pub fn no_topic(&mut self, name: &str) -> Result<Place> {
        Ok(Place::new(self.one()?, name, name))
    }

    /// A producer into this topic, with the run's name.
    pub fn producer(&self, place: &Place) -> Program {
        Program::new(&self.programs.producer)
            .args(["--bootstrap-servers", &place.servers, "--topic", &place.topic, "--run-id", &place.run])
            .args(["--report", "json", "--log-format", "json"])
    }

    /// Where the producer is, for one without a cluster.
    pub fn producer_path(&self) -> &Path {
        &self.programs.producer
    }

    /// Where the consumer is, for one outside of any group.
    pub fn consumer_path(&self) -> &Path {
        &self.programs.consumer
    }

    /// A consumer of this topic, in the run's group.
    pub fn consumer(&self, place: &Place) -> Program {
        self.consumer_of(&self.programs.consumer, place)
    }

    /// The same by another build of the program.
    pub fn consumer_of(&self, path: &Path, place: &Place) -> Program {
        Consumer::program(path, &place.servers, &place.topic).args(["--group", &place.run])
    }
}

/// A producer's report.
#[derive(Clone, Debug)]
pub struct Report {
    /// As reported.
    pub requested: u64,
    /// As reported.
    pub delivered: u64,
    /// As reported.
    pub failed: u64,
    /// As reported.
    pub unsent: u64,
    /// As reported, or empty.
    pub message: String,
}

impl Report {
    /// Of a producer that ended with this code. It must add up.
    pub fn of(outcome: Outcome, code: i32) -> Result<Self> {
        let outcome = outcome.expect_code(code)?;
        let json = outcome.json()?;
        let number = |name: &str| json.get(name).and_then(Value::as_u64).with_context(|| format!("no {name}: {json}"));
        let message = json.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let report = Self {
            requested: number("requested")?,
            delivered: number("delivered")?,
            failed: number("failed")?,
            unsent: number("unsent")?,
            message,
        };
        let sum = report.delivered + report.failed + report.unsent;
        ensure!(report.requested == sum, "the report does not add up: {json}");
        ensure!(
            json.get("exit_code") == Some(&code.into()),
            "the report has another exit code than the process: {json}"
        );
        Ok(report)
    }

    /// Of a producer that delivered everything.
    pub fn of_all(outcome: Outcome, messages: u64) -> Result<Self> {
        let report = Self::of(outcome, 0)?;
        ensure!((report.requested, report.delivered) == (messages, messages), "not {messages}: {report:?}");
        Ok(report)
    }
}

/// Waits until `messages` different ones have come and no more follow, and checks that each came exactly once.
pub fn expect_exactly_once(received: &Shared, messages: u64) -> Result<()> {
    let repeated = expect_all(received, messages)?;
    ensure!(repeated == 0, "{repeated} records were logged again");
    Ok(())
}

/// Waits until all of them have come and no more follow, and returns how many came again.
pub fn expect_all(received: &Shared, messages: u64) -> Result<u64> {
    wait_until(received, ARRIVAL, |received| received.distinct() >= messages && received.last().elapsed() >= QUIET)?;
    let received = lock(received);
    let missing = received.missing(messages);
    ensure!(missing == 0 && received.distinct() == messages, "{missing} of {messages} messages are missing");
    ensure!(received.broken().is_none(), "{}", received.broken().unwrap_or_default());
    Ok(received.duplicated())
}

/// Waits until so many different messages have come.
pub fn wait_for_messages(received: &Shared, messages: u64) -> Result<()> {
    wait_until(received, ARRIVAL, |received| received.distinct() >= messages)
}

/// A producer that is expected to go on while something happens.
pub fn finish(producer: Process, messages: u64) -> Result<Report> {
    Report::of_all(producer.wait(RUN)?, messages)
}

/// Records in a topic, by its offsets.
pub fn on_broker(cluster: &Cluster, topic: &str) -> Result<u64> {
    Ok(records::count(&cluster.internal_config(), topic)?.try_into()?)
}
