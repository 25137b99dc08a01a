//! librdkafka's mock cluster: brokers inside this process, on real ports, which start at once and fail on request.
//!
//! What it lacks: SASL and TLS, the admin API, look-ups by time (they answer the end), and memory: it keeps about 5 MB a
//! partition and forgets the oldest records beyond.

mod requests;

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mock_group_initial_rebalance_delay_ms,
    rd_kafka_mock_push_request_errors_array,
};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, DefaultProducerContext, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::spawn::no_spawning;

/// A mock cluster; its brokers are numbered from 1. It stays on the thread that made it, and its brokers end when it drops.
pub struct Mock {
    /// The client that the cluster belongs to.
    client: BaseProducer,
}

/// All brokers, where librdkafka takes the number of one.
const ALL_BROKERS: i32 = -1;

impl Mock {
    /// Starts this many brokers.
    #[allow(clippy::disallowed_methods, reason = "the testbed knows nothing of the programs' configuration")]
    pub fn start(brokers: i32) -> Result<Self> {
        let mut config = ClientConfig::new();
        config.set("test.mock.num.brokers", brokers.to_string());
        let client: BaseProducer = config.create().context("the mock cluster does not start")?;
        Ok(Self { client })
    }

    /// Starts one broker that already has a topic.
    pub fn with_topic(topic: &str, partitions: i32) -> Result<Self> {
        let mock = Self::start(1)?;
        mock.create_topic(topic, partitions, 1)?;
        Ok(mock)
    }

    /// The brokers' addresses, as clients take them.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster().bootstrap_servers()
    }

    /// Creates a topic.
    pub fn create_topic(&self, topic: &str, partitions: i32, replication: i32) -> Result<()> {
        self.cluster()
            .create_topic(topic, partitions, replication)
            .with_context(|| format!("can't create topic {topic}"))
    }

    /// Disconnects everybody from one broker, and refuses new connections. Its partitions do not move.
    pub fn broker_down(&self, broker: i32) -> Result<()> {
        // librdkafka closes the port, takes it again at once, and ends this process when it is not free.
        let _spawning = no_spawning();
        Ok(self.cluster().broker_down(broker)?)
    }

    /// Lets one broker accept connections again.
    pub fn broker_up(&self, broker: i32) -> Result<()> {
        Ok(self.cluster().broker_up(broker)?)
    }

    /// Refuses the next so many commits of any group.
    pub fn refuse_commits(&self, times: usize) {
        let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_COMMIT_OFFSET_SIZE;
        self.fail_requests(RDKafkaApiKey::OffsetCommit, &vec![refusal; times]);
    }

    /// [`Mock::broker_down`] for all brokers.
    pub fn all_down(&self) -> Result<()> {
        self.broker_down(ALL_BROKERS)
    }

    /// [`Mock::broker_up`] for all brokers.
    pub fn all_up(&self) -> Result<()> {
        self.broker_up(ALL_BROKERS)
    }

    /// Delays each answer of one broker.
    pub fn round_trip_time(&self, broker: i32, delay: Duration) -> Result<()> {
        Ok(self.cluster().broker_round_trip_time(broker, delay)?)
    }

    /// Delays each answer of all brokers.
    pub fn round_trip_time_of_all(&self, delay: Duration) -> Result<()> {
        self.round_trip_time(ALL_BROKERS, delay)
    }

    /// Moves a partition to another broker, or leaves it without a leader.
    pub fn move_leader(&self, topic: &str, partition: i32, broker: Option<i32>) -> Result<()> {
        Ok(self.cluster().partition_leader(topic, partition, broker)?)
    }

    /// Lets the next requests of a kind fail with these errors, one each, in this order.
    pub fn fail_requests(&self, kind: RDKafkaApiKey, errors: &[RDKafkaRespErr]) {
        self.cluster().request_errors(kind, errors);
    }

    /// Lets the next batches of messages fail with these numbers, which librdkafka need not know, as a newer broker may answer.
    #[allow(unsafe_code, reason = "rdkafka takes only numbers that librdkafka knows")]
    pub fn fail_batches_with_numbers(&self, errors: &[i32]) {
        let kind = RDKafkaApiKey::Produce as i16;
        // SAFETY: the client is alive, and so is the cluster that it was made with; the numbers are copied.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.client.client().native_ptr());
            rd_kafka_mock_push_request_errors_array(cluster, kind, errors.len(), errors.as_ptr().cast());
        }
    }

    /// Forgets what is left of [`Mock::fail_requests`].
    pub fn clear_failures(&self, kind: RDKafkaApiKey) {
        self.cluster().clear_request_errors(kind);
    }

    /// The error that metadata reports for a topic from now on.
    pub fn topic_error(&self, topic: &str, error: RDKafkaRespErr) -> Result<()> {
        Ok(self.cluster().topic_error(topic, error)?)
    }

    /// How long a classic group waits for more members before its first assignment: 3 s, as on real brokers, if not set.
    #[allow(unsafe_code, reason = "rdkafka does not hand this setting of the mock cluster out")]
    pub fn group_start_delay(&self, delay: Duration) -> Result<()> {
        let delay = delay.as_millis().try_into()?;
        // SAFETY: the client is alive, and so is the cluster that it was made with.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(self.client.client().native_ptr());
            rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, delay);
        }
        Ok(())
    }

    /// Everything else that the mock cluster can do: racks, coordinators, API versions, followers.
    pub fn cluster(&self) -> MockCluster<'_, DefaultProducerContext> {
        self.client.client().mock_cluster().expect("the client was made with a mock cluster")
    }
}
