//! One connection to the admin server, within limits: a half-sent request, a body, or an answer that nobody reads must not be
//! kept for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::ServiceExt;

/// From a request's first byte to the end of its head.
const HEAD: Duration = Duration::from_secs(5);
/// From a request's head to the last byte of the answer.
const ANSWER: Duration = Duration::from_secs(10);
/// From one answer to the next request.
const IDLE: Duration = Duration::from_secs(60);
/// Bytes of a request's head.
const HEAD_BYTES: usize = 16 * 1024;

/// What the connection waits for, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The rest of a request's head. A connection begins with it.
    Head(Instant),
    /// The answer, be it made or written.
    Answer(Instant),
    /// The answer is ready to be written.
    Written(Instant),
    /// The next request.
    Idle(Instant),
}

impl Phase {
    fn deadline(self) -> Instant {
        match self {
            Phase::Head(since) => since + HEAD,
            Phase::Answer(since) | Phase::Written(since) => since + ANSWER,
            Phase::Idle(since) => since + IDLE,
        }
    }

    /// How soon the connection is closed when another one needs its place: the least first. Half a request before one whose
    /// requests were answered, and of equals the one that has waited the longest. `None` while an answer is being made.
    pub(super) fn rank(self) -> Option<(u8, Instant)> {
        match self {
            Phase::Head(since) => Some((0, since)),
            Phase::Idle(since) => Some((1, since)),
            Phase::Written(since) => Some((2, since)),
            Phase::Answer(_) => None,
        }
    }
}

/// The phase of a connection that begins now, and where it is seen.
pub(super) fn begin() -> (watch::Sender<Phase>, watch::Receiver<Phase>) {
    watch::channel(Phase::Head(Instant::now()))
}

/// Returns when a phase has lasted too long.
async fn overdue(mut phase: watch::Receiver<Phase>) {
    loop {
        let deadline = phase.borrow_and_update().deadline();
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return,
            // The sender lives as long as the connection.
            _ = phase.changed() => {}
        }
    }
}

/// Answers the requests of a connection, until it or one of the limits ends it.
pub(super) async fn serve(stream: TcpStream, router: Router, phase: watch::Sender<Phase>) {
    let seen = phase.subscribe();
    let stream = Stream { stream, phase: phase.clone() };
    let service = service_fn(move |request: Request<Incoming>| answer(request, router.clone(), phase.clone()));
    let connection = http1::Builder::new()
        .half_close(false)
        .max_buf_size(HEAD_BYTES)
        .max_header_size(HEAD_BYTES)
        // By our own clock, as it would count the wait for the next request too.
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        result = connection => {
            if let Err(error) = result {
                tracing::debug!(event = "admin_connection", "{error}");
            }
        }
        () = overdue(seen) => tracing::debug!(event = "admin_connection", "closed: the other side is too slow"),
    }
}

async fn answer(
    request: Request<Incoming>,
    router: Router,
    phase: watch::Sender<Phase>,
) -> Result<Response<Body>, std::convert::Infallible> {
    let asked = Instant::now();
    phase.send_replace(Phase::Answer(asked));
    let response = if request.body().is_end_stream() {
        router.oneshot(request).await?
    } else {
        let mut response = (StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body\n").into_response();
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    };
    phase.send_replace(Phase::Written(asked));
    Ok(response)
}

/// The stream, which notes when a request begins and when an answer is written.
struct Stream {
    stream: TcpStream,
    phase: watch::Sender<Phase>,
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let phase = *self.phase.borrow();
        if matches!(phase, Phase::Idle(_)) && buffer.filled().len() > before {
            self.phase.send_replace(Phase::Head(Instant::now()));
        }
        poll
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        // Asked for when all that the answer has was taken.
        let phase = *self.phase.borrow();
        if matches!(phase, Phase::Written(_)) && poll.is_ready() {
            self.phase.send_replace(Phase::Idle(Instant::now()));
        }
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A connection to the server, and the moment it began. The clock stands still while anything can go on.
    async fn connect() -> (TcpStream, Instant) {
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/never", get(std::future::pending::<&str>))
            .route("/long", get(|| async { vec![b'x'; 64 << 20] }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(accepted, router, begin().0));
        (stream, Instant::now())
    }

    /// Reads until the other side closes; when it did.
    async fn closed(stream: &mut TcpStream) -> (String, Instant) {
        let mut answer = Vec::new();
        // A connection that is reset is closed too.
        let _ = stream.read_to_end(&mut answer).await;
        (String::from_utf8(answer).unwrap(), Instant::now())
    }

    /// Asks once and reads the answer.
    async fn ask(stream: &mut TcpStream) {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"here"));
    }

    fn assert_lasted(time: Duration, limit: Duration) {
        assert!((limit..limit + Duration::from_millis(1500)).contains(&time), "{time:?} instead of {limit:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_does_not_end_is_given_up() {
        // Not a byte, half a head, a byte a second.
        let (mut silent, began) = connect().await;
        assert_lasted(closed(&mut silent).await.1 - began, HEAD);
        let (mut half, began) = connect().await;
        half.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
        assert_lasted(closed(&mut half).await.1 - began, HEAD);
        let (stream, began) = connect().await;
        let (mut read, mut write) = stream.into_split();
        let trickle = tokio::spawn(async move {
            while write.write_all(b"X").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        let _ = read.read_to_end(&mut Vec::new()).await;
        assert_lasted(Instant::now() - began, HEAD);
        trickle.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_kept_for_the_next_request_and_not_for_ever() {
        let (mut stream, _) = connect().await;
        for _ in 0..3 {
            ask(&mut stream).await;
            tokio::time::sleep(IDLE / 2).await;
        }
        ask(&mut stream).await;
        let answered = Instant::now();
        assert_lasted(closed(&mut stream).await.1 - answered, IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_request_has_its_own_limit() {
        let (mut stream, _) = connect().await;
        ask(&mut stream).await;
        tokio::time::sleep(IDLE / 2).await;
        stream.write_all(b"GET /").await.unwrap();
        let began = Instant::now();
        assert_lasted(closed(&mut stream).await.1 - began, HEAD);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_made_or_not_read_is_given_up() {
        let (mut never, began) = connect().await;
        never.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_lasted(closed(&mut never).await.1 - began, ANSWER);
        let (mut unread, began) = connect().await;
        unread.write_all(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        tokio::time::sleep(ANSWER * 2).await;
        let (answer, _) = closed(&mut unread).await;
        assert!(answer.len() < 64 << 20 && Instant::now() - began >= ANSWER, "{} bytes", answer.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_is_too_long_and_a_body_are_refused() {
        let (mut long, _) = connect().await;
        let head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(HEAD_BYTES));
        let _ = long.write_all(head.as_bytes()).await;
        let (answer, _) = closed(&mut long).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        let (mut body, began) = connect().await;
        body.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").await.unwrap();
        let (answer, ended) = closed(&mut body).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
        assert!(ended - began < HEAD, "at once");
    }
}
