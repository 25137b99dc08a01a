//! The checkers are shown files that are wrong: one that finds nothing in them would find nothing anywhere.

use std::fs;

use anyhow::Result;

use super::schemas::{self, KUBERNETES, Schemas};
use super::set::{Problems, Set};
use super::tools::Tools;

/// A field that does not exist.
const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: proof}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {containers: [{name: c, securityContext: {readOnlyRootFileSystem: true}}]}
";
/// A field, and a value of the wrong type, that do not exist.
const SCALED_OBJECT: &str = "
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: proof}
spec: {scaleTargetRef: {name: x}, maxReplicas: 6, triggers: []}
";
const TOPIC: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: proof}
spec: {partitions: six}
";
/// A misspelt field, without which nobody in particular has to have signed.
const IMAGE_POLICY: &str = "
apiVersion: policies.kyverno.io/v1
kind: ImageValidatingPolicy
metadata: {name: proof}
spec:
  attestors: [{name: a, cosign: {keyless: {identities: [{issuer: x, subjectRegexp: y}]}}}]
  validations: [{expression: 'true'}]
";
const UNKNOWN: &str = "
apiVersion: example.com/v1
kind: Unknown
metadata: {name: proof}
";
const COMPOSE: &str = "services: {proof: {image: x, memory_limit: 1g}}\n";
const YAML: &str = "# A mode that parsers disagree on.\nmode: 0440\n";
const SCRIPT: &str = "#!/bin/sh\nrm -r $1/*\n";

/// All of them.
pub fn check(tools: &Tools, schemas: &Schemas) -> Result<Problems> {
    let folder = tools.folder().join("proof");
    fs::create_dir_all(&folder)?;
    let file = |name: &str, text: &str| -> Result<_> {
        let path = folder.join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let mut problems = Problems::new();
    let mut expect = |checker: &str, found: Problems, word: &str| {
        if !found.iter().any(|line| line.contains(word)) {
            problems.push(format!("{checker} does not find {word}: {found:?}"));
        }
    };
    let object =
        |text: &str, versions: &[&str]| schemas.check(&Set::from_stream("proof", text)?, tools, "proof", versions);
    for version in KUBERNETES {
        expect(version, object(DEPLOYMENT, &[version])?, "readOnlyRootFileSystem");
    }
    expect("KEDA's schema", object(SCALED_OBJECT, &[])?, "maxReplicas");
    expect("Strimzi's schema", object(TOPIC, &[])?, "six");
    expect("Kyverno's schema", object(IMAGE_POLICY, &[])?, "subjectRegexp");
    expect("the list of schemas", object(UNKNOWN, &[])?, "example.com/v1");
    expect("compose's schema", schemas::compose(tools, &file("compose.yaml", COMPOSE)?)?, "memory_limit");
    expect("yamllint", tools.yamllint(&[&file("mode.yaml", YAML)?])?, "octal");
    expect("shellcheck", tools.shellcheck(&[&file("script.sh", SCRIPT)?])?, "SC2086");
    Ok(problems)
}
