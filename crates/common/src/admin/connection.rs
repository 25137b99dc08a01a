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
enum Phase {
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
pub(super) async fn serve(stream: TcpStream, router: Router) {
    let (phase, seen) = watch::channel(Phase::Head(Instant::now()));
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
