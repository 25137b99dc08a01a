//! Code in C that crates bring along: their own licence says nothing of it.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, ensure};

use super::expression::PUBLIC_DOMAIN;
use super::linked::Crate;
use super::text::recognise;
use super::{Part, Problems};

/// A library's one licence file.
struct Library {
    name: &'static str,
    /// The crate with its sources.
    of: &'static str,
    /// The file with the licence, from the crate's folder.
    file: &'static str,
    licence: &'static str,
}

/// Beside librdkafka, whose file has many. OpenSSL is linked in outside of the images only; there it is Debian's.
const LIBRARIES: [Library; 4] = [
    Library { name: "zstd", of: "zstd-sys", file: "zstd/LICENSE", licence: "BSD-3-Clause" },
    Library { name: "zlib", of: "libz-sys", file: "src/zlib/LICENSE", licence: "Zlib" },
    Library { name: "OpenSSL", of: "openssl-src", file: "openssl/LICENSE.txt", licence: "Apache-2.0" },
    // Inside of librdkafka, whose list of licences lacks it: the comment at the file's beginning.
    Library { name: "xxHash", of: "rdkafka-sys", file: "librdkafka/src/rdxxhash.h", licence: "BSD-2-Clause" },
];

const LIBRDKAFKA: &str = "librdkafka/LICENSES.txt";

/// The sections of librdkafka's file: what follows `LICENSE.` in the heading, the name of what it is about, the licence.
const SECTIONS: [(&str, &str, &str); 15] = [
    ("", "librdkafka", "BSD-2-Clause"),
    ("cjson", "cJSON", "MIT"),
    ("crc32c", "crc32c", "Zlib"),
    ("fnv1a", "FNV-1a", PUBLIC_DOMAIN),
    ("hdrhistogram", "HdrHistogram in C", "MIT"),
    ("lz4", "lz4", "BSD-2-Clause"),
    ("murmur2", "MurmurHash2", "MIT"),
    ("nanopb", "nanopb", "Zlib"),
    ("opentelemetry", "opentelemetry-proto", "Apache-2.0"),
    ("pycrc", "pycrc", "MIT"),
    ("queue", "sys/queue.h", "BSD-3-Clause"),
    ("regexp", "minilibs regexp", PUBLIC_DOMAIN),
    ("snappy", "snappy-c", "BSD-3-Clause"),
    ("tinycthread", "tinycthread", "Zlib"),
    // Compiled on Windows only.
    ("wingetopt", "wingetopt", "BSD-2-Clause"),
];

/// Linked crates with foreign code that bring no library into a program: they find one of the system, or only ask the compiler
/// what it can do.
const NOTHING: [&str; 1] = ["openssl-sys"];

/// The libraries with their texts.
pub fn parts(crates: &[Crate], apache: &str, parts: &mut Vec<Part>, problems: &mut Problems) {
    for one in crates.iter().filter(|one| one.linked && one.foreign) {
        let known = NOTHING.contains(&one.name.as_str()) || LIBRARIES.iter().any(|library| library.of == one.name);
        if !known {
            problems.push(format!(
                "{} {}: brings code of another language: say in licences/c_parts.rs which library, and under which licence",
                one.name, one.version
            ));
        }
    }
    let found = LIBRARIES.iter().map(|library| {
        let (from, text) = read(crates, library.of, library.file)?;
        let text = if library.file.ends_with(".h") { first_comment(&text)? } else { text };
        part(library.name, &from, library.licence, &text, apache)
    });
    let found = found.chain(librdkafka(crates, apache));
    for one in found {
        match one {
            Ok(part) => parts.push(part),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
}

fn librdkafka(crates: &[Crate], apache: &str) -> Vec<Result<Part>> {
    let (from, text) = match read(crates, "rdkafka-sys", LIBRDKAFKA) {
        Ok(read) => read,
        Err(error) => return vec![Err(error)],
    };
    let mut sections = sections(&text);
    let mut found: Vec<_> = SECTIONS
        .iter()
        .map(|(heading, name, licence)| {
            let missing = || format!("{LIBRDKAFKA} of {from} has no section {heading:?}: is {name} gone?");
            let text = sections.remove(*heading).with_context(missing)?;
            part(name, &from, licence, &text, apache)
        })
        .collect();
    found.extend(sections.into_keys().map(|heading| {
        Err(anyhow::anyhow!("{LIBRDKAFKA} of {from} has a section {heading:?} that licences/c_parts.rs does not know"))
    }));
    found
}

/// The sections of the file, by their headings: a line `LICENSE` or `LICENSE.name` above a line of dashes.
fn sections(text: &str) -> BTreeMap<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let heading = |at: usize| {
        let name = lines.get(at)?.strip_prefix("LICENSE")?;
        let ruled = lines.get(at + 1).is_some_and(|rule| rule.len() > 10 && rule.bytes().all(|byte| byte == b'-'));
        ruled.then(|| name.trim_start_matches('.').to_owned())
    };
    let starts: Vec<(usize, String)> = (0..lines.len()).filter_map(|at| Some((at, heading(at)?))).collect();
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([lines.len()]);
    starts.iter().zip(ends).map(|((at, name), end)| (name.clone(), lines[at + 2..end].join("\n"))).collect()
}

/// The file of a crate, and the crate with its version.
fn read(crates: &[Crate], of: &str, file: &str) -> Result<(String, String)> {
    let one = crates.iter().find(|one| one.name == of).with_context(|| format!("{of} is no dependency any more"))?;
    let path = one.folder.join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("{} can't be read", path.display()))?;
    Ok((format!("{of} {}", one.version), text))
}

fn first_comment(text: &str) -> Result<String> {
    let (_, rest) = text.split_once("/*").context("no comment")?;
    Ok(rest.split_once("*/").context("a comment without an end")?.0.to_owned())
}

/// A part, if its text is the licence that it is said to be.
fn part(name: &str, from: &str, licence: &'static str, text: &str, apache: &str) -> Result<Part> {
    let found = recognise(text);
    ensure!(found == Some(licence), "{name} of {from}: the text is {found:?} and not {licence}");
    let text = if licence == "Apache-2.0" { apache } else { text.trim_matches('\n') };
    Ok(Part {
        name: name.to_owned(),
        version: format!("of {from}"),
        declared: licence.to_owned(),
        used: vec![(licence, text.to_owned())],
        notices: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_cut_at_their_headings() {
        let text = "LICENSE\n------------\nfirst\n\nLICENSE.b\n------------\nsecond\nLICENSE.c of it\nthird\n";
        let sections = sections(text);
        assert_eq!(sections[""], "first\n");
        assert_eq!(sections["b"], "second\nLICENSE.c of it\nthird");
        assert_eq!(sections.len(), 2);
    }

    #[test]
    fn a_text_that_is_not_what_it_is_said_to_be_is_told() {
        let text = "Permission is hereby granted, free of charge, to any person obtaining a copy";
        part("cJSON", "x 1", "MIT", text, "").unwrap();
        let told = part("cJSON", "x 1", "Zlib", text, "").unwrap_err().to_string();
        assert!(told.contains("and not Zlib"), "{told}");
    }

    #[test]
    fn foreign_code_that_nobody_has_named_is_told() {
        let one = Crate {
            name: "ring".into(),
            version: "1".into(),
            licence: "MIT".into(),
            folder: "/nowhere".into(),
            linked: true,
            foreign: true,
        };
        let (mut found, mut problems) = (Vec::new(), Problems::new());
        parts(&[one], "", &mut found, &mut problems);
        assert!(problems[0].starts_with("ring 1: brings code of another language"), "{problems:?}");
    }
}
