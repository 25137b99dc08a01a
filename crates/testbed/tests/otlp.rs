//! The receiver of spans, spoken to byte by byte: what a program's tests rely on must not come from the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use testbed::otlp::{Kind, Mood, Receiver};

const SOON: Duration = Duration::from_secs(20);

fn pairs(name: &str, value: any_value::Value) -> Vec<KeyValue> {
    vec![KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }]
}

fn message(name: &str) -> Vec<u8> {
    let span = Span {
        name: name.to_owned(),
        kind: Kind::Producer as i32,
        trace_id: vec![0xab; 16],
        span_id: vec![0x0c; 8],
        attributes: pairs("offset", any_value::Value::IntValue(7)),
        status: Some(Status { code: 2, ..Status::default() }),
        ..Span::default()
    };
    let resource =
        Resource { attributes: pairs("team", any_value::Value::StringValue("a".to_owned())), ..Resource::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let group = ResourceSpans { resource: Some(resource), scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![group] }.encode_to_vec()
}

/// A connection that stays open.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(receiver: &Receiver) -> Result<Self> {
        let address = receiver.endpoint();
        let stream = TcpStream::connect(address.strip_prefix("http://").context("no http")?)?;
        stream.set_read_timeout(Some(SOON))?;
        Ok(Self(BufReader::new(stream)))
    }

    fn send(&mut self, headers: &str, body: &[u8]) -> Result<()> {
        let head = format!("POST /v1/traces HTTP/1.1\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        self.0.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        Ok(())
    }

    /// The status line and the body.
    fn answer(&mut self) -> Result<(String, Vec<u8>)> {
        let (mut head, mut line) = (Vec::new(), String::new());
        while self.0.read_line(&mut line)? > 0 && line != "\r\n" {
            head.push(std::mem::take(&mut line));
        }
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
        let mut body = vec![0; length.trim().parse()?];
        self.0.read_exact(&mut body)?;
        Ok((head.swap_remove(0), body))
    }
}

const PROTOBUF: &str = "Content-Type: application/x-protobuf\r\n";

#[test]
fn spans_come_over_several_connections_that_stay_open_and_are_decoded() -> Result<()> {
    let receiver = Receiver::start()?;
    let (mut one, mut other) = (Client::new(&receiver)?, Client::new(&receiver)?);
    // The first connection has said nothing when the second is answered.
    for name in ["a", "b"] {
        other.send(PROTOBUF, &message(name))?;
        assert!(other.answer()?.0.starts_with("HTTP/1.1 200 "));
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&message("a"))?;
    one.send(&format!("{PROTOBUF}Content-Encoding: gzip\r\nX-Tenant: t\r\n"), &packed.finish()?)?;
    one.answer()?;
    let named = receiver.wait_for_named(SOON, "a", 2)?;
    assert_eq!((named.len(), receiver.spans()?.len(), receiver.connections()), (2, 3, 2));
    let span = &named[1];
    assert_eq!((span.trace_id.as_str(), span.span_id.as_str()), (&*"ab".repeat(16), &*"0c".repeat(8)));
    assert_eq!((span.kind, span.parent_id.as_str(), span.is_error), (Kind::Producer, "", true));
    assert_eq!((span.attribute("offset"), &span.resource["team"]), (&7.into(), &"a".into()));
    assert!(span.attribute("other").is_null());
    let last = &receiver.requests()?[2].http;
    assert_eq!((last.path(), last.header("x-tenant")), ("/v1/traces", Some("t")));
    assert!(receiver.wait_for_named(Duration::ZERO, "a", 3).is_err(), "a missed deadline is an error");
    Ok(())
}

#[test]
fn it_fails_in_the_ways_of_a_collector_and_takes_nothing_then() -> Result<()> {
    for (mood, status, taken) in [(Mood::Answers(503), "503", 0), (Mood::Rejects(300), "200", 1)] {
        let receiver = Receiver::in_mood(mood)?;
        let mut client = Client::new(&receiver)?;
        client.send(PROTOBUF, &message("a"))?;
        let (line, body) = client.answer()?;
        assert!(line.contains(status), "{mood:?}: {line}");
        // ExportTraceServiceResponse { partial_success: { rejected_spans: 300 } }
        let rejected: &[u8] = if taken == 1 { &[0x0a, 3, 0x08, 0xac, 0x02] } else { &[] };
        assert_eq!(body, rejected, "{mood:?}");
        assert_eq!((receiver.spans()?.len(), receiver.requests()?.len()), (taken, 1), "{mood:?}");
    }
    let silent = Receiver::in_mood(Mood::Silent)?;
    let mut client = Client::new(&silent)?;
    client.send(PROTOBUF, &message("a"))?;
    client.0.get_ref().set_read_timeout(Some(Duration::from_millis(200)))?;
    assert!(client.answer().is_err());
    assert_eq!((silent.spans()?.len(), silent.requests()?.len()), (0, 1));
    client.0.get_ref().set_read_timeout(Some(SOON))?;
    drop(silent);
    assert_eq!(client.0.read(&mut [0])?, 0, "an end for those who wait");
    Ok(())
}

#[test]
fn what_is_not_otlp_is_refused_and_fails_the_test() -> Result<()> {
    for (headers, body) in [("", message("a")), (PROTOBUF, b"nonsense".to_vec())] {
        let receiver = Receiver::start()?;
        let mut client = Client::new(&receiver)?;
        client.send(headers, &body)?;
        assert!(client.answer()?.0.contains("400"));
        assert!(receiver.spans().is_err() && receiver.requests().is_err());
    }
    Ok(())
}
