//! RFC 3339 timestamps in UTC. The calendar is asked once a second, not once a record.

use jiff::{Timestamp, tz::Offset};

const DATE_TIME: usize = "1970-01-01T00:00:00".len();

/// Formats times of one unit, and remembers the last: records that came together mostly share it, or at least its second.
#[derive(Debug)]
pub(super) struct Clock<const DECIMALS: u32> {
    time: i64,
    second: i64,
    /// `None` for a year that RFC 3339 has no digits for.
    stamp: Option<Stamp>,
}

/// A time since 1970 in milliseconds, with three decimals.
pub(super) type Millis = Clock<3>;
/// A time since 1970 in microseconds, with six decimals.
pub(super) type Micros = Clock<6>;

/// A formatted time, such as `2026-11-23T11:15:27.120Z`.
#[derive(Debug)]
pub(super) struct Stamp {
    text: [u8; Stamp::MAX],
    len: usize,
}

impl<const DECIMALS: u32> Default for Clock<DECIMALS> {
    fn default() -> Self {
        let mut new = Self { time: -1, second: -1, stamp: None };
        new.stamp(0);
        new
    }
}

impl<const DECIMALS: u32> Clock<DECIMALS> {
    /// A constant, so that the compiler divides by multiplying.
    const UNIT: i64 = 10_i64.pow(DECIMALS);

    /// The time, if its year is in 0 to 9999.
    pub fn stamp(&mut self, time: i64) -> Option<&Stamp> {
        if time != self.time {
            self.time = time;
            let second = time.div_euclid(Self::UNIT);
            if second != self.second {
                self.second = second;
                self.stamp = date_time(second).map(Stamp::new::<DECIMALS>);
            }
            if let Some(stamp) = &mut self.stamp {
                let fraction = DATE_TIME + 1..stamp.len - 1;
                digits(time.rem_euclid(Self::UNIT), &mut stamp.text[fraction]);
            }
        }
        self.stamp.as_ref()
    }
}

impl Stamp {
    const MAX: usize = DATE_TIME + ".123456Z".len();

    /// The beginning of a second.
    fn new<const DECIMALS: u32>(date_time: [u8; DATE_TIME]) -> Self {
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let len = DATE_TIME + ".Z".len() + DECIMALS as usize;
        text[..DATE_TIME].copy_from_slice(&date_time);
        text[len - 1] = b'Z';
        Self { text, len }
    }

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
