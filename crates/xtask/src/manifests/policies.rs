//! The admission policies, against the code and each other: what is warned of is what is refused, and each names our images, our
//! workflow and the one label.

use anyhow::Result;
use serde_json::Value;

use super::code::Program;
use super::set::{Object, Problems, Set, list_at, map_at, text};
use crate::published::identity::{ISSUER, of_any_release};
use crate::published::policies::{GUARDED, IMAGES, REPOSITORY};

const PODS: &str = "infra/policies/admission/10-policy-pods.yaml";
const TEMPLATES: &str = "infra/policies/admission/20-policy-templates.yaml";
const KYVERNO: &str = "infra/policies/kyverno/10-imagevalidatingpolicy.yaml";
/// Where each of the two finds the pod: in nothing else they differ. Fields are written out, as the API server does not compare those
/// of variables with their types.
const PLACES: [&str; 2] = ["object.spec.", "object.spec.template.spec."];

/// All of it.
///
/// # Errors
/// When a file is missing.
pub fn check(set: &Set) -> Result<Problems> {
    let mut problems = Problems::new();
    let (pods, templates) = (set.file(PODS)?, set.file(TEMPLATES)?);
    same(pods, templates, &mut problems);
    let names: Vec<_> = Program::both().iter().map(|program| image(program.name)).collect();
    let wanted = format!("['{}']", names.join("', '"));
    for policy in [pods, templates] {
        let said = variable(policy, "repositories");
        if said != wanted {
            problems.push(policy.problem(format!("repositories are {said}, the programs' are {wanted}")));
        }
    }
    bindings(set, &mut problems);
    signer(set.file(KYVERNO)?, &mut problems);
    Ok(problems)
}

/// The blank for a program's image.
fn image(program: &str) -> String {
    format!("{IMAGES}{}", program.trim_start_matches("kafka-"))
}

fn variable<'a>(policy: &'a Object, name: &str) -> &'a str {
    let mut variables = list_at(&policy.value, "/spec/variables");
    variables.find(|it| text(it, "/name") == name).map_or("", |it| text(it, "/expression"))
}

/// Both judge a pod by the same expressions, in the same words.
fn same(pods: &Object, templates: &Object, problems: &mut Problems) {
    let rules = |policy: &Object| {
        let variables = list_at(&policy.value, "/spec/variables");
        variables.chain(list_at(&policy.value, "/spec/validations")).map(Value::to_string).collect::<Vec<_>>()
    };
    let (refused, warned) = (rules(pods), rules(templates));
    let refused: Vec<_> = refused.iter().map(|rule| rule.replace(PLACES[0], PLACES[1])).collect();
    if refused.len() != warned.len() {
        problems.push(templates.problem(format!("{} rules, {} has {}", warned.len(), pods.path, refused.len())));
    }
    for (refused, warned) in refused.iter().zip(&warned).filter(|(refused, warned)| refused != warned) {
        problems.push(templates.problem(format!("{warned} is not what {} says: {refused}", pods.path)));
    }
    for policy in [pods, templates] {
        if policy.text("/spec/failurePolicy") != "Fail" {
            problems.push(policy.problem("failurePolicy has to be Fail"));
        }
    }
}

/// Each policy is bound once, by the label, and pods are refused where templates are warned of.
fn bindings(set: &Set, problems: &mut Problems) {
    for policy in set.of_kind("ValidatingAdmissionPolicy") {
        let bindings = set.of_kind("ValidatingAdmissionPolicyBinding");
        let bound: Vec<_> = bindings.filter(|binding| binding.text("/spec/policyName") == policy.name()).collect();
        let [binding] = bound[..] else {
            problems.push(policy.problem(format!("{} bindings name it, not one", bound.len())));
            continue;
        };
        guarded(binding, "/spec/matchResources", problems);
        let actions: Vec<_> = list_at(&binding.value, "/spec/validationActions").filter_map(Value::as_str).collect();
        let wanted: &[&str] = if policy.path == PODS { &["Deny", "Audit"] } else { &["Warn"] };
        if actions != wanted {
            problems.push(binding.problem(format!("validationActions are {actions:?}, not {wanted:?}")));
        }
    }
}

/// Whether it holds in the namespaces with the label, and in no other.
fn guarded(object: &Object, place: &str, problems: &mut Problems) {
    let labels = map_at(&object.value, &format!("{place}/namespaceSelector/matchLabels"));
    if labels.len() != 1 || labels.get(GUARDED.0).and_then(Value::as_str) != Some(GUARDED.1) {
        problems.push(object.problem(format!("has to select namespaces by {}={} alone", GUARDED.0, GUARDED.1)));
    }
}

/// The certificate has to name exactly the workflow that signs.
fn signer(policy: &Object, problems: &mut Problems) {
    guarded(policy, "/spec/matchConstraints", problems);
    let attestors = list_at(&policy.value, "/spec/attestors");
    let identities = attestors.flat_map(|attestor| list_at(attestor, "/cosign/keyless/identities"));
    let found: Vec<_> = identities.map(|it| (text(it, "/issuer"), text(it, "/subjectRegExp").to_owned())).collect();
    if found != [(ISSUER, of_any_release(REPOSITORY))] {
        problems.push(policy.problem(format!("trusts {found:?}, not the workflow that signs")));
    }
    let images: Vec<_> = list_at(&policy.value, "/spec/matchImageReferences").collect();
    if images.len() != 1 || text(images[0], "/glob") != format!("{IMAGES}*") {
        problems.push(policy.problem(format!("has to look at {IMAGES}*, and at that alone")));
    }
    if policy.text("/spec/failurePolicy") != "Fail" {
        problems.push(policy.problem("failurePolicy has to be Fail"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    /// What is found once a file has other words.
    fn changed(path: &str, from: &str, to: &str) -> Problems {
        let mut set = Set::load(&programs::root()).unwrap();
        let object = set.objects.iter_mut().find(|object| object.path == path).unwrap();
        let said = object.value.to_string();
        assert!(said.contains(from), "{path} does not say {from}");
        object.value = serde_json::from_str(&said.replacen(from, to, 1)).unwrap();
        check(&set).unwrap()
    }

    #[test]
    fn the_committed_policies_agree() {
        assert_eq!(check(&Set::load(&programs::root()).unwrap()).unwrap(), Problems::new());
    }

    #[test]
    fn each_difference_is_found() {
        let binding = "infra/policies/admission/11-binding-pods.yaml";
        for (path, from, to, word) in [
            (TEMPLATES, "'ephemeral-storage'", "'cpu'", "is not what"),
            (PODS, "kafka-consumer'", "kafka-other'", "repositories are"),
            (TEMPLATES, "object.spec.template.spec", "object.spec", "is not what"),
            (PODS, r#""Fail""#, r#""Ignore""#, "failurePolicy"),
            (binding, r#"["Deny","Audit"]"#, r#"["Warn"]"#, "validationActions"),
            (binding, "kafka-clients/guarded", "guarded", "has to select"),
            (binding, "kafka-clients-pods\",\"valid", "other\",\"valid", "0 bindings"),
            (KYVERNO, "@refs/tags/v", "@refs/heads/v", "trusts"),
            (KYVERNO, "kafka-*", "*", "has to look at"),
            (KYVERNO, "token.actions", "token.other", "trusts"),
        ] {
            let found = changed(path, from, to);
            assert!(found.iter().any(|problem| problem.contains(word)), "{path}, {from}: {found:?}");
        }
    }
}
