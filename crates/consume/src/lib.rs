//! The loop of a consumer, without what is done with a record: that is a [`Sink`].
//!
//! ```text
//! fill a batch → flush it → tend the group → look at signals, readiness and limits → again
//! ```
//!
//! A batch is filled until the sink is full, the queue is dry, a limit is reached or 100 ms have passed. So the loop sees
//! clocks and signals ten times a second, however fast or slowly records come.
//!
//! | file | what it decides |
//! |---|---|
//! | `poll` | the order of things; nothing else |
//! | `fill`, `watch`, `finish` | a batch; between batches; the end |
//! | `group/` | who reads what: assignment, topics, offsets, commits, membership |
//! | `lag` | how far behind each partition is, and whether that is still known |
//! | `limits` | when a one-shot run is done |
//! | `board` | where each partition stands, for people who look at one process |
//! | `readiness` | whether the consumer is ready, and why not |

mod board;
mod fill;
mod finish;
mod group;
pub mod lag;
mod limits;
pub mod metrics;
mod poll;
mod readiness;
mod settings;
mod sink;
mod tally;
mod watch;

pub use board::{Board, Rebalance, Standing};
pub use lag::Lag;
pub use metrics::LoopMetrics;
pub use poll::{Deps, Poller};
pub use settings::{FIXED, NO_GROUP, Reset, Settings, Start, Subscription, Until, tuned};
pub use sink::{Commit, Fault, News, Record, Sink, Stop};
pub use tally::{Counts, Tally};
