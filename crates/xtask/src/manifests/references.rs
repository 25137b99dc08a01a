//! Names that point from one object to another: they must lead somewhere.

use serde_json::Value;

use super::set::{Object, Pod, Problems, Set, at, list_at, map_at, text};

/// The kinds that live in no namespace.
const OF_THE_CLUSTER: [&str; 4] =
    ["Namespace", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "ImageValidatingPolicy"];
/// Made by Strimzi or by hand, never by a file: what is in them, as `secret.yaml.example` has it.
pub const CREDENTIALS: [&str; 7] =
    ["username", "password", "ca.crt", "tls.crt", "tls.key", "key-password", "client-secret"];

/// Objects that belong to no namespace: `kubectl apply -n NAMESPACE`.
pub const FOR_ANY_NAMESPACE: &str = "infra/k8s/proof/";

/// All of it.
pub fn check(set: &Set) -> Problems {
    let mut problems = Problems::new();
    for object in &set.objects {
        let mut problem = |what: String| problems.push(object.problem(what));
        if object.name().is_empty() {
            problem("has no metadata.name".into());
        }
        let namespace = object.namespace();
        // A person says where it goes.
        let is_for_any = object.path.starts_with(FOR_ANY_NAMESPACE) && namespace.is_empty();
        if !is_for_any
            && !OF_THE_CLUSTER.contains(&object.kind())
            && set.find("Namespace", namespace, namespace).is_none()
        {
            problem(format!("there is no namespace {namespace:?}"));
        }
        if let Some(pod) = object.pod() {
            of_pod(set, &pod, &mut problem);
            whole_secrets(&pod, &mut problem);
        }
        of_others(set, object, &mut problem);
    }
    for policy in set.of_kind("NetworkPolicy") {
        ports(set, policy, &mut problems);
    }
    problems
}

/// A pod gets the keys of a Secret that it needs, and not whatever is put into it later.
fn whole_secrets(pod: &Pod<'_>, problem: &mut impl FnMut(String)) {
    for secret in list_at(pod.spec, "/volumes").filter_map(|volume| volume.get("secret")) {
        if list_at(secret, "/items").next().is_none() {
            problem(format!("mounts all of the Secret {}: list its items", text(secret, "/secretName")));
        }
    }
}

fn of_pod(set: &Set, pod: &Pod<'_>, problem: &mut impl FnMut(String)) {
    let namespace = pod.owner.namespace();
    let mut needs = |kind: &str, reference: &Value, key: &str| {
        let name = text(
            reference,
            if kind == "Secret" && reference.get("secretName").is_some() { "/secretName" } else { "/name" },
        );
        let optional = reference["optional"].as_bool() == Some(true);
        match set.find(kind, namespace, name) {
            Some(object) if !key.is_empty() && map_at(&object.value, "/data").get(key).is_none() => {
                problem(format!("{kind} {name} has no key {key}"));
            }
            Some(_) => {}
            // A Secret is never in a file: it is optional, or that of a user of Strimzi, copied.
            None if kind == "Secret" => {
                if !optional && !set.of_kind("KafkaUser").any(|user| user.name() == name) {
                    problem(format!("nothing makes the Secret {name}, and it is not optional"));
                }
                if !key.is_empty() && !CREDENTIALS.contains(&key) {
                    problem(format!("Secret {name}: nobody puts {key} into it"));
                }
            }
            None if optional => {}
            None => problem(format!("there is no {kind} {name} in {namespace}")),
        }
    };
    let account = serde_json::json!({ "name": text(pod.spec, "/serviceAccountName") });
    // Every namespace has one of this name.
    if text(&account, "/name") != "default" {
        needs("ServiceAccount", &account, "");
    }
    for volume in list_at(pod.spec, "/volumes") {
        let sources = list_at(volume, "/projected/sources").chain([volume]);
        for source in sources {
            if let Some(map) = source.get("configMap") {
                needs("ConfigMap", map, "");
                list_at(map, "/items").for_each(|item| needs("ConfigMap", map, text(item, "/key")));
            }
            if let Some(claim) = source.get("persistentVolumeClaim") {
                needs("PersistentVolumeClaim", &serde_json::json!({ "name": text(claim, "/claimName") }), "");
            }
            if let Some(secret) = source.get("secret") {
                needs("Secret", secret, "");
                list_at(secret, "/items").for_each(|item| needs("Secret", secret, text(item, "/key")));
            }
        }
    }
    for container in pod.containers() {
        for source in list_at(container, "/envFrom") {
            if let Some(map) = source.get("configMapRef") {
                needs("ConfigMap", map, "");
            }
            if let Some(secret) = source.get("secretRef") {
                needs("Secret", secret, "");
            }
        }
        for from in list_at(container, "/env").map(|variable| at(variable, "/valueFrom")) {
            if let Some(map) = from.get("configMapKeyRef") {
                needs("ConfigMap", map, text(map, "/key"));
            }
            if let Some(secret) = from.get("secretKeyRef") {
                needs("Secret", secret, text(secret, "/key"));
            }
        }
    }
    mounts(pod, problem);
}

/// Each mount has its volume, and each volume is mounted.
fn mounts(pod: &Pod<'_>, problem: &mut impl FnMut(String)) {
    let names = |list: &'static str, of: &Value| -> Vec<String> {
        list_at(of, list).map(|item| text(item, "/name").to_owned()).collect()
    };
    let mut volumes = names("/volumes", pod.spec);
    let templates = list_at(&pod.owner.value, "/spec/volumeClaimTemplates");
    volumes.extend(templates.map(|claim| text(claim, "/metadata/name").to_owned()));
    let mounted: Vec<_> = pod.containers().flat_map(|container| names("/volumeMounts", container)).collect();
    for name in mounted.iter().filter(|name| !volumes.contains(name)) {
        problem(format!("mounts {name}, which is no volume of it"));
    }
    for name in volumes.iter().filter(|name| !mounted.contains(name)) {
        problem(format!("the volume {name} is mounted nowhere"));
    }
}

fn of_others(set: &Set, object: &Object, problem: &mut impl FnMut(String)) {
    let namespace = object.namespace();
    let mut needs = |kind: &str, name: &str| {
        if set.find(kind, namespace, name).is_none() {
            problem(format!("there is no {kind} {name} in {namespace}"));
        }
    };
    match object.kind() {
        "StatefulSet" => needs("Service", object.text("/spec/serviceName")),
        "ScaledObject" | "HorizontalPodAutoscaler" => {
            needs("Deployment", object.text("/spec/scaleTargetRef/name"));
            for trigger in list_at(&object.value, "/spec/triggers") {
                if let Some(name) = trigger.pointer("/authenticationRef/name").and_then(Value::as_str) {
                    needs("TriggerAuthentication", name);
                }
            }
        }
        "Kafka" => {
            let metrics = object.at("/spec/kafka/metricsConfig/valueFrom/configMapKeyRef");
            let map = set.find("ConfigMap", namespace, text(metrics, "/name"));
            if !metrics.is_null() && map.is_none_or(|map| map.at("/data").get(text(metrics, "/key")).is_none()) {
                problem(format!("metricsConfig: no ConfigMap has {metrics}"));
            }
        }
        "KafkaNodePool" | "KafkaTopic" | "KafkaUser" => {
            needs("Kafka", object.text("/metadata/labels/strimzi.io~1cluster"));
            for acl in list_at(&object.value, "/spec/authorization/acls") {
                let (kind, name) = (text(acl, "/resource/type"), text(acl, "/resource/name"));
                let known = match kind {
                    "topic" => set.find("KafkaTopic", namespace, name).is_some(),
                    "group" => set.of_kind("ConfigMap").any(|map| map.text("/data/KAFKA_CONSUMER_GROUP") == name),
                    _ => true,
                };
                if !known {
                    problem(format!("grants rights on the {kind} {name}, which nobody uses"));
                }
            }
        }
        "Service" => {
            let found = |target: &str| {
                set.pods().filter(|pod| pod.owner.namespace() == namespace).any(|pod| has_port(&pod, target))
            };
            for target in list_at(&object.value, "/spec/ports").map(|port| text(port, "/targetPort")) {
                if !found(target) {
                    problem(format!("no pod has a port named {target:?}"));
                }
            }
        }
        _ => {}
    }
}

fn has_port(pod: &Pod<'_>, name: &str) -> bool {
    pod.containers().any(|container| list_at(container, "/ports").any(|port| text(port, "/name") == name))
}

/// A named port of a policy is a port of a pod; the brokers' port is let out.
fn ports(set: &Set, policy: &Object, problems: &mut Problems) {
    for rule in list_at(&policy.value, "/spec/ingress").flat_map(|rule| list_at(rule, "/ports")) {
        let Some(name) = rule["port"].as_str() else { continue };
        if !set.pods().any(|pod| pod.owner.namespace() == policy.namespace() && has_port(&pod, name)) {
            problems.push(policy.problem(format!("lets in to port {name:?}, which no pod has")));
        }
    }
    if policy.name() != "allow-kafka" {
        return;
    }
    let ranges: Vec<_> = list_at(&policy.value, "/spec/egress")
        .flat_map(|rule| list_at(rule, "/ports"))
        .filter_map(|port| {
            let first = port["port"].as_u64()?;
            Some(first..=port["endPort"].as_u64().unwrap_or(first))
        })
        .collect();
    for map in set.of_kind("ConfigMap").filter(|map| map.namespace() == policy.namespace()) {
        let servers = map.text("/data/KAFKA_BOOTSTRAP_SERVER").split(',').filter(|server| !server.is_empty());
        for server in servers {
            let port = server.rsplit_once(':').and_then(|(_, port)| port.parse::<u64>().ok());
            if !ranges.iter().any(|range| port.is_some_and(|port| range.contains(&port))) {
                problems.push(policy.problem(format!("does not let out to {server}")));
            }
        }
    }
}
