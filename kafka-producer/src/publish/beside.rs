//! Calls of librdkafka that block, on a thread of their own, so that a signal is seen meanwhile.

use std::sync::mpsc::{RecvTimeoutError, channel};

use super::NAP;

/// Carries out a call that blocks, and returns what it returns. `None` when `stopped` says so meanwhile, or when there is no
/// thread to be had: the call is then left behind.
pub(super) fn beside<T: Send + 'static>(
    stopped: impl Fn() -> bool,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, returned) = channel();
    let run = move || {
        // Nobody waits any more for a call that was left behind.
        let _ = done.send(call());
    };
    std::thread::Builder::new().name("call".to_owned()).spawn(run).ok()?;
    loop {
        match returned.recv_timeout(NAP) {
            Ok(value) => return Some(value),
            Err(RecvTimeoutError::Timeout) if !stopped() => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn it_returns_what_the_call_returns() {
        assert_eq!(beside(|| false, || 7), Some(7));
        assert_eq!(beside(|| true, || 7), Some(7), "what is there at once is taken");
    }

    #[test]
    fn a_call_that_hangs_is_left_behind() {
        let (keep, hangs) = channel::<()>();
        let hangs = Mutex::new(hangs);
        let left = beside(|| true, move || hangs.lock().map(|hangs| hangs.recv().is_err()).unwrap_or(true));
        assert_eq!(left, None);
        drop(keep);
    }
}
