//! A port that counts who comes, and sends everybody away.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;

/// Takes connections and closes them at once, as a broker that is starting behind a proxy does.
pub struct Visitors {
    address: SocketAddr,
    count: Arc<AtomicUsize>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Visitors {
    /// Opens the port.
    pub fn expect() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (count, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let serve = {
            let (count, ended) = (Arc::clone(&count), Arc::clone(&ended));
            move || {
                for _ in listener.incoming().take_while(|_| !ended.load(Ordering::Relaxed)) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        Ok(Self { address, count, ended, thread: Some(std::thread::spawn(serve)) })
    }

    /// Where the port is.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// How many connections there were so far.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread from its wait for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
