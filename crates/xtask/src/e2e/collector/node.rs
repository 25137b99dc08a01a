//! A node's folder of log files, as the kubelet and a container runtime lay it out: `NAMESPACE_POD_UID/CONTAINER/RESTARTS.log`, a
//! line of the runtime for each line of a program, cut at 16 KiB.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// At which containerd and CRI-O cut a line into pieces.
const PIECE: usize = 16 * 1024;

/// A container of a pod, at one of its starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container's name.
    pub name: String,
    /// How often it was restarted.
    pub restarts: u32,
}

/// A line that a container wrote.
#[derive(Clone, Debug)]
pub struct Line {
    /// `stdout` or `stderr`.
    pub stream: &'static str,
    /// What it says, without its end.
    pub text: String,
}

/// The folder.
pub struct Node {
    folder: TempDir,
}

impl Container {
    /// At its first start.
    pub fn new(namespace: &str, pod: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), pod: pod.to_owned(), name: name.to_owned(), restarts: 0 }
    }

    /// At its next start.
    pub fn restarted(&self) -> Self {
        Self { restarts: self.restarts + 1, ..self.clone() }
    }
}

impl Line {
    /// On standard output.
    pub fn out(text: impl Into<String>) -> Self {
        Self { stream: "stdout", text: text.into() }
    }

    /// The lines of a program that has ended, of both streams.
    pub fn of(stdout: &str, stderr: &str) -> Vec<Self> {
        let err = stderr.lines().map(|text| Self { stream: "stderr", text: text.to_owned() });
        stdout.lines().map(Self::out).chain(err).collect()
    }

    /// The line as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

impl Node {
    /// An empty one.
    pub fn new() -> Result<Self> {
        Ok(Self { folder: TempDir::new()? })
    }

    /// What is mounted at `/var/log/pods`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The file of a container.
    pub fn file(&self, container: &Container) -> PathBuf {
        let Container { namespace, pod, name, restarts } = container;
        // Some uid that is always the same for a pod.
        let uid = pod.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let folder = format!("{namespace}_{pod}_00000000-0000-4000-8000-{:012x}", uid & 0xffff_ffff_ffff);
        self.path().join(folder).join(name).join(format!("{restarts}.log"))
    }

    /// Appends lines to a container's file, each with the time that it says itself, or now.
    pub fn write(&self, container: &Container, lines: &[Line]) -> Result<()> {
        let path = self.file(container);
        fs::create_dir_all(path.parent().unwrap_or(self.path()))?;
        let mut text = Vec::new();
        for line in lines {
            let said = line.json()["timestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
            let time = said.unwrap_or_else(Timestamp::now);
            let mut pieces = line.text.as_bytes().chunks(PIECE).peekable();
            loop {
                let piece = pieces.next().unwrap_or_default();
                let tag = if pieces.peek().is_some() { "P" } else { "F" };
                write!(text, "{time:.9} {} {tag} ", line.stream)?;
                text.extend(piece);
                text.push(b'\n');
                if tag == "F" {
                    break;
                }
            }
        }
        Ok(OpenOptions::new().create(true).append(true).open(path)?.write_all(&text)?)
    }

    /// Puts a container's file aside and begins a new one, as the kubelet does with a file that has grown.
    pub fn rotate(&self, container: &Container) -> Result<()> {
        let path = self.file(container);
        let aside = path.with_extension("log.20261126-235959");
        Ok(fs::rename(path, aside)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_cut_into_pieces_as_a_runtime_does() {
        let node = Node::new().unwrap();
        let container = Container::new("n", "p", "c");
        node.write(&container, &[Line::out("x".repeat(PIECE + 1)), Line::out("")]).unwrap();
        let text = fs::read_to_string(node.file(&container)).unwrap();
        let tags: Vec<_> = text.lines().map(|line| line.split(' ').nth(2).unwrap()).collect();
        assert_eq!(tags, ["P", "F", "F"], "{text}");
    }
}
