//! What is done with records: the users of the loop's seam.

mod log;
mod matching;
mod trace;

pub use log::LogSink;
pub use matching::MatchSink;
pub use trace::{TraceSink, Traces};
