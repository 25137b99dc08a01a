//! HTTP on loopback: one GET, enough to read a program's metrics and health, and what a server reads.

mod request;

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub use request::Request;

/// How long one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code, as 200.
    pub status: u16,
    /// Names in lower case with their values, in the order received.
    pub headers: Vec<(String, String)>,
    /// The body, as text.
    pub body: String,
}

impl Response {
    /// The first value of a header; the name's case doesn't matter.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Asks `address` (as `127.0.0.1:8080`) for `path`.
pub fn get(address: impl ToSocketAddrs, path: &str) -> Result<Response> {
    get_with(address, path, &[])
}

/// As [`get`], with these headers.
pub fn get_with(address: impl ToSocketAddrs, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
    let address = address.to_socket_addrs()?.next().context("the address names no host")?;
    let mut stream = TcpStream::connect_timeout(&address, REQUEST_TIMEOUT)
        .with_context(|| format!("nobody answers at {address}"))?;
    stream.set_read_timeout(Some(REQUEST_TIMEOUT))?;
    // HTTP/1.0 has no chunked bodies and no reuse of connections: the answer is what comes until the end.
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n{headers}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(|| format!("no complete answer from {address}{path}"))?;
    parse(&String::from_utf8(answer).context("the answer is not text")?)
}

/// Asks again and again until an answer satisfies `wanted`. The error of a missed deadline holds the last answer.
pub fn wait_for(
    address: impl ToSocketAddrs + Copy,
    path: &str,
    timeout: Duration,
    wanted: impl Fn(&Response) -> bool,
) -> Result<Response> {
    let deadline = Instant::now() + timeout;
    loop {
        let last = get(address, path);
        match last {
            Ok(response) if wanted(&response) => return Ok(response),
            _ if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            Ok(response) => bail!("{path} did not answer as wanted within {timeout:?}; last answer: {response:#?}"),
            Err(error) => {
                return Err(error.context(format!("{path} did not answer as wanted within {timeout:?}")));
            }
        }
    }
}

fn parse(answer: &str) -> Result<Response> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of headers")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("the answer has no status line")?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    Ok(Response {
        status: status.parse().with_context(|| format!("{status:?} is not a status code"))?,
        headers: headers.map(|(key, value)| (key.to_ascii_lowercase(), value.trim().to_owned())).collect(),
        body: body.to_owned(),
    })
}
