//! A receiver of OTLP over HTTP: takes the spans that a program exports, or fails in the ways that a collector does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as Received;
use prost::Message;
use serde_json::Value;

/// A client that says nothing must not hold up the end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// Takes the spans and answers 200.
    Takes,
    /// Answers 503.
    Unavailable,
    /// Takes the connection and never answers.
    Silent,
}

/// A span as it arrived. Ids are in lower-case hex, as in `traceparent`; a root's parent is empty.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name, as `send orders`.
    pub name: String,
    /// OTLP's number of the kind: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// The trace it belongs to.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// The span it is a child of.
    pub parent_id: String,
    /// Trace and span ids of its links.
    pub links: Vec<(String, String)>,
    /// When it began and ended, in nanoseconds since 1970.
    pub times: (u64, u64),
    /// What it says about itself: text, whole numbers and booleans.
    pub attributes: BTreeMap<String, Value>,
    /// What the process that made it says about itself.
    pub resource: BTreeMap<String, Value>,
    /// Whether its status is "error".
    pub is_error: bool,
}

impl Span {
    /// An attribute; null when it has none of this name.
    pub fn attribute(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::Null)
    }
}

/// A receiver on loopback; dropped, it is down.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    mood: Mood,
    ended: AtomicBool,
    requests: AtomicUsize,
    spans: Mutex<Vec<Span>>,
    trouble: Mutex<Vec<String>>,
}

impl Receiver {
    /// One that takes all spans.
    pub fn start() -> Result<Self> {
        Self::in_mood(Mood::Takes)
    }

    /// One that does this with each request.
    pub fn in_mood(mood: Mood) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            mood,
            ended: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
            spans: Mutex::default(),
            trouble: Mutex::default(),
        });
        let served = Arc::clone(&shared);
        let thread = thread::spawn(move || served.serve(&listener));
        Ok(Self { address, shared, thread: Some(thread) })
    }

    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` has to be.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests came so far.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// The spans so far. Fails when a request was not OTLP.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(trouble.is_empty(), "requests that are not OTLP: {trouble:?}");
        Ok(self.shared.spans.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Waits until the spans are as wanted, and returns them.
    pub fn wait_for(&self, timeout: Duration, wanted: impl Fn(&[Span]) -> bool) -> Result<Vec<Span>> {
        let deadline = Instant::now() + timeout;
        loop {
            let spans = self.spans()?;
            if wanted(&spans) {
                return Ok(spans);
            }
            if Instant::now() >= deadline {
                let names: Vec<_> = spans.iter().map(|span| &span.name).take(20).collect();
                bail!("{} spans came within {timeout:?}, not as wanted; the first: {names:?}", spans.len());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self, listener: &TcpListener) {
        let mut unanswered = Vec::new();
        for stream in listener.incoming() {
            if self.ended.load(Ordering::Relaxed) {
                break;
            }
            let Ok(stream) = stream else { continue };
            self.requests.fetch_add(1, Ordering::Relaxed);
            if self.mood == Mood::Silent {
                unanswered.push(stream);
            } else if let Err(error) = self.answer(stream) {
                self.trouble.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{error:#}"));
            }
        }
    }

    /// One request a connection, which the answer says.
    fn answer(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(request) = Request::read(&stream)? else { return Ok(()) };
        let status = match self.mood {
            Mood::Unavailable => "503 Service Unavailable",
            _ => {
                self.take(&request)?;
                "200 OK"
            }
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/x-protobuf\r\n");
        stream.write_all(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n").as_bytes())?;
        Ok(())
    }

    fn take(&self, request: &Request) -> Result<()> {
        ensure!(request.line.starts_with("POST /v1/traces "), "the request is {:?}", request.line);
        let kind = request.headers.get("content-type").map_or("", String::as_str);
        ensure!(kind == "application/x-protobuf", "the content type is {kind:?}");
        let body = match request.headers.get("content-encoding").map(String::as_str) {
            None => request.body.clone(),
            Some("gzip") => {
                let mut plain = Vec::new();
                GzDecoder::new(&request.body[..]).read_to_end(&mut plain)?;
                plain
            }
            Some(other) => bail!("the content encoding is {other:?}"),
        };
        let message = ExportTraceServiceRequest::decode(&body[..])?;
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        for group in message.resource_spans {
            let resource = attributes(group.resource.map(|resource| resource.attributes).unwrap_or_default());
            spans.extend(
                group.scope_spans.into_iter().flat_map(|scope| scope.spans).map(|span| received(span, &resource)),
            );
        }
        Ok(())
    }
}

/// A request, read to its end. Header names are in lower case.
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    /// `None`: the client came and went without a word.
    fn read(stream: &TcpStream) -> Result<Option<Self>> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut headers = BTreeMap::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let Some((name, value)) = header.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").context("the request has no content-length")?.parse()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(Some(Self { line, headers, body }))
    }
}

fn received(span: Received, resource: &BTreeMap<String, Value>) -> Span {
    Span {
        name: span.name,
        kind: span.kind,
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_id: hex(&span.parent_span_id),
        links: span.links.iter().map(|link| (hex(&link.trace_id), hex(&link.span_id))).collect(),
        times: (span.start_time_unix_nano, span.end_time_unix_nano),
        attributes: attributes(span.attributes),
        resource: resource.clone(),
        // STATUS_CODE_ERROR.
        is_error: span.status.is_some_and(|status| status.code == 2),
    }
}

fn attributes(pairs: Vec<KeyValue>) -> BTreeMap<String, Value> {
    let value = |value| match value {
        any_value::Value::StringValue(text) => text.into(),
        any_value::Value::BoolValue(is) => is.into(),
        any_value::Value::IntValue(number) => number.into(),
        any_value::Value::DoubleValue(number) => number.into(),
        other => format!("{other:?}").into(),
    };
    pairs.into_iter().filter_map(|pair| Some((pair.key, value(pair.value?.value?)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
