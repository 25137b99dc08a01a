//! The mock cluster, and records through it.

use std::time::{Duration, Instant};

use anyhow::Result;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use testbed::mock::Mock;
use testbed::records::{NewRecord, Trickle, client_config, count, produce, produce_values, read_all};

#[test]
fn records_come_back_as_they_were_produced() -> Result<()> {
    let mock = Mock::start(3)?;
    mock.create_topic("test", 2, 3)?;
    let config = client_config(&mock.bootstrap_servers());
    let first =
        NewRecord::value("one").key("k").partition(0).header("a", Some(b"1")).header("a", None).timestamp(1_000);
    let tombstone = NewRecord::default().key("k").partition(1);
    produce(&config, "test", &[first.clone(), tombstone])?;

    assert_eq!(count(&config, "test")?, 2);
    let records = read_all(&config, "test")?;
    assert_eq!(records.iter().map(|record| record.partition).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((records[0].offset, records[0].timestamp, records[0].text()), (0, Some(1_000), "one".to_owned()));
    assert_eq!((&records[0].key, &records[0].headers), (&first.key, &first.headers));
    assert_eq!(records[1].value, None);
    assert!(read_all(&config, "unknown").is_err() || read_all(&config, "unknown")?.is_empty());
    Ok(())
}

#[test]
fn requests_are_seen_and_answered_late_or_with_an_error() -> Result<()> {
    let mock = Mock::with_topic("test", 1)?;
    mock.track_requests();
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    mock.answers(1, RDKafkaApiKey::Produce, 1, Some(error), Duration::from_millis(300))?;
    let began = Instant::now();
    let config = client_config(&mock.bootstrap_servers());
    assert!(produce_values(&config, "test", &["refused"]).is_err());
    assert!(began.elapsed() >= Duration::from_millis(300), "the answer came at once");
    mock.wait_for_request(RDKafkaApiKey::Produce, Duration::ZERO)?;
    assert!(mock.wait_for_request(RDKafkaApiKey::OffsetCommit, Duration::ZERO).is_err());
    Ok(())
}

#[test]
fn a_trickle_writes_until_it_is_finished() -> Result<()> {
    let mock = Mock::with_topic("test", 2)?;
    let config = client_config(&mock.bootstrap_servers());
    let trickle = Trickle::start(&config, "test", &[1], Duration::from_millis(1))?;
    trickle.wait_for(20, Duration::from_secs(30))?;
    let written = trickle.finish()?;
    let read = read_all(&config, "test")?;
    let values: Vec<_> = read.iter().map(|record| (record.partition, record.text())).collect();
    let expected: Vec<_> = (0..written).map(|number| (1, number.to_string())).collect();
    assert_eq!(values, expected);
    Ok(())
}
