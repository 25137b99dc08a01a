//! A TCP proxy on loopback that can hold bytes back, delay them and reset connections: a network that fails, without any
//! rights on this machine.

mod carry;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use carry::carry;

/// A direction, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Out,
    /// From the server to the client.
    In,
    /// Both directions.
    Both,
}

impl Way {
    /// Whether bytes of this one direction are meant.
    fn covers(self, outwards: bool) -> bool {
        match self {
            Self::Out => outwards,
            Self::In => !outwards,
            Self::Both => true,
        }
    }
}

/// What is done to the connections at this moment.
#[derive(Default)]
struct State {
    /// What is held back: connections stay open, and no byte passes.
    held: Mutex<Option<Way>>,
    /// How much later each byte arrives, in milliseconds.
    delay_ms: AtomicU64,
    /// Of a hundred pieces, how many arrive late, as after a packet that is sent again.
    late_percent: AtomicU64,
    /// Counts the resets: a connection of an earlier count is to be reset.
    resets: AtomicU64,
    ended: AtomicBool,
}

/// One listening port, each connection of which is carried on to another port. Dropped, it ends them all.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a port and carries each connection to the other one, both on 127.0.0.1.
    pub fn start(port: u16, target: u16) -> Result<Self> {
        let listener =
            TcpListener::bind(("127.0.0.1", port)).with_context(|| format!("port {port} cannot be listened on"))?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            for client in listener.incoming() {
                if shared.ended.load(Ordering::Relaxed) {
                    break;
                }
                // A server that is away refuses: so does the proxy, by closing.
                let Ok(client) = client else { continue };
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    carry(client, server, &shared);
                }
            }
        });
        Ok(Self { port, state, thread: Some(thread) })
    }

    /// Lets no byte pass in this direction until [`Proxy::release`]. Connections stay open, and new ones are accepted.
    pub fn hold(&self, way: Way) {
        *self.state.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(way);
    }

    /// Lets all bytes pass again, at once: those that were held, too.
    pub fn release(&self) {
        *self.state.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Each byte arrives so much later from now on, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.state.delay_ms.store(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Of a hundred pieces so many arrive late from now on, as if a packet had to be sent again.
    pub fn late(&self, percent: u8) {
        self.state.late_percent.store(percent.into(), Ordering::Relaxed);
    }

    /// Ends all connections of this moment by RST, on both sides.
    pub fn reset(&self) {
        self.state.resets.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        self.release();
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::time::Instant;

    use super::*;
    use crate::ports::free_port;

    /// A server that sends back what it gets, behind a proxy, and a client of it.
    fn echo() -> (Proxy, TcpStream) {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = server.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in server.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = stream.try_clone().unwrap();
                thread::spawn(move || std::io::copy(&mut reader, &mut stream));
            }
        });
        let port = free_port().unwrap();
        let proxy = Proxy::start(port, target).unwrap();
        let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (proxy, client)
    }

    fn send_and_wait(client: &mut TcpStream) -> std::io::Result<Duration> {
        let began = Instant::now();
        client.write_all(b"x")?;
        client.read_exact(&mut [0])?;
        Ok(began.elapsed())
    }

    #[test]
    fn bytes_pass_are_held_in_either_direction_and_pass_again() {
        let (proxy, mut client) = echo();
        send_and_wait(&mut client).unwrap();
        for way in [Way::Out, Way::In, Way::Both] {
            proxy.hold(way);
            client.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let held = send_and_wait(&mut client).unwrap_err().kind();
            assert!(matches!(held, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{way:?}: {held:?}");
            proxy.release();
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
    }

    #[test]
    fn a_delay_counts_once_for_each_direction() {
        let (proxy, mut client) = echo();
        proxy.delay(Duration::from_millis(150));
        assert!(send_and_wait(&mut client).unwrap() >= Duration::from_millis(300));
    }

    #[test]
    fn a_reset_is_one_and_a_new_connection_works() {
        let (proxy, mut client) = echo();
        send_and_wait(&mut client).unwrap();
        proxy.reset();
        assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        let mut next = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        send_and_wait(&mut next).unwrap();
    }
}
