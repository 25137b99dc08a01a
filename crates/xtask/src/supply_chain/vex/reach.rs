//! Why a vulnerability can't be reached, as facts that are looked up each time: in the compiled sources, and in the program.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::supply_chain::sbom::openssl::contains;
use crate::supply_chain::sbom::sources::Sources;

const CRATE: &str = "rdkafka-sys";
const FOLDER: &str = "librdkafka/src";

/// What must hold for a statement to be true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// librdkafka brings no `cJSON_Utils` along.
    NoCjsonUtils,
    /// librdkafka calls cJSON for its allocator only, as what parses and makes JSON is compiled with curl alone.
    CjsonUnused,
}

/// Each statement's reason, and how OpenVEX calls it.
pub const REASONS: [(&str, Reason, &str); 5] = [
    ("CVE-2025-57052", Reason::NoCjsonUtils, "vulnerable_code_not_present"),
    ("CVE-2023-50471", Reason::CjsonUnused, "vulnerable_code_not_in_execute_path"),
    ("CVE-2023-50472", Reason::CjsonUnused, "vulnerable_code_not_in_execute_path"),
    ("CVE-2023-53154", Reason::CjsonUnused, "vulnerable_code_not_in_execute_path"),
    ("CVE-2024-31755", Reason::CjsonUnused, "vulnerable_code_not_in_execute_path"),
];

/// The options of librdkafka's build that compile what parses JSON, each with what a program without it says.
const WITHOUT: [(&str, &str); 2] = [
    ("WITH_CURL", "libcurl not available at build time"),
    ("WITH_OAUTHBEARER_OIDC", "OAuth/OIDC depends on libcurl and OpenSSL which were not available at build time"),
];

/// All that can be called without a danger: it sets the allocator.
const HARMLESS: [&str; 2] = ["cJSON_Hooks", "cJSON_InitHooks"];

/// Fails when a reason does not hold for a program.
pub fn holds(reason: Reason, sources: &Sources, binary: &[u8]) -> Result<()> {
    match reason {
        Reason::NoCjsonUtils => {
            for (name, text) in files(sources)? {
                ensure!(!name.starts_with("cJSON_Utils"), "{CRATE} has {FOLDER}/{name}");
                ensure!(!text.contains("cJSON_Utils"), "{FOLDER}/{name} names cJSON_Utils");
            }
            ensure!(!contains(binary, "cJSONUtils_"), "the program names cJSON's utilities");
        }
        Reason::CjsonUnused => {
            let optional = optional(&sources.read(CRATE, &format!("{FOLDER}/Makefile"))?);
            for (option, says) in WITHOUT {
                ensure!(optional.iter().any(|(by, _)| by == option), "librdkafka's Makefile has no {option} any more");
                ensure!(contains(binary, says), "the program does not say that it is built without {option}: {says:?}");
            }
            let compiled_apart = |name: &str| optional.iter().any(|(_, file)| file == name);
            for (name, text) in files(sources)? {
                if name.starts_with("cJSON.") || compiled_apart(&name) {
                    continue;
                }
                let calls: BTreeSet<String> = calls(&text).filter(|call| !HARMLESS.contains(&call.as_str())).collect();
                ensure!(calls.is_empty(), "{FOLDER}/{name} calls {calls:?}");
            }
        }
    }
    Ok(())
}

/// The files that only an option compiles.
fn optional(makefile: &str) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (option, file) = line.strip_prefix("SRCS_$(")?.split_once(") += ")?;
        WITHOUT.iter().any(|(known, _)| *known == option).then(|| (option.to_owned(), file.trim().to_owned()))
    };
    makefile.lines().filter_map(line).collect()
}

/// The C sources, with the headers, and the Makefile.
fn files(sources: &Sources) -> Result<Vec<(String, String)>> {
    let folder = sources.path(CRATE, FOLDER)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("can't read {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name == "Makefile" || name.ends_with(".c") {
            files.push((name.clone(), sources.read(CRATE, &format!("{FOLDER}/{name}"))?));
        }
    }
    ensure!(files.len() > 50, "{} has {} sources only", folder.display(), files.len());
    Ok(files)
}

/// The names that begin with `cJSON_` in a source.
fn calls(text: &str) -> impl Iterator<Item = String> + '_ {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(move |c| !word(c)).filter(|name| name.starts_with("cJSON_")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that says it has neither option.
    fn program() -> Vec<u8> {
        WITHOUT.map(|(_, says)| says).join("\0").into_bytes()
    }

    #[test]
    fn the_reasons_hold_for_the_sources_of_cargo_lock() {
        let sources = Sources::find().unwrap();
        holds(Reason::NoCjsonUtils, &sources, &program()).unwrap();
        holds(Reason::CjsonUnused, &sources, &program()).unwrap();
    }

    #[test]
    fn a_program_with_curl_or_with_the_utilities_is_another_matter() {
        let sources = Sources::find().unwrap();
        let error = holds(Reason::CjsonUnused, &sources, b"").unwrap_err().to_string();
        assert!(error.contains("WITH_CURL"), "{error}");
        assert!(holds(Reason::NoCjsonUtils, &sources, b"cJSONUtils_ApplyPatches").is_err());
    }

    #[test]
    fn calls_are_found() {
        let found: Vec<String> = calls("x = cJSON_Parse(y); /* cJSON */ cJSON_Delete (x)").collect();
        assert_eq!(found, ["cJSON_Parse", "cJSON_Delete"]);
        let makefile = "SRCS_$(WITH_CURL) += rdhttp.c\nSRCS_$(WITH_SSL) += rdkafka_ssl.c\n";
        assert_eq!(optional(makefile), [("WITH_CURL".to_owned(), "rdhttp.c".to_owned())]);
    }
}
