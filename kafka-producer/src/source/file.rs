//! A whole file as one message.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::reader::{Patience, Reader, is_stop, name_of};
use super::{Filled, Input, MAX_MESSAGE_BYTES, Message, SourceError};

/// A file in memory, compressed if that was asked for.
#[derive(Debug)]
pub(super) struct WholeFile {
    content: Vec<u8>,
    name: Option<Vec<u8>>,
    gzip: bool,
    count: u64,
}

impl WholeFile {
    pub fn open(from: &Input, gzip: bool, count: u64, patience: Patience) -> Result<WholeFile, SourceError> {
        let content = whole(from, gzip, patience)?;
        let name = match from {
            Input::Stdin => None,
            // Only the last part: the folders of this machine are nobody else's business.
            Input::File(path) => path.file_name().map(|name| name.as_encoded_bytes().to_vec()),
        };
        Ok(WholeFile { content, name, gzip, count })
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn size(&self) -> usize {
        self.content.len()
    }

    pub fn fill(&self, sequence: u64, message: &mut Message) -> Filled {
        if sequence >= self.count {
            return Filled::End;
        }
        message.value.start().extend_from_slice(&self.content);
        if let Some(name) = &self.name {
            message.push_header("file-name", Some(name));
        }
        if self.gzip {
            message.push_header("content-encoding", Some(b"gzip"));
        }
        Filled::Message
    }
}

/// All that an input has.
pub(super) fn whole(from: &Input, gzip: bool, patience: Patience) -> Result<Vec<u8>, SourceError> {
    let name = || name_of(from);
    let reader = Reader::open(from, patience)?;
    match read(reader, gzip, MAX_MESSAGE_BYTES) {
        Ok(Some(content)) => Ok(content),
        Ok(None) => Err(SourceError::TooLarge { name: name(), limit: MAX_MESSAGE_BYTES }),
        Err(error) if is_stop(&error) => Err(SourceError::Stopped),
        Err(source) => Err(SourceError::ReadFile { name: name(), source }),
    }
}

/// Reads everything, or `None` when there is more than `limit` before or after compression.
fn read(reader: impl Read, gzip: bool, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut reader = reader.take(limit as u64 + 1);
    let (read, content) = if gzip {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let read = io::copy(&mut reader, &mut encoder)?;
        encoder.flush()?;
        (read as usize, encoder.finish()?)
    } else {
        let mut content = Vec::new();
        (reader.read_to_end(&mut content)?, content)
    };
    Ok((read <= limit && content.len() <= limit).then_some(content))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    fn patient() -> Patience {
        std::sync::Arc::new(|| true)
    }

    fn file(content: &[u8]) -> (tempfile::TempDir, Input) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        std::fs::write(&path, content).unwrap();
        (folder, Input::File(path))
    }

    #[test]
    fn is_sent_as_it_is_as_often_as_asked() {
        let (_folder, from) = file(b"a\r\n\xff\0b");
        let whole = WholeFile::open(&from, false, 2, patient()).unwrap();
        let mut message = Message::default();
        assert_eq!(whole.fill(1, &mut message), Filled::Message);
        assert_eq!(message.value(), Some(&b"a\r\n\xff\0b"[..]));
        assert!(message.headers().eq([("file-name", Some(&b"report.csv"[..]))]));
        assert_eq!(whole.fill(2, &mut message), Filled::End);
    }

    #[test]
    fn an_empty_file_is_an_empty_message_not_a_tombstone() {
        let (_folder, from) = file(b"");
        let mut message = Message::default();
        assert_eq!(WholeFile::open(&from, false, 1, patient()).unwrap().fill(0, &mut message), Filled::Message);
        assert_eq!(message.value(), Some(&b""[..]));
    }

    #[test]
    fn gzip_is_undone_by_gzip_and_named_in_a_header() {
        let text = b"train station ".repeat(10_000);
        let (_folder, from) = file(&text);
        let mut message = Message::default();
        assert_eq!(WholeFile::open(&from, true, 1, patient()).unwrap().fill(0, &mut message), Filled::Message);
        let sent = message.value().unwrap();
        assert!(sent.len() < text.len() / 10);
        let mut back = Vec::new();
        GzDecoder::new(sent).read_to_end(&mut back).unwrap();
        assert!(back == text);
        assert!(message.headers().any(|header| header == ("content-encoding", Some(b"gzip"))));
    }

    #[test]
    fn the_same_file_compresses_to_the_same_bytes() {
        let once = read(&b"text"[..], true, 1000).unwrap();
        assert_eq!(once, read(&b"text"[..], true, 1000).unwrap());
    }

    #[test]
    fn too_large_is_found_while_reading() {
        assert_eq!(read(&b"1234"[..], false, 4).unwrap().unwrap(), b"1234");
        assert_eq!(read(&b"12345"[..], false, 4).unwrap(), None);
        assert_eq!(read(io::repeat(b'x'), true, 100).unwrap(), None);
        assert_eq!(read(io::repeat(b'x'), false, 100).unwrap(), None);
    }

    #[test]
    fn errors_name_the_path_and_what_to_do() {
        let error = WholeFile::open(&Input::parse("no/such/file"), false, 1, patient()).unwrap_err();
        assert_eq!(error.to_string(), "cannot open `no/such/file`: check the path, and that this user may read it");
        assert!(std::error::Error::source(&error).is_some());
        let folder = tempfile::tempdir().unwrap();
        let error = WholeFile::open(&Input::File(folder.path().to_owned()), false, 1, patient()).unwrap_err();
        assert!(matches!(&error, SourceError::Open { source, .. } if source.kind() == io::ErrorKind::IsADirectory));
    }
}
