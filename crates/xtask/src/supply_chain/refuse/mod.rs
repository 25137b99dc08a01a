//! What must be refused, each for its own reason: a refusal for another reason would be a check that something else broke.

mod tamper;

use anyhow::{Result, bail, ensure};

use super::image::Image;
use super::sbom::Sbom;
use super::sign::cosign::{Answer, Cosign, Key, predicates, signed};
use super::sign::{KINDS, about};
use super::tools::Tools;
use crate::images::STAND_IN;
use crate::manifests::tools::output;

/// What a case works with: a signed image, another one, and the bill of that.
pub struct Case<'a> {
    /// The tools.
    pub tools: &'a Tools,
    /// The signer.
    pub cosign: &'a Cosign<'a>,
    /// The image.
    pub image: &'a Image,
    /// Another, signed with the same key.
    pub other: &'a Image,
    /// The other's bill.
    pub bill: &'a Sbom,
}

/// A case: what it is called, and what returns why it was refused.
pub type Refusal = (&'static str, fn(&Case) -> Result<String>);

/// The first is the one that each signing ends with.
pub const ALL: [Refusal; 7] = [
    ("wrong key", wrong_key),
    ("one byte of the program changed", changed),
    ("signature of the other image", of_the_other),
    ("missing attestation", missing),
    ("attested, but not signed", unsigned),
    ("SBOM of another digest", other_bill),
    ("base labelled as a stand-in, for a release", stand_in),
];

fn wrong_key(case: &Case) -> Result<String> {
    let why = "accepted signatures do not match threshold";
    refused(&case.cosign.verify(&case.image.reference(), Key::Wrong)?, 1, why)
}

fn changed(case: &Case) -> Result<String> {
    let digest = tamper::push(case.tools, case.image, &case.image.repository)?;
    ensure!(digest != case.image.digest, "the changed image has the same digest");
    refused(&case.cosign.verify(&format!("{}@{digest}", case.image.repository), Key::Right)?, 10, "no signatures found")
}

/// The other's signature and attestations are attached to the image, where cosign looks for them.
fn of_the_other(case: &Case) -> Result<String> {
    let to = beside(case, "swapped")?;
    let tag = |digest: &str| digest.replace(':', "-");
    let from = format!("{}:{}", case.other.repository, tag(&case.other.digest));
    let attached = format!("{to}:{}", tag(&case.image.digest));
    output(case.tools.crane()?.args(["copy", "--insecure", &from, &attached]))?;
    let why = "provided artifact digest does not match any digest in statement";
    refused(&case.cosign.verify(&format!("{to}@{}", case.image.digest), Key::Right)?, 1, why)
}

fn missing(case: &Case) -> Result<String> {
    let to = format!("{}@{}", beside(case, "bare")?, case.image.digest);
    case.cosign.sign(&to)?;
    signed(&case.cosign.verify(&to, Key::Right)?)?;
    let why = "none of the attestations matched the predicate type: cyclonedx";
    refused(&case.cosign.verify_attestation(&to, KINDS[0], Key::Right)?, 1, why)
}

/// cosign 3 takes an attestation for a signature; what verifies here does not.
fn unsigned(case: &Case) -> Result<String> {
    let to = format!("{}@{}", beside(case, "attested")?, case.image.digest);
    case.cosign.attest(&to, KINDS[0], &case.bill.file)?;
    let answer = case.cosign.verify(&to, Key::Right)?;
    ensure!(answer.code == Some(0), "cosign refuses this by itself now: {}", answer.complaint());
    ours(signed(&answer), "attested, but not signed")
}

fn other_bill(case: &Case) -> Result<String> {
    let to = format!("{}@{}", beside(case, "described")?, case.image.digest);
    case.cosign.sign(&to)?;
    case.cosign.attest(&to, KINDS[0], &case.bill.file)?;
    let bills = predicates(&case.cosign.verify_attestation(&to, KINDS[0], Key::Right)?)?;
    ours(about(&bills, &case.image.digest), "the attested SBOM describes")
}

fn stand_in(case: &Case) -> Result<String> {
    let label = format!("{STAND_IN}=a base of a registry");
    let to = format!("{}:labelled", case.image.repository);
    output(case.tools.crane()?.args([
        "mutate",
        "--insecure",
        "--label",
        &label,
        "--tag",
        &to,
        &case.image.reference(),
    ]))?;
    let digest = output(case.tools.crane()?.args(["digest", "--insecure", &to]))?;
    let image = Image::find(case.tools, &format!("{}@{}", case.image.repository, digest.trim()))?;
    ours(image.releasable(), "must not be released")
}

/// A copy of the image in a repository of its own, with nothing attached.
fn beside(case: &Case, name: &str) -> Result<String> {
    let to = format!("{}-{name}", case.image.repository);
    output(case.tools.crane()?.args(["copy", "--insecure", &case.image.reference(), &format!("{to}:1")]))?;
    Ok(to)
}

/// cosign must refuse with this code, in these words.
fn refused(answer: &Answer, code: i32, why: &str) -> Result<String> {
    match answer.code {
        Some(0) => bail!("accepted"),
        Some(given) if given == code && answer.complained.contains(why) => Ok(format!("cosign, code {code}: {why}")),
        other => {
            bail!("refused for another reason: code {other:?} and not {code}, {} and not {why:?}", answer.complaint())
        }
    }
}

/// A check of our own must refuse in these words.
fn ours(checked: Result<()>, why: &str) -> Result<String> {
    match checked {
        Ok(()) => bail!("accepted"),
        Err(error) if error.to_string().contains(why) => Ok(format!("{error:#}")),
        Err(error) => Err(error.context(format!("refused for another reason than {why:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: i32, complained: &str) -> Answer {
        Answer { code: Some(code), said: String::new(), complained: complained.to_owned() }
    }

    #[test]
    fn a_refusal_for_another_reason_is_a_failure() {
        assert!(refused(&answer(10, "Error: no signatures found"), 10, "no signatures found").is_ok());
        for wrong in [answer(0, ""), answer(1, "Error: no signatures found"), answer(10, "Error: connection refused")] {
            assert!(refused(&wrong, 10, "no signatures found").is_err());
        }
        assert!(ours(Ok(()), "x").is_err());
        assert!(ours(Err(anyhow::anyhow!("y")), "x").is_err());
    }
}
