//! The audit of a run: reads a topic from end to end, outside of any group, and says whether the run lost, repeated, reordered or
//! damaged anything. Both programs use it, so that there is one judge.
//!
//! ```text
//! Plan ──> Audit (the loop of `consume`) ──> sink ──> State (the `ledger` crate) ──> Summary ──> verdict, report
//! ```
//!
//! | file | what it has |
//! |---|---|
//! | `plan` | what is looked for, and how the topic is read |
//! | `reader` | reads until there is a verdict |
//! | `beside` | reads while the run is still being published |
//! | `sink`, `state` | what each record is to the run; what was read, and what keeps the audit from being sure |
//! | `report` | the verdict for machines and for people |
//!
//! The topic is read once, or more often: again from its beginning where a start by time may have passed something over, and on
//! from where it ended while a message is missing that is waited for.

#![forbid(unsafe_code)]

mod beside;
mod plan;
mod reader;
mod report;
mod sink;
mod state;

pub use beside::Beside;
pub use plan::{Beginning, Plan, properties};
pub use reader::Audit;
pub use report::{Account, Fields, faults, rows, verdict};
pub use state::{State, Summary};
