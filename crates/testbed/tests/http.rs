//! The GET helper, against a server of one answer.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};
use testbed::{http, ports};

#[test]
fn status_headers_and_body_are_told_apart() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", ports::free_port()?))?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> Result<String> {
        let (mut stream, _) = listener.accept()?;
        let mut request = String::new();
        BufReader::new(&stream).read_line(&mut request)?;
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n\r\nnot yet\n")?;
        Ok(request)
    });
    let response = http::wait_for(address, "/readyz", Duration::from_secs(20), |response| response.status == 503)?;
    assert_eq!((response.header("content-type"), response.body.as_str()), (Some("text/plain"), "not yet\n"));
    let request = server.join().map_err(|_| anyhow!("the server panicked"))??;
    assert!(request.starts_with("GET /readyz "), "{request}");
    Ok(())
}
