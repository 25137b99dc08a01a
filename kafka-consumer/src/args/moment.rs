//! Moments as people type them: a date, a time, or how long ago.

use common::config::units;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Milliseconds since 1970 of a moment, with or without `time:` before it; `None` when it is none.
pub fn parse(text: &str) -> Option<i64> {
    let text = moment_of(text);
    if let Some(ago) = text.strip_prefix('-') {
        let ago = i64::try_from(units::duration(ago).ok()?.as_millis()).ok()?;
        return Some(Timestamp::now().as_millisecond().saturating_sub(ago));
    }
    let zoned = text.parse::<Timestamp>().ok();
    zoned.or_else(|| utc(text)).map(Timestamp::as_millisecond)
}

/// Whether it is a moment that names no zone: then it is one of UTC, wherever the program runs.
pub fn assumes_utc(text: &str) -> bool {
    let text = moment_of(text);
    text.parse::<Timestamp>().is_err() && utc(text).is_some()
}

fn moment_of(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix("time:").unwrap_or(text)
}

/// A date or a date and time without a zone.
fn utc(text: &str) -> Option<Timestamp> {
    // ISO 8601 also has dates without hyphens, which could as well be offsets.
    let is_date = text.as_bytes().get(4) == Some(&b'-') && !text.contains('[');
    let moment = text.parse::<DateTime>().ok().filter(|_| is_date)?;
    TimeZone::UTC.to_timestamp(moment).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    #[test]
    fn moments_are_dates_and_times_and_how_long_ago() {
        for (text, ms, is_utc) in [
            ("1970-01-02", DAY, true),
            ("time:1970-01-02", DAY, true),
            ("1970-01-02T00:00:01", DAY + 1000, true),
            ("1970-01-02 00:00", DAY, true),
            ("1970-01-02T00:00:01Z", DAY + 1000, false),
            ("time:1970-01-02T01:00:00.5+01:00", DAY + 500, false),
        ] {
            assert_eq!((parse(text), assumes_utc(text)), (Some(ms), is_utc), "{text}");
        }
        let hour_ago = parse("-1h").unwrap();
        assert!((Timestamp::now().as_millisecond() - hour_ago - 3_600_000).abs() < 10_000);
        assert!(!assumes_utc("-1h"));
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in ["", "time:", "19700102", "5", "yesterday", "-x", "-", "1970-13-01", "1970-01-02[Europe/Rome]"] {
            assert_eq!(parse(text), None, "{text}");
            assert!(!assumes_utc(text), "{text}");
        }
    }
}
