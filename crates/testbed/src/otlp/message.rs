//! The messages of OTLP over HTTP: a request in its encodings, and what may stand in an answer.

use std::io::Read;

use anyhow::{Result, bail, ensure};
use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;

use super::span::{Span, of_request};
use crate::http;

/// The spans that are in a request.
pub(super) fn spans(request: &http::Request) -> Result<Vec<Span>> {
    ensure!(request.line.starts_with("POST /"), "it is no POST");
    let kind = request.header("content-type");
    ensure!(kind == Some("application/x-protobuf"), "the content type is {kind:?}");
    let mut body = Vec::new();
    match request.header("content-encoding") {
        None => body.clone_from(&request.body),
        Some("gzip") => drop(GzDecoder::new(&request.body[..]).read_to_end(&mut body)?),
        Some(other) => bail!("the content encoding is {other:?}"),
    }
    Ok(of_request(ExportTraceServiceRequest::decode(&body[..])?))
}

/// The body of an answer that says that so many spans were rejected.
pub(super) fn rejection(rejected_spans: i64) -> Vec<u8> {
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message: String::new() });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}
