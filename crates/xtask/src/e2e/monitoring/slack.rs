//! A Slack for the suite: takes what is posted to an incoming webhook, and remembers it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A client that says nothing must not hold the others up.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came to the channel.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
}

/// A running Slack; dropped, it is gone.
pub struct Slack {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Slack {
    /// Opens the webhook.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (messages, ended) = (Arc::new(Mutex::<Vec<Message>>::default()), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (messages, ended) = (Arc::clone(&messages), Arc::clone(&ended));
            move || {
                for stream in listener.incoming().take_while(|_| !ended.load(Ordering::Relaxed)).flatten() {
                    if let Ok(found) = take(stream) {
                        messages.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
                    }
                }
            }
        };
        Ok(Self { address, messages, ended, thread: Some(thread::spawn(serve)) })
    }

    /// The address of the webhook.
    pub fn url(&self) -> String {
        format!("http://{}/services/test", self.address)
    }

    /// What has come so far.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what has come so far of an alert.
    pub fn forget(&self, alert: &str) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        messages.retain(|message| !message.title.contains(alert));
    }

    /// How many have this in their title.
    pub fn count(&self, title: &str) -> usize {
        self.messages().iter().filter(|message| message.title.contains(title)).count()
    }

    /// Waits for a message whose title begins so and names this alert.
    pub fn wait_for(&self, begins: &str, alert: &str, timeout: Duration) -> Result<Message> {
        let deadline = Instant::now() + timeout;
        loop {
            let messages = self.messages();
            let found =
                messages.iter().find(|message| message.title.starts_with(begins) && message.title.contains(alert));
            if let Some(message) = found {
                return Ok(message.clone());
            }
            if Instant::now() >= deadline {
                let titles: Vec<_> = messages.iter().map(|message| &message.title).collect();
                bail!("Slack has no message {begins:?} of {alert} after {timeout:?}; it has {titles:?}");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread, which then sees that it is over.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn take(mut stream: TcpStream) -> Result<Vec<Message>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(&stream);
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = Some(value.trim().parse()?);
        }
    }
    let mut body = vec![0; length.context("the request has no content-length")?];
    reader.read_exact(&mut body)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")?;
    let message: Value = serde_json::from_slice(&body)?;
    let field = |part: &Value, name: &str| part[name].as_str().unwrap_or_default().to_owned();
    let attachments = message["attachments"].as_array().into_iter().flatten();
    Ok(attachments.map(|part| Message { title: field(part, "title"), text: field(part, "text") }).collect())
}
