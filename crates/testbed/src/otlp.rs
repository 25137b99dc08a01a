//! A receiver of OTLP over HTTP: takes the spans that a program exports, or fails in the ways that a collector does.

mod message;
mod span;

use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVerifyMode};

use crate::apache::Pki;
use crate::http;
pub use span::{Attributes, Kind, Span};

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes the spans and answers 200.
    Takes,
    /// Takes the spans and answers 200, and that so many of them were rejected.
    Rejects(i64),
    /// Answers with this status and takes nothing.
    Answers(u16),
    /// Reads it, takes nothing and never answers.
    Silent,
}

/// A request with its spans, whether they were taken or not.
#[derive(Clone, Debug)]
pub struct Request {
    /// What came, its body as it was sent.
    pub http: http::Request,
    /// The spans in its body.
    pub spans: Vec<Span>,
}

/// A receiver on loopback, for any number of connections. Dropped, it is down.
pub struct Receiver {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    mood: Mood,
    tls: Option<SslAcceptor>,
    seen: Mutex<Seen>,
    came: Condvar,
}

#[derive(Default)]
struct Seen {
    ended: bool,
    connections: usize,
    requests: Vec<Request>,
    trouble: Vec<String>,
}

impl Receiver {
    /// One that takes all spans.
    pub fn start() -> Result<Self> {
        Self::in_mood(Mood::Takes)
    }

    /// One that does this with each request.
    pub fn in_mood(mood: Mood) -> Result<Self> {
        Self::serving(mood, None)
    }

    /// One that takes all spans by TLS, with the server's certificate of `pki`; with `from_clients` only from its client.
    pub fn with_tls(pki: &Pki, from_clients: bool) -> Result<Self> {
        let mut tls = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        tls.set_certificate_chain_file(pki.server_certificate())?;
        tls.set_private_key_file(pki.server_key(), SslFiletype::PEM)?;
        if from_clients {
            tls.set_ca_file(pki.ca_path())?;
            tls.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        Self::serving(Mood::Takes, Some(tls.build()))
    }

    fn serving(mood: Mood, tls: Option<SslAcceptor>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { mood, tls, seen: Mutex::default(), came: Condvar::new() });
        let scheme = if shared.tls.is_some() { "https" } else { "http" };
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || Shared::serve(&served, &listener));
        Ok(Self { address, scheme, shared, thread: Some(thread) })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` has to be.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// How many connections came so far, whatever was said on them.
    pub fn connections(&self) -> usize {
        self.shared.lock().connections
    }

    /// The requests so far, answered or not. Fails when one was not OTLP.
    pub fn requests(&self) -> Result<Vec<Request>> {
        let seen = self.shared.lock();
        seen.check()?;
        Ok(seen.requests.clone())
    }

    /// The spans taken so far. Fails when a request was not OTLP.
    pub fn spans(&self) -> Result<Vec<Span>> {
        self.shared.spans(&self.shared.lock())
    }

    /// Waits until the spans taken are as wanted, and returns them.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&[Span]) -> bool) -> Result<Vec<Span>> {
        let deadline = Instant::now() + timeout;
        let mut seen = self.shared.lock();
        loop {
            let spans = self.shared.spans(&seen)?;
            if wanted(&spans) {
                return Ok(spans);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let names: Vec<_> = spans.iter().map(|span| &span.name).take(20).collect();
                bail!("{} spans came within {timeout:?}, not as wanted; the first: {names:?}", spans.len());
            }
            seen = self.shared.came.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until so many spans with this name were taken, and returns all that have it.
    pub fn wait_for_named(&self, timeout: Duration, name: &str, count: usize) -> Result<Vec<Span>> {
        let is_named = |span: &&Span| span.name == name;
        let mut spans = self.wait_for(timeout, |spans| spans.iter().filter(is_named).count() >= count)?;
        spans.retain(|span| span.name == name);
        Ok(spans)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.lock().ended = true;
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Seen {
    fn check(&self) -> Result<()> {
        ensure!(self.trouble.is_empty(), "requests that are not OTLP: {:?}", self.trouble);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spans(&self, seen: &Seen) -> Result<Vec<Span>> {
        seen.check()?;
        match self.mood {
            Mood::Takes | Mood::Rejects(_) => {
                Ok(seen.requests.iter().flat_map(|request| request.spans.clone()).collect())
            }
            Mood::Answers(_) | Mood::Silent => Ok(Vec::new()),
        }
    }

    /// Until the receiver is dropped. Then no connection stays open, and no thread stays.
    fn serve(shared: &Arc<Self>, listener: &TcpListener) {
        let mut served: Vec<(TcpStream, JoinHandle<()>)> = Vec::new();
        for stream in listener.incoming().flatten() {
            if shared.lock().ended {
                break;
            }
            shared.lock().connections += 1;
            served.retain(|(_, thread)| !thread.is_finished());
            let Ok(handle) = stream.try_clone() else { continue };
            let shared = Arc::clone(shared);
            // A client that goes, even in the middle of a request, gave up or was killed: that is its business.
            let converse = move || {
                let _ = match &shared.tls {
                    None => shared.converse(&stream),
                    // A client that does not trust us, or that we do not trust, has said nothing yet.
                    Some(tls) => tls.accept(&stream).map_or(Ok(()), |stream| shared.converse(stream)),
                };
                let _ = stream.shutdown(Shutdown::Both);
            };
            served.push((handle, thread::spawn(converse)));
        }
        for (stream, thread) in served {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
    }

    /// All requests of one connection.
    fn converse(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut reader = BufReader::new(stream);
        while let Some(request) = http::Request::read(&mut reader)? {
            let decoded = message::spans(&request);
            let is_otlp = decoded.is_ok();
            {
                let mut seen = self.lock();
                match decoded {
                    Ok(spans) => seen.requests.push(Request { http: request, spans }),
                    Err(error) => seen.trouble.push(format!("{}: {error:#}", request.line)),
                }
                self.came.notify_all();
            }
            let (status, body) = match self.mood {
                _ if !is_otlp => (400, Vec::new()),
                Mood::Takes => (200, Vec::new()),
                Mood::Rejects(count) => (200, message::rejection(count)),
                Mood::Answers(status) => (status, Vec::new()),
                // Until the other side goes.
                Mood::Silent => return reader.read(&mut [0]).map(drop),
            };
            let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/x-protobuf\r\n");
            let stream = reader.get_mut();
            stream.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes())?;
            stream.write_all(&body)?;
        }
        Ok(())
    }
}
