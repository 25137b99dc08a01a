//! A receiver of spans, by OTLP over HTTP, for the tests of both programs.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Takes it.
    Takes,
    /// Answers with this status.
    Answers(u16),
    /// Takes it and says that so many spans were rejected.
    Rejects(u8),
    /// Reads it and never answers.
    Silent,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    pub path: String,
    pub headers: Vec<String>,
    pub resource: Vec<KeyValue>,
    pub spans: Vec<Span>,
}

/// A receiver on a port of its own. Its threads end with the test's process.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<(Mutex<(Manner, Vec<Request>)>, Condvar)>,
}

impl Receiver {
    pub fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new((Mutex::new((manner, Vec::new())), Condvar::new()));
        let receiver = Self { address, shared: Arc::clone(&shared) };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || drop(serve(&stream.unwrap(), &shared)));
            }
        });
        receiver
    }

    /// The value of `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All that was taken.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.0.lock().unwrap().1.clone()
    }

    /// All spans that were taken.
    pub fn spans(&self) -> Vec<Span> {
        self.requests().into_iter().flat_map(|request| request.spans).collect()
    }

    /// The spans with this name, once there are so many.
    pub fn wait_for(&self, name: &str, count: usize) -> Vec<Span> {
        let named = |requests: &[Request]| -> Vec<Span> {
            requests.iter().flat_map(|request| request.spans.clone()).filter(|span| span.name == name).collect()
        };
        let end = Instant::now() + Duration::from_secs(30);
        let mut state = self.shared.0.lock().unwrap();
        loop {
            let found = named(&state.1);
            if found.len() >= count {
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {count} spans {name} came: {:#?}", found.len(), state.1);
            state = self.shared.1.wait_timeout(state, left).unwrap().0;
        }
    }
}

fn serve(stream: &TcpStream, shared: &(Mutex<(Manner, Vec<Request>)>, Condvar)) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_owned()),
            }
        }
        let path = lines.remove(0).split(' ').nth(1).unwrap().to_owned();
        let header =
            |name: &str| lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(str::to_owned));
        let size = header("content-length: ").unwrap().parse().unwrap();
        let mut body = vec![0; size];
        reader.read_exact(&mut body)?;
        if header("content-encoding: gzip").is_some() {
            let packed = std::mem::take(&mut body);
            flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut body)?;
        }
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let mut state = shared.0.lock().unwrap();
        let (status, answer) = match state.0 {
            Manner::Takes => (200, Vec::new()),
            // ExportTraceServiceResponse { partial_success: { rejected_spans } }
            Manner::Rejects(count) => (200, vec![0x0a, 0x02, 0x08, count]),
            Manner::Answers(status) => (status, Vec::new()),
            Manner::Silent => (0, Vec::new()),
        };
        if status == 200 {
            let mut taken = Request { path, headers: lines, resource: Vec::new(), spans: Vec::new() };
            for part in request.resource_spans {
                taken.resource = part.resource.unwrap_or_default().attributes;
                taken.spans.extend(part.scope_spans.into_iter().flat_map(|scope| scope.spans));
            }
            state.1.push(taken);
            shared.1.notify_all();
        }
        drop(state);
        if status == 0 {
            // Until the other side goes.
            let _ = reader.read(&mut [0; 1])?;
            return Ok(());
        }
        let mut writer = stream;
        write!(writer, "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\n\r\n", answer.len())?;
        writer.write_all(&answer)?;
    }
}

/// An attribute as text; a number in decimal.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => format!("{other:?}"),
    })
}

/// Bytes of an id as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
