//! The one request that every broker answers before a login: which requests it knows, in which versions (ApiVersions,
//! <https://kafka.apache.org/protocol#The_Messages_ApiVersions>).

use std::io::{self, Read, Write};

use super::transport::Stream;

const API_VERSIONS: i16 = 18;
const PRODUCE: i16 = 0;
const FETCH: i16 = 1;
/// Of KIP-848, the group protocol `consumer`.
const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
/// More is no answer to this.
const LONGEST: usize = 64 * 1024;

/// What a broker can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions(Vec<(i16, i16)>);

impl Versions {
    /// The highest version of a request, if it is known at all.
    fn of(&self, request: i16) -> Option<i16> {
        self.0.iter().find(|(key, _)| *key == request).map(|(_, most)| *most)
    }

    /// For people.
    pub fn described(&self) -> String {
        let up_to = |request| self.of(request).map_or("none".to_owned(), |most| format!("up to version {most}"));
        let kip_848 = if self.of(CONSUMER_GROUP_HEARTBEAT).is_some() { "yes" } else { "no" };
        format!("Produce {}, Fetch {}; group protocol consumer (KIP-848): {kip_848}", up_to(PRODUCE), up_to(FETCH))
    }
}

/// Asks a broker that has just been connected to.
///
/// # Errors
/// It does not answer, or with something else.
pub fn ask(stream: &mut Stream) -> io::Result<Versions> {
    match stream {
        Stream::Plain(stream) => exchange(stream),
        Stream::Tls(stream) => exchange(stream.as_mut()),
    }
}

/// Whether nothing at all was answered.
pub fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Why there was no answer, for people.
pub fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "takes connections, and answers nothing".to_owned(),
        io::ErrorKind::UnexpectedEof => "ends the connection instead of an answer".to_owned(),
        _ => format!("its versions are not told: {error}"),
    }
}

fn exchange(stream: &mut (impl Read + Write)) -> io::Result<Versions> {
    let mut request = Vec::new();
    request.extend(API_VERSIONS.to_be_bytes());
    // Version 0, which all brokers know; correlation id 1; a client without a name.
    request.extend(0i16.to_be_bytes());
    request.extend(1i32.to_be_bytes());
    request.extend((-1i16).to_be_bytes());
    stream.write_all(&u32::try_from(request.len()).unwrap_or(0).to_be_bytes())?;
    stream.write_all(&request)?;
    stream.flush()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if !(10..=LONGEST).contains(&length) {
        return Err(io::Error::other("the answer is not one of Kafka's"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    read(&answer).ok_or_else(|| io::Error::other("the answer is not one of Kafka's"))
}

/// Correlation id, error code, and for each request its number with its lowest and highest version.
fn read(answer: &[u8]) -> Option<Versions> {
    let (correlation, rest) = answer.split_first_chunk::<4>()?;
    let (code, rest) = rest.split_first_chunk::<2>()?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    if i32::from_be_bytes(*correlation) != 1 || i16::from_be_bytes(*code) != 0 {
        return None;
    }
    let mut versions = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (entry, more) = rest.split_first_chunk::<6>()?;
        let number = |at: usize| i16::from_be_bytes([entry[at], entry[at + 1]]);
        versions.push((number(0), number(4)));
        rest = more;
    }
    Some(Versions(versions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i16, entries: &[(i16, i16, i16)], count: u32) -> Vec<u8> {
        let mut bytes = [1i32.to_be_bytes().as_slice(), &code.to_be_bytes(), &count.to_be_bytes()].concat();
        for (key, least, most) in entries {
            bytes.extend([key.to_be_bytes(), least.to_be_bytes(), most.to_be_bytes()].concat());
        }
        bytes
    }

    #[test]
    fn what_a_broker_can_do_is_read_from_its_answer() {
        let versions = read(&answer(0, &[(PRODUCE, 0, 12), (FETCH, 4, 17), (CONSUMER_GROUP_HEARTBEAT, 0, 1)], 3));
        let shown = versions.map(|versions| versions.described());
        let expected =
            "Produce up to version 12, Fetch up to version 17; group protocol consumer (KIP-848): yes".to_owned();
        assert_eq!(shown, Some(expected));
    }

    #[test]
    fn whatever_else_comes_is_no_answer() {
        assert_eq!(read(&answer(35, &[], 0)), None, "an error");
        assert_eq!(read(&answer(0, &[(PRODUCE, 0, 12)], 1_000_000)), None, "fewer than it says");
        assert_eq!(read(b"HTTP/1.1 400 Bad Request\r\n"), None);
        let whole = answer(0, &[(PRODUCE, 0, 12)], 1);
        for length in 0..whole.len() {
            assert_eq!(read(&whole[..length]), None);
        }
    }
}
