//! Runs a real program as a process, and waits for what it says and how it ends.

mod capture;
mod memory;
mod outcome;
mod program;
mod reader;
mod running;
mod throttle;

pub use memory::memory;
pub use outcome::Outcome;
pub use program::{Program, built, set_everywhere};
pub use reader::read_slowly;
pub use running::Process;
pub use rustix::process::Signal;
pub use throttle::Throttle;
