//! What is done to stored records behind the clients' backs: deleted up to an offset, damaged on disk.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use rdkafka::{Offset, TopicPartitionList};

use super::admin::block_on;
use super::cluster::Cluster;
use super::properties::index;
use super::topics::options;

/// Of a record batch, up to the field that tells its last offset.
const HEAD: usize = 27;
/// The bytes before the length is counted.
const BEFORE_LENGTH: usize = 12;

impl Cluster {
    /// Deletes the records of a partition before an offset, as retention does.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<()> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before))?;
        let deleted = block_on(self.admin.client.delete_records(&offsets, &options()))?;
        for partition in deleted.elements() {
            partition.error().with_context(|| format!("{topic}[{}]: no record was deleted", partition.partition()))?;
        }
        Ok(())
    }

    /// Flips a bit of the value of the last record in the batch that holds this offset, in a broker's file. The record must
    /// have a value and no headers, and must not be compressed. The broker may run: it sends what the file holds.
    pub fn damage_batch(&self, broker: i32, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let folder = self.brokers[index(broker)].folder.join("data").join(format!("{topic}-{partition}"));
        for path in segments(&folder)? {
            let file = OpenOptions::new().read(true).write(true).open(&path)?;
            if let Some(end) = end_of_batch(&file, offset)? {
                // The last byte of all is the record's number of headers, none.
                let mut byte = [0];
                file.read_exact_at(&mut byte, end - 2)?;
                file.write_all_at(&[byte[0] ^ 1], end - 2)?;
                return Ok(());
            }
        }
        bail!("no segment of {topic}[{partition}] has offset {offset}")
    }
}

/// The files of a partition's records, oldest first.
fn segments(folder: &PathBuf) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("can't read {}", folder.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    paths.sort();
    Ok(paths)
}

/// Where in the file the batch ends that holds an offset.
fn end_of_batch(mut file: &File, offset: i64) -> Result<Option<u64>> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut start = 0;
    while let Some(head) = bytes.get(start..start + HEAD) {
        let first = i64::from_be_bytes(head[..8].try_into()?);
        let length = i32::from_be_bytes(head[8..12].try_into()?);
        let last = first + i64::from(i32::from_be_bytes(head[23..27].try_into()?));
        ensure!(length > 0, "no batch at {start}: the file is longer than what was written to it");
        let end = start + BEFORE_LENGTH + usize::try_from(length)?;
        if (first..=last).contains(&offset) {
            return Ok(Some(u64::try_from(end)?));
        }
        start = end;
    }
    Ok(None)
}
