//! Values with a unit, as people write them: `5s`, `500/s`, `10 MiB`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Longer is a slip of the finger, and sums of such times must not overflow.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Parses a duration such as `500ms`, `5s` or `2m30s`.
///
/// # Errors
/// Says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text.trim()) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        Ok(_) => Err("expected at most 10 years".to_owned()),
        Err(_) => Err("expected a duration such as 500ms, 5s or 2m30s".to_owned()),
    }
}

/// Parses a duration that must not be zero.
///
/// # Errors
/// Says what a duration looks like.
pub fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("expected more than zero".to_owned()),
        duration => Ok(duration),
    }
}

/// A number of messages in a time, written `500/s`, `5M/s`, `90/m` or `1k` (a second).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    per_second: f64,
}

impl Rate {
    /// Messages a second, more than zero.
    pub fn per_second(self) -> f64 {
        self.per_second
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected a rate such as 500/s, 2.5k/s, 5M/s or 90/m".to_owned();
        let (count, unit) = text.trim().split_once('/').unwrap_or((text.trim(), "s"));
        let seconds = match unit.trim() {
            "s" | "sec" | "second" => 1.0,
            "m" | "min" | "minute" => 60.0,
            "h" | "hour" => 3600.0,
            _ => return Err(expected()),
        };
        let per_second = scaled(count, 1000.0).ok_or_else(expected)? / seconds;
        if !(1.0 / LONGEST.as_secs_f64()..=1e9).contains(&per_second) {
            return Err("expected a rate above 0 (one message in ten years) and at most 1000M/s".to_owned());
        }
        Ok(Self { per_second })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.per_second)
    }
}

/// Parses a number of bytes such as `100`, `15KiB`, `1MB` or `2M` (powers of 1024 with an `i`, else of 1000).
///
/// # Errors
/// Says what a size looks like.
pub fn bytes(text: &str) -> Result<usize, String> {
    let expected = || "expected a size such as 100, 15KiB, 1MB or 2M".to_owned();
    let text = text.trim();
    let text = text.strip_suffix(['B', 'b']).unwrap_or(text);
    let value = match text.strip_suffix('i') {
        Some(binary) => scaled(binary, 1024.0),
        None => scaled(text, 1000.0),
    };
    match value {
        Some(value) if value.is_finite() && value >= 0.0 && value.fract() == 0.0 && value < 1e15 => Ok(value as usize),
        _ => Err(expected()),
    }
}

/// `12`, `1.5k`, `3M`, `1G`: the number times the power of `step` that its letter names.
fn scaled(text: &str, step: f64) -> Option<f64> {
    let text = text.trim();
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, step),
        None => match text.strip_suffix('M') {
            Some(number) => (number, step * step),
            None => match text.strip_suffix('G') {
                Some(number) => (number, step * step * step),
                None => (text, 1.0),
            },
        },
    };
    number.trim().parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, per_second) in
            [("500/s", 500.0), ("5M/s", 5e6), ("90/m", 1.5), ("2.5k", 2500.0), ("1/h", 1.0 / 3600.0)]
        {
            assert_eq!(text.parse::<Rate>().map(Rate::per_second), Ok(per_second), "{text}");
        }
        for text in ["", "0/s", "-1/s", "5/fortnight", "fast", "inf", "nan/s", "2000M/s", "1e-300/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, size) in
            [("0", 0), ("100", 100), ("15KiB", 15_360), ("1MB", 1_000_000), ("2M", 2_000_000), ("1GiB", 1 << 30)]
        {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "-1", "1.0005k5", "ten", "KiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("2m30s"), Ok(Duration::from_secs(150)));
        assert!(duration("5").is_err(), "a number without a unit is ambiguous");
        assert!(positive_duration("0s").is_err());
        assert!(duration("500000000000y").is_err(), "a sum of two of these overflows");
    }
}
