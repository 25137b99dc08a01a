//! What one record is to a run: read from its stamp, whose checksum is compared.

use common::stamp::Stamp;

/// What a record is to the run that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A message of the run.
    Message {
        /// The process that sent it.
        attempt: u32,
        /// Its number.
        seq: u64,
        /// Whether key and value are those that were sent.
        is_whole: bool,
    },
    /// Its stamp names the run, and is none that can have been written.
    Unreadable,
    /// It has no stamp.
    Unstamped,
    /// A message of another run.
    Other,
}

impl Mark {
    /// Reads a record. `stamp` is its first header of that name: behind it may be those of earlier runs.
    pub fn of(run_id: &str, stamp: Option<&[u8]>, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        let Some(bytes) = stamp else { return Self::Unstamped };
        match Stamp::parse(bytes) {
            Some(stamp) if stamp.run_id == run_id => {
                Self::Message { attempt: stamp.attempt, seq: stamp.seq, is_whole: stamp.matches(key, value) }
            }
            Some(_) => Self::Other,
            None if names(bytes, run_id) => Self::Unreadable,
            // Of another version, or of a program with a header of the same name.
            None => Self::Unstamped,
        }
    }
}

/// Whether something that is no stamp has the run where a stamp would have it.
fn names(bytes: &[u8], run_id: &str) -> bool {
    bytes.split(|byte| *byte == b';').nth(1) == Some(run_id.as_bytes())
}

#[cfg(test)]
mod tests {
    use common::stamp::Writer;

    use super::*;

    #[test]
    fn a_record_is_told_by_its_first_stamp() {
        let (key, value) = (Some(&b"k"[..]), Some(&b"v"[..]));
        let stamp = Writer::new("run", 7).write(3, 1, key, value).to_vec();
        let mark = |bytes: &[u8]| Mark::of("run", Some(bytes), key, value);
        assert_eq!(mark(&stamp), Mark::Message { attempt: 7, seq: 3, is_whole: true });
        let damaged = Mark::Message { attempt: 7, seq: 3, is_whole: false };
        assert_eq!(Mark::of("run", Some(&stamp), key, Some(b"w")), damaged);
        assert_eq!(Mark::of("run", Some(&stamp), None, value), damaged);
        assert_eq!(Mark::of("run", Some(&stamp), key, None), damaged);
        assert_eq!(Mark::of("ru", Some(&stamp), key, value), Mark::Other);
        assert_eq!(Mark::of("run", None, key, value), Mark::Unstamped);
        assert_eq!(mark(&stamp[..stamp.len() - 1]), Mark::Unreadable);
        assert_eq!(mark(b"1;run;"), Mark::Unreadable);
        assert_eq!(mark(b"received 2026-11-23"), Mark::Unstamped);
        assert_eq!(mark(b"2;ru;3;1;00000007;00000000"), Mark::Unstamped);
    }
}
