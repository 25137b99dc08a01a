//! Records in a transaction, committed or aborted: its marker is the last thing in each partition then.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};

use super::{FirstFailure, NewRecord, TIMEOUT, base_record};

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its records count.
    Committed,
    /// Its records are skipped by `read_committed`.
    Aborted,
    /// It stays open until the broker aborts it: nobody who reads committed records gets past it.
    Open,
}

/// Produces the records in one transaction, which ends like this.
pub fn transaction(
    config: &ClientConfig,
    id: &str,
    topic: &str,
    records: &[NewRecord],
    outcome: Outcome,
) -> Result<()> {
    let mut config = config.clone();
    config.set("transactional.id", id);
    let producer: BaseProducer<FirstFailure> = config.create_with_context(FirstFailure::default())?;
    producer.init_transactions(TIMEOUT).context("the transactional id is not ready")?;
    producer.begin_transaction()?;
    for record in records {
        producer.send(base_record(topic, record)).map_err(|(error, _)| error)?;
        producer.poll(Duration::ZERO);
    }
    producer.flush(TIMEOUT)?;
    match outcome {
        Outcome::Committed => producer.commit_transaction(TIMEOUT).context("the transaction was not committed"),
        Outcome::Aborted => producer.abort_transaction(TIMEOUT).context("the transaction was not aborted"),
        Outcome::Open => Ok(()),
    }
}
