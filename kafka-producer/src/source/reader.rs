//! Inputs that can be left: a read ends when the run is to stop, though a pipe stays open and silent.
//!
//! Pipes, terminals and other devices are opened without waiting for the other side, and watched before each read. Files are
//! read straight away: there is nothing to wait for.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::{Input, SourceError};

/// How long one look at the input takes at most, and so how late a stop can be seen.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Whether to go on waiting for the input. Asked before each read, and at least every 100 ms while there is nothing to read.
pub type Patience = Arc<dyn Fn() -> bool + Send + Sync>;

/// An open input. A read that ends because the run is to stop is an error, as it must not look like the end: the part of a line
/// that was read until then is no line, and the work is not done.
pub(super) struct Reader {
    from: From,
    /// Whether a read may have to wait for somebody.
    waits: bool,
    patience: Patience,
}

enum From {
    Stdin(io::Stdin),
    File(File),
}

/// The error that says so.
#[derive(Debug, thiserror::Error)]
#[error("the run is to stop")]
struct Stopped;

/// Whether a read ended because the run is to stop.
pub(super) fn is_stop(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Stopped>())
}

impl Reader {
    /// Opens an input. A folder opens like a file and fails at the first read, so it is told apart here.
    pub fn open(from: &Input, patience: Patience) -> Result<Reader, SourceError> {
        let opened = match from {
            Input::Stdin => {
                let stdin = io::stdin();
                // What cannot be asked may be anything.
                let waits = rustix::fs::fstat(&stdin)
                    .map_or(true, |stat| !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file());
                Ok((From::Stdin(stdin), waits))
            }
            Input::File(path) => open(path).map(|(file, metadata)| (From::File(file), !metadata.is_file())),
        };
        let (from, waits) = opened.map_err(|source| SourceError::Open { name: name_of(from), source })?;
        Ok(Reader { from, waits, patience })
    }
}

/// How errors call an input.
pub(super) fn name_of(from: &Input) -> String {
    match from {
        Input::Stdin => "standard input".to_owned(),
        Input::File(path) => format!("`{}`", path.display()),
    }
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // A named pipe without a writer would hold up the call that opens it.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, metadata))
}

/// Whether what a path names can hold up whoever reads it, as a pipe or a terminal can.
pub fn can_wait(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_fifo() || kind.is_char_device() || kind.is_socket()
    })
}

impl AsFd for From {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            From::Stdin(stdin) => stdin.as_fd(),
            From::File(file) => file.as_fd(),
        }
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !(self.patience)() {
                return Err(io::Error::other(Stopped));
            }
            if self.waits {
                // A pipe that no writer has opened yet is neither readable nor at its end.
                match poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&LOOK)) {
                    Ok(0) | Err(Errno::INTR) => continue,
                    Ok(_) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            // Past the library's own buffer of standard input, which would hide from `poll` what it has read ahead.
            match rustix::io::read(&self.from, &mut *buffer) {
                Ok(count) => return Ok(count),
                // Another reader of the same pipe was faster.
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step is a failed test")]
mod tests {
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use rustix::fs::{CWD, Mode, mknodat};

    use super::*;

    fn fifo() -> (tempfile::TempDir, Input) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        (folder, Input::File(path))
    }

    fn path(from: &Input) -> &Path {
        match from {
            Input::File(path) => path,
            Input::Stdin => unreachable!(),
        }
    }

    /// Gives up after so many questions.
    fn patience(questions: usize) -> Patience {
        let asked = AtomicUsize::new(0);
        Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) < questions)
    }

    #[test]
    fn a_pipe_without_a_writer_is_waited_for_and_can_be_left() {
        let (_folder, from) = fifo();
        let mut reader = Reader::open(&from, patience(3)).unwrap();
        let error = reader.read(&mut [0; 10]).unwrap_err();
        assert!(is_stop(&error), "{error}: neither a hang nor the end of the input");
    }

    #[test]
    fn a_writer_that_comes_late_is_read_to_its_end() {
        let (_folder, from) = fifo();
        // Opened before there is a writer.
        let mut reader = Reader::open(&from, patience(usize::MAX)).unwrap();
        let target = path(&from).to_owned();
        let writer = thread::spawn(move || {
            let mut pipe = OpenOptions::new().write(true).open(target).unwrap();
            pipe.write_all(b"one\n").unwrap();
            pipe.write_all(b"two\n").unwrap();
        });
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
        writer.join().unwrap();
    }

    #[test]
    fn a_writer_that_says_nothing_ends_the_input() {
        let (_folder, from) = fifo();
        let mut reader = Reader::open(&from, patience(usize::MAX)).unwrap();
        drop(OpenOptions::new().write(true).open(path(&from)).unwrap());
        assert_eq!(reader.read(&mut [0; 10]).unwrap(), 0);
    }

    #[test]
    fn a_silent_writer_can_be_left() {
        let (_folder, from) = fifo();
        let mut reader = Reader::open(&from, patience(4)).unwrap();
        let mut writer = OpenOptions::new().write(true).open(path(&from)).unwrap();
        writer.write_all(b"half a li").unwrap();
        let mut text = Vec::new();
        assert!(is_stop(&reader.read_to_end(&mut text).unwrap_err()));
        assert_eq!(text, b"half a li");
    }

    #[test]
    fn a_file_or_a_device_without_end_can_be_left_too() {
        for name in ["/dev/zero", "/dev/urandom"] {
            let mut reader = Reader::open(&Input::parse(name), patience(5)).unwrap();
            let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
            assert!(is_stop(&error), "{name}: {error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "text").unwrap();
        let mut reader = Reader::open(&Input::File(file.path().to_owned()), patience(0)).unwrap();
        assert!(is_stop(&reader.read(&mut [0; 10]).unwrap_err()));
        assert!(!reader.waits, "files are read without a look");
        assert_eq!(Reader::open(&Input::parse("/dev/null"), patience(9)).unwrap().read(&mut [0; 10]).unwrap(), 0);
    }
}
