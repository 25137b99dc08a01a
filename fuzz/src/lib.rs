//! What must hold for any bytes; a panic is the finding. Each target in `fuzz_targets` is one of these functions.
#![forbid(unsafe_code)]

pub mod env_file;
pub mod record_line;
pub mod stamp;
pub mod template;
