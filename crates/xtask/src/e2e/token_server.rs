//! A token endpoint for the client credentials grant, as small as can be: it checks the client and hands out unsigned tokens,
//! which the test brokers take.

use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use testbed::http::Request;

/// Of a token, in seconds.
const LIFETIME: u64 = 3600;
/// A client that says nothing must not hold up the others.
const PATIENCE: Duration = Duration::from_secs(5);

/// A token server on loopback; dropped, it is down.
pub struct TokenServer {
    port: u16,
    ended: Arc<AtomicBool>,
    silent: Arc<AtomicBool>,
    tokens: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl TokenServer {
    /// Serves one client on this port.
    pub fn start(port: u16, client: &str, secret: &str) -> Result<Self> {
        Self::with_lifetime(port, client, secret, LIFETIME)
    }

    /// As [`TokenServer::start`], with tokens that live for so many seconds.
    pub fn with_lifetime(port: u16, client: &str, secret: &str, lifetime: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let ended = Arc::new(AtomicBool::new(false));
        let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("{client}:{secret}")));
        let silent = Arc::new(AtomicBool::new(false));
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let handed_out = Arc::clone(&tokens);
        let (stop, says_nothing, subject) = (Arc::clone(&ended), Arc::clone(&silent), client.to_owned());
        let thread = thread::spawn(move || {
            let mut unanswered = Vec::new();
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                if says_nothing.load(Ordering::Relaxed) {
                    unanswered.push(stream);
                    continue;
                }
                let answered =
                    stream.map_err(Into::into).and_then(|stream| answer(stream, &expected, &subject, lifetime));
                // A client that went away is no reason to end.
                if let Ok(Some(token)) = answered {
                    handed_out.lock().unwrap_or_else(PoisonError::into_inner).push(token);
                }
            }
        });
        Ok(Self { port, ended, silent, tokens, thread: Some(thread) })
    }

    /// From now on connections are taken and nothing is answered.
    pub fn say_nothing(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// The tokens that were handed out until now.
    pub fn tokens(&self) -> Vec<String> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where tokens are had.
    pub fn url(port: u16) -> String {
        format!("http://127.0.0.1:{port}/token")
    }
}

impl Drop for TokenServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Answers one request; the token that was handed out, if one was.
fn answer(mut stream: TcpStream, expected: &str, subject: &str, lifetime: u64) -> Result<Option<String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = Request::read(&mut BufReader::new(&stream))?.context("the client said nothing")?;
    let authorized = request.header("authorization") == Some(expected);
    let granted = authorized && request.body.starts_with(b"grant_type=client_credentials");
    let token = if granted { Some(token(subject, lifetime)?) } else { None };
    let (status, body) = match &token {
        Some(token) => ("200 OK", json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime })),
        None => (
            "401 Unauthorized",
            json!({ "error": "invalid_client", "error_description": "unknown client or wrong secret" }),
        ),
    };
    let body = body.to_string();
    let head = format!("content-type: application/json\r\ncontent-length: {}\r\nconnection: close", body.len());
    stream.write_all(format!("HTTP/1.1 {status}\r\n{head}\r\n\r\n{body}").as_bytes())?;
    Ok(token)
}

fn token(subject: &str, lifetime: u64) -> Result<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let claims = json!({ "sub": subject, "iat": now, "exp": now + lifetime });
    let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    // The third part, the signature, is empty.
    Ok(format!("{}.{}.", part(json!({ "alg": "none" })), part(claims)))
}
