//! The accept loop of the admin server: a bounded number of connections, and no error that ends it.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::connection;

/// Connections at a time. Prometheus and Kubernetes need a few; more are closed at once.
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

/// Serves connection after connection. It never ends: whatever is wrong with one is not wrong with the next, and a lack of
/// descriptors passes.
pub(super) async fn serve(listener: impl Accept, router: Router) {
    let limit = connections();
    let free = Arc::new(Semaphore::new(limit));
    let mut quiet_until = None::<Instant>;
    loop {
        let trouble = match listener.accept().await {
            Ok(stream) => match Arc::clone(&free).try_acquire_owned() {
                Ok(slot) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        connection::serve(stream, router).await;
                        drop(slot);
                    });
                    None
                }
                // Dropped, it is closed.
                Err(_) => Some(format!("more than {limit} connections at a time: the latest are closed")),
            },
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

    use std::sync::atomic::{AtomicU32, Ordering};

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

    #[tokio::test]
    async fn more_connections_than_there_is_room_for_are_closed_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router()));
        let mut kept = Vec::new();
        for _ in 0..CONNECTIONS {
            kept.push(TcpStream::connect(address).await.unwrap());
        }
        let mut extra = TcpStream::connect(address).await.unwrap();
        assert_eq!(extra.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed");
        drop(kept);
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await;
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer).await;
            if answer.ends_with("here") {
                break;
            }
        }
    }

    #[test]
    fn the_cause_is_said() {
        assert!(cannot(&Errno::MFILE.into()).contains("Too many open files"), "{}", cannot(&Errno::MFILE.into()));
    }
}
