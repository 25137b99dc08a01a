//! The real program, run as a process: against librdkafka's mock cluster, against ports where no Kafka is, and against none.
//!
//! One crate with a module for each subject, so that there is one program to link.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed step is a failed test")]

mod admin;
mod bytes;
mod check;
mod config;
mod delivery;
mod faults;
mod input;
mod life;
mod pipes;
mod pushgateway;
mod round_trip;
mod sandbox;
mod support;
mod traces;
