//! What readers copy to verify an image. One template for both ways, by the workflow's identity and by a key: what is proven with a
//! key, in a registry of this machine, is what GitHub's images are verified by.

use super::identity::{ISSUER, of_release};

/// The type of a signature, among the statements that may be attached to an image.
pub const SIGNATURE: &str = "https://sigstore.dev/cosign/sign/v1";

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Verify what the workflow signed.
    Identity,
    /// Verify what a key signed. Takes the variables `IMAGE`, `DIGEST` and `KEY`.
    Key,
    /// Copy an image with all that is attached to it. Takes `IMAGE`, `DIGEST` and `MIRROR`.
    Mirror,
}

impl Block {
    /// The one of a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Identity, Self::Key, Self::Mirror].into_iter().find(|block| block.name() == name)
    }

    /// Its name in the documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Key => "key",
            Self::Mirror => "mirror",
        }
    }

    /// The commands, for any POSIX shell.
    pub fn commands(self) -> String {
        match self {
            Self::Identity => {
                let begin = format!(
                    "REPOSITORY=OWNER/NAME\nTAG=v{}\n\
                     IMAGE=\"ghcr.io/$(printf %s \"$REPOSITORY\" | tr '[:upper:]' '[:lower:]')/kafka-consumer\"\n\
                     DIGEST=\"$(crane digest \"$IMAGE:${{TAG#v}}\")\"\n",
                    env!("CARGO_PKG_VERSION")
                );
                let identity = of_release("$REPOSITORY", "$TAG");
                begin + &verify(&format!("--certificate-identity \"{identity}\" --certificate-oidc-issuer {ISSUER}"))
            }
            Self::Key => verify("--key \"$KEY\" --insecure-ignore-tlog"),
            Self::Mirror => "crane copy \"$IMAGE@$DIGEST\" \"$MIRROR@$DIGEST\"\n\
                 crane copy \"$IMAGE:sha256-${DIGEST#sha256:}\" \"$MIRROR:sha256-${DIGEST#sha256:}\"\n"
                .to_owned(),
        }
    }
}

/// Verifies signature, provenance and SBOM; the flags say whom to trust. cosign takes an attestation for a signature, too: only its
/// claims tell them apart.
fn verify(trust: &str) -> String {
    format!(
        "set -- {trust}\n\
         cosign verify \"$@\" \"$IMAGE@$DIGEST\" | jq -e 'any(.[]; .critical.type == \"{SIGNATURE}\")'\n\
         cosign verify-attestation \"$@\" --type slsaprovenance1 \"$IMAGE@$DIGEST\" >provenance.json\n\
         cosign verify-attestation \"$@\" --type cyclonedx \"$IMAGE@$DIGEST\" >sbom.json\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_verify_the_same_and_differ_in_whom_they_trust() {
        let after = |block: Block| {
            let commands = block.commands();
            let (_, rest) = commands.split_once("set -- ").unwrap();
            let (trust, same) = rest.split_once('\n').unwrap();
            (trust.to_owned(), same.to_owned())
        };
        let ((identity, one), (key, other)) = (after(Block::Identity), after(Block::Key));
        assert_eq!(one, other);
        assert!(identity.contains("/.github/workflows/image.yml@refs/tags/$TAG\" --certificate-oidc-issuer https://"));
        assert!(key.starts_with("--key \"$KEY\" "));
        assert_eq!(one.matches("\"$IMAGE@$DIGEST\"").count(), 3);
    }
}
