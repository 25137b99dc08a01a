//! What came of a run, against what was sent. Pure: it knows neither Kafka's client nor files nor clocks.
//!
//! ```text
//! record ──> Mark::of (stamp, checksum) ──> Received::note ──> Received::findings(expected, reports) ──> Findings::judgement
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | `mark` | what one record is to a run |
//! | `bitmap` | the numbers that came, in pieces that vanish when they are full |
//! | `ranges` | numbers in a few ranges: what a report lists |
//! | `sent` | what the report of one process says |
//! | `received`, `places` | what was read, record by record; where something is |
//! | `findings` | what is missing, lost, written twice, reordered, damaged; the verdict |
//!
//! The partitions of a topic may be read in any order and interleaved in any way: the findings are the same.

#![forbid(unsafe_code)]

mod bitmap;
mod findings;
mod mark;
mod places;
mod ranges;
mod received;
mod sent;

pub use findings::{Findings, Found, Judgement, SHOWN};
pub use mark::Mark;
pub use places::{Place, Spot};
pub use ranges::Ranges;
pub use received::Received;
pub use sent::{Sent, Share};

/// Numbers are below this: a bitmap of an attempt is then at most 125 MB.
pub const MOST_MESSAGES: u64 = 1_000_000_000;
