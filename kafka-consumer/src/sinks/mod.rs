//! What is done with records: the users of the loop's seam.

mod log;
mod trace;

pub use log::LogSink;
pub use trace::{TraceSink, Traces};
