//! A name server on loopback: it answers for the names that it is given, and denies all others. Takes port 53, and so root.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

/// A client that says nothing must not hold up the others.
const PATIENCE: Duration = Duration::from_secs(5);
const PORT: u16 = 53;
/// The type of a question for an IPv4 address, and the class of the internet.
const A: [u8; 4] = [0, 1, 0, 1];
/// The length of a message's head.
const HEAD: usize = 12;
/// Flags of an answer: it is one, and there is recursion.
const ANSWER: u16 = 0x8180;
const TRUNCATED: u16 = 0x0200;
const NO_SUCH_NAME: u16 = 3;

/// How a name is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// By this address.
    Address(Ipv4Addr),
    /// By this address over TCP; over UDP the answer is too long, and says so.
    OverTcp(Ipv4Addr),
}

/// A question that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, without a dot at its end.
    pub name: String,
    /// Whether it came over TCP.
    pub tcp: bool,
}

/// A running name server; dropped, it is down.
pub struct NameServer {
    ip: IpAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    names: BTreeMap<String, Answer>,
    questions: Mutex<Vec<Question>>,
    ended: AtomicBool,
}

impl NameServer {
    /// Serves these names on an address of its own.
    pub fn start(names: &[(&str, Answer)]) -> Result<Self> {
        // Another server may have some of them.
        let free = (2..=254).map(|last| SocketAddr::from(([127, 53, 53, last], PORT)));
        let sockets =
            free.filter_map(|address| Some((UdpSocket::bind(address).ok()?, TcpListener::bind(address).ok()?)));
        let (udp, tcp) = sockets.into_iter().next().context("no port 53 on loopback: a name server needs root")?;
        let ip = udp.local_addr()?.ip();
        let names = names.iter().map(|(name, answer)| ((*name).to_owned(), *answer)).collect();
        let shared = Arc::new(Shared { names, questions: Mutex::default(), ended: AtomicBool::new(false) });
        let (for_udp, for_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads =
            vec![thread::spawn(move || for_udp.serve_udp(&udp)), thread::spawn(move || for_tcp.serve_tcp(&tcp))];
        Ok(Self { ip, shared, threads })
    }

    /// The text of a `resolv.conf` that names this server and no other.
    pub fn resolv_conf(&self) -> String {
        format!("nameserver {}\noptions timeout:2 attempts:2\n", self.ip)
    }

    /// The questions so far.
    pub fn questions(&self) -> Vec<Question> {
        self.shared.questions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes both threads, which then see that it is over.
        let address = SocketAddr::from((self.ip, PORT));
        let _ = TcpStream::connect(address);
        let _ = UdpSocket::bind((self.ip, 0)).and_then(|socket| socket.send_to(&[0], address));
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve_udp(&self, socket: &UdpSocket) {
        let mut message = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut message) {
            if self.ended.load(Ordering::Relaxed) {
                break;
            }
            if let Some(answer) = self.answer(&message[..length], false) {
                // A client that went away is no reason to end.
                let _ = socket.send_to(&answer, from);
            }
        }
    }

    fn serve_tcp(&self, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.ended.load(Ordering::Relaxed) {
                break;
            }
            let _ = stream.map_err(Into::into).and_then(|stream| self.serve_connection(stream));
        }
    }

    /// Each message has its length in front. A client may ask for both kinds of addresses on one connection.
    fn serve_connection(&self, mut stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut message = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut message)?;
            let answer = self.answer(&message, true).context("no question")?;
            let mut framed = u16::try_from(answer.len())?.to_be_bytes().to_vec();
            framed.extend(answer);
            stream.write_all(&framed)?;
        }
        Ok(())
    }

    /// The answer to a message, which is to have one question. `None` when it is none.
    fn answer(&self, message: &[u8], tcp: bool) -> Option<Vec<u8>> {
        let (name, end) = name(message)?;
        let kind = message.get(end..end + 4)?;
        let known = self.names.get(&name).copied();
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).push(Question { name, tcp });
        let (flags, address) = match known {
            None => (ANSWER | NO_SUCH_NAME, None),
            Some(Answer::OverTcp(_)) if !tcp => (ANSWER | TRUNCATED, None),
            // Of an IPv6 address there is none, but the name is there.
            Some(Answer::Address(address) | Answer::OverTcp(address)) => (ANSWER, (kind == A).then_some(address)),
        };
        let mut answer = message.get(..2)?.to_vec();
        let answers = u16::from(address.is_some());
        for word in [flags, 1, answers, 0, 0] {
            answer.extend(word.to_be_bytes());
        }
        answer.extend(message.get(HEAD..end + 4)?);
        if let Some(address) = address {
            // The name is the one of the question, at its place; it holds for a second.
            answer.extend([0xc0, 0x0c]);
            answer.extend(A);
            answer.extend([0, 0, 0, 1, 0, 4]);
            answer.extend(address.octets());
        }
        Some(answer)
    }
}

/// The name of a message's question, and where it ends.
fn name(message: &[u8]) -> Option<(String, usize)> {
    let (mut labels, mut at) = (Vec::new(), HEAD);
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(message.get(at..at + length)?).to_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 7);

    fn shared() -> Shared {
        let names = [("a.test", Answer::Address(ADDRESS)), ("long.test", Answer::OverTcp(ADDRESS))];
        let names = names.into_iter().map(|(name, answer)| (name.to_owned(), answer)).collect();
        Shared { names, questions: Mutex::default(), ended: AtomicBool::new(false) }
    }

    fn question(name: &str, kind: u8) -> Vec<u8> {
        let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            message.push(u8::try_from(label.len()).unwrap());
            message.extend(label.bytes());
        }
        message.extend([0, 0, kind, 0, 1]);
        message
    }

    /// The flags, the number of answers, and the last four bytes.
    fn answered(name: &str, kind: u8, tcp: bool) -> (u16, u8, Vec<u8>) {
        let answer = shared().answer(&question(name, kind), tcp).unwrap();
        assert_eq!(answer[..2], [0x12, 0x34]);
        (u16::from_be_bytes([answer[2], answer[3]]), answer[7], answer[answer.len() - 4..].to_vec())
    }

    #[test]
    fn a_known_name_has_an_address_and_an_unknown_one_is_denied() {
        assert_eq!(answered("A.test", 1, false), (0x8180, 1, ADDRESS.octets().to_vec()));
        assert_eq!(answered("a.test", 28, false).1, 0, "no IPv6 address");
        let (flags, answers, _) = answered("b.test", 1, false);
        assert_eq!((flags, answers), (0x8183, 0));
    }

    #[test]
    fn a_long_answer_is_had_over_tcp_only() {
        let (flags, answers, _) = answered("long.test", 1, false);
        assert_eq!((flags, answers), (0x8380, 0));
        assert_eq!(answered("long.test", 1, true), (0x8180, 1, ADDRESS.octets().to_vec()));
    }

    #[test]
    fn what_is_no_question_has_no_answer() {
        for message in [&[][..], &[0; 11], &[0; 13], &[9; 40]] {
            assert_eq!(shared().answer(message, false), None);
        }
    }
}
