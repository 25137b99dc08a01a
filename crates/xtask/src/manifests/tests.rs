//! Each check finds what it is there for: the files as they are have no problem, and one bad value in them is one.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::set::{Object, Problems, Set};
use super::{code, labels, layout, pipelines, references, security};
use crate::programs;

/// Read once: each test changes a copy.
fn files() -> Set {
    static FILES: LazyLock<Set> = LazyLock::new(|| Set::load(&programs::root()).unwrap());
    FILES.clone()
}

fn all(set: &Set) -> Problems {
    [super::rules(set), layout::check(set).unwrap()].concat()
}

/// The files with one value replaced; null takes it out.
fn with(path: &str, pointer: &str, value: Value) -> Set {
    let mut set = files();
    let mut both = set.objects.iter_mut().chain(&mut set.others);
    let object: &mut Object = both.find(|object| object.path == path).unwrap_or_else(|| panic!("no {path}"));
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let parent = object.value.pointer_mut(parent).unwrap_or_else(|| panic!("{path} has no {pointer}"));
    match parent {
        Value::Object(fields) if value.is_null() => drop(fields.remove(&last.replace("~1", "/"))),
        Value::Object(fields) => drop(fields.insert(last.replace("~1", "/"), value)),
        Value::Array(items) => items[last.parse::<usize>().unwrap()] = value,
        other => panic!("{path}: {other} has no {last}"),
    }
    drop(both);
    set
}

/// The first problem says `expected`.
fn finds(check: fn(&Set) -> Problems, path: &str, pointer: &str, value: Value, expected: &str) {
    let problems = check(&with(path, pointer, value.clone()));
    assert!(problems.iter().any(|problem| problem.contains(expected)), "{pointer} = {value}: {problems:#?}");
}

const JOB: &str = "infra/k8s/50-job-producer.yaml";
const DEPLOYMENT: &str = "infra/k8s/40-deployment-consumer.yaml";
const CONFIG: &str = "infra/k8s/20-configmap.yaml";
const KUSTOMIZATION: &str = "infra/kustomization.yaml";
const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

#[test]
fn the_files_have_no_problem() {
    assert_eq!(all(&files()), Problems::new());
}

#[test]
fn code_finds_what_the_programs_do_not_know() {
    let found = |path: &str, pointer: String, value, expected| finds(code::check, path, &pointer, value, expected);
    found(CONFIG, "/data/KAFKA_TOPIK".into(), json!("x"), "no program knows the variable KAFKA_TOPIK");
    found(JOB, format!("{CONTAINER}/env/0/name"), json!("CONSUMER_FROM"), "knows no variable CONSUMER_FROM");
    found(JOB, format!("{POD}/terminationGracePeriodSeconds"), json!(21), "PRODUCER_DRAIN_TIMEOUT (20s)");
    found(CONFIG, "/data/CONSUMER_DRAIN_TIMEOUT".into(), json!("1m"), "CONSUMER_DRAIN_TIMEOUT (60s)");
    found(DEPLOYMENT, format!("{CONTAINER}/livenessProbe/httpGet/path"), json!("/healthz"), "not /livez");
    found(DEPLOYMENT, format!("{CONTAINER}/readinessProbe/httpGet/path"), json!("/livez"), "not /readyz");
    found(DEPLOYMENT, format!("{CONTAINER}/startupProbe"), Value::Null, "startupProbe");
    found(DEPLOYMENT, format!("{CONTAINER}/startupProbe/httpGet/port"), json!("http"), "which the container has not");
    found(DEPLOYMENT, format!("{CONTAINER}/ports/0/containerPort"), json!(8081), "ADMIN_LISTEN is 0.0.0.0:8080");
    found(DEPLOYMENT, format!("{CONTAINER}/image"), json!("localhost:5000/other:1.0.0"), "no pod runs kafka-consumer");
}

#[test]
fn code_finds_a_job_that_does_not_keep_the_contract() {
    let found = |pointer: &str, value, expected| finds(code::check, JOB, pointer, value, expected);
    found("/spec/podFailurePolicy/rules/1/onExitCodes/values", json!([2, 3]), "final are [2, 4, 5]");
    found("/spec/podFailurePolicy/rules/1/onExitCodes/operator", json!("NotIn"), "final are");
    found("/spec/podFailurePolicy/rules/1/onExitCodes/containerName", json!("other"), "names another container");
    found("/spec/podFailurePolicy/rules/0/action", json!("Count"), "ignores DisruptionTarget");
    found("/spec/template/spec/restartPolicy", json!("OnFailure"), "restartPolicy");
    found("/spec/completions", json!(2), "PRODUCER_SHARDS");
    found("/spec/completionMode", Value::Null, "PRODUCER_SHARDS");
    found("/spec/activeDeadlineSeconds", json!(1200), "activeDeadlineSeconds is 1200");
    found("/spec/backoffLimit", json!(6), "activeDeadlineSeconds is 1500");
    found(&format!("{CONTAINER}/env/2/value"), json!("soon"), "PRODUCER_TIMEOUT");
    found(&format!("{CONTAINER}/env/3/valueFrom/fieldRef/fieldPath"), json!("metadata.name"), "PRODUCER_RUN_ID");
    found(&format!("{CONTAINER}/terminationMessagePath"), json!("/tmp/x"), "terminationMessagePath");
}

#[test]
fn labels_finds_missing_labels_and_selectors_that_find_nothing() {
    let found = |path: &str, pointer: &str, value, expected| finds(labels::check, path, pointer, value, expected);
    found(CONFIG, "/metadata/labels/app.kubernetes.io~1part-of", Value::Null, "part-of is missing");
    found(JOB, "/spec/template/metadata/labels", Value::Null, "the pod's label app.kubernetes.io/name is missing");
    found(CONFIG, "/metadata/labels/app.kubernetes.io~1version", json!("0.9.0"), "version is \"0.9.0\"");
    found(DEPLOYMENT, "/spec/selector/matchLabels/app.kubernetes.io~1version", json!("1.0.0"), "which may change");
    let service = "infra/k8s/41-service-consumer.yaml";
    found(service, "/spec/selector/app.kubernetes.io~1name", json!("kafka-consume"), "no pod has the labels");
    let budget = "infra/k8s/42-poddisruptionbudget-consumer.yaml";
    found(budget, "/spec/selector/matchLabels/app.kubernetes.io~1name", json!("x"), "no pod has the labels");
}

#[test]
fn labels_finds_a_policy_that_holds_for_pods_of_others() {
    let mut policies = 0;
    for policy in files().objects.into_iter().filter(|object| object.kind() == "NetworkPolicy") {
        let found = |pointer: &str, value| finds(labels::check, &policy.path, pointer, value, "pods of others");
        found("/spec/podSelector", json!({}));
        found("/spec/podSelector/matchLabels", json!({"app.kubernetes.io/component": "consumer"}));
        found("/spec/podSelector/matchLabels/app.kubernetes.io~1part-of", json!("other"));
        found("/spec/podSelector", Value::Null);
        policies += 1;
    }
    assert!(policies > 5, "{policies}");
}

#[test]
fn references_finds_names_that_lead_nowhere() {
    let found = |path: &str, pointer: &str, value, expected| finds(references::check, path, pointer, value, expected);
    let env = |number: usize| format!("{CONTAINER}/env/{number}/valueFrom/secretKeyRef");
    found(CONFIG, "/metadata/name", json!("other"), "there is no ConfigMap kafka-clients");
    found(CONFIG, "/metadata/namespace", json!("other"), "there is no namespace \"other\"");
    found(JOB, &format!("{}/optional", env(4)), json!(false), "nothing makes the Secret kafka-clients");
    found(JOB, &format!("{}/key", env(4)), json!("user"), "nobody puts user into it");
    let items = format!("{POD}/volumes/0/secret/items");
    found(JOB, &items, Value::Null, "mounts all of the Secret kafka-clients");
    found(JOB, &format!("{items}/0/key"), json!("plugin.so"), "nobody puts plugin.so into it");
    found(JOB, &format!("{POD}/serviceAccountName"), json!("x"), "there is no ServiceAccount x");
    found(JOB, &format!("{CONTAINER}/volumeMounts/0/name"), json!("x"), "mounts x, which is no volume");
    found(JOB, &format!("{CONTAINER}/volumeMounts"), Value::Null, "mounted nowhere");
    found(CONFIG, "/data/KAFKA_BOOTSTRAP_SERVER", json!("kafka:29092"), "does not let out to kafka:29092");
    let (metrics, service) = ("infra/k8s/34-networkpolicy-allow-metrics.yaml", "infra/k8s/41-service-consumer.yaml");
    found(metrics, "/spec/ingress/0/ports/0/port", json!("http"), "lets in to port \"http\"");
    found(service, "/spec/ports/0/targetPort", json!("http"), "no pod has a port named \"http\"");
    let (scaled, user) = ("infra/autoscaling/keda/scaledobject.yaml", "infra/kafka/strimzi/51-kafkauser-consumer.yaml");
    found(scaled, "/spec/scaleTargetRef/name", json!("x"), "there is no Deployment x");
    found(scaled, "/spec/triggers/0/authenticationRef", json!({"name": "x"}), "there is no TriggerAuthentication x");
    found(user, "/metadata/labels/strimzi.io~1cluster", json!("x"), "there is no Kafka x");
    found(user, "/spec/authorization/acls/1/resource/name", json!("x"), "rights on the group x");
    let cluster = "infra/kafka/strimzi/30-kafka.yaml";
    found(cluster, "/spec/kafka/metricsConfig/valueFrom/configMapKeyRef/key", json!("x"), "metricsConfig");
    found("infra/kafka/single/40-statefulset.yaml", "/spec/serviceName", json!("x"), "there is no Service x");
}

#[test]
fn security_finds_each_thing_that_restricted_forbids() {
    let found = |pointer: &str, value, expected| finds(security::check, JOB, pointer, value, expected);
    let (pod, context) = (format!("{POD}/securityContext"), format!("{CONTAINER}/securityContext"));
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        found(&format!("{POD}/{shared}"), json!(true), shared);
    }
    found(&format!("{POD}/volumes/0/hostPath"), json!({"path": "/"}), "the kind hostPath");
    found(&format!("{POD}/volumes/0/secret/items"), Value::Null, "its Secret has to have items");
    found(&format!("{pod}/sysctls"), json!([{"name": "kernel.msgmax", "value": "1"}]), "sysctl kernel.msgmax");
    found(&format!("{pod}/runAsNonRoot"), Value::Null, "runAsNonRoot");
    found(&format!("{pod}/runAsUser"), json!(0), "runAsUser 0");
    found(&format!("{pod}/runAsUser"), Value::Null, "has to be a number");
    found(&format!("{pod}/seccompProfile"), Value::Null, "seccompProfile");
    found(&format!("{context}/seccompProfile"), json!({"type": "Unconfined"}), "seccompProfile");
    found(&format!("{context}/allowPrivilegeEscalation"), Value::Null, "allowPrivilegeEscalation");
    found(&format!("{context}/privileged"), json!(true), "privileged");
    found(&format!("{context}/capabilities"), Value::Null, "ALL have to be dropped");
    found(&format!("{context}/capabilities/add"), json!(["SYS_ADMIN"]), "NET_BIND_SERVICE");
    found(&format!("{context}/procMount"), json!("Unmasked"), "procMount");
    found(&format!("{context}/appArmorProfile"), json!({"type": "Unconfined"}), "appArmorProfile");
    found(&format!("{context}/seLinuxOptions"), json!({"user": "system_u"}), "seLinuxOptions");
    found(&format!("{context}/windowsOptions"), json!({"hostProcess": true}), "hostProcess");
    found(&format!("{context}/readOnlyRootFilesystem"), json!(false), "readOnlyRootFilesystem");
    found(&format!("{CONTAINER}/ports"), json!([{"containerPort": 1, "hostPort": 1}]), "hostPort");
    found(&format!("{CONTAINER}/livenessProbe"), json!({"tcpSocket": {"host": "10.0.0.1"}}), "a host other");
    found(&format!("{CONTAINER}/resources/limits/memory"), Value::Null, "limits.memory");
    found(&format!("{CONTAINER}/resources/requests/cpu"), Value::Null, "requests.cpu");
    found(&format!("{POD}/automountServiceAccountToken"), Value::Null, "automountServiceAccountToken");
    found(&format!("{POD}/enableServiceLinks"), json!(true), "enableServiceLinks");
    let enforce = "/metadata/labels/pod-security.kubernetes.io~1enforce";
    let namespace = "infra/k8s/00-namespace.yaml";
    finds(security::check, namespace, enforce, json!("baseline"), "has to be restricted");
    finds(security::check, namespace, &format!("{enforce}-version"), json!("latest"), "fixed version");
}

const AGENT: &str = "infra/logging/40-daemonset.yaml";
const AGENT_MAP: &str = "infra/logging/20-configmap.yaml";
const GATEWAY_MAP: &str = "infra/tracing/20-configmap.yaml";

#[test]
fn security_lets_the_node_agent_do_what_it_is_for_and_nothing_else() {
    let found = |pointer: &str, value, expected| finds(security::check, AGENT, pointer, value, expected);
    found(&format!("{POD}/volumes/1/hostPath/path"), json!("/var/log"), "the kind hostPath");
    found(&format!("{CONTAINER}/volumeMounts/1/readOnly"), Value::Null, "the kind hostPath");
    found(&format!("{POD}/hostNetwork"), json!(true), "hostNetwork");
    found(&format!("{CONTAINER}/securityContext/privileged"), json!(true), "privileged");
    found(&format!("{CONTAINER}/securityContext/capabilities/drop"), json!([]), "ALL have to be dropped");
    found(&format!("{CONTAINER}/securityContext/allowPrivilegeEscalation"), Value::Null, "allowPrivilegeEscalation");
    found("/metadata/name", json!("other"), "only log-agent belongs into this namespace");
    found("/metadata/namespace", json!("logging"), "runAsUser 0");
    let enforce = "/metadata/labels/pod-security.kubernetes.io~1enforce";
    let (agent, store) = ("infra/logging/00-namespace-agent.yaml", "infra/logging/01-namespace-store.yaml");
    finds(security::check, agent, enforce, json!("baseline"), "has to be privileged");
    finds(security::check, store, enforce, json!("privileged"), "has to be restricted");
}

#[test]
fn security_lets_the_benchmark_see_its_node_and_change_nothing() {
    let job = "infra/policies/cis/kube-bench/30-job.yaml";
    let found = |pointer: &str, value, expected| finds(security::check, job, pointer, value, expected);
    found(&format!("{POD}/volumes/0/hostPath/path"), json!("/etc"), "the kind hostPath");
    found(&format!("{CONTAINER}/volumeMounts/0/readOnly"), json!(false), "the kind hostPath");
    found(&format!("{POD}/hostNetwork"), json!(true), "hostNetwork");
    found(
        &format!("{CONTAINER}/securityContext/capabilities/add/0"),
        json!("SYS_ADMIN"),
        "nothing but NET_BIND_SERVICE",
    );
    found("/metadata/name", json!("other"), "only kube-bench belongs into this namespace");
    found("/metadata/namespace", json!("logging"), "hostPID");
}

#[test]
fn pipelines_finds_parts_and_addresses_that_lead_nowhere() {
    let changed = |path: &str, from: &str, to: &str| {
        let pointer = "/data/collector.yaml";
        let text = files().file(path).unwrap().text(pointer).to_owned();
        assert!(text.contains(from), "{path} does not say {from}");
        with(path, pointer, json!(text.replacen(from, to, 1)))
    };
    let finds = |set: &Set, expected: &str| {
        let problems = pipelines::check(set);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:#?}");
    };
    finds(&changed(AGENT_MAP, "receivers: [file_log]", "receivers: [filelog]"), "used are {\"filelog\"}");
    finds(&changed(AGENT_MAP, "extensions: [file_storage, ", "extensions: ["), "extensions: defined are");
    finds(&changed(AGENT_MAP, "processors: [memory_limiter]", "processors: []"), "begins with memory_limiter");
    finds(&changed(AGENT_MAP, "port: 8888", "port: 8889"), "listens on {8889, 13133}");
    finds(&changed(GATEWAY_MAP, "0.0.0.0:4318", "0.0.0.0:4317"), "listens on {4317, 8888, 13133}");
    finds(&changed(GATEWAY_MAP, "trace-store.tracing", "store.tracing"), "there is no Service store in tracing");
    finds(&changed(GATEWAY_MAP, "  pipelines:", "  pipelines: {"), "collector.yaml:");
    let store = "infra/logging/loki/40-configmap-log-store.yaml";
    let other = |url: &str| with(store, "/data/LOG_STORE", json!(url));
    finds(
        &other("http://loki.logging.svc.cluster.local:3101/otlp"),
        "there is no Service loki in logging with this port",
    );
    let policy = "infra/logging/loki/20-networkpolicy.yaml";
    let values = "/spec/ingress/0/from/0/namespaceSelector/matchExpressions/0/values";
    finds(&with(policy, values, json!(["monitoring"])), "no policy in logging lets in from logging-agent to port http");
    finds(&with("infra/logging/30-networkpolicy.yaml", "/spec/egress/1/ports/0/port", json!(3101)), "lets out to it");
}

#[test]
fn layout_finds_numbers_that_differ() {
    let check: fn(&Set) -> Problems = |set| layout::check(set).unwrap();
    let found = |path: &str, pointer: &str, value, expected| finds(check, path, pointer, value, expected);
    found(KUSTOMIZATION, "/resources/0", json!("k8s/missing.yaml"), "not the files of infra/k8s");
    found(KUSTOMIZATION, "/images/0/newTag", json!("2.0.0"), "has to have the tag");
    found(DEPLOYMENT, &format!("{CONTAINER}/image"), json!("localhost:5000/kafka-consumer:dev"), "elsewhere");
    found("infra/compose/compose.yaml", "/services/prometheus/image", json!("prom/prometheus:v3"), "has no digest");
    let broker = "infra/kafka/single/40-statefulset.yaml";
    let other = format!("apache/kafka:4.3.1@sha256:{}", "0".repeat(64));
    found(broker, &format!("{CONTAINER}/image"), json!(other), "the same one everywhere");
    let cluster = "infra/kind/cluster.yaml";
    found(cluster, "/nodes/0/extraPortMappings/0/containerPort", json!(30093), "does not lead to the node port");
    found(cluster, "/nodes/0/extraPortMappings/0/hostPort", json!(9093), "does not advertise HOST://localhost:9093");
    found(cluster, "/nodes/1/image", json!("kindest/node:v1.37.0"), "has no digest");
    let hpa = "infra/autoscaling/hpa/horizontalpodautoscaler.yaml";
    found(hpa, "/spec/maxReplicas", json!(7), "7 consumers for 6 partitions");
    let gateway = "infra/compose/trace-gateway.yaml";
    found(gateway, "/processors/tail_sampling/decision_wait", json!("1s"), "differs from infra/tracing");
    found("infra/compose/log4j2.yaml", "/Configuration/Loggers/Root/level", json!("DEBUG"), "differs from");
    found("infra/k8s/secret.yaml.example", "/stringData/password", json!("x"), "password has a value");
    found("infra/k8s/secret.yaml.example", "/stringData/more", json!(""), "the pods may ask for");
    found(CONFIG, "/apiVersion", json!("example.com/v1"), "not part of Kubernetes");
    found(CONFIG, "/kind", json!("Secret"), "does not say that it is a secret");
}
