//! The policy of `infra/policies/kyverno`, evaluated by Kyverno itself, with a key in place of the workflow's identity: what a release
//! has is admitted, and whatever lacks a part of it is denied, for that reason.

mod kyverno;
mod small;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::registry::Registry;
use super::sign::cosign::{Cosign, Key};
use super::table::Table;
use super::tools::Tools;
use crate::manifests::tools::output;
use crate::published::policies::filled;
use kyverno::{Kyverno, SAFE, Verdict};
use small::{ALL, Attached, push};

const SIGNATURE: &str = "an image is not signed by the workflow of a release";
const PROVENANCE: &str = "an image has no provenance by the workflow of a release";
const SBOM: &str = "an image has no SBOM by the workflow of a release";

/// What the cases work with.
struct Bench<'a> {
    tools: &'a Tools,
    cosign: &'a Cosign<'a>,
    kyverno: Kyverno<'a>,
    /// The begin of the images' names.
    images: String,
    policy: Value,
    /// The same, that trusts another key.
    distrustful: Value,
    /// An image with everything.
    good: String,
}

type Case = (&'static str, fn(&Bench) -> Result<String>);

const CASES: [Case; 12] = [
    ("signed and attested", signed),
    ("unsigned", unsigned),
    ("wrong key", wrong_key),
    ("attested, but not signed", attested_only),
    ("no provenance", without_provenance),
    ("no SBOM", without_sbom),
    ("everything, but of another image", of_another),
    ("a tag in place of the digest", tag),
    ("one good container and a bad one", one_bad),
    ("an image of another name", other_name),
    ("a namespace without the label", other_namespace),
    ("a mistyped field", mistyped),
];

/// All cases, on a registry of their own.
pub fn run(tools: &Tools, table: &mut Table) -> Result<()> {
    let registry = Registry::start(tools)?;
    let cosign = Cosign::new(tools)?;
    let bench = table.row("policies: an image with everything", || {
        let images = format!("{}/kafka-", registry.host());
        let good = push(tools, &cosign, &format!("{images}good"), &ALL)?;
        let [policy, distrustful] = [Key::Right, Key::Wrong].map(|key| twin(&images, &cosign.public_key(key)?));
        let (policy, distrustful) = (policy?, distrustful?);
        let said = good.clone();
        let kyverno = Kyverno::new(tools)?;
        Ok((Bench { tools, cosign: &cosign, kyverno, images, policy, distrustful, good }, said))
    });
    let Some(bench) = bench else { return Ok(()) };
    for (name, case) in CASES {
        table.row(format!("policies: {name}"), || Ok(((), case(&bench)?)));
    }
    Ok(())
}

/// The policy, with a key in place of the identity, and a registry without TLS. Nothing else is changed.
fn twin(images: &str, key: &str) -> Result<Value> {
    let policies = filled("kyverno", images, "owner/name")?;
    let [policy] = &policies[..] else { bail!("not one policy of Kyverno's, but {}", policies.len()) };
    let mut policy = policy.value()?;
    let attestors = policy.pointer_mut("/spec/attestors").and_then(Value::as_array_mut);
    let [attestor] = &mut attestors.context("a policy without attestors")?[..] else { bail!("not one attestor") };
    ensure!(attestor.pointer("/cosign/keyless/identities").is_some(), "the attestor trusts no identity: {attestor}");
    attestor["cosign"] = json!({"key": {"data": key}, "ctlog": {"insecureIgnoreTlog": true}});
    policy["spec"]["credentials"] = json!({"allowInsecureRegistry": true});
    Ok(policy)
}

impl Bench<'_> {
    fn image(&self, name: &str, attached: &[Attached]) -> Result<String> {
        push(self.tools, self.cosign, &format!("{}{name}", self.images), attached)
    }

    fn denied(&self, policy: &Value, pod: &Value, why: &str) -> Result<String> {
        match self.kyverno.judge(policy, pod)? {
            Verdict::Denied(reason) if reason.contains(why) => Ok(format!("denied: {reason}")),
            other => bail!("not denied because {why}: {other:?}"),
        }
    }

    fn is(&self, policy: &Value, pod: &Value, expected: &Verdict) -> Result<()> {
        let verdict = self.kyverno.judge(policy, pod)?;
        ensure!(verdict == *expected, "{expected:?} expected: {verdict:?}");
        Ok(())
    }
}

fn pod(namespace: &str, first: &str, main: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "policies", "namespace": namespace},
        "spec": {"initContainers": [{"name": "first", "image": first}], "containers": [{"name": "main", "image": main}]},
    })
}

fn signed(bench: &Bench) -> Result<String> {
    bench.is(&bench.policy, &pod(SAFE, &bench.good, &bench.good), &Verdict::Admitted)?;
    Ok("admitted".to_owned())
}

fn unsigned(bench: &Bench) -> Result<String> {
    let image = bench.image("unsigned", &[])?;
    bench.denied(&bench.policy, &pod(SAFE, &image, &image), SIGNATURE)
}

fn wrong_key(bench: &Bench) -> Result<String> {
    bench.denied(&bench.distrustful, &pod(SAFE, &bench.good, &bench.good), SIGNATURE)
}

/// Kyverno's own `verifyImageSignatures` takes this for a signed image.
fn attested_only(bench: &Bench) -> Result<String> {
    let image = bench.image("attested", &[Attached::Provenance, Attached::Sbom])?;
    let denied = bench.denied(&bench.policy, &pod(SAFE, &image, &image), SIGNATURE)?;
    let mut naive = bench.policy.clone();
    let all = "images.containers.all(i, verifyImageSignatures(i, [attestors.workflow]) > 0)";
    naive["spec"]["validations"] = json!([{"expression": all}]);
    bench.is(&naive, &pod(SAFE, &image, &image), &Verdict::Admitted).context("verifyImageSignatures refuses it now")?;
    Ok(format!("{denied}; verifyImageSignatures alone would admit it"))
}

fn without_provenance(bench: &Bench) -> Result<String> {
    let image = bench.image("unproven", &[Attached::Signature, Attached::Sbom])?;
    bench.denied(&bench.policy, &pod(SAFE, &image, &image), PROVENANCE)
}

fn without_sbom(bench: &Bench) -> Result<String> {
    let image = bench.image("unlisted", &[Attached::Signature, Attached::Provenance])?;
    bench.denied(&bench.policy, &pod(SAFE, &image, &image), SBOM)
}

/// What is attached to the good image is put where another's is looked for.
fn of_another(bench: &Bench) -> Result<String> {
    let image = bench.image("swapped", &[])?;
    let attached = |image: &str| image.replace("@sha256:", ":sha256-");
    output(bench.tools.crane()?.args(["copy", "--insecure", &attached(&bench.good), &attached(&image)]))?;
    bench.denied(&bench.policy, &pod(SAFE, &image, &image), SIGNATURE)
}

fn tag(bench: &Bench) -> Result<String> {
    let (repository, _) = bench.good.split_once('@').context("no digest")?;
    bench.denied(&bench.policy, &pod(SAFE, &bench.good, &format!("{repository}:1")), "does not have a digest")
}

fn one_bad(bench: &Bench) -> Result<String> {
    let bad = bench.image("beside", &[])?;
    bench.denied(&bench.policy, &pod(SAFE, &bad, &bench.good), SIGNATURE)?;
    bench.denied(&bench.policy, &pod(SAFE, &bench.good, &bad), SIGNATURE)
}

/// That no other image runs is the part of `infra/policies/admission`.
fn other_name(bench: &Bench) -> Result<String> {
    let other = push(bench.tools, bench.cosign, &bench.images.replace("/kafka-", "/other"), &[])?;
    bench.is(&bench.policy, &pod(SAFE, &other, &other), &Verdict::Admitted)?;
    Ok("not looked at: ../admission refuses it".to_owned())
}

fn other_namespace(bench: &Bench) -> Result<String> {
    let image = bench.image("elsewhere", &[])?;
    bench.is(&bench.policy, &pod("other", &image, &image), &Verdict::Ignored)?;
    Ok("not looked at".to_owned())
}

fn mistyped(bench: &Bench) -> Result<String> {
    let text = bench.policy.to_string().replacen("matchImageReferences", "matchImageReference", 1);
    match bench.kyverno.judge(&serde_json::from_str(&text)?, &pod(SAFE, &bench.good, &bench.good)) {
        Err(error) if format!("{error:#}").contains("0 rules") => {
            Ok("no rule is loaded, which is a failure".to_owned())
        }
        Err(error) => Err(error.context("refused for another reason than 0 rules")),
        Ok(verdict) => bail!("{verdict:?}, although the policy was not loaded"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_differs_in_whom_it_trusts_and_in_the_registry() {
        let twin = twin("localhost:1/kafka-", "a key").unwrap();
        let mut back = twin.clone();
        back["spec"].as_object_mut().unwrap().remove("credentials").unwrap();
        let committed = filled("kyverno", "localhost:1/kafka-", "owner/name").unwrap()[0].value().unwrap();
        assert_ne!(back, committed);
        back["spec"]["attestors"] = committed["spec"]["attestors"].clone();
        assert_eq!(back, committed);
        assert_eq!(twin["spec"]["attestors"][0]["cosign"]["key"]["data"], "a key");
    }
}
