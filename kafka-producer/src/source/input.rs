//! An input of lines, one message each.

use std::io::{self, BufRead, BufReader, Read};

use super::reader::{Patience, Reader, is_stop, name_of};
use super::{Filled, Input, LineFormat, LineProblem, Message, SourceError, record};

/// Large reads: a line costs a search and a copy, not a system call.
const READ_BYTES: usize = 256 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What can go wrong with a line, before the input's name and the line's number are known.
enum Fault {
    Read(io::Error),
    Line(LineProblem),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        Fault::Read(error)
    }
}

impl From<LineProblem> for Fault {
    fn from(problem: LineProblem) -> Fault {
        Fault::Line(problem)
    }
}

/// A reader that counts its reads, each of which may have had to wait.
struct Counted {
    inner: Box<dyn Read + Send>,
    reads: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        self.inner.read(buffer)
    }
}

/// The lines of an input, read once from front to back.
pub(super) struct Lines {
    reader: BufReader<Counted>,
    name: String,
    format: LineFormat,
    max_line_bytes: usize,
    /// The number of the message that the next unread line is.
    next: u64,
    /// The line before was given up in its middle, and the rest of it is still to come.
    inside_line: bool,
    /// A JSON line, before its parts are taken out of it.
    line: Vec<u8>,
}

impl Lines {
    pub fn open(
        from: &Input,
        format: LineFormat,
        max_line_bytes: usize,
        patience: Patience,
    ) -> Result<Lines, SourceError> {
        Ok(Lines::new(Box::new(Reader::open(from, patience)?), name_of(from), format, max_line_bytes))
    }

    fn new(reader: Box<dyn Read + Send>, name: String, format: LineFormat, max_line_bytes: usize) -> Lines {
        let reader = BufReader::with_capacity(READ_BYTES, Counted { inner: reader, reads: 0 });
        Lines { reader, name, format, max_line_bytes, next: 0, inside_line: false, line: Vec::new() }
    }

    /// How often the input was read. A line that took no read was there already.
    pub fn reads(&self) -> u64 {
        self.reader.get_ref().reads
    }

    /// Fills in line `sequence + 1`. Lines in front of it belong to other shares and are passed over without being checked.
    pub fn fill(&mut self, sequence: u64, message: &mut Message) -> Result<Filled, SourceError> {
        if sequence < self.next {
            return Err(SourceError::Passed { name: self.name.clone(), line: sequence + 1 });
        }
        let filled = self.read(sequence, message);
        if !matches!(filled, Ok(Filled::Message)) {
            message.clear();
        }
        let name = || self.name.clone();
        match filled {
            Ok(filled) => Ok(filled),
            Err(Fault::Line(problem)) => Err(SourceError::Line { name: name(), line: self.next, problem }),
            Err(Fault::Read(error)) if is_stop(&error) => Ok(Filled::Stopped),
            Err(Fault::Read(source)) => Err(SourceError::ReadLine { name: name(), line: self.next + 1, source }),
        }
    }

    /// Stands in front of line `sequence + 1` afterwards; `false` when the input ends before.
    fn pass_over_until(&mut self, sequence: u64) -> io::Result<bool> {
        if self.inside_line {
            self.reader.skip_until(b'\n')?;
            self.inside_line = false;
        }
        while self.next < sequence {
            if self.reader.skip_until(b'\n')? == 0 {
                return Ok(false);
            }
            self.next += 1;
        }
        Ok(true)
    }

    /// Reads line `sequence + 1` into the message.
    fn read(&mut self, sequence: u64, message: &mut Message) -> Result<Filled, Fault> {
        if !self.pass_over_until(sequence)? {
            return Ok(Filled::End);
        }
        // Text and raw lines are read to where they are needed, without a copy.
        let line = match self.format {
            LineFormat::Text | LineFormat::Raw => message.value.start(),
            LineFormat::Json => {
                self.line.clear();
                &mut self.line
            }
        };
        let most = self.max_line_bytes.saturating_add("\r\n".len()) as u64;
        if self.reader.by_ref().take(most).read_until(b'\n', line)? == 0 {
            return Ok(Filled::End);
        }
        let first = self.next == 0;
        self.next += 1;
        if line.ends_with(b"\n") {
            line.pop();
        } else {
            self.inside_line = line.len() as u64 == most;
        }
        if self.format != LineFormat::Raw && line.ends_with(b"\r") {
            line.pop();
        }
        if line.len() > self.max_line_bytes {
            return Err(LineProblem::TooLong { limit: self.max_line_bytes }.into());
        }
        if self.format == LineFormat::Raw {
            return Ok(Filled::Message);
        }
        if let Err(error) = std::str::from_utf8(line) {
            return Err(LineProblem::NotUtf8 { byte: error.valid_up_to() + 1 }.into());
        }
        // Some editors put a mark at the beginning of a file, which is no part of its text.
        if first && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        if self.format == LineFormat::Text {
            return Ok(Filled::Message);
        }
        if line.trim_ascii().is_empty() {
            // An empty line behind the last record is forgiven; anywhere else it would shift the numbers of all that follow.
            let at_end = self.reader.fill_buf()?.is_empty();
            return if at_end { Ok(Filled::End) } else { Err(LineProblem::Blank.into()) };
        }
        record::fill(&self.line, message)?;
        Ok(Filled::Message)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use fastrand::Rng;
    use serde_json::{Map, Value, json};

    use super::*;

    /// The same inputs in every run: a failure names its round.
    const SEED: u64 = 0x11e5;
    const ROUNDS: usize = if cfg!(debug_assertions) { 3_000 } else { 50_000 };

    fn text(rng: &mut Rng) -> String {
        let size = rng.usize(0..20);
        (0..size).map(|_| if rng.u8(0..3) == 0 { rng.char(..) } else { rng.alphanumeric() }).collect()
    }

    fn bytes(rng: &mut Rng) -> Vec<u8> {
        let size = rng.usize(0..20);
        (0..size).map(|_| rng.u8(..)).collect()
    }

    /// What a record is made of, in the order of the message's own parts.
    #[derive(Debug, Default, PartialEq)]
    struct Parts {
        key: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
        headers: Vec<(String, Option<Vec<u8>>)>,
        partition: Option<i32>,
        timestamp_ms: Option<i64>,
    }

    fn parts(message: &Message) -> Parts {
        let headers = message.headers().map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec)));
        Parts {
            key: message.key().map(<[u8]>::to_vec),
            value: message.value().map(<[u8]>::to_vec),
            headers: headers.collect(),
            partition: message.partition,
            timestamp_ms: message.timestamp_ms,
        }
    }

    /// A record as a line may say it, and what is to be sent.
    fn record_of(rng: &mut Rng) -> (Map<String, Value>, Parts) {
        let (mut line, mut sent) = (Map::new(), Parts::default());
        for (name, slot) in [("key", &mut sent.key), ("value", &mut sent.value)] {
            match rng.u8(0..5) {
                0 => {}
                1 => drop(line.insert(name.to_owned(), Value::Null)),
                2 => {
                    let text = text(rng);
                    *slot = Some(text.clone().into_bytes());
                    line.insert(name.to_owned(), text.into());
                }
                3 => {
                    let document = json!({ text(rng): [rng.i64(..), text(rng), null, rng.bool()] });
                    *slot = Some(document.to_string().into_bytes());
                    line.insert(name.to_owned(), document);
                }
                _ => {
                    let bytes = bytes(rng);
                    line.insert(format!("{name}_base64"), STANDARD.encode(&bytes).into());
                    *slot = Some(bytes);
                }
            }
        }
        if rng.bool() {
            let headers: Vec<(String, Option<String>)> =
                (0..rng.usize(0..4)).map(|_| (text(rng).replace('\0', ""), rng.bool().then(|| text(rng)))).collect();
            line.insert("headers".to_owned(), json!(headers));
            let headers = headers.into_iter().map(|(name, value)| (name, value.map(String::into_bytes)));
            sent.headers = headers.collect();
        }
        if rng.bool() {
            sent.partition = Some(rng.i32(0..));
            line.insert("partition".to_owned(), sent.partition.into());
        }
        if rng.bool() {
            sent.timestamp_ms = Some(rng.i64(1..) >> rng.u32(0..62)).map(|time| time.max(1));
            line.insert("timestamp".to_owned(), sent.timestamp_ms.into());
        }
        (line, sent)
    }

    fn lines(input: &[u8], format: LineFormat, max_line_bytes: usize) -> Lines {
        let reader = Box::new(io::Cursor::new(input.to_vec()));
        Lines::new(reader, "`in`".to_owned(), format, max_line_bytes)
    }

    /// Every line's value, or what its error says.
    fn all(input: &[u8], format: LineFormat) -> Vec<Result<Vec<u8>, String>> {
        let (mut lines, mut message) = (lines(input, format, 100), Message::default());
        let mut found = Vec::new();
        for sequence in 0.. {
            match lines.fill(sequence, &mut message) {
                Ok(Filled::Message) => found.push(Ok(message.value().unwrap().to_vec())),
                Ok(Filled::End | Filled::Stopped) => break,
                Err(error) => found.push(Err(error.to_string())),
            }
        }
        found
    }

    fn texts(input: &[u8], format: LineFormat) -> Vec<String> {
        all(input, format).into_iter().map(|line| String::from_utf8(line.unwrap()).unwrap()).collect()
    }

    #[test]
    fn line_ends_of_all_kinds() {
        use LineFormat::{Raw, Text};
        assert!(texts(b"", Text).is_empty());
        assert_eq!(texts(b"a\nb\n", Text), ["a", "b"]);
        assert_eq!(texts(b"a\nb", Text), ["a", "b"]);
        assert_eq!(texts(b"\n", Text), [""]);
        assert_eq!(texts(b"a\n\nb\n\n", Text), ["a", "", "b", ""]);
        assert_eq!(texts(b"a\r\nb\r\r\n\r\nc\r", Text), ["a", "b\r", "", "c"]);
        assert_eq!(texts(b"a\rb\n", Text), ["a\rb"]);
        assert_eq!(texts(b"a\r\nb", Raw), ["a\r", "b"]);
    }

    #[test]
    fn what_is_not_utf8_is_named_and_can_be_sent_raw() {
        let input = b"good\nna\xefve\nlast\n";
        let found = all(input, LineFormat::Text);
        let expected = "`in`, line 2: byte 3 is not UTF-8: convert the file, or send its bytes as they are with --input-format raw";
        assert_eq!(found[1], Err(expected.to_owned()));
        assert_eq!(found[2], Ok(b"last".to_vec()));
        assert!(
            all(b"{\"value\":\"\xff\"}", LineFormat::Json)[0]
                .as_ref()
                .unwrap_err()
                .contains("line 1: byte 11 is not UTF-8")
        );
        assert_eq!(all(input, LineFormat::Raw)[1], Ok(b"na\xefve".to_vec()));
    }

    #[test]
    fn a_byte_order_mark_is_taken_off_text() {
        assert_eq!(texts(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", LineFormat::Text), ["a", "\u{feff}b"]);
        assert_eq!(texts(b"\xef\xbb\xbf{\"value\":\"a\"}", LineFormat::Json), ["a"]);
        assert_eq!(all(b"\xef\xbb\xbfa", LineFormat::Raw), [Ok(b"\xef\xbb\xbfa".to_vec())]);
    }

    #[test]
    fn a_long_line_is_an_error_and_the_next_ones_keep_their_numbers() {
        for end in ["\n", "\r\n"] {
            let (fits, long) = ("x".repeat(100), "x".repeat(101));
            let longer = "x".repeat(1000);
            let input = [&fits, &long, &longer, "last", &long].join(end);
            let found = all(input.as_bytes(), LineFormat::Text);
            assert_eq!(found.len(), 5);
            assert_eq!(found[0], Ok(fits.clone().into_bytes()));
            assert_eq!(found[3], Ok(b"last".to_vec()));
            for bad in [1, 2, 4] {
                let text = found[bad].as_ref().unwrap_err();
                assert!(text.starts_with(&format!("`in`, line {}: longer than 100 bytes: ", bad + 1)), "{text}");
            }
        }
    }

    #[test]
    fn an_input_without_line_ends_does_not_fill_the_memory() {
        let mut lines = Lines::new(Box::new(io::repeat(b'x')), "`in`".to_owned(), LineFormat::Text, 1 << 20);
        let mut message = Message::default();
        let error = lines.fill(0, &mut message).unwrap_err();
        assert!(matches!(error, SourceError::Line { line: 1, problem: LineProblem::TooLong { .. }, .. }));
    }

    #[test]
    fn a_big_line_within_the_limit_arrives_whole() {
        let big = "0123456789".repeat(300_000);
        let input = format!("{big}\n{big}");
        let (mut lines, mut message) = (lines(input.as_bytes(), LineFormat::Text, big.len()), Message::default());
        for sequence in 0..2 {
            assert_eq!(lines.fill(sequence, &mut message).unwrap(), Filled::Message);
            assert!(message.value() == Some(big.as_bytes()));
        }
        assert_eq!(lines.fill(2, &mut message).unwrap(), Filled::End);
        assert_eq!(lines.fill(3, &mut message).unwrap(), Filled::End);
    }

    #[test]
    fn shares_have_no_gap_and_no_overlap() {
        for count in [0, 1, 2, 9, 10, 11, 100] {
            let input: String = (0..count).map(|line| format!("line {line}\n")).collect();
            for shards in [1, 2, 3, 7, 150] {
                let mut seen = vec![0; count];
                for index in 0..shards {
                    let (mut lines, mut message) = (lines(input.as_bytes(), LineFormat::Text, 100), Message::default());
                    let mut sequence = index;
                    while lines.fill(sequence, &mut message).unwrap() == Filled::Message {
                        assert_eq!(message.value(), Some(format!("line {sequence}").as_bytes()));
                        seen[sequence as usize] += 1;
                        sequence += shards;
                    }
                }
                assert!(seen.iter().all(|times| *times == 1), "{count} lines, {shards} shares: {seen:?}");
            }
        }
    }

    #[test]
    fn going_back_is_an_error() {
        let (mut lines, mut message) = (lines(b"a\nb\nc\n", LineFormat::Text, 100), Message::default());
        assert_eq!(lines.fill(1, &mut message).unwrap(), Filled::Message);
        for passed in [0, 1] {
            let error = lines.fill(passed, &mut message).unwrap_err();
            assert!(matches!(error, SourceError::Passed { line, .. } if line == passed + 1));
        }
        assert_eq!(lines.fill(2, &mut message).unwrap(), Filled::Message);
    }

    #[test]
    fn a_blank_line_among_records_is_an_error_but_not_behind_the_last() {
        let record = r#"{"value":"a"}"#;
        for end in ["", "\n", "\n\n", "\n \t", "\n\r\n"] {
            assert_eq!(texts(format!("{record}{end}").as_bytes(), LineFormat::Json), ["a"], "{end:?}");
        }
        for input in [format!("{record}\n\n{record}\n"), format!("{record}\n\n\n")] {
            let found = all(input.as_bytes(), LineFormat::Json);
            assert_eq!(
                found[1].as_ref().unwrap_err(),
                "`in`, line 2: blank, and each line has to be a JSON object: remove the line"
            );
        }
    }

    #[test]
    fn a_bad_record_is_named_by_its_line() {
        let found = all(b"{\"value\":\"a\"}\n{\"value\":}\n{\"value\":\"b\"}\n", LineFormat::Json);
        assert_eq!(found[1].as_ref().unwrap_err(), "`in`, line 2: not a JSON record, at byte 10: expected value");
        assert_eq!(found[2], Ok(b"b".to_vec()));
    }

    #[test]
    fn a_record_is_sent_as_its_line_says_it() {
        let mut rng = Rng::with_seed(SEED);
        for round in 0..ROUNDS {
            let records: Vec<_> = (0..rng.usize(1..5)).map(|_| record_of(&mut rng)).collect();
            let input: String = records.iter().map(|(line, _)| format!("{}\n", Value::from(line.clone()))).collect();
            let (mut lines, mut message) = (lines(input.as_bytes(), LineFormat::Json, 10_000), Message::default());
            for (sequence, (_, sent)) in (0..).zip(&records) {
                // As whoever fills it does.
                message.clear();
                let filled =
                    lines.fill(sequence, &mut message).unwrap_or_else(|error| panic!("round {round}: {error}"));
                assert_eq!((filled, &parts(&message)), (Filled::Message, sent), "round {round}: {input}");
            }
            assert_eq!(lines.fill(records.len() as u64, &mut message).unwrap(), Filled::End);
        }
    }

    #[test]
    fn a_damaged_record_is_refused_by_its_line_or_is_one_that_can_be_sent() {
        let mut rng = Rng::with_seed(SEED);
        let (mut sent, mut refused) = (0, 0);
        for round in 0..ROUNDS {
            let (line, _) = record_of(&mut rng);
            let mut input = Value::from(line).to_string().into_bytes();
            let from = rng.usize(..input.len());
            let to = (from + rng.usize(0..4)).min(input.len());
            let damage: [&[u8]; 12] =
                [b"\"", b"\\", b"{", b"}", b"]", b",", b":", b"-", b"1e999", b"\\ud800", b"\xff", b""];
            input.splice(from..to, rng.choice(damage).unwrap().iter().copied());
            let (mut lines, mut message) = (lines(&input, LineFormat::Json, 10_000), Message::default());
            match lines.fill(0, &mut message) {
                // Nothing of it is left.
                Ok(Filled::End | Filled::Stopped) => assert!(input.trim_ascii().is_empty(), "round {round}"),
                Ok(Filled::Message) => {
                    let whole = serde_json::from_slice::<serde::de::IgnoredAny>(&input);
                    assert!(whole.is_ok(), "round {round}: {}", String::from_utf8_lossy(&input));
                    let parts = parts(&message);
                    assert!(parts.partition.is_none_or(|partition| partition >= 0), "round {round}");
                    assert!(parts.timestamp_ms.is_none_or(|time| time > 0), "round {round}");
                    assert!(parts.headers.iter().all(|(name, _)| !name.contains('\0')), "round {round}");
                    sent += 1;
                }
                Err(error) => {
                    assert!(matches!(error, SourceError::Line { line: 1, .. }), "round {round}: {error}");
                    assert_eq!(parts(&message), Parts::default(), "round {round}");
                    refused += 1;
                }
            }
        }
        assert!(sent > ROUNDS / 20 && refused > ROUNDS / 20, "{sent} sent, {refused} refused");
    }

    #[test]
    fn raw_lines_are_all_bytes_of_the_input_and_text_lines_are_those_that_are_text() {
        let mut rng = Rng::with_seed(SEED);
        for round in 0..ROUNDS {
            let pieces: [&[u8]; 10] =
                [b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3\xa4", b"a", b"{}", b" "];
            let size = rng.usize(0..30);
            let input: Vec<u8> = (0..size).flat_map(|_| rng.choice(pieces).unwrap()).copied().collect();
            let raw = all(&input, LineFormat::Raw);
            let whole: Vec<_> = raw.iter().map(|line| line.as_deref().unwrap()).collect();
            assert_eq!(whole.join(&b'\n'), input.strip_suffix(b"\n").unwrap_or(&input), "round {round}");
            let texts = all(&input, LineFormat::Text);
            assert_eq!(texts.len(), raw.len(), "round {round}: a bad line moves the numbers of the others");
            for (nth, (text, raw)) in texts.iter().zip(whole).enumerate() {
                let line = raw.strip_suffix(b"\r").unwrap_or(raw);
                let line = if nth == 0 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
                match text {
                    Ok(text) => assert_eq!(text, line, "round {round}"),
                    Err(_) => assert!(std::str::from_utf8(line).is_err(), "round {round}: {line:?}"),
                }
            }
        }
    }

    #[test]
    fn a_failing_read_names_the_line() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let reader = Box::new(io::Cursor::new(b"a\nb".to_vec()).chain(Broken));
        let mut lines = Lines::new(reader, "`in`".to_owned(), LineFormat::Text, 100);
        let mut message = Message::default();
        assert_eq!(lines.fill(0, &mut message).unwrap(), Filled::Message);
        assert_eq!(lines.fill(1, &mut message).unwrap_err().to_string(), "cannot read line 2 of `in`");
    }
}
