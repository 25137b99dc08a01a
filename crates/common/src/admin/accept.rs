//! The accept loop of the admin server: a bounded number of connections, and no error that ends it.

use std::io;
use std::time::{Duration, Instant};

use axum::Router;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::connection::{self, Phase};

/// Connections at a time. Prometheus and Kubernetes need a few; for more, others are closed.
const CONNECTIONS: usize = 128;
/// The part of the process's descriptors that connections may take: the rest is for the brokers.
const PART: u64 = 4;
/// The pause after a failure to accept: to try again at once would keep a core busy.
const PAUSE: Duration = Duration::from_millis(500);
/// The same trouble is logged once in this time.
const QUIET: Duration = Duration::from_secs(10);

/// Where connections come from.
pub(super) trait Accept {
    /// The next one.
    async fn accept(&self) -> io::Result<TcpStream>;
}

impl Accept for TcpListener {
    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(TcpListener::accept(self).await?.0)
    }
}

/// A connection that has a place.
struct Kept {
    phase: watch::Receiver<Phase>,
    task: AbortHandle,
}

/// Serves connection after connection. It never ends: whatever is wrong with one is not wrong with the next, and a lack of
/// descriptors passes.
///
/// A new connection may be a probe, so it gets a place: where there is none left, the connection that has waited the longest for a
/// request loses its own.
pub(super) async fn serve(listener: impl Accept, router: Router) {
    let limit = connections();
    let mut kept: Vec<Kept> = Vec::with_capacity(limit);
    let mut quiet_until = None::<Instant>;
    loop {
        let trouble = match listener.accept().await {
            Ok(stream) => {
                kept.retain(|kept| !kept.task.is_finished());
                let is_full = kept.len() >= limit;
                let has_place = !is_full || close_one(&mut kept);
                if has_place {
                    let (phase, seen) = connection::begin();
                    let task = tokio::spawn(connection::serve(stream, router.clone(), phase));
                    kept.push(Kept { phase: seen, task: task.abort_handle() });
                    // It reads what is there, and the closed one goes, before the next one is taken: a request that came whole
                    // is none that is waited for.
                    tokio::task::yield_now().await;
                }
                let closed = if has_place { "those that wait the longest for a request" } else { "the latest" };
                is_full.then(|| format!("more than {limit} connections at a time: {closed} are closed"))
            }
            Err(error) => {
                tokio::time::sleep(PAUSE).await;
                Some(cannot(&error))
            }
        };
        if let Some(trouble) = trouble
            && quiet_until.is_none_or(|until| Instant::now() >= until)
        {
            quiet_until = Some(Instant::now() + QUIET);
            tracing::error!(event = "admin_failed", "admin server: {trouble}");
        }
    }
}

/// Closes the connection that can be spared the most; `false` when all are being answered.
fn close_one(kept: &mut Vec<Kept>) -> bool {
    let ranks = kept.iter().enumerate().filter_map(|(at, kept)| Some((kept.phase.borrow().rank()?, at)));
    let Some((_, at)) = ranks.min() else { return false };
    kept.swap_remove(at).task.abort();
    true
}

/// How many connections there may be at a time.
fn connections() -> usize {
    let descriptors = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let part = descriptors.and_then(|descriptors| usize::try_from(descriptors / PART).ok());
    part.map_or(CONNECTIONS, |part| part.clamp(1, CONNECTIONS))
}

fn cannot(error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(code) if code == Errno::MFILE.raw_os_error() => "; raise the limit of open files (ulimit -n)",
        _ => "",
    };
    format!("cannot accept a connection: {error}{hint}; trying again")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Fails a few times before it accepts.
    struct Failing(TcpListener, AtomicU32);

    impl Accept for Failing {
        async fn accept(&self) -> io::Result<TcpStream> {
            if self.1.fetch_sub(1, Ordering::Relaxed) > 1 {
                return Err(Errno::MFILE.into());
            }
            Accept::accept(&self.0).await
        }
    }

    fn router() -> Router {
        Router::new().route("/", get(|| async { "here" }))
    }

    async fn ask(address: std::net::SocketAddr) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_to_accept_passes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(Failing(listener, AtomicU32::new(5)), router()));
        assert!(ask(address).await.ends_with("here"));
    }

    /// Asks on a connection that stays open, and reads the answer.
    async fn ask_and_stay(address: std::net::SocketAddr) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"here"));
        stream
    }

    /// Whether the other side has closed it: nothing more was asked, so nothing else can come.
    async fn is_closed(stream: &mut TcpStream) -> bool {
        let read = tokio::time::timeout(Duration::from_millis(100), stream.read(&mut [0; 1])).await;
        read.is_ok_and(|read| read.unwrap_or(0) == 0)
    }

    #[tokio::test]
    async fn a_request_is_answered_however_many_half_ones_there_are() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router()));
        let mut answered = ask_and_stay(address).await;
        let mut half = Vec::new();
        for _ in 0..CONNECTIONS * 3 {
            half.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(ask(address).await.ends_with("here"), "none of those before is gone by itself");
        for old in &mut half[..CONNECTIONS] {
            assert!(is_closed(old).await, "the oldest are closed");
        }
        assert!(!is_closed(half.last_mut().unwrap()).await, "the latest has its place");
        assert!(!is_closed(&mut answered).await, "who has asked is closed after all that have not");
    }

    #[tokio::test]
    async fn connections_that_were_answered_are_closed_for_new_ones_too() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router()));
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            idle.push(ask_and_stay(address).await);
        }
        assert!(ask(address).await.ends_with("here"));
        assert!(is_closed(&mut idle[0]).await, "the one that has waited the longest");
        assert!(!is_closed(&mut idle[1]).await, "no other");
    }

    #[tokio::test]
    async fn an_answer_that_is_being_made_is_not_given_up_for_a_new_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let never = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<&str>()
        };
        tokio::spawn(serve(listener, router().route("/never", get(never))));
        let mut kept = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /never HTTP/1.0\r\n\r\n").await.unwrap();
            kept.push(stream);
        }
        while asked.load(Ordering::Relaxed) < CONNECTIONS {
            tokio::task::yield_now().await;
        }
        let mut extra = TcpStream::connect(address).await.unwrap();
        assert!(is_closed(&mut extra).await, "the latest");
        assert!(!is_closed(&mut kept[0]).await);
    }

    #[test]
    fn the_cause_is_said() {
        assert!(cannot(&Errno::MFILE.into()).contains("Too many open files"), "{}", cannot(&Errno::MFILE.into()));
    }
}
