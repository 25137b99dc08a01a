//! A file that may be replaced. Its content is compared, and not its time or its number: Kubernetes swaps a link to a folder, editors
//! rename, scripts write in place.

use std::path::{Path, PathBuf};

/// A file with the content that is in use.
pub(super) struct Watched<T> {
    path: PathBuf,
    read: fn(&Path) -> Result<T, String>,
    /// `None` when it could not be read yet.
    taken: Option<T>,
    /// What the last look has seen, if that is not in use.
    seen: Option<Result<T, String>>,
    /// What was said of it, so that it is said once.
    said: Option<String>,
}

/// What a look at a file has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// What is in use, or nothing that could be used.
    Same,
    /// Something else, which may be half-written: the next look tells.
    Unsettled,
    /// Something else, for the second time.
    New,
}

impl<T: PartialEq> Watched<T> {
    /// A file of which this content is in use.
    pub fn new(path: PathBuf, read: fn(&Path) -> Result<T, String>, taken: Option<T>) -> Self {
        Self { path, read, taken, seen: None, said: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it, which may hang where a file server does.
    pub fn look(&mut self) -> Look {
        let seen = (self.read)(&self.path);
        if seen.as_ref().ok() == self.taken.as_ref() && seen.is_ok() {
            (self.seen, self.said) = (None, None);
            return Look::Same;
        }
        if self.seen.as_ref() != Some(&seen) {
            self.seen = Some(seen);
            return Look::Unsettled;
        }
        match seen {
            Ok(_) => Look::New,
            Err(reason) => {
                self.complain(&reason);
                Look::Same
            }
        }
    }

    /// What was seen is in use from now on.
    pub fn take(&mut self) -> Option<&T> {
        if let Some(Ok(seen)) = self.seen.take() {
            (self.taken, self.said) = (Some(seen), None);
        }
        self.taken.as_ref()
    }

    /// Says once why what was seen is not taken.
    pub fn complain(&mut self, reason: &str) {
        if self.said.as_deref() != Some(reason) {
            self.said = Some(reason.to_owned());
            let file = self.path.display();
            tracing::warn!(event = "credentials_unusable", %file, "{file}: {reason}; what was read before stays in use");
        }
    }

    /// What was last said against it.
    #[cfg(test)]
    pub fn said(&self) -> Option<&str> {
        self.said.as_deref()
    }
}
