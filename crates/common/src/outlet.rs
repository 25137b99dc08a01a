//! Text on stdout, for what somebody asked for: settings, help, the report. Never a panic, and never a wait without an end.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::oneshot;

/// Writes a text and waits until it is taken. Only for the work's thread, which may be left behind.
///
/// # Errors
/// When stdout cannot be written.
pub fn print(text: &str) -> io::Result<()> {
    write_all(&io::stdout(), text.as_bytes())
}

/// Writes a text on a thread of its own, which is left behind when stdout does not take it within this time.
///
/// # Errors
/// When stdout cannot be written in time, or at all, a closed pipe included.
pub async fn print_within(text: String, limit: Duration) -> io::Result<()> {
    let (done, written) = oneshot::channel();
    let write = move || {
        // The other end is gone when the time is over.
        let _ = done.send(write_all(&io::stdout(), text.as_bytes()));
    };
    std::thread::Builder::new().name("report".to_owned()).spawn(write)?;
    match tokio::time::timeout(limit, written).await {
        Ok(Ok(result)) => result,
        _ => Err(io::Error::new(io::ErrorKind::TimedOut, format!("nobody read it for {limit:?}"))),
    }
}

/// Writes all bytes, without the locks of `std::io`: a thread that was left behind, or one that panics, may hold them.
pub(crate) fn write_all(target: &impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(target, bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            // Another process that has this pipe made it so.
            Err(Errno::AGAIN) => drop(poll(&mut [PollFd::new(target, PollFlags::OUT)], None)),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
