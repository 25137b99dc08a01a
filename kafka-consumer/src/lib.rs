//! The consumer's parts; `main` runs them.

pub mod record_log;
