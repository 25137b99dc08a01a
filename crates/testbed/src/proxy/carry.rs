//! One connection of a proxy: for each direction a thread that reads and one that writes when the time has come.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::State;

/// How long a thread waits before it looks at the state again.
const LOOK: Duration = Duration::from_millis(20);
/// How late a piece is that a lost packet holds up: the shortest time after which Linux sends one again.
const RESENT: Duration = Duration::from_millis(200);
/// Pieces on their way. More wait in the sockets' own buffers, as behind a slow network.
const PIECES: usize = 256;
const PIECE: usize = 16 * 1024;

/// Bytes and when they arrive.
type Piece = (Instant, Vec<u8>);

/// Carries bytes in both directions until one side ends or the proxy does.
pub(super) fn carry(client: TcpStream, server: TcpStream, state: &Arc<State>) {
    let born = state.resets.load(Ordering::Relaxed);
    let (client, server) = (Arc::new(client), Arc::new(server));
    for (from, to, outwards) in [(&client, &server, true), (&server, &client, false)] {
        for stream in [from, to] {
            let _ = stream.set_nodelay(true);
            let _ = stream.set_read_timeout(Some(LOOK));
            let _ = stream.set_write_timeout(Some(LOOK));
        }
        let (pieces, inbox) = sync_channel(PIECES);
        let line = Line { state: Arc::clone(state), born, outwards };
        let (source, reading) = (Arc::clone(from), line.clone());
        thread::spawn(move || reading.read(&source, &pieces));
        let (source, target) = (Arc::clone(from), Arc::clone(to));
        thread::spawn(move || line.write(&target, &source, &inbox));
    }
}

/// One direction of one connection.
#[derive(Clone)]
struct Line {
    state: Arc<State>,
    /// The count of resets when it was opened.
    born: u64,
    outwards: bool,
}

impl Line {
    fn read(&self, mut source: &TcpStream, pieces: &SyncSender<Piece>) {
        let mut chunk = vec![0; PIECE];
        while !self.is_over() {
            match source.read(&mut chunk) {
                Ok(0) => return,
                Ok(length) => {
                    if pieces.send((Instant::now() + self.delay(), chunk[..length].to_vec())).is_err() {
                        return;
                    }
                }
                Err(error) if is_timeout(error.kind()) => {}
                Err(_) => return,
            }
        }
    }

    /// Also ends the connection: by RST where that is asked for, else as the source did.
    fn write(&self, target: &TcpStream, source: &TcpStream, pieces: &Receiver<Piece>) {
        while !self.is_over() {
            match pieces.recv_timeout(LOOK) {
                Ok((due, bytes)) => {
                    if !self.pass(target, due, &bytes) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.is_reset() {
            // With nothing to linger for, the last one who closes it sends RST.
            let _ = SockRef::from(target).set_linger(Some(Duration::ZERO));
            let _ = SockRef::from(source).set_linger(Some(Duration::ZERO));
        } else {
            let _ = target.shutdown(std::net::Shutdown::Both);
            let _ = source.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Writes a piece when it is due and nothing holds it back; `false` when the connection is over.
    fn pass(&self, mut target: &TcpStream, due: Instant, mut bytes: &[u8]) -> bool {
        loop {
            if self.is_over() {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() && !self.is_held() {
                break;
            }
            thread::sleep(if left.is_zero() { LOOK } else { left.min(LOOK) });
        }
        while !bytes.is_empty() && !self.is_over() {
            match target.write(bytes) {
                Ok(0) => return false,
                Ok(length) => bytes = &bytes[length..],
                Err(error) if is_timeout(error.kind()) => {}
                Err(_) => return false,
            }
        }
        bytes.is_empty()
    }

    fn delay(&self) -> Duration {
        let late = self.state.late_percent.load(Ordering::Relaxed);
        let resent = if fastrand::u64(..100) < late { RESENT } else { Duration::ZERO };
        Duration::from_millis(self.state.delay_ms.load(Ordering::Relaxed)) + resent
    }

    fn is_held(&self) -> bool {
        let held = *self.state.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.is_some_and(|way| way.covers(self.outwards))
    }

    fn is_reset(&self) -> bool {
        self.state.resets.load(Ordering::Relaxed) != self.born
    }

    fn is_over(&self) -> bool {
        self.is_reset() || self.state.ended.load(Ordering::Relaxed)
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
