//! The release programs, built in two folders of other names, as the images' builder does: the same bytes, or the folder's name is
//! in them. The images' own check of it, `--twice`, cannot tell: it builds in the same folder both times.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::PROGRAMS;
use crate::manifests::tools::output;
use crate::programs;
use crate::terminal::Step;

/// Of other lengths, too: paths change the layout of what they are in.
const FOLDERS: [&str; 2] = ["one", "another-with-a-longer-name"];
/// The folder of the images' builder.
const INSTEAD: &str = "/src";

/// Builds both and compares. `false` when a program differs.
pub fn run() -> Result<bool> {
    let root = programs::root().canonicalize()?;
    let space = tempfile::tempdir_in(root.join("target"))?;
    let mut built = Vec::new();
    for folder in FOLDERS {
        let folder = space.path().join(folder);
        sources(&root, &folder)?;
        let step = Step::begin(format!("the release in {}", folder.display()));
        built.push(build(&folder)?);
        step.end();
    }
    let mut same = true;
    for program in PROGRAMS {
        let name = format!("kafka-{program}");
        let [one, other] = [&built[0], &built[1]].map(|folder| fs::read(folder.join(&name)));
        let (one, other) = (one?, other?);
        let equal = compare(&name, &one, &other);
        for folder in FOLDERS {
            if let Some(path) = path_in(&one, folder).or_else(|| path_in(&other, folder)) {
                eprintln!("{name} names its folder: {path}");
            }
        }
        same &= equal;
    }
    Ok(same)
}

/// Copies what git tracks, changes included.
fn sources(root: &Path, to: &Path) -> Result<()> {
    let listed = output(Command::new("git").arg("-C").arg(root).args(["ls-files", "-co", "--exclude-standard"]))?;
    // A deleted file is still listed until it is committed.
    for file in listed.lines().filter(|file| root.join(file).is_file()) {
        let target = to.join(file);
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::copy(root.join(file), target).with_context(|| format!("{file} can't be copied"))?;
    }
    Ok(())
}

/// Builds in a folder and says where the programs are.
fn build(folder: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--locked", "--release", "--quiet", "--package=kafka-producer", "--package=kafka-consumer"]);
    let folder_name = folder.to_str().context("a path that is no UTF-8")?;
    cargo.current_dir(folder).stdin(Stdio::null()).env("CARGO_TARGET_DIR", folder.join("target"));
    // OpenSSL as the images have it. A vendored one has its build's folder in it.
    cargo.env("OPENSSL_NO_VENDOR", "1");
    cargo.env("RUSTFLAGS", format!("--remap-path-prefix={folder_name}={INSTEAD}"));
    cargo.env("CFLAGS", format!("-ffile-prefix-map={folder_name}={INSTEAD}"));
    let status = cargo.status().context("cargo can't be run")?;
    ensure!(status.success(), "the build in {} failed: {status}", folder.display());
    Ok(folder.join("target/release"))
}

/// Whether two builds are the same, told with their hashes.
fn compare(name: &str, one: &[u8], other: &[u8]) -> bool {
    let hash = |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
    let equal = one == other;
    println!("{name}: {}", if equal { "the same" } else { "NOT THE SAME" });
    for bytes in [one, other] {
        println!("  {} ({} bytes)", hash(bytes), bytes.len());
    }
    equal
}

/// The first text in a program that names a folder of the builds.
fn path_in(program: &[u8], folder: &str) -> Option<String> {
    let name = format!("/{folder}/");
    let at = program.windows(name.len()).position(|window| window == name.as_bytes())?;
    let printable = |byte: &u8| matches!(byte, b'!'..=b'~');
    let begin = program[..at].iter().rposition(|byte| !printable(byte)).map_or(0, |before| before + 1);
    let text: Vec<u8> = program[begin..].iter().take_while(|byte| printable(byte)).copied().collect();
    Some(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_more_is_not_the_same() {
        assert!(compare("a", b"abc", b"abc"));
        assert!(!compare("a", b"abc", b"abd") && !compare("a", b"abc", b"abcd"));
    }

    #[test]
    fn a_folder_in_a_program_is_found_with_its_path() {
        let program = b"\0x\0/tmp/one/target/x.rs\0more";
        assert_eq!(path_in(program, "one").unwrap(), "/tmp/one/target/x.rs");
        assert_eq!(path_in(program, "another"), None);
    }
}
