//! What the pods of a Deployment log, all together, those that come and go meanwhile included.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead, BufReader, PipeReader};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use testbed::process::Process;

use super::kubectl::{Kubectl, list, number, text};
use crate::consumer::{self, Shared};

/// A record line is told from the program's own log by this: `kubectl logs` has both outputs in one.
const RECORD: &str = r#""event":"record""#;
/// Lines of the program's own log that are kept for the error of a failed scenario, for each pod.
const OWN_LINES: usize = 15;

/// Follows the logs of all pods of a selector from their first line until it is dropped.
pub struct Logs {
    followed: Arc<Followed>,
    /// Lists the pods, and each change of them.
    _pods: Process,
}

struct Followed {
    kubectl: Kubectl,
    namespace: String,
    run: String,
    received: Shared,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// One for each container that has run.
    streams: HashMap<(String, u64), Process>,
    /// By pod, so that a stream begun again counts no line twice. A record logged twice has two times of logging.
    lines: HashMap<String, HashSet<u64>>,
    /// When each record of the run was logged, by partition, in microseconds.
    logged: BTreeMap<i32, Vec<i64>>,
    own: BTreeMap<String, Vec<String>>,
    failure: Option<String>,
}

#[derive(Deserialize)]
struct Stamp<'a> {
    timestamp: &'a str,
    partition: i32,
}

impl Logs {
    /// Of the pods with this selector; the records of this run are counted.
    pub fn follow(kubectl: &Kubectl, namespace: &str, selector: &str, run: &str) -> Result<Self> {
        let (pods, reader) =
            kubectl.stream(&["get", "pods", "-n", namespace, "-l", selector, "--watch", "-o", "json"])?;
        let followed = Arc::new(Followed {
            kubectl: kubectl.clone(),
            namespace: namespace.to_owned(),
            run: run.to_owned(),
            received: consumer::shared(Some(run))?,
            state: Mutex::default(),
        });
        let watching = Arc::clone(&followed);
        thread::spawn(move || {
            for pod in serde_json::Deserializer::from_reader(BufReader::new(reader)).into_iter::<Value>() {
                let started = pod.context("the list of pods").and_then(|pod| Followed::pod(&watching, &pod));
                if let Err(error) = started {
                    watching.state().failure.get_or_insert_with(|| format!("{error:#}"));
                    break;
                }
            }
        });
        Ok(Self { followed, _pods: pods })
    }

    /// The records of the run, counted.
    pub fn received(&self) -> &Shared {
        &self.followed.received
    }

    /// The longest time between two records of one partition, whichever pods logged them: of the partition where it was
    /// shortest, and of the one where it was longest.
    pub fn pauses(&self) -> Result<[Duration; 2]> {
        let mut state = self.checked()?;
        let pauses = state.logged.values_mut().filter_map(|times| {
            times.sort_unstable();
            times.windows(2).map(|pair| pair[1].abs_diff(pair[0])).max()
        });
        let mut pauses: Vec<u64> = pauses.collect();
        pauses.sort_unstable();
        let (first, last) = (pauses.first().copied().unwrap_or_default(), pauses.last().copied().unwrap_or_default());
        Ok([first, last].map(Duration::from_micros))
    }

    /// The longer of [`Logs::pauses`].
    pub fn longest_pause(&self) -> Result<Duration> {
        Ok(self.pauses()?[1])
    }

    /// Pods that have logged records of the run.
    pub fn pods(&self) -> Result<usize> {
        Ok(self.checked()?.lines.len())
    }

    /// What the programs have said of themselves, for an error.
    pub fn own(&self) -> String {
        let state = self.followed.state();
        state.own.iter().map(|(pod, lines)| format!("--- {pod}\n{}\n", lines.join("\n"))).collect()
    }

    fn checked(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.followed.state();
        ensure!(
            state.failure.is_none(),
            "not all logs could be read: {}",
            state.failure.as_deref().unwrap_or_default()
        );
        Ok(state)
    }
}

impl Drop for Logs {
    fn drop(&mut self) {
        // The readers end with the streams.
        self.followed.state().streams.clear();
    }
}

impl Followed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to follow a container that has started since the last look at its pod.
    fn pod(followed: &Arc<Self>, pod: &Value) -> Result<()> {
        let (name, uid) = (text(pod, "/metadata/name"), text(pod, "/metadata/uid"));
        for container in list(pod, "/status/containerStatuses") {
            let state = container.get("state").and_then(Value::as_object);
            let has_run = state.is_some_and(|state| state.contains_key("running") || state.contains_key("terminated"));
            let instance = (uid.to_owned(), number(container, "/restartCount"));
            if !has_run || followed.state().streams.contains_key(&instance) {
                continue;
            }
            let container = text(container, "/name");
            // What ended before it was seen to run is the previous one by now.
            if instance.1 > 0 && !followed.state().streams.contains_key(&(instance.0.clone(), instance.1 - 1)) {
                Self::stream(followed, (instance.0.clone(), instance.1 - 1), name, &["--previous", "-c", container])?;
            }
            Self::stream(followed, instance, name, &["-f", "-c", container])?;
        }
        Ok(())
    }

    fn stream(followed: &Arc<Self>, instance: (String, u64), pod: &str, what: &[&str]) -> Result<()> {
        let args = [&["logs", "-n", &followed.namespace, pod], what].concat();
        let (process, reader) = followed.kubectl.stream(&args)?;
        followed.state().streams.insert(instance, process);
        let (followed, pod) = (Arc::clone(followed), pod.to_owned());
        thread::spawn(move || followed.read(&pod, reader));
        Ok(())
    }

    fn read(&self, pod: &str, reader: PipeReader) {
        for line in BufReader::with_capacity(256 * 1024, reader).lines().map_while(Result::ok) {
            if let Err(error) = self.line(pod, &line) {
                self.state().failure.get_or_insert_with(|| format!("{pod}: {error:#}: {line}"));
            }
        }
    }

    fn line(&self, pod: &str, line: &str) -> Result<()> {
        if !line.contains(RECORD) {
            let mut state = self.state();
            let own = state.own.entry(pod.to_owned()).or_default();
            own.push(line.to_owned());
            if own.len() > OWN_LINES {
                own.remove(0);
            }
            return Ok(());
        }
        if !line.contains(&self.run) {
            return Ok(());
        }
        let stamp: Stamp<'_> = serde_json::from_str(line)?;
        let logged: Timestamp = stamp.timestamp.parse().context("the timestamp")?;
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let mut state = self.state();
        if state.lines.entry(pod.to_owned()).or_default().insert(hasher.finish()) {
            state.logged.entry(stamp.partition).or_default().push(logged.as_microsecond());
            drop(state);
            consumer::lock(&self.received).line(line);
        }
        Ok(())
    }
}
