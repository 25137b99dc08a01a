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

/// The flags by which cosign accepts this identity and no other.
pub fn flags(identity: &str, issuer: &str) -> [String; 4] {
    ["--certificate-identity", identity, "--certificate-oidc-issuer", issuer].map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_the_callee_at_the_tag() {
        assert_eq!(
            of_release("owner/name", "v1.0.0"),
            "https://github.com/owner/name/.github/workflows/image.yml@refs/tags/v1.0.0"
        );
    }

    #[test]
    fn the_workflow_is_the_one_that_signs() {
        let workflow = std::fs::read_to_string(crate::programs::root().join(WORKFLOW)).unwrap();
        assert!(workflow.contains("run: cargo xtask release sign\n"));
        assert!(workflow.contains("uses: actions/attest@"));
        assert!(workflow.contains("workflow_call:"));
    }
}
