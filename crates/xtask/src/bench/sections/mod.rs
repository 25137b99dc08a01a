//! What is measured: one file a table.

mod consume;
mod contest;
mod groups;
mod latency;
mod limit;
mod options;
mod partitions;
mod produce;
mod shares;
mod sizes;
mod start;
mod traces;
mod wide;

use anyhow::Result;

use super::results::Section;
use super::setting::Setting;

/// Measures one table.
pub type Measure = fn(&Setting) -> Result<Section>;

/// All of them, in the order of the page.
pub const ALL: &[(&str, Measure)] = &[
    ("produce", produce::measure),
    ("consume", consume::measure),
    ("sizes", sizes::measure),
    ("options", options::measure),
    ("traces", traces::measure),
    ("latency", latency::measure),
    ("start", start::measure),
    ("partitions", partitions::measure),
    ("wide", wide::measure),
    ("groups", groups::measure),
    ("shares", shares::measure),
    ("limit", limit::measure),
];
