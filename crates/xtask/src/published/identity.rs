//! Who signs: the identities that certificates have to name, exactly.

/// The workflow whose certificate signs and attests, from the root of the repository. It is called by the release's: a certificate
/// names the workflow that a job stands in, not its caller.
pub const WORKFLOW: &str = ".github/workflows/image.yml";

/// Who vouches for the identity of a workflow.
pub const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Who signs distroless images, and who vouches for that identity.
pub const DISTROLESS: [&str; 2] = ["keyless@distroless.iam.gserviceaccount.com", "https://accounts.google.com"];

/// The identity in the certificate of a release's signature.
pub fn of_release(repository: &str, tag: &str) -> String {
    format!("https://github.com/{repository}/{WORKFLOW}@refs/tags/{tag}")
}

/// Every identity that [`of_release`] has for one repository, as a regular expression of the whole: for what admits all releases, and
/// cannot know their tags.
pub fn of_any_release(repository: &str) -> String {
    let begin = of_release(repository, "").replace('.', r"\.");
    // What a release's tag may be: see `Tag`.
    format!("^{begin}v[0-9][0-9A-Za-z.+-]*$")
}

/// The flags by which cosign accepts this identity and no other.
pub fn flags(identity: &str, issuer: &str) -> [String; 4] {
    ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer].map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_identity_is_the_callee_at_the_tag() {
        assert_eq!(
            of_release("owner/name", "v1.0.0"),
            "https://github.com/owner/name/.github/workflows/image.yml@refs/tags/v1.0.0"
        );
    }

    #[test]
    fn any_release_is_a_tag_of_the_workflow_and_of_no_other() {
        let any = |identity: &str| {
            let mut grep = Command::new("grep");
            grep.args(["--extended-regexp", "--quiet", "--", &of_any_release("owner/na.me")]);
            let mut grep = grep.stdin(Stdio::piped()).spawn().unwrap();
            grep.stdin.take().unwrap().write_all(identity.as_bytes()).unwrap();
            grep.wait().unwrap().success()
        };
        for tag in ["v1.0.0", "v12.3.4-rc.1+5"] {
            assert!(any(&of_release("owner/na.me", tag)), "{tag}");
        }
        let good = of_release("owner/na.me", "v1.0.0");
        for wrong in [
            of_release("owner/naxme", "v1.0.0"),
            of_release("owner/na.me", "main"),
            of_release("owner/na.me", "v"),
            good.replace("refs/tags", "refs/heads"),
            good.replace("image.yml", "imagexyml"),
            good.replace("image.yml", "other.yml"),
            format!("https://example.org/{good}"),
            format!("{good}/x"),
        ] {
            assert!(!any(&wrong), "{wrong}");
        }
    }

    #[test]
    fn the_workflow_is_the_one_that_signs() {
        let workflow = std::fs::read_to_string(crate::programs::root().join(WORKFLOW)).unwrap();
        assert!(workflow.contains("run: cargo xtask release sign\n"));
        assert!(workflow.contains("uses: actions/attest@"));
        assert!(workflow.contains("workflow_call:"));
    }
}
