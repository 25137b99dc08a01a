//! The program confines itself by Landlock, a part of the Linux kernel that needs neither rights nor a set-up: from then on this
//! process reads the files that its settings name and what libraries need, writes the termination log, starts no other program and
//! listens on no further port, whatever an attacker makes it do.
//!
//! | file | what it does |
//! |---|---|
//! | `rules` | what may be read and written, as a plain value |
//! | `system` | what every run may read |
//! | `folders` | which folders a file needs that is replaced while the program runs |
//! | `kernel` | the only file that knows the crate `landlock`: rights by name, rules, the restriction |
//! | `abi` | what an older kernel lacks |
//! | `threads` | whether the process is one thread still: another one would stay free |

mod abi;
mod folders;
mod kernel;
mod rules;
mod system;
mod threads;

use std::sync::OnceLock;

pub use kernel::Prepared;
pub use rules::Rules;
pub use threads::alone;

/// How far this process is confined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The version of the kernel's interface in use; 0 where there is none.
    pub abi: u8,
    /// Whether files outside the rules are out of reach.
    pub files: bool,
    /// Whether no further port can be listened on.
    pub bind: bool,
    /// What is missing, a phrase each.
    pub missing: Vec<String>,
}

impl State {
    /// Nothing is enforced, for this reason.
    pub fn nothing(why: String) -> Self {
        Self { abi: 0, files: false, bind: false, missing: vec![why] }
    }

    /// What is missing, in one line; empty where nothing is.
    pub fn missing(&self) -> String {
        self.missing.join("; ")
    }
}

/// The restriction holds for the process and to its end, so there is one.
static STATE: OnceLock<State> = OnceLock::new();

/// Notes how far this process is confined, for whoever logs it.
pub(crate) fn note(state: State) {
    // There is one main thread, which does it once.
    let _ = STATE.set(state);
}

/// How far this process is confined; `None` where it was not asked to.
pub fn state() -> Option<&'static State> {
    STATE.get()
}

#[cfg(test)]
mod tests;
