//! What is done with records: the users of the loop's seam.

mod log;

pub use log::LogSink;
