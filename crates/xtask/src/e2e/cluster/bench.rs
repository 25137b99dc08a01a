//! What scenarios have in common: the installation on the cluster, its pods, load, and the state that each finds it in.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Args;
use super::jobs::{self, Job};
use super::kubectl::{Kubectl, Seen, list, number, text, until};
use super::leftovers::{self, Note};
use super::logs::Logs;
use super::manifests::Manifests;
pub use super::names::{
    BROKER, BROKER_FOLDER, CONSUMERS, LONG, MONITORING, PROGRAMS, PROGRAMS_FOLDER, READY, SOON, WORK,
};
use super::obstacles::Obstacles;
use super::toolbox::Toolbox;
use super::volume::Volume;
use crate::terminal::Step;

/// A cluster with what the suite has put there.
pub struct Bench {
    pub kubectl: Kubectl,
    pub manifests: Manifests,
    pub toolbox: String,
    /// The kubelet's folder on the nodes.
    pub kubelet: String,
    /// The project's Job, as kubectl reads it.
    job: Value,
    /// The project's Deployment, likewise.
    deployment: Value,
    /// The broker's, once something was installed on a cluster that makes none.
    volume: Option<Volume>,
    /// Namespaces that the suite has made beside those of the manifests.
    made: Vec<String>,
    /// For the next run, should this one be killed.
    note: Note,
    installed: bool,
}

impl Bench {
    /// Looks at the cluster and refuses one where it would destroy something.
    pub fn new(args: &Args) -> Result<Self> {
        let kubectl = Kubectl::new(args.context.clone());
        let version = kubectl.json(&["version"]).context("no cluster answers")?;
        let server = kubectl.run(&["config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"])?;
        let nodes = kubectl.items(&["get", "nodes"])?.len();
        println!("Kubernetes {} at {server}, {nodes} node(s)", text(&version, "/serverVersion/gitVersion"));
        leftovers::remove(&kubectl, args.reuse)?;
        for namespace in [PROGRAMS, BROKER, WORK] {
            ensure!(
                !leftovers::exists(&kubectl, namespace)? || args.reuse,
                "the namespace {namespace} exists: this suite would change and then delete what is in it. With --reuse it does"
            );
        }
        let manifests = Manifests::new(&args.images)?;
        let job = manifests.object(&kubectl, "Job")?;
        let deployment = manifests.object(&kubectl, "Deployment")?;
        let bench = Self {
            kubectl,
            manifests,
            job,
            deployment,
            toolbox: args.toolbox.clone(),
            kubelet: args.kubelet.clone(),
            volume: None,
            made: Vec::new(),
            note: Note::of_this_run(&[PROGRAMS, BROKER])?,
            installed: false,
        };
        bench.note.begin(&bench.kubectl)?;
        Ok(bench)
    }

    /// Makes a namespace that is missing. Those of the suite's own go at the end.
    pub fn namespace(&mut self, name: &str) -> Result<()> {
        self.namespace_by(name, &["create", "namespace", name])
    }

    /// As [`Bench::namespace`], from its file: with the Pod Security level that the objects in it are judged by.
    pub fn namespace_from(&mut self, name: &str, file: &Path) -> Result<()> {
        self.namespace_by(name, &["create", "-f", &file.display().to_string()])
    }

    fn namespace_by(&mut self, name: &str, create: &[&str]) -> Result<()> {
        if !leftovers::exists(&self.kubectl, name)? {
            self.note.add(&self.kubectl, name)?;
            self.kubectl.run(create)?;
            self.made.push(name.to_owned());
        }
        Ok(())
    }

    /// After a failed scenario: the next one applies the manifests again.
    pub fn disturbed(&mut self) {
        self.installed = false;
    }

    /// The manifests are applied, and all is ready. The first call does it.
    pub fn installed(&mut self) -> Result<()> {
        if self.installed {
            return Ok(());
        }
        if self.volume.is_none() {
            self.volume = Volume::if_needed(&self.kubectl, &self.toolbox)?;
        }
        let step = Step::begin("applying infra/kafka/single and infra/k8s");
        self.kubectl.delete(&["job", "-n", PROGRAMS, "kafka-producer"], SOON)?;
        self.apply()?;
        self.wait_until_ready(READY)?;
        step.end();
        self.installed = true;
        Ok(())
    }

    /// Applies the broker and the programs, as a user does, and returns what kubectl said. A warning is an error: Pod Security
    /// and deprecated fields warn.
    pub fn apply(&self) -> Result<String> {
        let mut said = String::new();
        for folder in [BROKER_FOLDER, PROGRAMS_FOLDER] {
            let path = self.manifests.path(folder);
            said += &self.kubectl.run(&["apply", "--warnings-as-errors", "-f", &path])?;
        }
        Ok(said)
    }

    /// Waits until the broker, the Job and all pods of the consumer are well.
    pub fn wait_until_ready(&self, timeout: Duration) -> Result<()> {
        self.kubectl.rolled_out(BROKER, "statefulset/kafka", timeout)?;
        let ended = jobs::ended(&self.kubectl, "kafka-producer", timeout)?;
        ensure!(ended.complete, "the Job kafka-producer failed: {ended:?}");
        self.kubectl.rolled_out(PROGRAMS, "deployment/kafka-consumer", timeout)?;
        self.settled(2, timeout)
    }

    /// Waits until exactly so many pods of the consumer are there, all of them ready.
    pub fn settled(&self, count: usize, timeout: Duration) -> Result<()> {
        let mut obstacles = Obstacles::of(&self.kubectl, PROGRAMS);
        until(timeout, &format!("{count} ready consumers and no other"), || {
            obstacles.look()?;
            let pods = self.consumers()?;
            let ready = pods.iter().filter(|pod| is_ready(pod)).count();
            Ok(Seen::when(ready == count && pods.len() == count, format!("{ready} of {} ready", pods.len())))
        })
    }

    /// The pods of the consumer.
    pub fn consumers(&self) -> Result<Vec<Value>> {
        self.kubectl.items(&["get", "pods", "-n", PROGRAMS, "-l", CONSUMERS])
    }

    /// Follows the logs of the consumer's pods, those to come included.
    pub fn logs(&self, run: &str) -> Result<Logs> {
        Logs::follow(&self.kubectl, PROGRAMS, CONSUMERS, run)
    }

    /// The project's Job under another name, with other variables.
    pub fn job(&self, name: &str, variables: &[(&str, &str)]) -> Result<Job> {
        self.changed_job(name, variables, |_| Ok(()))
    }

    /// As [`Bench::job`], with more changed.
    pub fn changed_job(
        &self,
        name: &str,
        variables: &[(&str, &str)],
        change: impl FnOnce(&mut Value) -> Result<()>,
    ) -> Result<Job> {
        let mut job = self.job.clone();
        change(&mut job)?;
        self.kubectl.delete(&["job", "-n", PROGRAMS, name], SOON)?;
        Job::create(&self.kubectl, &job, name, variables)
    }

    /// A steady load: so many messages at this rate, in a run of the Job's name.
    pub fn load(&self, name: &str, messages: u64, rate: &str) -> Result<Job> {
        let messages = messages.to_string();
        self.job(name, &[("PRODUCER_MESSAGES", &messages), ("PRODUCER_RATE", rate), ("PRODUCER_RUN_ID", name)])
    }

    /// The project's Deployment, to be changed and created under another name.
    pub fn deployment(&self) -> Value {
        self.deployment.clone()
    }

    /// A small pod to try the network with.
    pub fn toolbox(&self, namespace: &str, name: &str, labels: &Value) -> Result<Toolbox> {
        Toolbox::start(&self.kubectl, &self.toolbox, namespace, name, labels)
    }

    /// Sets the number of brokers, 0 or 1, and waits until it is so.
    pub fn brokers(&self, count: u64) -> Result<()> {
        let replicas = format!("--replicas={count}");
        self.kubectl.run(&["scale", "-n", BROKER, "statefulset/kafka", &replicas])?;
        if count > 0 {
            return self.kubectl.rolled_out(BROKER, "statefulset/kafka", LONG);
        }
        until(SOON, "no broker", || {
            let found =
                self.kubectl.run(&["get", "pod", "-n", BROKER, "kafka-0", "--ignore-not-found", "-o", "name"])?;
            Ok(Seen::when(found.is_empty(), found))
        })
    }

    /// Leaves everything in the cluster, for a run with `--reuse`.
    pub fn keep(&self) -> Result<()> {
        leftovers::forget(&self.kubectl)
    }

    /// Deletes what the suite has made.
    pub fn remove(&self) -> Result<()> {
        let step = Step::begin("removing everything");
        for folder in [PROGRAMS_FOLDER, BROKER_FOLDER] {
            self.kubectl.delete(&["-f", &self.manifests.path(folder)], LONG)?;
        }
        if let Some(volume) = &self.volume {
            volume.remove()?;
        }
        // The one with the note last.
        for namespace in self.made.iter().map(String::as_str).chain([WORK]) {
            self.kubectl.delete(&["namespace", namespace], LONG)?;
        }
        step.end();
        Ok(())
    }
}

/// The pod's name.
pub fn name(pod: &Value) -> &str {
    text(pod, "/metadata/name")
}

/// Whether the pod is ready and not being deleted.
pub fn is_ready(pod: &Value) -> bool {
    let ready = list(pod, "/status/conditions")
        .iter()
        .any(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True");
    ready && pod.pointer("/metadata/deletionTimestamp").is_none()
}

/// How often the pod's containers were restarted.
pub fn restarts(pod: &Value) -> u64 {
    list(pod, "/status/containerStatuses").iter().map(|container| number(container, "/restartCount")).sum()
}
