//! Rust's standard library, linked into every program: its licence, and those of the crates inside of it, as the toolchain says.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::expression::choose;
use super::text::recognise;
use super::{Part, Problems};
use crate::manifests::tools::output;

/// Crates inside of the library that are linked on Linux.
const LINKED: [&str; 6] = ["cfg-if", "foldhash", "gimli", "hashbrown", "libc", "rustc-demangle"];
/// Those for other systems, for tests, or for building it.
const ELSEWHERE: [&str; 17] = [
    "cc",
    "dlmalloc",
    "fortanix-sgx-abi",
    "getopts",
    "hermit-abi",
    "moto-rt",
    "r-efi",
    "r-efi-alloc",
    "rand",
    "rand_core",
    "rand_xorshift",
    "rustc-literal-escaper",
    "shlex",
    "unwinding",
    "vex-sdk",
    "wasi",
    "wit-bindgen",
];
/// Families of crates for Windows.
const WINDOWS: [&str; 2] = ["windows-", "windows_"];

/// The licences of the library's own files, one of which is for Fuchsia.
const OWN: [&str; 3] = ["Apache-2.0 OR MIT", "Unicode-3.0", "BSD-2-Clause AND (Apache-2.0 OR MIT)"];

/// The library and what is in it.
///
/// # Errors
/// When the toolchain does not bring its notices.
pub fn parts(root: &Path, apache: &str, parts: &mut Vec<Part>, problems: &mut Problems) -> Result<()> {
    let ask = |args: &[&str]| output(std::process::Command::new("rustc").args(args).current_dir(root));
    let version = ask(&["-V"])?.split_whitespace().nth(1).unwrap_or_default().to_owned();
    let folder = Path::new(ask(&["--print", "sysroot"])?.trim()).join("share/doc/rust");
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))
    };
    let page = read("COPYRIGHT-library.html")?;
    let (own, others) = page.split_once("id=\"out-of-tree-dependencies\"").context("the notices have another form")?;
    let mut licences: Vec<&str> = own.lines().filter_map(licence).collect();
    licences.sort_unstable();
    licences.dedup();
    let mut known = OWN;
    known.sort_unstable();
    ensure!(licences == known, "the standard library is under {licences:?} now: look at {}", folder.display());
    parts.push(Part {
        name: "Rust standard library".to_owned(),
        version,
        declared: "(Apache-2.0 OR MIT) AND Unicode-3.0".to_owned(),
        used: vec![("Apache-2.0", apache.to_owned()), ("Unicode-3.0", read("licenses/Unicode-3.0.txt")?)],
        notices: Vec::new(),
    });
    for section in others.split("<h3>").skip(1) {
        match part(section, apache) {
            Ok(part) => parts.extend(part),
            Err(error) => problems.push(format!("the standard library: {error:#}")),
        }
    }
    Ok(())
}

/// The part of a section `📦 name-version</h3> ...`, if it is linked.
fn part(section: &str, apache: &str) -> Result<Option<Part>> {
    let title = section.split_once("</h3>").context("a heading without an end")?.0;
    let title = title.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let at = title.match_indices('-').find(|(at, _)| title[at + 1..].starts_with(|next: char| next.is_ascii_digit()));
    let (name, version) = title.split_at(at.with_context(|| format!("{title:?} has no version"))?.0);
    if ELSEWHERE.contains(&name) || WINDOWS.iter().any(|start| name.starts_with(start)) {
        return Ok(None);
    }
    ensure!(LINKED.contains(&name), "{name} is new: say in licences/standard.rs whether it is linked on Linux");
    let declared = section.lines().find_map(licence).with_context(|| format!("{name} names no licence"))?;
    let mut used = Vec::new();
    for licence in choose(declared).with_context(|| name.to_owned())? {
        let text = if licence == "Apache-2.0" {
            apache.to_owned()
        } else {
            let texts = section.split("<pre>").skip(1).filter_map(|rest| Some(plain(rest.split_once("</pre>")?.0)));
            let mut texts = texts.filter(|text| recognise(text) == Some(licence));
            texts.next().with_context(|| format!("{name} has no text of {licence}"))?
        };
        used.push((licence, text));
    }
    Ok(Some(Part {
        name: name.to_owned(),
        version: format!("{} in the Rust standard library", version.trim_start_matches('-')),
        declared: declared.to_owned(),
        used,
        notices: Vec::new(),
    }))
}

fn licence(line: &str) -> Option<&str> {
    line.trim().strip_prefix("<p><b>License:</b>")?.strip_suffix("</p>").map(str::trim)
}

fn plain(html: &str) -> String {
    let text = [("&#34;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&#60;", "<"), ("&#62;", ">")];
    let text = text.into_iter().fold(html.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&").replace("&#38;", "&").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, licence: &str, text: &str) -> String {
        format!("📦 {name}</h3>\n  <p><b>License:</b> {licence}</p>\n<pre>\n{text}\n</pre>")
    }

    #[test]
    fn what_is_linked_has_its_text_and_the_rest_is_left_out() {
        let zlib = "Permission is granted to anyone to use this software for any purpose, &#34;so&#34;";
        let found = part(&section("foldhash-0.2.0", "Zlib", zlib), "").unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.version.as_str()), ("foldhash", "0.2.0 in the Rust standard library"));
        assert!(found.used[0].1.ends_with("purpose, \"so\""), "{found:?}");
        assert_eq!(part(&section("r-efi-alloc-2.1.0", "MIT", ""), "").unwrap(), None);
        assert_eq!(part(&section("windows_x86_64_gnu-0.53.1", "MIT", ""), "").unwrap(), None);
    }

    #[test]
    fn what_is_new_or_has_no_text_is_told() {
        let told = part(&section("quick-1.0.0", "MIT", ""), "").unwrap_err().to_string();
        assert!(told.contains("quick is new"), "{told}");
        let told = part(&section("foldhash-0.2.0", "Zlib", "see there"), "").unwrap_err().to_string();
        assert!(told.contains("no text of Zlib"), "{told}");
        let told = format!("{:#}", part(&section("foldhash-0.2.0", "GPL-3.0-only", ""), "").unwrap_err());
        assert!(told.contains("no way with allowed licences"), "{told}");
    }
}
