//! A stamp is written and read: once a message on either side.

use std::hint::black_box;

use common::stamp::{self, Stamp, Writer};

const RUN_ID: &str = "07d91714-01e6-4dd5-9718-d5abe35f4ab6";
const SENT_US: i64 = 1_795_432_527_123_456;
const ATTEMPT: u32 = 0x0bad_cafe;
const KEY: &[u8] = b"1234567";
const VALUE: &[u8] =
    b"P01kX7teaihA8i4zoXJXh2gswFB-9wMWiJTqe9f_dqE4iCn5JETh6fa2CWQoovo-Gsrvj_a0Cj97DhmDA-9n9zZEXNzVFZKfp-eU";

/// By the programs' own writer and reader.
pub fn ours(count: u64) {
    let mut writer = Writer::new(RUN_ID, ATTEMPT);
    for nth in 0..count {
        let written = writer.write(nth, SENT_US, black_box(Some(KEY)), black_box(Some(VALUE)));
        black_box(Stamp::parse(black_box(written)));
    }
}

/// By the standard library, with the same checksum.
pub fn reference(count: u64) {
    for nth in 0..count {
        let written = written_by_std(nth);
        black_box(read_by_std(black_box(&written)));
    }
}

fn written_by_std(nth: u64) -> String {
    let checksum = stamp::checksum(black_box(Some(KEY)), black_box(Some(VALUE)));
    format!("1;{RUN_ID};{nth};{SENT_US};{ATTEMPT:08x};{checksum:08x}")
}

fn read_by_std(text: &str) -> Option<Stamp<'_>> {
    let mut fields = text.split(';');
    let (_version, run_id) = (fields.next()?, fields.next()?);
    let (seq, sent_us) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    let mut hex = || u32::from_str_radix(fields.next()?, 16).ok();
    Some(Stamp { run_id, seq, sent_us, attempt: hex()?, checksum: hex()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_write_and_read_the_same() {
        let mut writer = Writer::new(RUN_ID, ATTEMPT);
        let written = writer.write(17, SENT_US, Some(KEY), Some(VALUE));
        let by_std = written_by_std(17);
        assert_eq!(std::str::from_utf8(written), Ok(by_std.as_str()));
        assert!(Stamp::parse(written).is_some());
        assert_eq!(Stamp::parse(written), read_by_std(&by_std));
    }
}
