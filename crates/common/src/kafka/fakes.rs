//! Servers on loopback that are no brokers, or brokers with one fault: what makes the real librdkafka say its words.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{HandshakeError, SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};

use crate::config::Properties;

/// For what happens at once on a machine with nothing else to do.
pub const SOON: Duration = Duration::from_secs(30);

/// A server that deals with each connection in the same way, one after another; dropped, it is gone.
pub struct Fake {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    pub fn new(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
                // Side by side: a client that is silent must not keep the others waiting.
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || answer(stream));
            }
        });
        Self { address, ended, thread: Some(thread) }
    }

    /// Reads a request, says this, and hangs up.
    pub fn says(words: &'static [u8]) -> Self {
        Self::new(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(words);
        })
    }

    /// Speaks TLS with this certificate, and hangs up after the handshake. With authorities it asks for a client certificate.
    pub fn tls(identity: &Identity, clients: Option<&Identity>) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
        acceptor.set_private_key(&identity.key).unwrap();
        acceptor.set_certificate(&identity.certificate).unwrap();
        if let Some(clients) = clients {
            acceptor.cert_store_mut().add_cert(clients.certificate.clone()).unwrap();
            acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        }
        let acceptor = acceptor.build();
        Self::new(move |stream| {
            match acceptor.accept(stream) {
                Ok(mut tls) => drop(tls.read(&mut [0; 4096])),
                // Closed with bytes unread, the system sends a reset, which can overtake the alert: read to the end.
                Err(HandshakeError::Failure(mut refused)) => {
                    let stream = refused.get_mut();
                    let _ = stream.shutdown(Shutdown::Write);
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                    let _ = std::io::copy(stream, &mut std::io::sink());
                }
                Err(_) => {}
            }
        })
    }

    /// A broker that answers ApiVersions, and SaslHandshake with this error and these mechanisms.
    pub fn sasl(error: i16, mechanisms: &'static [&'static str]) -> Self {
        Self::new(move |mut stream| while answer_request(&mut stream, error, mechanisms).is_some() {})
    }

    /// A broker that answers ApiVersions, and ends before the login.
    pub fn ends_before_login() -> Self {
        Self::new(|mut stream| {
            // librdkafka asks for the newest version first, then for the oldest.
            let _ = answer_request(&mut stream, 0, &[]).and_then(|()| answer_request(&mut stream, 0, &[]));
        })
    }

    /// A broker of id 1 with a topic `t` that, while it is fenced, names no broker in its metadata, not even itself.
    pub fn fenced_while(is_fenced: &Arc<AtomicBool>) -> Self {
        let is_fenced = Arc::clone(is_fenced);
        Self::new(move |mut stream| {
            let Ok(own) = stream.local_addr() else { return };
            let metadata = || metadata(own, is_fenced.load(Ordering::Relaxed));
            let manners = Manners { error: 0, mechanisms: &[], metadata: &metadata, password: &|| None };
            while answer_any(&mut stream, &manners).is_some() {}
        })
    }

    /// A broker of id 1 with a topic `t` that takes this password by PLAIN, from any user. When the password changes, it answers one
    /// more request on a connection and hangs up, so that the client logs in again.
    pub fn plain(password: &Arc<Mutex<String>>) -> Self {
        let password = Arc::clone(password);
        Self::new(move |mut stream| {
            let Ok(own) = stream.local_addr() else { return };
            let manners = Manners {
                error: 0,
                mechanisms: &["PLAIN"],
                metadata: &|| metadata(own, false),
                password: &|| Some(password.lock().unwrap().clone()),
            };
            let at_first = password.lock().unwrap().clone();
            while answer_any(&mut stream, &manners).is_some() && *password.lock().unwrap() == at_first {}
        })
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The same port under a name.
    pub fn localhost(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer_request(stream: &mut TcpStream, error: i16, mechanisms: &[&str]) -> Option<()> {
    answer_any(stream, &Manners { error, mechanisms, metadata: &Vec::new, password: &|| None })
}

/// What a broker answers.
struct Manners<'a> {
    /// To SaslHandshake, with these mechanisms.
    error: i16,
    mechanisms: &'a [&'a str],
    /// The body about metadata; empty for a broker that hangs up.
    metadata: &'a dyn Fn() -> Vec<u8>,
    /// The password of all users; `None` for a broker that hangs up.
    password: &'a dyn Fn() -> Option<String>,
}

const METADATA: i16 = 3;

/// The body of an answer about metadata, version 4: this broker, unless it is fenced, and a topic `t` of one partition.
fn metadata(broker: SocketAddr, is_fenced: bool) -> Vec<u8> {
    let mut body = 0_i32.to_be_bytes().to_vec(); // not throttled
    let text = |body: &mut Vec<u8>, text: &str| {
        body.extend((text.len() as i16).to_be_bytes());
        body.extend(text.as_bytes());
    };
    let numbers =
        |body: &mut Vec<u8>, numbers: &[i32]| body.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    if is_fenced {
        numbers(&mut body, &[0]);
    } else {
        numbers(&mut body, &[1, 1]);
        text(&mut body, &broker.ip().to_string());
        numbers(&mut body, &[i32::from(broker.port())]);
        body.extend((-1_i16).to_be_bytes()); // no rack
    }
    text(&mut body, "cluster");
    numbers(&mut body, &[if is_fenced { -1 } else { 1 }, 1]); // the controller; one topic
    body.extend(0_i16.to_be_bytes());
    text(&mut body, "t");
    body.push(0); // not internal
    numbers(&mut body, &[1]);
    let (error, leader) = if is_fenced { (5_i16, -1) } else { (0, 1) };
    body.extend(error.to_be_bytes());
    numbers(&mut body, &[0, leader, 1, 1, 1, 1]); // partition, leader, one replica, one in sync
    body
}

/// Answers one request; which one.
fn answer_any(stream: &mut TcpStream, manners: &Manners<'_>) -> Option<()> {
    let Manners { error, mechanisms, metadata, password } = *manners;
    const API_VERSIONS: i16 = 18;
    const SASL_HANDSHAKE: i16 = 17;
    const SASL_AUTHENTICATE: i16 = 36;
    const UNSUPPORTED_VERSION: i16 = 35;
    const SASL_AUTHENTICATION_FAILED: i16 = 58;
    /// Key, lowest and highest version.
    const KNOWN: [[i16; 3]; 4] = [[18, 0, 0], [17, 0, 1], [36, 0, 1], [3, 0, 4]];
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let mut request = vec![0; usize::try_from(i32::from_be_bytes(size)).ok()?];
    stream.read_exact(&mut request).ok()?;
    let number = |at: usize| request.get(at..at + 2).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]));
    let (key, version) = (number(0)?, number(2)?);
    let mut body = request.get(4..8)?.to_vec();
    match key {
        API_VERSIONS => {
            let code = if version == 0 { 0 } else { UNSUPPORTED_VERSION };
            body.extend(code.to_be_bytes());
            body.extend((KNOWN.len() as i32).to_be_bytes());
            body.extend(KNOWN.iter().flatten().flat_map(|number| number.to_be_bytes()));
        }
        SASL_HANDSHAKE => {
            body.extend(error.to_be_bytes());
            body.extend((mechanisms.len() as i32).to_be_bytes());
            for mechanism in mechanisms {
                body.extend((mechanism.len() as i16).to_be_bytes());
                body.extend(mechanism.as_bytes());
            }
        }
        SASL_AUTHENTICATE => {
            // It ends with user and password, each behind a zero.
            let is_right = request.rsplit(|byte| *byte == 0).next() == Some(password()?.as_bytes());
            let code = if is_right { 0 } else { SASL_AUTHENTICATION_FAILED };
            body.extend(code.to_be_bytes());
            body.extend((-1_i16).to_be_bytes()); // no message
            body.extend(0_i32.to_be_bytes()); // no further bytes
            if version > 0 {
                body.extend(0_i64.to_be_bytes()); // for ever
            }
        }
        METADATA => match metadata() {
            none if none.is_empty() => return None,
            known => body.extend(known),
        },
        _ => return None,
    }
    stream.write_all(&(body.len() as i32).to_be_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// A certificate and its key.
pub struct Identity {
    pub certificate: X509,
    pub key: PKey<Private>,
}

/// What a certificate is to be like.
pub struct Wanted<'a> {
    pub name: &'a str,
    pub hosts: &'a [&'a str],
    /// Days from now.
    pub from: i64,
    /// Days from now.
    pub until: i64,
}

impl Identity {
    /// An authority.
    pub fn authority(name: &str) -> Self {
        Self::new(&Wanted { name, hosts: &[], from: -10, until: 10 }, None)
    }

    /// A certificate of this authority.
    pub fn of(authority: &Identity, wanted: &Wanted<'_>) -> Self {
        Self::new(wanted, Some(authority))
    }

    fn new(wanted: &Wanted<'_>, authority: Option<&Identity>) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_nid(Nid::COMMONNAME, wanted.name).unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(next_number()).unwrap().to_asn1_integer().unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(authority.map_or(&*name, |authority| authority.certificate.subject_name())).unwrap();
        builder.set_pubkey(&key).unwrap();
        let day = |days: i64| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            Asn1Time::from_unix(i64::try_from(now).unwrap() + days * 86_400).unwrap()
        };
        builder.set_not_before(&day(wanted.from)).unwrap();
        builder.set_not_after(&day(wanted.until)).unwrap();
        if authority.is_none() {
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        }
        if !wanted.hosts.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for host in wanted.hosts {
                let _ = if host.parse::<std::net::IpAddr>().is_ok() { names.ip(host) } else { names.dns(host) };
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        builder.sign(authority.map_or(&key, |authority| &authority.key), MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    /// The certificate as a PEM file in this folder.
    pub fn certificate_file(&self, folder: &Path) -> PathBuf {
        written(folder, "certificate", &self.certificate.to_pem().unwrap())
    }

    /// The key as a PEM file in this folder.
    pub fn key_file(&self, folder: &Path) -> PathBuf {
        written(folder, "key", &self.key.private_key_to_pem_pkcs8().unwrap())
    }
}

fn written(folder: &Path, kind: &str, pem: &[u8]) -> PathBuf {
    let path = folder.join(format!("{}-{kind}.pem", next_number()));
    std::fs::write(&path, pem).unwrap();
    path
}

/// A number that no other call returns.
fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Properties of a client.
pub fn properties(set: &[(&str, &str)]) -> Properties {
    let mut properties = Properties::new();
    for (key, value) in set {
        properties.fallback(key, value);
    }
    properties
}

/// Asks until there is an answer.
pub fn wait_for<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what} did not come within {SOON:?}");
    }
}
