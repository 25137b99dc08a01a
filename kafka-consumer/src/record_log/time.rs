//! RFC 3339 timestamps in UTC. The calendar is asked once a second, not once a record.

use jiff::{Timestamp, tz::Offset};

const DATE_TIME: usize = "1970-01-01T00:00:00".len();

/// Remembers the second that it formatted last.
#[derive(Debug)]
pub(super) struct Clock {
    second: i64,
    /// `None` for a year that RFC 3339 has no digits for.
    date_time: Option<[u8; DATE_TIME]>,
}

/// A formatted time, such as `2026-11-23T11:15:27.120Z`.
pub(super) struct Stamp {
    text: [u8; Stamp::MAX],
    len: usize,
}

impl Default for Clock {
    fn default() -> Self {
        Self { second: 0, date_time: Some(*b"1970-01-01T00:00:00") }
    }
}

impl Clock {
    /// A time in microseconds since 1970 with six decimals, if its year is in 0 to 9999.
    pub fn micros(&mut self, us: i64) -> Option<Stamp> {
        self.stamp::<6>(us)
    }

    /// A time in milliseconds since 1970 with three decimals, if its year is in 0 to 9999.
    pub fn millis(&mut self, ms: i64) -> Option<Stamp> {
        self.stamp::<3>(ms)
    }

    /// The decimals are a constant, so that the compiler divides by multiplying.
    fn stamp<const DECIMALS: u32>(&mut self, time: i64) -> Option<Stamp> {
        let unit = const { 10_i64.pow(DECIMALS) };
        let second = time.div_euclid(unit);
        if second != self.second {
            self.second = second;
            self.date_time = date_time(second);
        }
        let len = DATE_TIME + ".Z".len() + DECIMALS as usize;
        let mut text = [b'Z'; Stamp::MAX];
        text[..DATE_TIME].copy_from_slice(&self.date_time?);
        text[DATE_TIME] = b'.';
        digits(time.rem_euclid(unit), &mut text[DATE_TIME + 1..len - 1]);
        Some(Stamp { text, len })
    }
}

impl Stamp {
    const MAX: usize = DATE_TIME + ".123456Z".len();

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    /// The time of day with milliseconds, such as `11:15:27.120`.
    pub fn time_of_day(&self) -> &[u8] {
        &self.text["1970-01-01T".len()..DATE_TIME + ".123".len()]
    }
}

fn date_time(second: i64) -> Option<[u8; DATE_TIME]> {
    let time = Offset::UTC.to_datetime(Timestamp::from_second(second).ok()?);
    if time.year() < 0 {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00";
    digits(time.year().into(), &mut text[..4]);
    digits(time.month().into(), &mut text[5..7]);
    digits(time.day().into(), &mut text[8..10]);
    digits(time.hour().into(), &mut text[11..13]);
    digits(time.minute().into(), &mut text[14..16]);
    digits(time.second().into(), &mut text[17..]);
    Some(text)
}

/// Fills `text` with the last decimal digits of a number that is not negative.
fn digits(mut number: i64, text: &mut [u8]) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}
