//! The real program, run as a process against librdkafka's mock cluster.
//!
//! One crate with a module for each subject, so that there is one program to link.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod adhoc;
mod audit;
mod check;
mod config;
mod ends;
mod faults;
mod group;
mod life;
mod metrics;
mod output;
mod positions;
mod pressure;
mod readiness;
mod records;
mod refusals;
mod sandbox;
mod status;
mod support;
mod traces;
