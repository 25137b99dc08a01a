//! What generated parts are made from: the run, the number and time of the message at hand, and chance.

use std::fmt::Write;

use jiff::Timestamp;

use super::message::push_number;
use super::random::{RANGE, push_random};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Random text up to this long is drawn for each message. What is longer goes on with a part of a text that was drawn once: a
/// megabyte of draws costs as much as to publish it.
const DRAWN: usize = 1024;

/// Shared by the demo message and all templates of one message, so that they agree with each other.
pub(super) struct Context {
    run_id: String,
    host: String,
    index: u64,
    sequence: u64,
    sent_us: i64,
    rng: fastrand::Rng,
    /// Made when it is first needed, and where its next part begins.
    pool: Vec<u8>,
    pool_offset: usize,
    /// The text of the second last written, without `Z`: most messages of a second only differ behind it.
    second: Option<i64>,
    second_text: String,
}

impl Context {
    pub fn new(run_id: &str, host: &str, index: u64) -> Context {
        // `fastrand` seeds itself from a clock that starts with the machine, which pods started together may share.
        let (high, low) = uuid::Uuid::new_v4().as_u64_pair();
        Context {
            run_id: run_id.to_owned(),
            host: host.to_owned(),
            index,
            sequence: 0,
            sent_us: 0,
            rng: fastrand::Rng::with_seed(high ^ low.rotate_left(32)),
            pool: Vec::new(),
            pool_offset: 0,
            second: None,
            second_text: String::new(),
        }
    }

    pub fn begin(&mut self, sequence: u64, sent_us: i64) {
        self.sequence = sequence;
        self.sent_us = sent_us;
    }

    pub fn rng(&mut self) -> &mut fastrand::Rng {
        &mut self.rng
    }

    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn index(&self) -> u64 {
        self.index
    }

    pub fn sent_us(&self) -> i64 {
        self.sent_us
    }

    pub fn push_sequence(&self, out: &mut Vec<u8>) {
        push_number(self.sequence, out);
    }

    /// Random letters and digits. As with payloads, a batch holds no part of the pool twice.
    pub fn push_letters(&mut self, count: usize, out: &mut Vec<u8>) {
        let drawn = count.min(DRAWN);
        push_random(&mut self.rng, ALPHANUMERIC, drawn, out);
        let rest = count - drawn;
        if rest == 0 {
            return;
        }
        let missing = (RANGE + rest).saturating_sub(self.pool.len());
        push_random(&mut self.rng, ALPHANUMERIC, missing, &mut self.pool);
        out.extend_from_slice(&self.pool[self.pool_offset..self.pool_offset + rest]);
        self.pool_offset = (self.pool_offset + rest) % RANGE;
    }

    /// The time sent, in RFC 3339 with microseconds: always the same length, so that it sorts as text.
    pub fn push_time(&mut self, out: &mut Vec<u8>) {
        let second = self.sent_us.div_euclid(1_000_000);
        if self.second != Some(second) {
            let end_of_time = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
            let whole = Timestamp::from_second(second).unwrap_or(end_of_time);
            self.second_text.clear();
            // Writing to a `String` cannot fail.
            let _ = write!(self.second_text, "{whole:.0}");
            self.second_text.pop();
            self.second = Some(second);
        }
        out.extend_from_slice(self.second_text.as_bytes());
        let mut rest = self.sent_us.rem_euclid(1_000_000);
        let mut fraction = *b".000000Z";
        for digit in fraction[1..7].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        out.extend_from_slice(&fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(sent_us: i64) -> String {
        let mut context = Context::new("run", "host", 0);
        context.begin(0, sent_us);
        let mut out = Vec::new();
        context.push_time(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn time_has_six_digits_always() {
        assert_eq!(time(1_795_432_527_123_456), "2026-11-23T11:15:27.123456Z");
        assert_eq!(time(1_795_432_527_000_007), "2026-11-23T11:15:27.000007Z");
        assert_eq!(time(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59.999999Z");
    }

    #[test]
    fn time_beyond_the_calendar_does_not_fail() {
        assert!(time(i64::MAX).starts_with("9999-"));
        assert!(time(i64::MIN).starts_with("-009999-"));
    }

    #[test]
    fn the_kept_second_is_replaced() {
        let mut context = Context::new("run", "host", 0);
        let mut out = Vec::new();
        for sent_us in [999_999, 1_000_000, 1_000_001, 0] {
            context.begin(0, sent_us);
            context.push_time(&mut out);
        }
        let expected = "1970-01-01T00:00:00.999999Z1970-01-01T00:00:01.000000Z\
                        1970-01-01T00:00:01.000001Z1970-01-01T00:00:00.000000Z";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }

    #[test]
    fn long_random_text_has_its_length_and_differs() {
        let mut context = Context::new("run", "host", 0);
        let texts: std::collections::HashSet<Vec<u8>> = [1, DRAWN, DRAWN + 1, 100_000, RANGE + 5, 100_000, RANGE + 5]
            .into_iter()
            .map(|count| {
                let mut out = Vec::new();
                context.push_letters(count, &mut out);
                assert!(out.len() == count && out.iter().all(u8::is_ascii_alphanumeric), "{count}");
                out
            })
            .collect();
        assert_eq!(texts.len(), 7);
    }
}
