//! Pipes that take nothing, and named ones: where programs hang that were not made for them.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Write, pipe};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use rustix::io::{Errno, ioctl_fionbio};

/// A pipe that is full: whoever writes to it hangs until somebody reads, and gets an error when the reader goes.
pub fn full() -> Result<(PipeReader, PipeWriter)> {
    let (reader, mut writer) = pipe()?;
    // The flag belongs to the pipe's end, not to us: the program would share it.
    ioctl_fionbio(&writer, true)?;
    // Bytes alone: what is written after these pages could not be told from what fills them.
    while writer.write(&[b'\n'; 512]).is_ok() {}
    while writer.write(b"\n").is_ok() {}
    ioctl_fionbio(&writer, false)?;
    Ok((reader, writer))
}

/// Creates a named pipe.
pub fn named(path: &Path) -> Result<()> {
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).context("no named pipe")
}

/// The writing end of a named pipe, once somebody has opened it for reading.
pub fn wait_for_reader(path: &Path, timeout: Duration) -> Result<File> {
    let deadline = Instant::now() + timeout;
    let at_once = OFlags::NONBLOCK.bits().cast_signed();
    loop {
        match File::options().write(true).custom_flags(at_once).open(path) {
            Ok(file) => return Ok(file),
            Err(error) if error.raw_os_error() != Some(Errno::NXIO.raw_os_error()) => return Err(error.into()),
            Err(_) if Instant::now() >= deadline => bail!("nobody reads {} after {timeout:?}", path.display()),
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
