//! The mock cluster, and records through it.

use anyhow::Result;
use testbed::mock::Mock;
use testbed::records::{NewRecord, client_config, count, produce, read_all};

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
