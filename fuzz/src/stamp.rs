//! The stamp: what is read is what would be written.

use common::stamp::{Stamp, Writer};

/// Digits of the checksum, which is of a message that is not here.
const CHECKSUM: usize = 8;

/// Reads a header's value, and writes again what was read.
pub fn check(value: &[u8]) {
    let Some(stamp) = Stamp::parse(value) else { return };
    let mut writer = Writer::new(stamp.run_id, stamp.attempt);
    let again = writer.write(stamp.seq, stamp.sent_us, None, None);
    assert_eq!(again[..again.len() - CHECKSUM], value[..value.len() - CHECKSUM]);
    assert_eq!(format!("{:08x}", stamp.checksum).as_bytes(), &value[value.len() - CHECKSUM..]);
    // A stamp of a message is the one that this message matches, and is read back whole.
    let (key, body) = value.split_at(value.len() / 2);
    let written = writer.write(stamp.seq, stamp.sent_us, Some(key), Some(body)).to_vec();
    let read = Stamp::parse(&written).expect("what was written is read");
    assert_eq!(
        (read.run_id, read.seq, read.sent_us, read.attempt),
        (stamp.run_id, stamp.seq, stamp.sent_us, stamp.attempt)
    );
    assert!(read.matches(Some(key), Some(body)));
}
