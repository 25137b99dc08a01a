//! Counts the threads of this process: Landlock restricts the thread that asks for it and those that it starts later.

use std::io;
use std::time::{Duration, Instant};

/// The threads of this process, each a folder.
const TASKS: &str = "/proc/self/task";

/// Whether the calling thread is the only one, within this time: a thread that was joined may take a moment to leave.
///
/// # Errors
/// When the threads cannot be counted.
pub fn alone(limit: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + limit;
    loop {
        if count()? == 1 {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::yield_now();
    }
}

fn count() -> io::Result<usize> {
    std::fs::read_dir(TASKS)?.try_fold(0, |count, task| task.map(|_| count + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    #[test]
    fn a_second_thread_is_counted() {
        let (told, heard) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || heard.recv());
            assert!(count().unwrap() >= 2);
            assert!(!alone(Duration::ZERO).unwrap());
            drop(told);
        });
    }
}
