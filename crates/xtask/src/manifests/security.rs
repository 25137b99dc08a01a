//! Pod Security level `restricted`, evaluated without a cluster, and what goes beyond it here. An API server says the same of the
//! first part, but only when it is asked to make a pod: of a Deployment it only warns.

use serde_json::Value;

use super::set::{Pod, Problems, Set, at, list_at, map_at, text};

/// Kinds of volumes that `restricted` allows.
const VOLUMES: [&str; 8] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"];
/// Kernel parameters that only change the pod's own namespaces.
const SAFE_SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
const SELINUX_TYPES: [&str; 4] = ["", "container_t", "container_init_t", "container_kvm_t"];
const NAMESPACE_LABELS: [&str; 3] = ["enforce", "audit", "warn"];
/// The namespaces that are not `restricted`: the one pod of each looks at its node, whose files belong to root.
const OF_THE_NODE: [OfTheNode; 2] = [
    OfTheNode {
        namespace: "logging-agent",
        name: "log-agent",
        kind: "DaemonSet",
        folders: &[("/var/log/pods", false), ("/var/lib/log-agent", true)],
        sees_processes: false,
        capability: None,
    },
    OfTheNode {
        namespace: "kube-bench",
        name: "kube-bench",
        kind: "Job",
        folders: &[
            ("/etc/cni/net.d", false),
            ("/etc/kubernetes", false),
            ("/etc/systemd", false),
            ("/lib/systemd", false),
            ("/var/lib/cni", false),
            ("/var/lib/etcd", false),
            ("/var/lib/kubelet", false),
        ],
        sees_processes: true,
        capability: Some("DAC_READ_SEARCH"),
    },
];

/// A pod that may be root and see parts of its node. Everything else holds for it too.
struct OfTheNode {
    namespace: &'static str,
    name: &'static str,
    kind: &'static str,
    /// What it may mount, and whether it may write there.
    folders: &'static [(&'static str, bool)],
    /// Whether it may see the node's processes.
    sees_processes: bool,
    /// The one that it may add.
    capability: Option<&'static str>,
}

/// All of it.
pub fn check(set: &Set) -> Problems {
    let mut problems = Problems::new();
    for namespace in set.of_kind("Namespace") {
        let privileged = OF_THE_NODE.iter().any(|pod| pod.namespace == namespace.name());
        let wanted = if privileged { "privileged" } else { "restricted" };
        for mode in NAMESPACE_LABELS {
            let label = |suffix: &str| {
                namespace.text(&format!("/metadata/labels/pod-security.kubernetes.io~1{mode}{suffix}")).to_owned()
            };
            let (level, version) = (label(""), label("-version"));
            if level != wanted || !version.starts_with("v1.") {
                problems.push(namespace.problem(format!(
                    "pod-security.kubernetes.io/{mode} is {level:?}, version {version:?}: it has to be {wanted}, with \
                     a fixed version"
                )));
            }
        }
    }
    for pod in set.pods() {
        let mut problem = |what: String| problems.push(pod.owner.problem(what));
        restricted_pod(&pod, &mut problem);
        beyond_pod(&pod, &mut problem);
        for container in pod.containers() {
            let name = text(container, "/name");
            let mut problem = |what: &str| problem(format!("container {name}: {what}"));
            restricted_container(&pod, container, &mut problem);
            beyond_container(container, &mut problem);
        }
    }
    problems
}

/// Which of the pods it is that may be root and see parts of the node.
fn of_the_node(pod: &Pod<'_>) -> Option<&'static OfTheNode> {
    let is = (pod.owner.namespace(), pod.owner.name(), pod.owner.kind());
    OF_THE_NODE.iter().find(|known| (known.namespace, known.name, known.kind) == is)
}

/// A folder of the node, as the pod may have it.
fn is_of_the_node(pod: &Pod<'_>, volume: &Value) -> bool {
    let folders = of_the_node(pod).map(|known| known.folders).unwrap_or_default();
    let known = folders.iter().find(|(path, _)| *path == text(volume, "/hostPath/path"));
    let Some((_, written)) = known else { return false };
    let mut mounts = pod.containers().flat_map(|container| list_at(container, "/volumeMounts"));
    mounts.all(|mount| text(mount, "/name") != text(volume, "/name") || *written || is_true(&mount["readOnly"]))
}

fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

fn restricted_pod(pod: &Pod<'_>, problem: &mut impl FnMut(String)) {
    let known = of_the_node(pod);
    for shared in ["hostNetwork", "hostPID", "hostIPC"] {
        let may = shared == "hostPID" && known.is_some_and(|known| known.sees_processes);
        if is_true(&pod.spec[shared]) && !may {
            problem(format!("{shared} is not allowed"));
        }
    }
    if let Some(one) = OF_THE_NODE.iter().find(|one| one.namespace == pod.owner.namespace() && known.is_none()) {
        problem(format!("only {} belongs into this namespace: nothing is forbidden there", one.name));
    }
    for volume in list_at(pod.spec, "/volumes").filter(|volume| !is_of_the_node(pod, volume)) {
        let kinds = map_at(volume, "").keys().filter(|key| *key != "name" && !VOLUMES.contains(&key.as_str()));
        for kind in kinds {
            problem(format!("volume {}: the kind {kind} is not allowed", text(volume, "/name")));
        }
    }
    for sysctl in list_at(pod.spec, "/securityContext/sysctls").map(|sysctl| text(sysctl, "/name")) {
        if !SAFE_SYSCTLS.contains(&sysctl) {
            problem(format!("sysctl {sysctl} is not allowed"));
        }
    }
    for key in map_at(pod.metadata, "/annotations").keys() {
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/") {
            problem(format!("annotation {key}: use securityContext.appArmorProfile"));
        }
    }
}

fn restricted_container(pod: &Pod<'_>, container: &Value, problem: &mut impl FnMut(&str)) {
    let (own, of_pod) = (at(container, "/securityContext"), at(pod.spec, "/securityContext"));
    let either = |pointer: &str| own.pointer(pointer).or_else(|| of_pod.pointer(pointer)).unwrap_or(&Value::Null);
    if own["allowPrivilegeEscalation"].as_bool() != Some(false) {
        problem("allowPrivilegeEscalation has to be false");
    }
    if is_true(&own["privileged"]) {
        problem("privileged is not allowed");
    }
    let known = of_the_node(pod);
    let may_be_root = known.is_some();
    if !may_be_root && !is_true(either("/runAsNonRoot")) {
        problem("runAsNonRoot has to be true, here or for the pod");
    }
    if !may_be_root && [own, of_pod].iter().any(|context| context["runAsUser"].as_u64() == Some(0)) {
        problem("runAsUser 0 is not allowed");
    }
    if !["RuntimeDefault", "Localhost"].contains(&text(either("/seccompProfile"), "/type")) {
        problem("seccompProfile has to be RuntimeDefault, here or for the pod");
    }
    if !list_at(own, "/capabilities/drop").any(|capability| capability == "ALL") {
        problem("capabilities: ALL have to be dropped");
    }
    let may = |capability: &Value| {
        let added = capability.as_str();
        added == Some("NET_BIND_SERVICE") || added.is_some() && added == known.and_then(|known| known.capability)
    };
    if list_at(own, "/capabilities/add").any(|capability| !may(capability)) {
        problem("capabilities: nothing but NET_BIND_SERVICE may be added");
    }
    if !["", "Default"].contains(&text(own, "/procMount")) {
        problem("procMount has to be Default");
    }
    if text(either("/appArmorProfile"), "/type") == "Unconfined" {
        problem("appArmorProfile Unconfined is not allowed");
    }
    for context in [own, of_pod] {
        let selinux = |field: &str| text(context, &format!("/seLinuxOptions/{field}"));
        if !SELINUX_TYPES.contains(&selinux("type")) || !selinux("user").is_empty() || !selinux("role").is_empty() {
            problem("seLinuxOptions: only a container's type is allowed");
        }
        if is_true(at(context, "/windowsOptions/hostProcess")) {
            problem("hostProcess is not allowed");
        }
    }
    if list_at(container, "/ports").any(|port| port["hostPort"].as_u64().is_some_and(|port| port != 0)) {
        problem("hostPort is not allowed");
    }
    for hook in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle/postStart", "lifecycle/preStop"] {
        for way in ["httpGet", "tcpSocket"] {
            if !text(container, &format!("/{hook}/{way}/host")).is_empty() {
                problem(&format!("{hook}: a host other than the pod is not allowed"));
            }
        }
    }
}

fn beyond_pod(pod: &Pod<'_>, problem: &mut impl FnMut(String)) {
    for (field, why) in [
        ("automountServiceAccountToken", "no program here talks to the Kubernetes API"),
        ("enableServiceLinks", "a Service called kafka would set KAFKA_PORT and the like"),
    ] {
        if pod.spec[field].as_bool() != Some(false) {
            problem(format!("{field} has to be false: {why}"));
        }
    }
    if !at(pod.spec, "/securityContext/runAsUser").is_u64() {
        problem("runAsUser has to be a number: the kubelet cannot tell of a name that it is not root".into());
    }
    for volume in list_at(pod.spec, "/volumes") {
        for source in list_at(volume, "/projected/sources").chain([volume]) {
            let whole = source.get("secret").is_some_and(|secret| list_at(secret, "/items").next().is_none());
            if whole {
                let name = text(volume, "/name");
                problem(format!("volume {name}: its Secret has to have items, or whatever is put into it is mounted"));
            }
        }
    }
    if text(pod.spec, "/serviceAccountName").is_empty() {
        problem("serviceAccountName is missing".into());
    }
}

fn beyond_container(container: &Value, problem: &mut impl FnMut(&str)) {
    if !is_true(at(container, "/securityContext/readOnlyRootFilesystem")) {
        problem("readOnlyRootFilesystem has to be true");
    }
    let given = |kind: &str, what: &str| !at(container, &format!("/resources/{kind}/{what}")).is_null();
    for what in ["cpu", "memory", "ephemeral-storage"] {
        if !given("requests", what) {
            problem(&format!("resources.requests.{what} is missing"));
        }
    }
    for what in ["memory", "ephemeral-storage"] {
        if !given("limits", what) {
            problem(&format!("resources.limits.{what} is missing"));
        }
    }
    for mount in list_at(container, "/volumeMounts") {
        if text(mount, "/mountPath") == "/" {
            problem("a volume over the whole root file system");
        }
    }
}
