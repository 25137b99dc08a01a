//! From what a person typed and mounted to values that are checked: flags, environment, files, and their order.
//!
//! `flags > environment > .env.secret > .env.shared > defaults`. An empty variable counts as unset. All problems are
//! collected in [`Problems`] and reported at once.

pub mod address;
mod env_file;
mod feed;
pub mod layers;
pub mod list;
pub mod properties;
mod refused;
pub mod secret;
pub mod show;
pub mod units;
mod variables;

pub use layers::{Layers, Origin, PlainVariable, SecretVariable};
pub use properties::Properties;
pub use secret::Secret;

/// What is wrong with a configuration, gathered so that a person corrects everything in one go.
#[derive(Debug, Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one: which setting, what is wrong with it, what to do. Never a secret's value.
    pub fn add(&mut self, problem: impl Into<String>) {
        // Whatever a message repeats, of ours or of a library, may be an address with a login in it.
        let problem = secret::without_credentials(&problem.into());
        if !self.0.contains(&problem) {
            self.0.push(problem);
        }
    }

    /// Keeps the value, or notes the problem and goes on without it.
    pub fn note<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|problem| self.add(problem)).ok()
    }

    /// `Err` with all of them, if there are any.
    ///
    /// # Errors
    /// The problems themselves.
    pub fn into_result(self) -> Result<(), Problems> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }

    /// Whether nothing is wrong so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "error: {problem}")?;
        }
        Ok(())
    }
}
