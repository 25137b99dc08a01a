//! Where a release's images are: the registry, the names that follow from the repository's, and the digests of what was pushed.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// The platforms, as OCI names their processors.
pub const PLATFORMS: [&str; 2] = ["amd64", "arm64"];

/// The flags that say where.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// Owner and name of the repository, from which the images' names follow
    #[arg(long, value_name = "OWNER/NAME", env = "GITHUB_REPOSITORY")]
    repository: Option<String>,

    /// The registry
    #[arg(long, value_name = "HOST", default_value = "ghcr.io")]
    registry: String,

    /// The folder with the digests of what was pushed, a file each
    #[arg(long, value_name = "FOLDER", default_value = "target/publish")]
    digests: PathBuf,
}

/// The flag that says which release.
#[derive(clap::Args, Clone, Debug)]
pub struct Tag {
    /// The release's tag in git, such as v1.0.0
    #[arg(long, value_name = "TAG", env = "GITHUB_REF_NAME")]
    tag: Option<String>,
}

/// Whether a text is `sha256:` and 64 digits.
pub fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Tag {
    /// The tag.
    ///
    /// # Errors
    /// When none is given, or it is not `v` and a version.
    pub fn get(&self) -> Result<String> {
        let tag =
            self.tag.clone().filter(|tag| !tag.is_empty()).context("which release? Give --tag, such as v1.0.0")?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+');
        let version = tag.strip_prefix('v').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
        ensure!(version && tag.chars().all(plain), "the tag {tag:?} is not v and a version, such as v1.0.0");
        Ok(tag)
    }
}

impl Place {
    /// Owner and name.
    ///
    /// # Errors
    /// When they are not given, or are no such thing.
    pub fn repository(&self) -> Result<&str> {
        let given = self.repository.as_deref().filter(|given| !given.is_empty());
        let given = given.context("which repository? Give --repository OWNER/NAME")?;
        let plain = |part: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            !part.is_empty() && part.bytes().all(letter)
        };
        let both = given.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name));
        ensure!(both, "the repository {given:?} is not OWNER/NAME");
        Ok(given)
    }

    /// The name of a program's image, without tag and digest. Registries know small letters only.
    pub fn image(&self, program: &str) -> Result<String> {
        Ok(format!("{}/{}/kafka-{program}", self.registry, self.repository()?.to_lowercase()))
    }

    /// Whether the registry is on this machine, and so without TLS.
    pub fn is_local(&self) -> bool {
        let host = self.registry.split(':').next().unwrap_or_default();
        ["localhost", "127.0.0.1"].contains(&host)
    }

    /// Keeps the digest of what was pushed. No platform: of the index of all.
    pub fn keep(&self, program: &str, platform: Option<&str>, digest: &str) -> Result<()> {
        ensure!(is_digest(digest), "{digest:?} is no sha256 digest");
        fs::create_dir_all(&self.digests)?;
        Ok(fs::write(self.file(program, platform), format!("{digest}\n"))?)
    }

    /// The digest of what was pushed.
    ///
    /// # Errors
    /// When nothing was.
    pub fn digest(&self, program: &str, platform: Option<&str>) -> Result<String> {
        let file = self.file(program, platform);
        let digest = fs::read_to_string(&file).with_context(|| format!("{}: was it pushed?", file.display()))?;
        let digest = digest.trim();
        ensure!(is_digest(digest), "{}: {digest:?} is no sha256 digest", file.display());
        Ok(digest.to_owned())
    }

    /// The one reference of a program's image that always means the same.
    pub fn pinned(&self, program: &str, platform: Option<&str>) -> Result<String> {
        Ok(format!("{}@{}", self.image(program)?, self.digest(program, platform)?))
    }

    fn file(&self, program: &str, platform: Option<&str>) -> PathBuf {
        let name = match platform {
            Some(platform) => format!("kafka-{program}.{platform}.digest"),
            None => format!("kafka-{program}.digest"),
        };
        self.digests.join(name)
    }
}

#[cfg(test)]
impl Place {
    /// One for a test.
    pub fn of(repository: &str, registry: &str, digests: PathBuf) -> Self {
        Self { repository: Some(repository.to_owned()), registry: registry.to_owned(), digests }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_from_the_repository_and_digests_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::of("Some-Owner/Name", "ghcr.io", folder.path().join("new"));
        assert_eq!(place.image("consumer").unwrap(), "ghcr.io/some-owner/name/kafka-consumer");
        let digest = format!("sha256:{}", "0".repeat(64));
        place.keep("consumer", Some("amd64"), &digest).unwrap();
        assert_eq!(
            place.pinned("consumer", Some("amd64")).unwrap(),
            format!("ghcr.io/some-owner/name/kafka-consumer@{digest}")
        );
        assert!(place.digest("consumer", None).unwrap_err().to_string().contains("was it pushed?"));
        place.keep("consumer", None, "sha256:12").unwrap_err();
    }

    #[test]
    fn what_is_no_repository_or_tag_is_refused() {
        for repository in ["", "name", "a/b/c", "a/", "a/b c", "a/$(b)"] {
            Place::of(repository, "ghcr.io", PathBuf::new()).repository().unwrap_err();
        }
        for tag in ["", "1.0.0", "v", "main", "v1;x", "vx"] {
            Tag { tag: Some(tag.to_owned()) }.get().unwrap_err();
        }
        assert_eq!(Tag { tag: Some("v1.0.0-rc.1".into()) }.get().unwrap(), "v1.0.0-rc.1");
        Tag { tag: None }.get().unwrap_err();
    }

    #[test]
    fn only_a_registry_of_this_machine_goes_without_tls() {
        let local = |registry: &str| Place::of("a/b", registry, PathBuf::new()).is_local();
        assert!(local("localhost:5000") && local("127.0.0.1:1"));
        assert!(!local("ghcr.io") && !local("localhost.example.org"));
    }
}
