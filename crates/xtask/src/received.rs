//! What consumers have logged: each record line read as it comes, and kept as counts, so that a million need little memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Record lines that are kept to be shown.
const SAMPLES: usize = 3;

/// A record line, as far as it matters here.
#[derive(Deserialize)]
struct Line<'a> {
    topic: Cow<'a, str>,
    partition: i32,
    offset: i64,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    value_encoding: Option<Cow<'a, str>>,
    run_id: Option<Cow<'a, str>>,
    seq: Option<u64>,
}

impl Line<'_> {
    /// The value's text; of a value that was embedded as JSON, its compact form.
    fn value_text(&self) -> Result<Cow<'_, str>> {
        let Some(value) = self.value else { return Ok(Cow::Borrowed("")) };
        match self.value_encoding.as_deref() {
            Some("json") => Ok(Cow::Borrowed(value.get())),
            _ => serde_json::from_str(value.get()).context("the value is not a string"),
        }
    }
}

/// A sum over values that does not depend on their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    sum: u64,
    xor: u64,
    count: u64,
}

impl Checksum {
    /// Counts one value in.
    pub fn add(&mut self, value: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(value);
        let hash = hasher.finish();
        self.sum = self.sum.wrapping_add(hash);
        self.xor ^= hash;
        self.count += 1;
    }
}

/// The records of one run, over all consumers that log into it.
pub struct Received {
    run_id: Option<String>,
    seen: Vec<u64>,
    distinct: u64,
    duplicated: u64,
    out_of_order: u64,
    others: u64,
    newest: HashMap<(String, i32), u64>,
    checksum: Checksum,
    samples: Vec<String>,
    offsets: HashMap<(String, i32), (i64, i64)>,
    broken: Option<String>,
    last: Instant,
}

impl Received {
    /// Nothing yet. With a run id the records of other runs only count as others.
    pub fn new(run_id: Option<&str>) -> Result<Self> {
        Ok(Self {
            run_id: run_id.map(str::to_owned),
            seen: Vec::new(),
            distinct: 0,
            duplicated: 0,
            out_of_order: 0,
            others: 0,
            newest: HashMap::new(),
            checksum: Checksum::default(),
            samples: Vec::new(),
            offsets: HashMap::new(),
            broken: None,
            last: Instant::now(),
        })
    }

    /// Takes one line of a consumer's stdout.
    pub fn line(&mut self, text: &str) {
        self.last = Instant::now();
        if let Err(error) = self.try_line(text) {
            self.broken.get_or_insert_with(|| format!("{error:#}: {text}"));
        }
    }

    fn try_line(&mut self, text: &str) -> Result<()> {
        let line: Line<'_> = serde_json::from_str(text).context("not a record line")?;
        let run_id = line.run_id.as_deref();
        if run_id.is_none() || self.run_id.as_deref().is_some_and(|wanted| run_id != Some(wanted)) {
            self.others += 1;
            return Ok(());
        }
        let sequence = line.seq.context("no sequence number")?;
        let place = (line.topic.clone().into_owned(), line.partition);
        let (first, last) = self.offsets.entry(place.clone()).or_insert((line.offset, line.offset));
        (*first, *last) = ((*first).min(line.offset), (*last).max(line.offset));
        if !self.mark(sequence) {
            self.duplicated += 1;
            return Ok(());
        }
        self.distinct += 1;
        let newest = self.newest.entry(place).or_insert(sequence);
        if sequence < *newest {
            self.out_of_order += 1;
        }
        *newest = (*newest).max(sequence);
        self.checksum.add(line.value_text()?.as_bytes());
        if self.samples.len() < SAMPLES {
            self.samples.push(text.to_owned());
        }
        Ok(())
    }

    /// Whether the number is new.
    fn mark(&mut self, sequence: u64) -> bool {
        let (word, bit) = (usize::try_from(sequence / 64).unwrap_or(usize::MAX), 1 << (sequence % 64));
        // Ours are numbered from 0 without gaps, so a number beyond all reason comes from a broken line.
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let new = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        new
    }

    /// Different messages of the run.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Lines that repeat a message.
    pub fn duplicated(&self) -> u64 {
        self.duplicated
    }

    /// Messages that came after a later one of the same partition.
    pub fn out_of_order(&self) -> u64 {
        self.out_of_order
    }

    /// Records without a run id, or of another run.
    pub fn others(&self) -> u64 {
        self.others
    }

    /// How many of the numbers from 0 to `count` have not come.
    pub fn missing(&self, count: u64) -> u64 {
        (0..count).filter(|sequence| !self.has(*sequence)).count() as u64
    }

    fn has(&self, sequence: u64) -> bool {
        let word = usize::try_from(sequence / 64).ok().and_then(|word| self.seen.get(word));
        word.is_some_and(|word| word & (1 << (sequence % 64)) != 0)
    }

    /// Over the values of different messages.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Partitions that the messages came from.
    pub fn partitions(&self) -> usize {
        self.offsets.len()
    }

    /// The first lines.
    pub fn samples(&self) -> &[String] {
        &self.samples
    }

    /// The first line that is no record line, and why.
    pub fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
    }

    /// When the last line came.
    pub fn last(&self) -> Instant {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(run: &str, partition: i32, offset: i64, sequence: u64, value: &str) -> String {
        format!(
            r#"{{"timestamp":"t","event":"record","topic":"test","partition":{partition},"offset":{offset},"key":"1",
            "value":{value},"value_encoding":"text","headers":[],"run_id":"{run}","seq":{sequence},"latency_ms":2.5}}"#
        )
    }

    #[test]
    fn repeats_gaps_and_disorder_are_counted() {
        let mut received = Received::new(Some("a")).unwrap();
        for (offset, sequence) in [(0, 1), (1, 0), (2, 1), (3, 3), (4, 70)] {
            received.line(&line("a", 0, offset, sequence, r#""x""#));
        }
        received.line(&line("b", 0, 5, 2, r#""x""#));
        assert_eq!(received.broken(), None);
        assert_eq!((received.distinct(), received.duplicated(), received.out_of_order()), (4, 1, 1));
        assert_eq!((received.missing(4), received.missing(71), received.others()), (1, 67, 1));
    }

    #[test]
    fn the_checksum_is_of_the_unescaped_text_in_any_order() {
        let mut received = Received::new(None).unwrap();
        received.line(&line("a", 0, 0, 0, r#""say \"hi\"""#));
        received.line(&line("a", 1, 0, 1, r#""two""#));
        let mut expected = Checksum::default();
        expected.add(b"two");
        expected.add(br#"say "hi""#);
        assert_eq!(received.checksum(), expected);
    }

    #[test]
    fn a_line_that_is_no_record_is_told() {
        let mut received = Received::new(None).unwrap();
        received.line("oops");
        assert!(received.broken().unwrap().contains("oops"));
    }
}
