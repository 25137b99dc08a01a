//! Puts records into a topic and reads them all out again, by a client as plain as can be.

mod transaction;
mod trickle;

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

pub use transaction::{Outcome, transaction};
pub use trickle::Trickle;

/// How long to produce or to read may take, all together.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A header's name and value, which may be absent.
pub type HeaderPair = (String, Option<Vec<u8>>);

/// A record to produce. What is absent is left to the client: the partition to its partitioner, the time to its clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRecord {
    /// Where it goes.
    pub partition: Option<i32>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; absent is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<HeaderPair>,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
}

impl NewRecord {
    /// A record with a value and nothing else.
    pub fn value(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// With a key.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// To this partition.
    pub fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.map(<[u8]>::to_vec)));
        self
    }

    /// With a time, in milliseconds since 1970.
    pub fn timestamp(mut self, milliseconds: i64) -> Self {
        self.timestamp = Some(milliseconds);
        self
    }
}

/// A record as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it was read.
    pub topic: String,
    /// Where it was read.
    pub partition: i32,
    /// Where it was read.
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its value; absent is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers, in order.
    pub headers: Vec<HeaderPair>,
}

impl Record {
    /// The value as text; a tombstone is empty, what is not text is shown with marks.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }

    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key == name)?;
        value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// A client configuration for a broker without security; set more on it for one with.
#[allow(clippy::disallowed_methods, reason = "the testbed knows nothing of the programs' configuration")]
pub fn client_config(bootstrap_servers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap_servers);
    config
}

/// Produces the records in order and returns when all are acknowledged.
pub fn produce(config: &ClientConfig, topic: &str, records: &[NewRecord]) -> Result<()> {
    let producer: BaseProducer<FirstFailure> = config.create_with_context(FirstFailure::default())?;
    let deadline = Instant::now() + TIMEOUT;
    for record in records {
        let mut next = base_record(topic, record);
        loop {
            match producer.send(next) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < deadline =>
                {
                    next = back;
                    producer.poll(Duration::from_millis(100));
                }
                Err((error, _)) => {
                    return Err(error).with_context(|| format!("can't produce to {topic}"));
                }
            }
        }
    }
    let flushed = producer.flush(deadline.saturating_duration_since(Instant::now()));
    if let Some(error) = producer.context().0.lock().unwrap().take() {
        return Err(error).with_context(|| format!("a record was not delivered to {topic}"));
    }
    flushed.with_context(|| format!("not all records were acknowledged by {topic}"))
}

/// [`produce`] for values alone.
pub fn produce_values(config: &ClientConfig, topic: &str, values: &[&str]) -> Result<()> {
    produce(config, topic, &values.iter().map(|value| NewRecord::value(*value)).collect::<Vec<_>>())
}

/// Reads all that a topic holds at this moment, ordered by partition and offset. Aborted transactions are left out, unless
/// the configuration sets `isolation.level=read_uncommitted`.
pub fn read_all(config: &ClientConfig, topic: &str) -> Result<Vec<Record>> {
    let mut config = config.clone();
    // The client wants a group's name even to read given partitions; nothing is stored for it.
    config.set("group.id", "testbed-reader").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create()?;
    let mut missing = end_offsets(&consumer, topic)?;
    let mut assignment = TopicPartitionList::new();
    for partition in missing.keys() {
        assignment.add_partition_offset(topic, *partition, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;

    let deadline = Instant::now() + TIMEOUT;
    let mut records = Vec::new();
    while !missing.is_empty() {
        ensure!(Instant::now() < deadline, "{topic} was not read to its end, missing are partitions {missing:?}");
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Ok(message)) => {
                let Some(end) = missing.get(&message.partition()) else {
                    continue;
                };
                if message.offset() + 1 >= *end {
                    missing.remove(&message.partition());
                }
                records.push(record(&message));
            }
            // Reached by more than the last record: what ends a partition may be a transaction's marker.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                missing.remove(&partition);
            }
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(error).with_context(|| format!("can't read {topic}")),
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}

/// How many records a topic holds, going by its offsets: transaction markers count, deleted records don't.
pub fn count(config: &ClientConfig, topic: &str) -> Result<i64> {
    let consumer: BaseConsumer = config.create()?;
    let ends = end_offsets(&consumer, topic)?;
    ends.keys().try_fold(0, |sum, partition| {
        let (low, high) = consumer.fetch_watermarks(topic, *partition, TIMEOUT)?;
        Ok(sum + high - low)
    })
}

/// The end of each partition that holds anything.
fn end_offsets(consumer: &BaseConsumer, topic: &str) -> Result<HashMap<i32, i64>> {
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).context("no broker tells about its topics")?;
    let found = metadata.topics().first().ok_or_else(|| anyhow!("no metadata of {topic}"))?;
    if let Some(error) = found.error() {
        bail!("{topic}: {}", RDKafkaErrorCode::from(error));
    }
    let mut ends = HashMap::new();
    for partition in found.partitions() {
        let (low, high) = consumer.fetch_watermarks(topic, partition.id(), TIMEOUT)?;
        if high > low {
            ends.insert(partition.id(), high);
        }
    }
    Ok(ends)
}

/// What a client recovers from by itself.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut))
}

fn base_record<'a>(topic: &'a str, record: &'a NewRecord) -> BaseRecord<'a, [u8], [u8]> {
    let mut next = BaseRecord::to(topic);
    next.partition = record.partition;
    next.key = record.key.as_deref();
    next.payload = record.value.as_deref();
    next.timestamp = record.timestamp;
    if !record.headers.is_empty() {
        let headers = record
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: value.as_deref() }));
        next.headers = Some(headers);
    }
    next
}

fn record(message: &impl Message) -> Record {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    Record {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect(),
    }
}

/// Keeps the first delivery that failed.
#[derive(Default)]
struct FirstFailure(Mutex<Option<KafkaError>>);

impl ClientContext for FirstFailure {}

impl ProducerContext for FirstFailure {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().unwrap().get_or_insert_with(|| error.clone());
        }
    }
}
