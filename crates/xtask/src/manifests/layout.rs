//! How the files of `infra/` fit together: images, numbers that stand in two places, lists that must be complete.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;

use super::code::{Program, is_of};
use super::references::CREDENTIALS;
use super::set::{Object, Problems, Set, at, list_at, map_at, text};

const KUSTOMIZATION: &str = "infra/kustomization.yaml";
const CLUSTER: &str = "infra/kind/cluster.yaml";
const COMPOSE: &str = "infra/compose/compose.yaml";
const LOG_IN_MAP: &str = "infra/kafka/single/11-configmap-log.yaml";
const LOG_IN_COMPOSE: &str = "infra/compose/log4j2.yaml";
const GATEWAY_MAP: &str = "infra/tracing/20-configmap.yaml";
const GATEWAY_COMPOSE: &str = "infra/compose/trace-gateway.yaml";
/// Where each gateway sends to.
const STORES: [&str; 2] = ["http://trace-store.tracing.svc.cluster.local:4318", "http://jaeger:4318"];
const SECRET: &str = "infra/k8s/secret.yaml.example";

/// Images for which no public source names a digest: one that is guessed would be worse than none.
const WITHOUT_DIGEST: [&str; 3] = [
    "otel/opentelemetry-collector-contrib:0.149.0",
    "otel/opentelemetry-collector-contrib:0.161.0",
    "prom/pushgateway:v1.11.4",
];

/// All of it.
///
/// # Errors
/// When a file is missing.
pub fn check(set: &Set) -> Result<Problems> {
    let mut problems = Problems::new();
    listed(set, &mut problems)?;
    images(set, &mut problems)?;
    host_port(set, &mut problems)?;
    replicas(set, &mut problems);
    let (in_map, in_compose) = (set.file(LOG_IN_MAP)?.text("/data/log4j2.yaml"), set.file(LOG_IN_COMPOSE)?);
    if serde_saphyr::from_str::<Value>(in_map).ok().as_ref() != Some(&in_compose.value) {
        problems.push(in_compose.problem(format!("differs from {LOG_IN_MAP}")));
    }
    let (in_map, in_compose) = (set.file(GATEWAY_MAP)?.text("/data/collector.yaml"), set.file(GATEWAY_COMPOSE)?);
    let expected = in_map.replace(STORES[0], STORES[1]);
    if serde_saphyr::from_str::<Value>(&expected).ok().as_ref() != Some(&in_compose.value) {
        problems.push(in_compose.problem(format!("differs from {GATEWAY_MAP} in more than the store")));
    }
    let secret = set.file(SECRET)?;
    for (key, _) in map_at(&secret.value, "/stringData").iter().filter(|(_, value)| *value != "") {
        problems.push(secret.problem(format!("{key} has a value: a Secret does not belong into a repository")));
    }
    let keys: Vec<_> = map_at(&secret.value, "/stringData").keys().map(String::as_str).collect();
    if BTreeSet::from_iter(keys.iter().copied()) != BTreeSet::from(CREDENTIALS) {
        problems.push(secret.problem(format!("has the keys {keys:?}, the pods may ask for {CREDENTIALS:?}")));
    }
    Ok(problems)
}

/// The kustomization names every file of infra/k8s, and each of them is named for its object.
fn listed(set: &Set, problems: &mut Problems) -> Result<()> {
    let kustomization = set.file(KUSTOMIZATION)?;
    let listed: Vec<_> = list_at(&kustomization.value, "/resources").filter_map(Value::as_str).collect();
    let there: Vec<_> = set.objects.iter().filter_map(|object| object.path.strip_prefix("infra/")).collect();
    let there: Vec<_> = there.into_iter().filter(|path| path.starts_with("k8s/")).collect();
    // Not in the folder itself, which is what `kubectl apply -f infra/k8s/` takes.
    let there: Vec<_> = there.into_iter().filter(|path| path.matches('/').count() == 1).collect();
    if listed != there {
        problems
            .push(kustomization.problem(format!("resources are not the files of infra/k8s in their order: {there:?}")));
    }
    for other in set.others.iter().filter(|file| file.path.starts_with("infra/k8s/") && file.path != SECRET) {
        problems.push(other.problem("no Kubernetes object: `kubectl apply -f infra/k8s/` would fail"));
    }
    for object in set.objects.iter().filter(|object| object.path.starts_with("infra/k8s/")) {
        let version = object.text("/apiVersion");
        if version.contains('.') && !version.split('/').next().is_some_and(|group| group.ends_with(".k8s.io")) {
            problems.push(object.problem(format!("{version} is not part of Kubernetes: an empty cluster refuses it")));
        }
        let kind = object.kind().to_lowercase();
        if !object.path.split(['/', '-', '.']).any(|part| part == kind) {
            problems.push(object.problem(format!("the file's name does not say that it is a {kind}")));
        }
    }
    Ok(())
}

/// Our images have one tag, the programs' version; others have a digest, and the same one everywhere.
fn images(set: &Set, problems: &mut Problems) -> Result<()> {
    let mut references: Vec<(&Object, String)> = Vec::new();
    for pod in set.pods() {
        references.extend(pod.containers().map(|container| (pod.owner, text(container, "/image").to_owned())));
    }
    let compose = set.file(COMPOSE)?;
    references.extend(
        map_at(&compose.value, "/services").values().map(|service| (compose, text(service, "/image").to_owned())),
    );
    let cluster = set.file(CLUSTER)?;
    references.extend(list_at(&cluster.value, "/nodes").map(|node| (cluster, text(node, "/image").to_owned())));

    let kustomization = set.file(KUSTOMIZATION)?;
    let (programs, version) = (Program::both(), env!("CARGO_PKG_VERSION"));
    for program in &programs {
        let entry = list_at(&kustomization.value, "/images").find(|image| is_of(text(image, "/name"), program));
        let entry = entry.map(|image| (text(image, "/name"), text(image, "/newTag")));
        if entry.is_none_or(|(_, tag)| tag != version) {
            problems.push(kustomization.problem(format!("images: {} has to have the tag {version}", program.name)));
        }
        let names: BTreeSet<_> =
            references.iter().filter(|(_, image)| is_of(image, program)).map(|(_, it)| it).collect();
        let wanted = entry.map(|(name, _)| format!("{name}:{version}")).unwrap_or_default();
        for name in names.into_iter().filter(|name| **name != wanted) {
            problems.push(format!("infra: the image {name}, elsewhere {wanted}"));
        }
    }
    let mut digests: BTreeMap<String, &str> = BTreeMap::new();
    for (file, image) in references.iter().filter(|(_, image)| !programs.iter().any(|program| is_of(image, program))) {
        let Some((name, digest)) = image.split_once("@sha256:") else {
            if !WITHOUT_DIGEST.contains(&image.as_str()) {
                problems.push(file.problem(format!("the image {image:?} has no digest")));
            }
            continue;
        };
        let hexadecimal = digest.len() == 64 && digest.chars().all(|digit| digit.is_ascii_hexdigit());
        if !hexadecimal || !name.contains(':') || *digests.entry(name.to_owned()).or_insert(digest) != digest {
            problems
                .push(file.problem(format!("the image {image}: a tag and a whole digest, the same one everywhere")));
        }
    }
    Ok(())
}

/// From localhost:9092 through kind's node to the broker's listener for programs outside, which says the same address.
fn host_port(set: &Set, problems: &mut Problems) -> Result<()> {
    let cluster = set.file(CLUSTER)?;
    let service = set.file("infra/kafka/single/32-service-host.yaml")?;
    let mapping = list_at(&cluster.value, "/nodes").flat_map(|node| list_at(node, "/extraPortMappings")).next();
    let mapping = mapping.unwrap_or(&Value::Null);
    if mapping["containerPort"] != *service.at("/spec/ports/0/nodePort") {
        problems.push(cluster.problem("extraPortMappings does not lead to the node port of the Service kafka-host"));
    }
    let advertised = format!("HOST://localhost:{}", mapping["hostPort"]);
    let says = set.pods().flat_map(|pod| pod.containers()).flat_map(|container| list_at(container, "/env")).any(|it| {
        text(it, "/name") == "KAFKA_ADVERTISED_LISTENERS" && text(it, "/value").split(',').any(|one| one == advertised)
    });
    if !says {
        problems.push(cluster.problem(format!("the broker does not advertise {advertised}")));
    }
    Ok(())
}

/// Never more consumers than the topic has partitions.
fn replicas(set: &Set, problems: &mut Problems) {
    let topics = set.of_kind("KafkaTopic").filter_map(|topic| topic.at("/spec/partitions").as_u64());
    let jobs = set.pods().flat_map(|pod| pod.containers()).flat_map(|container| list_at(container, "/command"));
    let jobs = jobs.filter_map(|word| word.as_str()?.strip_prefix("--partitions=")?.parse().ok());
    let Some(partitions) = topics.chain(jobs).min() else {
        problems.push("infra: no file says how many partitions the topic has".into());
        return;
    };
    for object in &set.objects {
        let highest = match object.kind() {
            "ScaledObject" => object.at("/spec/maxReplicaCount"),
            "HorizontalPodAutoscaler" => object.at("/spec/maxReplicas"),
            "Deployment" => object.at("/spec/replicas"),
            _ => continue,
        };
        let of_consumer = [object.text("/spec/scaleTargetRef/name"), object.name()].contains(&kafka_consumer::NAME);
        if of_consumer && highest.as_u64().is_none_or(|highest| highest > partitions) {
            problems.push(object.problem(format!("up to {highest} consumers for {partitions} partitions")));
        }
    }
}

/// The variables of a service of compose.
pub fn compose_variables(set: &Set, service: &str) -> Result<Vec<(String, String)>> {
    let compose = set.file(COMPOSE)?;
    let variables = map_at(at(&compose.value, "/services"), &format!("/{service}/environment"));
    Ok(variables
        .iter()
        .map(|(name, value)| (name.clone(), unset(value.as_str().unwrap_or_default()).to_owned()))
        .collect())
}

/// `${NAME:-default}` as compose takes it where nobody sets the variable.
fn unset(value: &str) -> &str {
    let inside = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inside.and_then(|inside| inside.split_once(":-")).map_or(value, |(_, default)| default)
}
