//! The C libraries inside the programs, with the versions that their compiled sources say: a crate's own version may say nothing.

use anyhow::{Context, Result, bail};

use super::sources::Sources;

/// A library in C.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its own name.
    pub name: &'static str,
    /// Its version.
    pub version: String,
    /// Vendor and product in the National Vulnerability Database, if it is there.
    pub cpe: Option<(&'static str, &'static str)>,
    /// The crate that compiles it.
    pub of: &'static str,
}

/// How sources say a version.
enum Says {
    /// A macro for each number.
    Numbers(&'static [&'static str]),
    /// A macro with a text, and what stands before the version in it.
    Text(&'static str, &'static str),
    /// librdkafka's macro: `0xMMmmrrxx`.
    Hex(&'static str),
    /// Lines such as `MAJOR=3`.
    Lines([&'static str; 3]),
}

type Known = (&'static str, &'static str, &'static str, Says, Option<(&'static str, &'static str)>);

const LIBRDKAFKA: &str = "rdkafka-sys";

/// Name, crate, file, how it says the version, and the CPE.
const PARTS: [Known; 8] = [
    ("librdkafka", LIBRDKAFKA, "librdkafka/src/rdkafka.h", Says::Hex("RD_KAFKA_VERSION"), None),
    (
        "lz4",
        LIBRDKAFKA,
        "librdkafka/src/lz4.h",
        Says::Numbers(&["LZ4_VERSION_MAJOR", "LZ4_VERSION_MINOR", "LZ4_VERSION_RELEASE"]),
        Some(("lz4_project", "lz4")),
    ),
    (
        "xxhash",
        LIBRDKAFKA,
        "librdkafka/src/rdxxhash.h",
        Says::Numbers(&["XXH_VERSION_MAJOR", "XXH_VERSION_MINOR", "XXH_VERSION_RELEASE"]),
        None,
    ),
    (
        "cjson",
        LIBRDKAFKA,
        "librdkafka/src/cJSON.h",
        Says::Numbers(&["CJSON_VERSION_MAJOR", "CJSON_VERSION_MINOR", "CJSON_VERSION_PATCH"]),
        Some(("davegamble", "cjson")),
    ),
    (
        "nanopb",
        LIBRDKAFKA,
        "librdkafka/src/nanopb/pb.h",
        Says::Text("NANOPB_VERSION", "nanopb-"),
        Some(("nanopb_project", "nanopb")),
    ),
    (
        "tinycthread",
        LIBRDKAFKA,
        "librdkafka/src/tinycthread.h",
        Says::Numbers(&["TINYCTHREAD_VERSION_MAJOR", "TINYCTHREAD_VERSION_MINOR"]),
        None,
    ),
    (
        "zstd",
        "zstd-sys",
        "zstd/lib/zstd.h",
        Says::Numbers(&["ZSTD_VERSION_MAJOR", "ZSTD_VERSION_MINOR", "ZSTD_VERSION_RELEASE"]),
        Some(("facebook", "zstandard")),
    ),
    ("zlib", "libz-sys", "src/zlib/zlib.h", Says::Text("ZLIB_VERSION", ""), Some(("zlib", "zlib"))),
];

/// All that are compiled in every build.
pub fn parts(sources: &Sources) -> Result<Vec<Part>> {
    PARTS.iter().map(|(name, of, file, says, cpe)| part(name, of, &sources.read(of, file)?, says, *cpe)).collect()
}

/// OpenSSL, where it is compiled in too. Its crate is one of the build, which no list of linked crates has.
pub fn openssl(sources: &Sources) -> Result<Part> {
    let text = sources.read("openssl-src", "openssl/VERSION.dat")?;
    let part =
        part("openssl", "openssl-sys", &text, &Says::Lines(["MAJOR", "MINOR", "PATCH"]), Some(("openssl", "openssl")));
    part.context("openssl-src")
}

fn part(
    name: &'static str,
    of: &'static str,
    text: &str,
    says: &Says,
    cpe: Option<(&'static str, &'static str)>,
) -> Result<Part> {
    let version = version(text, says).with_context(|| format!("the sources of {name} in {of} say no version"))?;
    Ok(Part { name, version, cpe, of })
}

fn version(text: &str, says: &Says) -> Result<String> {
    let version = match says {
        Says::Numbers(macros) => {
            let numbers: Result<Vec<&str>> = macros.iter().map(|name| defined(text, name)).collect();
            numbers?.join(".")
        }
        Says::Text(name, before) => {
            let quoted = defined(text, name)?.trim_matches('"');
            quoted.strip_prefix(before).context("the text begins otherwise")?.to_owned()
        }
        Says::Hex(name) => {
            let hex = defined(text, name)?.trim_start_matches("0x");
            let number = u32::from_str_radix(hex, 16)?;
            let [major, minor, revision, _] = number.to_be_bytes();
            format!("{major}.{minor}.{revision}")
        }
        Says::Lines(keys) => {
            let line = |key: &&str| text.lines().find_map(|line| line.strip_prefix(*key)?.strip_prefix('='));
            let numbers: Option<Vec<&str>> = keys.iter().map(line).collect();
            numbers.context("a line is missing")?.join(".")
        }
    };
    if !version.starts_with(|first: char| first.is_ascii_digit()) || version.contains(char::is_whitespace) {
        bail!("{version:?} is no version");
    }
    Ok(version)
}

/// What a macro of the C preprocessor stands for: the next word.
fn defined<'t>(text: &'t str, name: &str) -> Result<&'t str> {
    let value = |line: &'t str| {
        let mut words = line.trim_start().strip_prefix('#')?.split_whitespace();
        (words.next()? == "define" && words.next()? == name).then(|| words.next())?
    };
    text.lines().find_map(value).with_context(|| format!("there is no #define {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_saying_a_version_is_read() {
        let says = Says::Numbers(&["A_MAJOR", "A_MINOR"]);
        assert_eq!(version("#define A_MAJOR   1 /* x */\n# define A_MINOR 9\n", &says).unwrap(), "1.9");
        assert!(version("#define A_MAJOR 1\n", &says).is_err());
        assert_eq!(version("#define V \"x-0.4.8-dev\"", &Says::Text("V", "x-")).unwrap(), "0.4.8-dev");
        assert!(version("#define V \"y-0.4.8\"", &Says::Text("V", "x-")).is_err());
        assert_eq!(version("#define V 0x020c01ff", &Says::Hex("V")).unwrap(), "2.12.1");
        let lines = Says::Lines(["MAJOR", "MINOR", "PATCH"]);
        assert_eq!(version("MAJOR=3\nMINOR=6\nPATCH=3\nPRE_RELEASE_TAG=\n", &lines).unwrap(), "3.6.3");
        assert!(version("#define A_MAJOR B\n#define A_MINOR 9", &says).is_err());
    }

    #[test]
    fn the_compiled_sources_say_the_versions_that_the_crates_promise() {
        let sources = Sources::find().unwrap();
        let parts = parts(&sources).unwrap();
        let version = |name: &str| &parts.iter().find(|part| part.name == name).unwrap().version;
        let promised = |of: &str, by: &str| {
            let manifest = sources.read(of, "Cargo.toml").unwrap();
            assert!(manifest.contains(by), "{of} is no {by}");
        };
        promised("rdkafka-sys", &format!("+{}\"", version("librdkafka")));
        promised("zstd-sys", &format!("+zstd.{}\"", version("zstd")));
        promised("openssl-src", &format!("+{}\"", openssl(&sources).unwrap().version));
    }
}
