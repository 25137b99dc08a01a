//! The settings of `kafka-consumer audit`: what was sent, by flags and by the producers' reports. The audit itself is the crate
//! `auditor`.
//!
//! The data flow: `args::audit` (as typed) → `config` with `reports` (checked) → `auditor::Audit` → exit code.

mod config;
mod reports;

pub use config::{Config, STALL_LIMIT};
