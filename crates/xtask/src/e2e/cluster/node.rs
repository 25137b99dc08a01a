//! Shell on a node: in a pod that sees one of the node's folders.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::kubectl::Kubectl;
use super::names::WORK;

/// How long such a pod may take.
const POD: Duration = Duration::from_secs(180);

/// A folder of a node.
pub struct Place<'a> {
    /// The node's `kubernetes.io/hostname`.
    pub node: &'a str,
    /// The folder.
    pub folder: &'a str,
    /// Whether the folder is made where it is missing.
    pub made: bool,
}

impl Place<'_> {
    /// Runs a line of shell there, in a pod of this name, where `/node` is the folder.
    pub fn run(
        &self,
        kubectl: &Kubectl,
        toolbox: &str,
        name: &str,
        script: &str,
        variables: &[(&str, &str)],
    ) -> Result<()> {
        kubectl.delete(&["pod", "-n", WORK, name], POD)?;
        let kind = if self.made { "DirectoryOrCreate" } else { "Directory" };
        let variables: Vec<_> = variables.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        kubectl.send(
            &["create", "-f", "-"],
            &json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": WORK},
                "spec": {
                    "nodeSelector": {"kubernetes.io/hostname": self.node},
                    "automountServiceAccountToken": false,
                    "restartPolicy": "Never",
                    "containers": [{
                        "name": "toolbox", "image": toolbox, "imagePullPolicy": "IfNotPresent",
                        "command": ["sh", "-c", script], "env": variables,
                        "securityContext": {"runAsUser": 0},
                        "volumeMounts": [{"name": "node", "mountPath": "/node"}],
                    }],
                    "volumes": [{"name": "node", "hostPath": {"path": self.folder, "type": kind}}],
                },
            }),
        )?;
        kubectl.wait(WORK, &format!("pod/{name}"), "jsonpath={.status.phase}=Succeeded", POD)
    }
}
