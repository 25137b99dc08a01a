//! The images that a Dockerfile builds on.

use anyhow::{Context, Result, ensure};

use crate::published::is_digest;

/// An image's reference with its parts, as `gcr.io/distroless/cc-debian13:nonroot@sha256:...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// All of it, as written.
    pub whole: String,
    /// The name without registry and folder, as `cc-debian13`.
    pub name: String,
    /// What stands between `:` and `@`.
    pub tag: String,
    /// What stands after `@`.
    pub digest: String,
}

impl Reference {
    /// One that is pinned twice: by a tag for people and update bots, by a digest for everybody.
    fn pinned(text: &str) -> Result<Self> {
        let (rest, digest) = text.split_once('@').with_context(|| format!("{text} has no digest"))?;
        ensure!(is_digest(digest), "{text}: {digest} is no sha256 digest");
        let name = rest.rsplit('/').next().unwrap_or_default();
        let (name, tag) = name.split_once(':').with_context(|| format!("{text} has no tag"))?;
        let (whole, digest) = (text.to_owned(), digest.to_owned());
        Ok(Self { whole, name: name.to_owned(), tag: tag.to_owned(), digest })
    }
}

/// The image that a Dockerfile's last stage is made on.
pub fn last(dockerfile: &str) -> Result<Reference> {
    bases(dockerfile)?.pop().context("the Dockerfile builds on no image")
}

/// The images from elsewhere that a Dockerfile names in its `FROM` lines, without its own stages, in order, each once.
pub fn bases(dockerfile: &str) -> Result<Vec<Reference>> {
    let (mut stages, mut found) = (Vec::new(), Vec::new());
    for line in dockerfile.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let Some((first, rest)) = words.split_first() else { continue };
        if !first.eq_ignore_ascii_case("FROM") {
            continue;
        }
        let mut rest = rest.iter().skip_while(|word| word.starts_with("--"));
        let image = *rest.next().with_context(|| format!("{line:?} names no image"))?;
        if !stages.contains(&image) && image != "scratch" {
            let reference = Reference::pinned(image)?;
            if !found.contains(&reference) {
                found.push(reference);
            }
        }
        if let [word, name] = rest.copied().collect::<Vec<_>>()[..]
            && word.eq_ignore_ascii_case("AS")
        {
            stages.push(name);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::{PROGRAMS, dockerfile};
    use crate::programs;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn every_base_of_the_images_has_a_tag_and_a_digest() {
        for program in PROGRAMS {
            let names: Vec<_> = bases(&dockerfile(&programs::root(), program).unwrap())
                .unwrap()
                .into_iter()
                .map(|base| base.name)
                .collect();
            assert_eq!(names, ["rust", "cc-debian13"], "Dockerfile.{program}");
        }
    }

    #[test]
    fn one_compile_serves_both_images() {
        let [producer, consumer] = PROGRAMS.map(|program| {
            let text = dockerfile(&programs::root(), program).unwrap();
            let stages = text.split_once("\n\n").unwrap().1;
            stages.split_once("FROM gcr.io/distroless").unwrap().0.to_owned()
        });
        assert_eq!(producer, consumer);
        assert!(producer.contains("AS build"));
        // The OpenSSL that the crates bring along is of a branch that has ended.
        assert!(producer.lines().any(|line| line == "ENV OPENSSL_NO_VENDOR=1"));
    }

    #[test]
    fn everybody_compiles_with_the_same_rust() {
        let read = |name: &str| std::fs::read_to_string(programs::root().join(name)).unwrap();
        let toolchain = read("rust-toolchain.toml");
        let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
        for program in PROGRAMS {
            let base = bases(&dockerfile(&programs::root(), program).unwrap()).unwrap().remove(0);
            assert_eq!(base.tag, format!("{channel}-trixie"), "Dockerfile.{program} and rust-toolchain.toml differ");
        }
        let least = env!("CARGO_PKG_RUST_VERSION");
        assert!(channel == least || channel.starts_with(&format!("{least}.")), "{channel} and {least}");
    }

    #[test]
    fn every_member_of_the_workspace_reaches_the_builder() {
        let read = |name: &str| std::fs::read_to_string(programs::root().join(name)).unwrap();
        let (manifest, allowed) = (read("Cargo.toml"), read(".dockerignore"));
        let members = manifest.split_once("members = [").unwrap().1.split_once(']').unwrap().0;
        let members: Vec<_> = members.split(',').map(|member| member.trim().trim_matches('"')).collect();
        assert!(members.len() > 2);
        for member in members {
            let line = format!("!{member}/Cargo.toml");
            assert!(allowed.lines().any(|allowed| allowed == line), ".dockerignore lacks {line}: Cargo needs it");
        }
    }

    #[test]
    fn what_is_not_pinned_is_refused() {
        for image in ["rust", "rust:1", &format!("rust@{DIGEST}"), "rust:1@sha256:12", &format!("rust:1@{DIGEST}x")] {
            bases(&format!("FROM {image}")).unwrap_err();
        }
    }

    #[test]
    fn stages_and_scratch_are_not_bases() {
        let text =
            format!("FROM --platform=linux/amd64 a.b/c/rust:1@{DIGEST} AS build\nfrom build as next\nFROM scratch\n");
        let found = bases(&text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].tag.as_str(), found[0].digest.as_str()), ("rust", "1", DIGEST));
    }
}
