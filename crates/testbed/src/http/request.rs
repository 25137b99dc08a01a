//! A request as a server reads it: enough for servers that stand in for a real one in tests.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

/// A request with its body.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its first line, as `POST /v1/traces HTTP/1.1`.
    pub line: String,
    /// Names in lower case with their values; of a name that comes twice, the last one.
    pub headers: BTreeMap<String, String>,
    /// The body, of the length that the headers give; empty when they give none.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads the next request of a connection, or `None` when the client is done. Fails when it goes in the middle of one.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(line) = read_line(reader)? else { return Ok(None) };
        let mut headers = BTreeMap::new();
        loop {
            let header = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let Some((name, value)) = header.split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let length = headers.get("content-length").map_or(Ok(0), |length| length.parse());
        let mut body = vec![0; length.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?];
        reader.read_exact(&mut body)?;
        Ok(Some(Self { line, headers, body }))
    }

    /// The value of a header. The name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// What is asked for, as `/v1/traces`.
    pub fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let size = reader.read_line(&mut line)?;
    Ok((size > 0).then(|| line.trim_end().to_owned()))
}
