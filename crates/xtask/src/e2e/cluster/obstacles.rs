//! What keeps pods from starting, however long somebody waits: an image that cannot be pulled, a volume that is not there.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::kubectl::{Kubectl, list, text};

/// Reasons of a waiting container for which nothing helps but another manifest.
const HOPELESS: [&str; 2] = ["InvalidImageName", "ErrImageNeverPull"];
/// Reasons that one more try may cure: the kubelet makes it after 10 s.
const TRIED_AGAIN: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "RegistryUnavailable",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];
const ONE_MORE_TRY: Duration = Duration::from_secs(15);
/// A node may be on its way, or a volume.
const SCHEDULER: Duration = Duration::from_secs(60);

/// Between two looks at the cluster, whoever asks how often.
const LOOK: Duration = Duration::from_secs(2);

/// Why a pod does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Obstacle {
    /// The pod, its container, the reason and its explanation.
    said: String,
    /// How long it may go away by itself.
    patience: Duration,
}

/// Looks at the pods of a namespace again and again.
pub struct Obstacles {
    kubectl: Kubectl,
    namespace: String,
    /// By pod: since when it has one, and what was said of it at the most.
    seen: HashMap<String, (Instant, String)>,
    looked: Instant,
}

impl Obstacles {
    /// Nothing has been seen yet.
    pub fn of(kubectl: &Kubectl, namespace: &str) -> Self {
        Self { kubectl: kubectl.clone(), namespace: namespace.to_owned(), seen: HashMap::new(), looked: Instant::now() }
    }

    /// Looks, if the last look is some time ago, and fails when a pod has had an obstacle for longer than it may.
    pub fn look(&mut self) -> Result<()> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        let pods = self.kubectl.items(&["get", "pods", "-n", &self.namespace])?;
        self.judge(&pods, Instant::now())
    }

    fn judge(&mut self, pods: &[Value], now: Instant) -> Result<()> {
        let mut still = HashMap::new();
        for (pod, obstacle) in pods.iter().filter_map(|pod| Some((pod, obstacle(pod)?))) {
            let uid = text(pod, "/metadata/uid").to_owned();
            let (since, said) = self.seen.remove(&uid).unwrap_or((now, String::new()));
            // A pull that backs off says less than the try before it.
            let said = if said.len() > obstacle.said.len() { said } else { obstacle.said };
            if now.duration_since(since) >= obstacle.patience {
                bail!("waiting is of no use: {said}");
            }
            still.insert(uid, (since, said));
        }
        self.seen = still;
        Ok(())
    }

    /// What all pods that are not at work wait for, for the error of a time that is over.
    pub fn told(&self) -> String {
        let pods = self.kubectl.items(&["get", "pods", "-n", &self.namespace]).unwrap_or_default();
        let told = |pod: &Value| {
            let phase = text(pod, "/status/phase");
            let why = obstacle(pod).map_or_else(|| text(pod, "/metadata/name").to_owned(), |obstacle| obstacle.said);
            (phase != "Running" && phase != "Succeeded").then(|| format!("{phase}: {why}"))
        };
        let told: Vec<_> = pods.iter().filter_map(told).collect();
        if told.is_empty() { format!("all pods of {} run", self.namespace) } else { told.join("; ") }
    }
}

/// The first one of a pod. What is being deleted has none.
fn obstacle(pod: &Value) -> Option<Obstacle> {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let name = format!("{}/{}", text(pod, "/metadata/namespace"), text(pod, "/metadata/name"));
    let containers = ["/status/initContainerStatuses", "/status/containerStatuses"];
    for status in containers.iter().flat_map(|statuses| list(pod, statuses)) {
        let reason = text(status, "/state/waiting/reason");
        let patience = match reason {
            _ if HOPELESS.contains(&reason) => Duration::ZERO,
            _ if TRIED_AGAIN.contains(&reason) => ONE_MORE_TRY,
            _ => continue,
        };
        let message = text(status, "/state/waiting/message");
        let said = format!("pod {name}, image {}: {reason}: {message}", text(status, "/image"));
        return Some(Obstacle { said, patience });
    }
    let unscheduled = list(pod, "/status/conditions").iter().find(|condition| {
        text(condition, "/type") == "PodScheduled" && text(condition, "/reason") == "Unschedulable"
    })?;
    let said = format!("pod {name}: no node takes it: {}", text(unscheduled, "/message"));
    Some(Obstacle { said, patience: SCHEDULER })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn waiting(reason: &str, message: &str) -> Value {
        json!({
            "metadata": {"name": "kafka-0", "namespace": "kafka", "uid": "1"},
            "status": {"phase": "Pending", "containerStatuses": [
                {"image": "a/b:1", "state": {"waiting": {"reason": reason, "message": message}}}]},
        })
    }

    fn unschedulable() -> Value {
        json!({
            "metadata": {"name": "kafka-0", "namespace": "kafka", "uid": "1"},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
                "reason": "Unschedulable", "message": "0/1 nodes are available: unbound PersistentVolumeClaims"}]},
        })
    }

    /// What is said of pods that stay like this, looked at every 5 s, and after how many seconds.
    fn judged(pods: &[Value]) -> Option<(u64, String)> {
        let mut obstacles = Obstacles::of(&Kubectl::default(), "kafka");
        let began = Instant::now();
        (0..120).step_by(5).find_map(|seconds| {
            let verdict = obstacles.judge(pods, began + Duration::from_secs(seconds));
            verdict.err().map(|error| (seconds, error.to_string()))
        })
    }

    #[test]
    fn an_image_that_cannot_be_pulled_is_told_after_one_more_try() {
        let (seconds, said) = judged(&[waiting("ErrImagePull", "no such host")]).unwrap();
        assert_eq!(seconds, 15);
        assert!(said.contains("kafka/kafka-0, image a/b:1: ErrImagePull: no such host"), "{said}");
        let (seconds, said) = judged(&[waiting("InvalidImageName", "couldn't parse")]).unwrap();
        assert!(seconds == 0 && said.contains("couldn't parse"), "{said}");
    }

    #[test]
    fn the_reason_of_the_pull_is_kept_while_it_backs_off() {
        let mut obstacles = Obstacles::of(&Kubectl::default(), "kafka");
        let began = Instant::now();
        obstacles.judge(&[waiting("ErrImagePull", "dial tcp 127.0.0.1:5000: connection refused")], began).unwrap();
        let later = began + Duration::from_secs(20);
        let error = obstacles.judge(&[waiting("ImagePullBackOff", "Back-off")], later).unwrap_err().to_string();
        assert!(error.contains("connection refused"), "{error}");
    }

    #[test]
    fn a_pod_that_no_node_takes_is_told_after_a_minute() {
        let (seconds, said) = judged(&[unschedulable()]).unwrap();
        assert_eq!(seconds, 60);
        assert!(said.contains("unbound PersistentVolumeClaims"), "{said}");
    }

    #[test]
    fn what_starts_crashes_or_goes_is_waited_for() {
        let mut going = waiting("ErrImagePull", "no such host");
        going["metadata"]["deletionTimestamp"] = json!("2026-11-26T00:00:00Z");
        for pod in [waiting("ContainerCreating", ""), waiting("CrashLoopBackOff", "back-off 10s"), going] {
            assert_eq!(judged(&[pod]), None);
        }
        // A pull that was cured by the second try has begun anew when it fails again.
        let mut obstacles = Obstacles::of(&Kubectl::default(), "kafka");
        let (began, failed) = (Instant::now(), [waiting("ErrImagePull", "timeout")]);
        obstacles.judge(&failed, began).unwrap();
        obstacles.judge(&[waiting("ContainerCreating", "")], began + Duration::from_secs(14)).unwrap();
        obstacles.judge(&failed, began + Duration::from_secs(20)).unwrap();
    }
}
