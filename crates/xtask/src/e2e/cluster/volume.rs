//! Disk space for the broker on a cluster that has nobody to make volumes: a folder on a node.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::kubectl::{Kubectl, list, text};
use super::node::Place;

const NAME: &str = "kafka-clients-e2e";
/// On the node. What is in it goes at the end.
const PARENT: &str = "/var/tmp";
const FOLDER: &str = "kafka-clients-e2e";
/// How long a pod may take that makes or removes the folder.
const POD: Duration = Duration::from_secs(180);

/// A volume in a folder on one of the nodes.
pub struct Volume {
    kubectl: Kubectl,
    toolbox: String,
    node: String,
}

impl Volume {
    /// Makes one, if the cluster has no default StorageClass.
    pub fn if_needed(kubectl: &Kubectl, toolbox: &str) -> Result<Option<Self>> {
        let is_default = |class: &Value| {
            let annotations = class.pointer("/metadata/annotations").and_then(Value::as_object);
            annotations.is_some_and(|annotations| {
                annotations.get("storageclass.kubernetes.io/is-default-class").and_then(Value::as_str) == Some("true")
            })
        };
        if kubectl.items(&["get", "storageclass"])?.iter().any(is_default) {
            return Ok(None);
        }
        let nodes = kubectl.items(&["get", "nodes"])?;
        let node = nodes
            .iter()
            .find(|node| node.pointer("/spec/unschedulable").is_none() && list(node, "/spec/taints").is_empty());
        let node = text(node.context("no node takes pods")?, "/metadata/labels/kubernetes.io~1hostname").to_owned();
        let volume = Self { kubectl: kubectl.clone(), toolbox: toolbox.to_owned(), node };
        if volume.is_in_use()? {
            return Ok(Some(volume));
        }
        // One that an earlier run has left is bound to a claim that is gone: no other would ever get it.
        kubectl.delete(&["persistentvolume", NAME], POD)?;
        volume.on_node("made", &format!("rm -rf /node/{FOLDER} && mkdir /node/{FOLDER}"))?;
        kubectl.send(
            &["apply", "-f", "-"],
            &json!({
                "apiVersion": "v1", "kind": "PersistentVolume",
                "metadata": {"name": NAME},
                "spec": {
                    "capacity": {"storage": "10Gi"},
                    "accessModes": ["ReadWriteOnce"],
                    "persistentVolumeReclaimPolicy": "Retain",
                    // Unlike a hostPath, a local volume gets the group that the pod's fsGroup names.
                    "local": {"path": format!("{PARENT}/{FOLDER}")},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                        {"key": "kubernetes.io/hostname", "operator": "In", "values": [&volume.node]}]}]}},
                },
            }),
        )?;
        Ok(Some(volume))
    }

    /// Whether it is there, and the claim too that it is bound to.
    fn is_in_use(&self) -> Result<bool> {
        let said = self.kubectl.run(&["get", "persistentvolume", NAME, "--ignore-not-found", "-o", "json"])?;
        if said.trim().is_empty() {
            return Ok(false);
        }
        let volume: Value = serde_json::from_str(&said)?;
        let claim = ["/namespace", "/name", "/uid"].map(|field| text(&volume, &format!("/spec/claimRef{field}")));
        let [namespace, name, uid] = claim;
        if name.is_empty() {
            return Ok(false);
        }
        let get = [
            "get",
            "persistentvolumeclaim",
            "-n",
            namespace,
            name,
            "--ignore-not-found",
            "-o",
            "jsonpath={.metadata.uid}",
        ];
        Ok(self.kubectl.run(&get)? == uid)
    }

    /// Takes all of it away, once nobody uses it.
    pub fn remove(&self) -> Result<()> {
        self.kubectl.delete(&["persistentvolume", NAME], POD)?;
        self.on_node("removed", &format!("rm -rf /node/{FOLDER}"))
    }

    /// Runs a line of shell on the node, where `/node` is the folder's parent.
    fn on_node(&self, name: &str, script: &str) -> Result<()> {
        let place = Place { node: &self.node, folder: PARENT, made: false };
        place.run(&self.kubectl, &self.toolbox, name, script, &[])
    }
}
