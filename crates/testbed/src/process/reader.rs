//! A reader of a program's output that is slower than the program.

use std::io::{PipeReader, Read};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What one look at the pipe takes at most: all that a pipe holds.
const CHUNK: usize = 64 * 1024;

/// Reads a pipe to its end in a thread of its own, with a pause after each look, and returns all of it.
pub fn read_slowly(mut reader: PipeReader, pause: Duration) -> JoinHandle<String> {
    thread::spawn(move || {
        let (mut text, mut chunk) = (Vec::new(), vec![0; CHUNK]);
        while let Ok(length @ 1..) = reader.read(&mut chunk) {
            text.extend_from_slice(&chunk[..length]);
            thread::sleep(pause);
        }
        String::from_utf8_lossy(&text).into_owned()
    })
}
