//! The stamp: the header that ties a message to its run, written by the producer and read by whoever measures.
//!
//! ```text
//! stamp: 1;<run id>;<seq>;<sent-us>;<attempt>;<checksum>
//! stamp: 1;orders-7;17;1795432527123456;0badcafe;ed180e02
//! ```
//!
//! One header, because each costs an allocation in librdkafka on both sides. `1` is the version: any other layout gets
//! another number. Numbers are decimal without leading zeros, `attempt` and `checksum` eight lowercase hexadecimal digits.
//!
//! The checksum is the CRC-32C of these bytes, one after the other: the length of the key (four bytes, the highest first),
//! the key, the value. What is absent is not empty: in the length, the highest bit says that there is no key, the next one
//! that there is no value. (The usual length for nothing, `ffffffff`, would cancel what a CRC-32C starts with: a value's
//! leading zeros would then not count.)

/// Name of the header.
pub const HEADER: &str = "stamp";
/// Bytes of the longest run id: it is in every message, and in a report that has to fit into a termination log.
pub const RUN_ID_BYTES: usize = 200;

/// In front of every stamp of this version.
const VERSION: &[u8] = b"1;";
/// In the length of the key: there is none. Longer than any message may be, as is the next.
const NO_KEY: u32 = 1 << 31;
/// In the length of the key: there is no value.
const NO_VALUE: u32 = 1 << 30;

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp<'a> {
    /// The run that sent the message.
    pub run_id: &'a str,
    /// The message's number in its run, from 0.
    pub seq: u64,
    /// When it was sent, in microseconds since 1970.
    pub sent_us: i64,
    /// Differs from process to process: the retry of a Job has the run id of the first try, and another attempt.
    pub attempt: u32,
    /// Of key and value, see [`checksum`].
    pub checksum: u32,
}

impl<'a> Stamp<'a> {
    /// Reads a header's value. `None` for whatever [`Writer`] cannot have written: another version, further fields, a sign.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let rest = value.strip_prefix(VERSION)?;
        let (run_id, rest) = rest.split_at_checked(memchr::memchr(b';', rest)?)?;
        let (seq, rest) = number(rest)?;
        let (sent_us, rest) = number(rest)?;
        let (attempt, rest) = rest.strip_prefix(b";")?.split_first_chunk()?;
        let checksum = rest.strip_prefix(b";")?.try_into().ok()?;
        let run_id = std::str::from_utf8(run_id).ok().filter(|run_id| is_run_id(run_id))?;
        let (attempt, checksum) = (hex(attempt)?, hex(checksum)?);
        Some(Self { run_id, seq, sent_us: i64::try_from(sent_us).ok()?, attempt, checksum })
    }

    /// Whether key and value are those that were stamped.
    pub fn matches(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> bool {
        self.checksum == checksum(key, value)
    }
}

/// Writes the stamps of one process into a buffer that is used again.
#[derive(Clone, Debug)]
pub struct Writer {
    /// Begins with version and run id, which stay.
    buffer: Vec<u8>,
    prefix: usize,
    /// With the semicolons around it.
    attempt: [u8; 10],
}

impl Writer {
    /// Stamps for a run, whose id [`is_run_id`], and a process.
    pub fn new(run_id: &str, attempt: u32) -> Self {
        let buffer = [VERSION, run_id.as_bytes(), b";"].concat();
        let mut between = [b';'; 10];
        between[1..9].copy_from_slice(&digits(attempt));
        Self { prefix: buffer.len(), buffer, attempt: between }
    }

    /// The attempt, as it stands in each stamp.
    pub fn attempt(&self) -> &str {
        std::str::from_utf8(&self.attempt[1..9]).unwrap_or_default()
    }

    /// The stamp of one message. A time before 1970 becomes 1970.
    pub fn write(&mut self, seq: u64, sent_us: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> &[u8] {
        let mut number = itoa::Buffer::new();
        self.buffer.truncate(self.prefix);
        self.buffer.extend_from_slice(number.format(seq).as_bytes());
        self.buffer.push(b';');
        self.buffer.extend_from_slice(number.format(sent_us.max(0)).as_bytes());
        self.buffer.extend_from_slice(&self.attempt);
        self.buffer.extend_from_slice(&digits(checksum(key, value)));
        &self.buffer
    }
}

/// The CRC-32C over a message's key and value, as this file's head defines it.
pub fn checksum(key: Option<&[u8]>, value: Option<&[u8]>) -> u32 {
    let size = key.map_or(NO_KEY, |key| key.len() as u32) | if value.is_none() { NO_VALUE } else { 0 };
    let key = key.unwrap_or_default();
    // Most keys are short, and a call costs as much as a hundred bytes: length and key go into one.
    let (mut both, end) = ([0; 64], 4 + key.len());
    let sum = match both.get_mut(4..end) {
        Some(place) => {
            place.copy_from_slice(key);
            both[..4].copy_from_slice(&size.to_be_bytes());
            crc32c::crc32c(&both[..end])
        }
        None => crc32c::crc32c_append(crc32c::crc32c(&size.to_be_bytes()), key),
    };
    crc32c::crc32c_append(sum, value.unwrap_or_default())
}

/// Whether a run may have this name: 1 to [`RUN_ID_BYTES`] bytes, no semicolons, no control characters.
pub fn is_run_id(text: &str) -> bool {
    // Most are ASCII. All bytes are looked at without stopping early, which the compiler turns into vector instructions.
    let special = |byte: u8| u8::from(byte.wrapping_sub(b' ') >= 0x5f) | u8::from(byte == b';');
    (1..=RUN_ID_BYTES).contains(&text.len())
        && (text.bytes().fold(0, |found, byte| found | special(byte)) == 0
            || !text.chars().any(|character| character.is_control() || character == ';'))
}

/// The decimal number behind a semicolon, and what comes after it.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let bytes = bytes.strip_prefix(b";")?;
    let (mut number, mut size) = (0_u64, 0);
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        size += 1;
    }
    let (digits, rest) = bytes.split_at_checked(size)?;
    match digits {
        [] | [b'0', _, ..] => None,
        // So many nines do not overflow.
        _ if size <= 19 => Some((number, rest)),
        _ => Some((std::str::from_utf8(digits).ok()?.parse().ok()?, rest)),
    }
}

/// The number that [`digits`] writes like this.
fn hex(digits: &[u8; 8]) -> Option<u32> {
    // A digit's value, or more than 15.
    const VALUES: [u8; 256] = {
        let (mut values, mut value) = ([0xff; 256], 0);
        while value < 16 {
            values[b"0123456789abcdef"[value] as usize] = value as u8;
            value += 1;
        }
        values
    };
    let mut all = 0;
    let number = digits.iter().fold(0, |number, digit| {
        let value = VALUES[usize::from(*digit)];
        all |= value;
        number << 4 | u32::from(value)
    });
    (all < 16).then_some(number)
}

fn digits(number: u32) -> [u8; 8] {
    std::array::from_fn(|nth| b"0123456789abcdef"[(number >> (28 - 4 * nth) & 0xf) as usize])
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    /// The same stamps in every run: a failure names its round.
    const SEED: u64 = 0x57a3;
    const ROUNDS: usize = if cfg!(debug_assertions) { 20_000 } else { 500_000 };

    fn run_id(rng: &mut Rng) -> String {
        loop {
            let size = rng.usize(1..40);
            let text: String =
                (0..size).map(|_| if rng.u8(0..4) == 0 { rng.char(..) } else { rng.alphanumeric() }).collect();
            if is_run_id(&text) {
                return text;
            }
        }
    }

    fn bytes(rng: &mut Rng) -> Option<Vec<u8>> {
        let size = rng.usize(0..300);
        rng.bool().then(|| (0..size).map(|_| rng.u8(..)).collect())
    }

    #[test]
    fn a_stamp_looks_like_this() {
        let mut writer = Writer::new("a run", 0xbad_cafe);
        let checksum = crc32c::crc32c(b"\x00\x00\x00\x0217value");
        let expected = format!("1;a run;17;1795432527123456;0badcafe;{checksum:08x}");
        assert_eq!(writer.write(17, 1_795_432_527_123_456, Some(b"17"), Some(b"value")), expected.as_bytes());
        let checksum = crc32c::crc32c(b"\xc0\x00\x00\x00");
        let expected = format!("1;a run;0;0;0badcafe;{checksum:08x}");
        assert_eq!(writer.write(0, -5, None, None), expected.as_bytes());
        assert_eq!(writer.attempt(), "0badcafe");
        // The check value that the algorithm is known by.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn what_was_written_is_read() {
        let mut rng = Rng::with_seed(SEED);
        for round in 0..ROUNDS {
            let (run_id, attempt) = (run_id(&mut rng), rng.u32(..));
            let mut writer = Writer::new(&run_id, attempt);
            for _ in 0..3 {
                let (seq, sent_us) = (rng.u64(..) >> rng.u32(0..64), rng.i64(0..) >> rng.u32(0..63));
                let (key, value) = (bytes(&mut rng), bytes(&mut rng));
                let written = writer.write(seq, sent_us, key.as_deref(), value.as_deref());
                let stamp = Stamp::parse(written).unwrap_or_else(|| panic!("round {round}: {written:?}"));
                let checksum = checksum(key.as_deref(), value.as_deref());
                assert_eq!(stamp, Stamp { run_id: &run_id, seq, sent_us, attempt, checksum }, "round {round}");
                assert!(stamp.matches(key.as_deref(), value.as_deref()), "round {round}");
            }
        }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut rng = Rng::with_seed(SEED);
        let mut read = 0;
        for round in 0..ROUNDS {
            let mut written = Writer::new(&run_id(&mut rng), rng.u32(..)).write(rng.u64(..), 1, None, None).to_vec();
            if rng.bool() {
                let from = rng.usize(..written.len());
                let to = (from + rng.usize(0..3)).min(written.len());
                let damage: Vec<u8> = (0..rng.usize(0..3)).map(|_| *rng.choice(b"0;9af\xff\n").unwrap()).collect();
                written.splice(from..to, damage);
            } else {
                written = bytes(&mut rng).unwrap_or_default();
            }
            let Some(stamp) = Stamp::parse(&written) else { continue };
            read += 1;
            let mut again = Writer::new(stamp.run_id, stamp.attempt);
            again.write(stamp.seq, stamp.sent_us, None, None);
            let same = again.buffer.len() - 8;
            assert_eq!(again.buffer[..same], written[..same], "round {round}");
        }
        assert!(read > ROUNDS / 10, "{read} stamps");
    }

    #[test]
    fn nothing_else_is_a_stamp() {
        let good = "1;a;2;3;01234567;89abcdef";
        assert!(Stamp::parse(good.as_bytes()).is_some());
        for bad in [
            "",
            "1",
            "1;",
            ";;;;;",
            "1;;;;;",
            "2;a;2;3;01234567;89abcdef",
            "01;a;2;3;01234567;89abcdef",
            "a;2;3;01234567;89abcdef",
            "1;;2;3;01234567;89abcdef",
            "1;a;b;2;3;01234567;89abcdef",
            "1;a;2;3;01234567;89abcdef;",
            "1;a;2;3;01234567;89abcdef;more",
            "1;a;02;3;01234567;89abcdef",
            "1;a;+2;3;01234567;89abcdef",
            "1;a;;3;01234567;89abcdef",
            "1;a;2;-3;01234567;89abcdef",
            "1;a;2;9223372036854775808;01234567;89abcdef",
            "1;a;18446744073709551616;3;01234567;89abcdef",
            "1;a;100000000000000000000;3;01234567;89abcdef",
            "1;a;00000000000000000001;3;01234567;89abcdef",
            "1;a;12345678;1234567:;01234567;89abcdef",
            "1;a;12345678;/1234567;01234567;89abcdef",
            "1;a;2;3;01234567;89ABCDEF",
            "1;a;2;3;1234567;89abcdef",
            "1;a\n;2;3;01234567;89abcdef",
            "1;a\u{9b};2;3;01234567;89abcdef",
            "1; a;2;3;01234567;89abcdef ",
            &format!("1;{};2;3;01234567;89abcdef", "a".repeat(RUN_ID_BYTES + 1)),
        ] {
            assert_eq!(Stamp::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Stamp::parse(b"1;\xff;2;3;01234567;89abcdef"), None);
    }

    /// The table of `docs/compatibility.md`, by which readers of other programs are checked.
    #[test]
    fn the_checksum_is_the_one_that_was_promised() {
        let page = include_str!("../../../docs/compatibility.md");
        let cell = |part: Option<&str>| match part {
            None => "none".to_owned(),
            Some("") => "empty".to_owned(),
            Some(text) => format!("`{text}`"),
        };
        for (key, value, sum) in [
            (Some("17"), Some("hello"), 0xed18_0e02),
            (None, Some("hello"), 0xc28e_a031),
            (Some("17"), None, 0xa184_d2c2),
            (Some("17"), Some(""), 0xaf80_8929),
            (None, None, 0xb161_dd1f),
        ] {
            assert_eq!(checksum(key.map(str::as_bytes), value.map(str::as_bytes)), sum, "{key:?} {value:?}");
            let row = format!("| {} | {} | `{sum:08x}` |", cell(key), cell(value));
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_one_piece_whatever_the_length_of_the_key() {
        let bytes: Vec<u8> = (0..200).collect();
        for size in 0..bytes.len() {
            let (key, value) = bytes.split_at(size);
            let whole = [&(size as u32).to_be_bytes(), key, value].concat();
            assert_eq!(checksum(Some(key), Some(value)), crc32c::crc32c(&whole), "{size}");
        }
    }

    #[test]
    fn the_checksum_tells_key_value_and_their_absence_apart() {
        let all = [
            (None, None),
            (None, Some(&b""[..])),
            (Some(&b""[..]), None),
            (Some(b""), Some(b"")),
            (Some(b"a"), Some(b"b")),
            (Some(b"ab"), Some(b"")),
            (Some(b""), Some(b"ab")),
            (None, Some(b"ab")),
            (None, Some(b"\0")),
            (None, Some(b"\0\0")),
            (None, Some(b"\0ab")),
            (None, Some(b"\xff\xff\xff\xff")),
            (Some(b"\0"), Some(b"")),
            (Some(b"\0\0"), Some(b"")),
        ];
        for (nth, (key, value)) in all.iter().enumerate() {
            for (other_key, other_value) in &all[nth + 1..] {
                assert_ne!(checksum(*key, *value), checksum(*other_key, *other_value), "{key:?} {value:?}");
            }
        }
    }

    #[test]
    fn any_name_without_semicolons_and_control_characters_is_a_run_id() {
        for good in ["a", "grüße 世界 🦀", "~!\"\\", &"x".repeat(RUN_ID_BYTES)] {
            assert!(is_run_id(good), "{good}");
        }
        for bad in ["", ";", "a;b", "ü;", "a\n", "\u{7f}", "\u{9b}", &"x".repeat(RUN_ID_BYTES + 1)] {
            assert!(!is_run_id(bad), "{bad:?}");
        }
    }
}
