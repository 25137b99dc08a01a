//! The values of flags that have a grammar of their own: where to start and stop, partitions, a header to match.

use std::str::FromStr;

use super::moment;

/// Where to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The group's committed offset; the earliest record where there is none.
    Committed,
    /// The oldest record of the partition.
    Earliest,
    /// The next record to arrive.
    Latest,
    /// This offset, in each partition.
    Offset(i64),
    /// The first record at or after this time, in milliseconds since 1970.
    Time(i64),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected =
            || "expected committed, earliest, latest, offset:N, time:2026-11-23T11:00:00Z or time:-1h".to_owned();
        match text.trim() {
            "committed" => Ok(Start::Committed),
            "earliest" | "beginning" => Ok(Start::Earliest),
            "latest" | "end" => Ok(Start::Latest),
            other => offset(other).map(Start::Offset).or(moment::parse(other).map(Start::Time)).ok_or_else(expected),
        }
    }
}

/// Where to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// At the end that the partition has now.
    Latest,
    /// Before this offset, in each partition.
    Offset(i64),
    /// Before the first record at or after this time, in milliseconds since 1970.
    Time(i64),
}

impl FromStr for Stop {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "expected latest, offset:N, time:2026-11-23T11:00:00Z or time:-1h".to_owned();
        match text.trim() {
            "latest" | "end" => Ok(Stop::Latest),
            other => offset(other).map(Stop::Offset).or(moment::parse(other).map(Stop::Time)).ok_or_else(expected),
        }
    }
}

/// The offset in `offset:N`.
fn offset(text: &str) -> Option<i64> {
    text.strip_prefix("offset:")?.parse().ok().filter(|offset| *offset >= 0)
}

/// A header to look for: its name and a text that its value contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderText {
    /// The whole name.
    pub name: String,
    /// A part of the value; empty when any value will do.
    pub text: String,
}

impl FromStr for HeaderText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, text) = parts.ok_or("expected a header's name and a part of its value, such as tenant=acme")?;
        Ok(Self { name: name.to_owned(), text: text.to_owned() })
    }
}

/// Partitions of a topic: numbers and ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionList(pub Vec<i32>);

impl FromStr for PartitionList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const MOST: i32 = 100_000;
        let expected = || "expected partitions such as 0 or 0,3-5".to_owned();
        let number = |text: &str| text.trim().parse::<i32>().ok().filter(|number| (0..MOST).contains(number));
        let mut partitions = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (Some(first), Some(last)) = (number(first), number(last)) else { return Err(expected()) };
            if first > last {
                return Err(expected());
            }
            partitions.extend(first..=last);
        }
        partitions.sort_unstable();
        partitions.dedup();
        Ok(Self(partitions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts() {
        for (text, start) in [
            ("committed", Start::Committed),
            ("earliest", Start::Earliest),
            ("beginning", Start::Earliest),
            ("latest", Start::Latest),
            ("end", Start::Latest),
        ] {
            assert_eq!(text.parse(), Ok(start), "{text}");
        }
        assert_eq!("offset:42".parse(), Ok(Start::Offset(42)));
        assert_eq!("time:1970-01-01T00:00:01Z".parse(), Ok(Start::Time(1000)));
        assert_eq!("1970-01-02".parse(), Ok(Start::Time(86_400_000)));
        assert!(matches!("time:-1h".parse(), Ok(Start::Time(_))));
        assert!(matches!("-1h".parse(), Ok(Start::Time(_))));
        for bad in ["", "middle", "stored", "Earliest", "offset:-1", "offset:x", "time:yesterday", "time:-x", "offset"]
        {
            assert!(bad.parse::<Start>().is_err(), "{bad}");
        }
    }

    #[test]
    fn stops() {
        assert_eq!("latest".parse(), Ok(Stop::Latest));
        assert_eq!("offset:42".parse(), Ok(Stop::Offset(42)));
        assert_eq!("1970-01-02".parse(), Ok(Stop::Time(86_400_000)));
        for bad in ["", "earliest", "committed", "42", "offset:-1", "tomorrow"] {
            assert!(bad.parse::<Stop>().is_err(), "{bad}");
        }
    }

    #[test]
    fn partition_lists() {
        assert_eq!("0,3-5,4".parse(), Ok(PartitionList(vec![0, 3, 4, 5])));
        for bad in ["", "-1", "5-3", "a", "0,,1", "99999999999"] {
            assert!(bad.parse::<PartitionList>().is_err(), "{bad}");
        }
    }
}
