//! A small pod of busybox that tries what the network lets through. It obeys Pod Security `restricted` itself.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::kubectl::{Kubectl, Seen, until};

/// How long a pod may take to start; an image may have to be pulled.
const START: Duration = Duration::from_secs(180);
/// How long a policy may take to be put into force.
const IN_FORCE: Duration = Duration::from_secs(30);
/// What is let through is let through this many times in a row, and what is refused as often refused.
const TIMES: usize = 3;

/// A pod, running.
pub struct Toolbox {
    kubectl: Kubectl,
    namespace: String,
    name: String,
}

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub enum Try<'a> {
    /// A TCP connection.
    Connect(&'a str, u16),
    /// A look-up of a name.
    Resolve(&'a str),
    /// An HTTP request that must be answered by 200.
    Get(&'a str),
}

impl Try<'_> {
    /// For busybox's shell. Each ends within seconds, whatever becomes of its packets.
    fn script(self) -> String {
        match self {
            Self::Connect(host, port) => format!("timeout 5 nc -w 3 {host} {port} </dev/null"),
            Self::Resolve(name) => format!("timeout 5 nslookup -type=a {name}"),
            Self::Get(url) => format!("timeout 5 wget -q -O /dev/null {url}"),
        }
    }
}

impl Toolbox {
    /// Starts one with these labels, so that the policies for such pods hold for it.
    pub fn start(kubectl: &Kubectl, image: &str, namespace: &str, name: &str, labels: &Value) -> Result<Self> {
        // It also listens, for others to try.
        let command = "httpd -p 8081 -h /tmp && exec sleep 3600";
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "labels": labels},
            "spec": {
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 0,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "toolbox", "image": image, "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", command],
                    "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                        "capabilities": {"drop": ["ALL"]}},
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
                }],
            },
        });
        kubectl.delete(&["pod", "-n", namespace, name], START)?;
        kubectl.send(&["apply", "--warnings-as-errors", "-f", "-"], &pod)?;
        kubectl.wait(namespace, &format!("pod/{name}"), "condition=Ready", START)?;
        Ok(Self { kubectl: kubectl.clone(), namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// Its address.
    pub fn ip(&self) -> Result<String> {
        self.kubectl.run(&["get", "pod", "-n", &self.namespace, &self.name, "-o", "jsonpath={.status.podIP}"])
    }

    /// That it goes through, several times in a row.
    pub fn reaches(&self, what: Try<'_>) -> Result<()> {
        self.settles(what, true)
    }

    /// That it does not, several times in a row.
    pub fn is_refused(&self, what: Try<'_>) -> Result<()> {
        self.settles(what, false)
    }

    fn settles(&self, what: Try<'_>, wanted: bool) -> Result<()> {
        let mut in_a_row = 0;
        let named = format!(
            "{what:?} from {}/{} {}",
            self.namespace,
            self.name,
            if wanted { "let through" } else { "refused" }
        );
        until(IN_FORCE, &named, || {
            let (went, said) = self.attempt(what)?;
            in_a_row = if went == wanted { in_a_row + 1 } else { 0 };
            Ok(Seen::when(in_a_row >= TIMES, said))
        })
    }

    /// Whether it went through, and what was said.
    fn attempt(&self, what: Try<'_>) -> Result<(bool, String)> {
        // The shell's own line tells a refused attempt from a kubectl that could not even ask.
        let script = format!("if {}; then echo WENT; else echo REFUSED; fi 2>&1", what.script());
        let said = self.kubectl.run(&["exec", "-n", &self.namespace, &self.name, "--", "sh", "-c", &script])?;
        Ok((said.contains("WENT"), said))
    }
}

impl Drop for Toolbox {
    fn drop(&mut self) {
        let _ = self.kubectl.outcome(&["delete", "pod", "-n", &self.namespace, &self.name, "--wait=false"]);
    }
}
