//! An image taken apart: its configuration, all its files, and the sections of its program.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::read::ZlibDecoder;
use serde_json::Value;
use tar::{Archive, EntryType};

use super::container::Runtime;

/// What an engine knows and has of an image.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// `inspect`'s answer.
    pub config: Value,
    /// All that it unpacks to.
    pub files: Vec<File>,
    /// Names of the sections of its program's ELF file.
    pub sections: Vec<String>,
    /// Names of the crates that its program says it is made of.
    pub crates: Vec<String>,
}

/// A file, folder, link or device in an image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Without a slash at its beginning.
    pub path: String,
    /// Whether it is a plain file, a folder, or something else.
    pub kind: Kind,
    /// The permissions, with setuid, setgid and sticky bit.
    pub mode: u32,
    /// User and group.
    pub owner: (u64, u64),
    /// Its bytes.
    pub size: u64,
    /// Whether it has capabilities of its own.
    pub capable: bool,
}

/// Which sort of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Bytes.
    #[default]
    Plain,
    /// A folder.
    Folder,
    /// A link, a device.
    Other,
}

impl Image {
    /// Its configuration only.
    pub fn inspect(runtime: &Runtime, name: &str) -> Result<Self> {
        let answer: Value = serde_json::from_slice(&runtime.ask(&["image", "inspect", name])?)?;
        let config = answer.get(0).cloned().context("inspect names no image")?;
        Ok(Self { config, ..Self::default() })
    }

    /// Takes one apart. `program` is the path of its program in it.
    pub fn take_apart(runtime: &Runtime, name: &str, program: &str) -> Result<Self> {
        let archive = runtime.container("export").export(name)?;
        let (mut files, mut bytes) = (Vec::new(), Vec::new());
        for entry in Archive::new(archive.as_slice()).entries()? {
            let mut entry = entry?;
            let capable = match entry.pax_extensions()? {
                Some(extensions) => extensions
                    .filter_map(Result::ok)
                    .any(|extension| extension.key_bytes() == b"SCHILY.xattr.security.capability"),
                None => false,
            };
            let header = entry.header();
            let kind = match header.entry_type() {
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Kind::Plain,
                EntryType::Directory => Kind::Folder,
                _ => Kind::Other,
            };
            let path = entry.path()?.to_string_lossy().trim_start_matches("./").trim_matches('/').to_owned();
            let (mode, owner) = (header.mode()? & 0o7777, (header.uid()?, header.gid()?));
            files.push(File { path, kind, mode, owner, size: entry.size(), capable });
            if files.last().is_some_and(|file| file.path == program) {
                entry.read_to_end(&mut bytes)?;
            }
        }
        ensure!(!files.is_empty(), "{name} has no files");
        let (sections, crates) = if bytes.is_empty() { Default::default() } else { look_into(&bytes)? };
        Ok(Self { files, sections, crates, ..Self::inspect(runtime, name)? })
    }

    /// A text of the configuration, by its JSON pointer; empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.config.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// A list of texts of the configuration.
    pub fn list(&self, pointer: &str) -> Vec<&str> {
        let list = self.config.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Its labels.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        let labels = self.config.pointer("/Config/Labels").and_then(Value::as_object);
        labels.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
    }

    /// The command of its health check. Docker and podman keep it in different places.
    pub fn health_check(&self) -> Vec<&str> {
        let places = ["/Config/Healthcheck/Test", "/Healthcheck/Test", "/HealthCheck/Test"];
        places.into_iter().map(|place| self.list(place)).find(|test| !test.is_empty()).unwrap_or_default()
    }
}

/// The names of a program's sections, and of the crates that cargo-auditable has written into one of them.
fn look_into(program: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    const DEPENDENCIES: &str = ".dep-v0";
    let folder = tempfile::tempdir()?;
    let (path, dump) = (folder.path().join("program"), folder.path().join("dependencies"));
    std::fs::write(&path, program)?;
    let output = Command::new("readelf").args(["--wide", "--section-headers"]).arg(&path).output();
    let output = output.context("readelf (binutils) can't be run")?;
    ensure!(output.status.success(), "readelf: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    // [12] .text   PROGBITS ...
    let names = said.lines().filter_map(|line| line.split_once(']')?.1.split_whitespace().next());
    let sections: Vec<_> = names.filter(|name| name.starts_with('.')).map(str::to_owned).collect();
    if !sections.iter().any(|name| name == DEPENDENCIES) {
        return Ok((sections, Vec::new()));
    }
    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--dump-section={DEPENDENCIES}={}", dump.display())).arg(&path).arg("/dev/null");
    let dumped = objcopy.status().context("objcopy (binutils) can't be run")?;
    ensure!(dumped.success(), "objcopy has not found {DEPENDENCIES}");
    let mut json = String::new();
    ZlibDecoder::new(std::fs::read(&dump)?.as_slice()).read_to_string(&mut json)?;
    let list: Value = serde_json::from_str(&json)?;
    let packages = list.get("packages").and_then(Value::as_array).into_iter().flatten();
    let crates = packages.filter_map(|package| Some(package.get("name")?.as_str()?.to_owned())).collect();
    Ok((sections, crates))
}
