//! An image taken apart: its configuration, all its files and packages, and what its program says of itself.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use flate2::read::ZlibDecoder;
use serde_json::Value;
use tar::{Archive, EntryType};

use super::container::Runtime;

/// Where distroless says which packages it is made of.
const PACKAGES: &str = "var/lib/dpkg/status.d/";
/// The section that cargo-auditable writes.
const DEPENDENCIES: &str = ".dep-v0";

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
    /// The shared libraries that its program names.
    pub needed: Vec<String>,
    /// The versions of OpenSSL that are named inside its program: those of a library that was linked into it.
    pub openssl: Vec<String>,
    /// The Debian packages that it says it is made of, with their versions.
    pub packages: BTreeMap<String, String>,
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
        let (mut files, mut bytes, mut packages) = (Vec::new(), Vec::new(), BTreeMap::new());
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
            let path = files.last().map(|file: &File| file.path.as_str()).unwrap_or_default();
            if path == program {
                entry.read_to_end(&mut bytes)?;
            } else if path.starts_with(PACKAGES) && !path.ends_with(".md5sums") {
                let mut text = String::new();
                entry.read_to_string(&mut text)?;
                packages.extend(package(&text));
            }
        }
        ensure!(!files.is_empty(), "{name} has no files");
        let inspected = Self { files, packages, ..Self::inspect(runtime, name)? };
        if bytes.is_empty() {
            return Ok(inspected);
        }
        let openssl = versions_of_openssl(&bytes);
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("program");
        std::fs::write(&path, bytes)?;
        let sections = sections(&path)?;
        let crates = if sections.iter().any(|name| name == DEPENDENCIES) { crates(&path)? } else { Vec::new() };
        Ok(Self { sections, crates, needed: needed(&path)?, openssl, ..inspected })
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

/// A package's name and version, of what dpkg knows about it.
fn package(record: &str) -> Option<(String, String)> {
    let field = |name: &str| record.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    Some((field("Package")?.trim().to_owned(), field("Version")?.trim().to_owned()))
}

/// The texts like `OpenSSL 3.5.4 30 Sep 2025` in a program. A library that is linked dynamically keeps its own in itself.
fn versions_of_openssl(program: &[u8]) -> Vec<String> {
    const NAME: &[u8] = b"OpenSSL ";
    let places = program.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME);
    let version = |(at, _): (usize, &[u8])| {
        let text: Vec<u8> = program[at..].iter().take_while(|byte| matches!(byte, b' '..=b'~')).copied().collect();
        let text = String::from_utf8(text).ok()?;
        // With a date: the help texts of librdkafka name OpenSSL too.
        let words: Vec<&str> = text.split(' ').take(5).collect();
        let [_, _, day, _, year] = words[..] else { return None };
        let year = year.get(..4)?;
        (day.parse::<u8>().is_ok() && year.parse::<u16>().is_ok()).then(|| words.join(" "))
    };
    places.filter_map(version).collect()
}

/// The names of a program's sections.
fn sections(program: &Path) -> Result<Vec<String>> {
    let said = readelf("--section-headers", program)?;
    // [12] .text   PROGBITS ...
    let names = said.lines().filter_map(|line| line.split_once(']')?.1.split_whitespace().next());
    Ok(names.filter(|name| name.starts_with('.')).map(str::to_owned).collect())
}

/// The names of the shared libraries that a program wants to be loaded.
fn needed(program: &Path) -> Result<Vec<String>> {
    let said = readelf("--dynamic", program)?;
    // 0x0000000000000001 (NEEDED)   Shared library: [libc.so.6]
    let names = said.lines().filter(|line| line.contains("(NEEDED)"));
    Ok(names.filter_map(|line| Some(line.split_once('[')?.1.split_once(']')?.0.to_owned())).collect())
}

fn readelf(what: &str, program: &Path) -> Result<String> {
    let output = Command::new("readelf").args(["--wide", what]).arg(program).output();
    let output = output.context("readelf (binutils) can't be run")?;
    ensure!(output.status.success(), "readelf: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The names of the crates that cargo-auditable has written into a section of a program.
fn crates(program: &Path) -> Result<Vec<String>> {
    let dump = program.with_extension("dependencies");
    let mut objcopy = Command::new("objcopy");
    objcopy.arg(format!("--dump-section={DEPENDENCIES}={}", dump.display())).arg(program).arg("/dev/null");
    let dumped = objcopy.status().context("objcopy (binutils) can't be run")?;
    ensure!(dumped.success(), "objcopy has not found {DEPENDENCIES}");
    let mut json = String::new();
    ZlibDecoder::new(std::fs::read(&dump)?.as_slice()).read_to_string(&mut json)?;
    let list: Value = serde_json::from_str(&json)?;
    let packages = list.get("packages").and_then(Value::as_array).into_iter().flatten();
    Ok(packages.filter_map(|package| Some(package.get("name")?.as_str()?.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openssl_that_is_linked_in_is_found_by_its_version() {
        let linked =
            b"\0OpenSSL 3.6.3 9 Jun 2026\0OPENSSL_3.0.0\0list of OpenSSL 3.0.x implementation providers\0OpenSSL 3";
        assert_eq!(versions_of_openssl(linked), ["OpenSSL 3.6.3 9 Jun 2026"]);
        assert_eq!(versions_of_openssl(b"OpenSSL"), Vec::<String>::new());
    }

    #[test]
    fn a_package_is_read_of_its_record() {
        let record = "Package: libssl3t64\nSource: openssl\nVersion: 3.5.4-1~deb13u1\nDescription: Version: 1\n";
        assert_eq!(package(record), Some(("libssl3t64".to_owned(), "3.5.4-1~deb13u1".to_owned())));
        assert_eq!(package("Package: libssl3t64\n"), None);
    }
}
