//! What is known of a release by its name: where its images are, who signs them, and the commands that verify them. Pushing,
//! signing, verifying and the documents all take it from here.

pub mod commands;
pub mod identity;
mod place;
pub mod policies;

pub use place::{PLATFORMS, Place, Tag, is_digest};
