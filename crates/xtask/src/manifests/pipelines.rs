//! The telemetry pipelines: each Collector's configuration in itself, and each address in it through a Service and the network
//! policies of both ends to a port that somebody listens on.

use std::collections::BTreeSet;

use serde_json::Value;

use super::set::{Object, Pod, Problems, Set, at, list_at, map_at, text};

/// The key of a ConfigMap that is a Collector's configuration.
const COLLECTOR: &str = "collector.yaml";
/// What a pipeline may name, by the section that defines it.
const PARTS: [&str; 3] = ["receivers", "processors", "exporters"];

/// All of it.
pub fn check(set: &Set) -> Problems {
    let mut problems = Problems::new();
    for map in set.of_kind("ConfigMap") {
        for (key, value) in map_at(&map.value, "/data") {
            let text = value.as_str().unwrap_or_default();
            if key == COLLECTOR {
                match serde_saphyr::from_str(text) {
                    Ok(configuration) => collector(set, map, &configuration, &mut problems),
                    Err(error) => problems.push(map.problem(format!("{key}: {error}"))),
                }
            }
            for (host, port) in addresses(text) {
                leads_somewhere(set, map, &host, port, &mut problems);
            }
        }
    }
    problems
}

/// A part that no pipeline uses does nothing, and one that is not defined keeps the Collector from starting.
fn collector(set: &Set, map: &Object, configuration: &Value, problems: &mut Problems) {
    let pipelines: Vec<&Value> = map_at(configuration, "/service/pipelines").values().collect();
    let mut compare = |part: &str, used: BTreeSet<&str>| {
        let defined: BTreeSet<&str> = map_at(configuration, &format!("/{part}")).keys().map(String::as_str).collect();
        if defined != used {
            problems.push(map.problem(format!("{part}: defined are {defined:?}, used are {used:?}")));
        }
    };
    for part in PARTS {
        let named = pipelines.iter().flat_map(|pipeline| list_at(pipeline, &format!("/{part}")));
        compare(part, named.filter_map(Value::as_str).collect());
    }
    compare("extensions", list_at(configuration, "/service/extensions").filter_map(Value::as_str).collect());
    for pipeline in pipelines {
        if text(pipeline, "/processors/0") != "memory_limiter" {
            problems.push(
                map.problem("a pipeline begins with memory_limiter, or the container's limit ends the Collector"),
            );
        }
    }
    ports(set, map, configuration, problems);
}

/// The ports on which the Collector listens are those of its container.
fn ports(set: &Set, map: &Object, configuration: &Value, problems: &mut Problems) {
    let mut listens = BTreeSet::new();
    endpoints(configuration, &mut listens);
    let readers = list_at(configuration, "/service/telemetry/metrics/readers");
    listens.extend(readers.filter_map(|reader| at(reader, "/pull/exporter/prometheus/port").as_u64()));
    let uses = |pod: &Pod<'_>| {
        pod.owner.namespace() == map.namespace()
            && list_at(pod.spec, "/volumes").any(|volume| text(volume, "/configMap/name") == map.name())
    };
    let Some(pod) = set.pods().find(uses) else {
        problems.push(map.problem("no pod mounts it"));
        return;
    };
    let declared: BTreeSet<u64> = pod
        .containers()
        .flat_map(|container| list_at(container, "/ports"))
        .filter_map(|port| port["containerPort"].as_u64())
        .collect();
    if listens != declared {
        problems.push(pod.owner.problem(format!("has the ports {declared:?}, but {COLLECTOR} listens on {listens:?}")));
    }
}

/// The ports of all `endpoint: 0.0.0.0:PORT`.
fn endpoints(value: &Value, ports: &mut BTreeSet<u64>) {
    let port = text(value, "/endpoint").strip_prefix("0.0.0.0:");
    ports.extend(port.and_then(|port| port.parse::<u64>().ok()));
    map_at(value, "").values().for_each(|part| endpoints(part, ports));
}

/// The `http://NAME.NAMESPACE.svc.cluster.local:PORT` in a text.
fn addresses(text: &str) -> Vec<(String, u64)> {
    let parse = |rest: &str| {
        let (host, rest) = rest.split_once(".svc.cluster.local:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((host.to_owned(), port.parse().ok()?))
    };
    text.split("http://").skip(1).filter_map(parse).collect()
}

/// An address has a Service with this port, a policy that lets in there, and one that lets out here.
fn leads_somewhere(set: &Set, from: &Object, host: &str, port: u64, problems: &mut Problems) {
    let mut problem = |what: String| problems.push(from.problem(format!("{host}:{port}: {what}")));
    let (name, namespace) = host.split_once('.').unwrap_or((host, ""));
    let has_port =
        |service: &&Object| list_at(&service.value, "/spec/ports").any(|it| it["port"].as_u64() == Some(port));
    let Some(service) = set.find("Service", namespace, name).filter(has_port) else {
        problem(format!("there is no Service {name} in {namespace} with this port"));
        return;
    };
    let target = list_at(&service.value, "/spec/ports").find(|it| it["port"].as_u64() == Some(port));
    let target = target.map(|port| text(port, "/targetPort")).unwrap_or_default();
    let behind = |pod: &Pod<'_>| {
        pod.owner.namespace() == namespace && has_labels(at(pod.metadata, "/labels"), service.at("/spec/selector"))
    };
    let lets_in = |policy: &Object| {
        let selector = policy.at("/spec/podSelector/matchLabels");
        let mut selected = set.pods().filter(behind).filter(|pod| has_labels(at(pod.metadata, "/labels"), selector));
        policy.namespace() == namespace
            && selected.next().is_some()
            && list_at(&policy.value, "/spec/ingress").any(|rule| {
                list_at(rule, "/ports").any(|port| port["port"].as_str() == Some(target))
                    && list_at(rule, "/from").any(|peer| is_from(peer, from.namespace(), policy.namespace()))
            })
    };
    if !set.of_kind("NetworkPolicy").any(lets_in) {
        problem(format!("no policy in {namespace} lets in from {} to port {target}", from.namespace()));
    }
    let lets_out = |policy: &Object| {
        list_at(&policy.value, "/spec/egress")
            .any(|rule| list_at(rule, "/ports").any(|it| it["port"].as_u64() == Some(port)))
    };
    if !set.of_kind("NetworkPolicy").any(|policy| policy.namespace() == from.namespace() && lets_out(policy)) {
        problem(format!("no policy in {} lets out to it", from.namespace()));
    }
}

/// Whether labels have all that a selector asks for; one that asks for nothing selects nothing here.
fn has_labels(labels: &Value, selector: &Value) -> bool {
    let wanted = map_at(selector, "");
    !wanted.is_empty() && wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}

/// Whether a peer of a policy can be a pod of this namespace; one without a namespace selector is of the policy's own.
fn is_from(peer: &Value, namespace: &str, own: &str) -> bool {
    const NAME: &str = "kubernetes.io/metadata.name";
    let Some(selector) = peer.get("namespaceSelector") else { return own == namespace };
    let by_label =
        selector.pointer("/matchLabels").and_then(|labels| labels.get(NAME)).is_some_and(|it| it == namespace);
    let mut expressions = list_at(selector, "/matchExpressions").filter(|it| text(it, "/key") == NAME);
    by_label || expressions.any(|it| list_at(it, "/values").any(|value| value == namespace))
}
