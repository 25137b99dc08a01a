//! What was found of credentials that were replaced: from the thread that looks at their files to the loops that serve the client.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::lock;
use crate::config::Secret;

/// A user's new password.
#[derive(Clone)]
pub struct Password {
    /// The user.
    pub user: String,
    /// The password.
    pub secret: Secret,
    /// The file that it comes from.
    pub path: PathBuf,
}

/// What was found. Nothing, as long as nothing was replaced.
#[derive(Default)]
pub struct Replaced {
    /// Whether there is a password that was not handed over yet: read in each round of a loop, so without the lock.
    has_news: AtomicBool,
    password: Mutex<Option<Password>>,
    end: OnceLock<Instant>,
}

impl Replaced {
    /// Takes a note of a new password.
    pub fn set_password(&self, password: Password) {
        *lock(&self.password) = Some(password);
        self.has_news.store(true, Ordering::Release);
    }

    /// The last new password, if there is one.
    pub fn password(&self) -> Option<Password> {
        lock(&self.password).clone()
    }

    /// A password that was found since the last call.
    pub fn news(&self) -> Option<Password> {
        if self.has_news.load(Ordering::Acquire) && self.has_news.swap(false, Ordering::AcqRel) {
            return self.password();
        }
        None
    }

    /// The run is to end after this time, unless it is to end already. When that is.
    pub fn end_after(&self, delay: Duration) -> Instant {
        *self.end.get_or_init(|| Instant::now() + delay)
    }

    /// When the run is to end, if it is: one atomic load.
    pub fn end(&self) -> Option<Instant> {
        self.end.get().copied()
    }
}
