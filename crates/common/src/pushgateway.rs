//! Pushes to a Prometheus Pushgateway: how a process that is gone before it is scraped leaves its numbers.
//!
//! By POST, which replaces the series of the same names and keeps the others of the group. A gateway that is away costs one warning
//! and two seconds at most, never the run.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE, Engine};
use tokio::sync::oneshot;
use ureq::tls::{TlsConfig, TlsProvider};

use crate::config::Secret;
use crate::text::percent_encoded;
use crate::tls;

/// How long the last push may hold up the end of a process.
const LIMIT: Duration = Duration::from_secs(2);
/// How long one push may take: it ends before the process does, and with a reason.
const PUSH: Duration = Duration::from_millis(1800);
/// How much of a refusal is repeated, in bytes.
const REASON: usize = 300;

/// Where the pushes go.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its address, without user and password and without the path of a group.
    pub url: String,
    /// User and password for HTTP's basic authentication.
    pub login: Option<(String, Secret)>,
    /// PEM file of certificate authorities to trust, if not the system's.
    pub ca_location: Option<PathBuf>,
}

/// The pushes of one process, made one after another on a thread of their own.
pub struct Pushes {
    queue: Sender<Push>,
    trouble: Trouble,
}

struct Push {
    body: String,
    /// Dropped when the push is over.
    _over: oneshot::Sender<()>,
}

/// What went wrong is a warning once.
#[derive(Clone)]
struct Trouble {
    url: Arc<str>,
    was_said: Arc<AtomicBool>,
}

impl Trouble {
    fn say(&self, what: &str) {
        let url = &self.url;
        if self.was_said.swap(true, Ordering::Relaxed) {
            tracing::debug!(event = "push_failed", "{url}: {what}");
        } else {
            tracing::warn!(event = "push_failed", "{url}: {what}; the run goes on without the Pushgateway");
        }
    }
}

impl Pushes {
    /// Prepares pushes into the group of these labels, of which `job` is the first.
    ///
    /// # Errors
    /// When the certificate authorities cannot be read, or the thread cannot start.
    pub fn start(gateway: &Gateway, labels: &[(&str, &str)]) -> Result<Self, String> {
        let base = gateway.url.trim_end_matches('/');
        let roots = tls::authorities(base, gateway.ca_location.as_deref(), "KAFKA_SSL_CA_LOCATION")?;
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(PUSH))
            .http_status_as_error(false)
            // Whoever answers is the gateway, or none: the password goes nowhere else.
            .max_redirects(0)
            // The environment has no say that the settings do not know of.
            .proxy(None)
            .tls_config(tls)
            .build()
            .into();
        let login = gateway.login.as_ref().map(|(user, password)| {
            let login = BASE64_STANDARD.encode(format!("{user}:{}", password.expose()));
            Secret::new(format!("Basic {login}"))
        });
        let url = format!("{base}{}", path(labels));
        let trouble = Trouble { url: url.as_str().into(), was_said: Arc::default() };
        let (queue, pushes) = channel();
        let work = {
            let trouble = trouble.clone();
            move || push_all(&pushes, |body| push(&agent, &url, login.as_ref(), body), &trouble)
        };
        let thread = std::thread::Builder::new().name("pushes".to_owned()).spawn(work);
        thread.map_err(|error| format!("the thread for pushes cannot start: {error}"))?;
        Ok(Self { queue, trouble })
    }

    /// Pushes these metrics, in Prometheus' text format, beside the work.
    pub fn push(&self, body: String) {
        drop(self.queued(body));
    }

    /// Pushes the last metrics. What is returned ends when that is done, after two seconds at the latest.
    pub fn finish(&self, body: String) -> impl Future<Output = ()> + Send + use<> {
        let (over, trouble) = (self.queued(body), self.trouble.clone());
        async move {
            // Never sent, only dropped.
            if tokio::time::timeout(LIMIT, over).await.is_err() {
                trouble.say(&format!("the last push did not end within {LIMIT:?}"));
            }
        }
    }

    fn queued(&self, body: String) -> oneshot::Receiver<()> {
        let (over, wait) = oneshot::channel();
        // The other end goes only with the process.
        let _ = self.queue.send(Push { body, _over: over });
        wait
    }
}

fn push_all(pushes: &Receiver<Push>, push: impl Fn(&str) -> Result<(), String>, trouble: &Trouble) {
    for Push { body, _over } in pushes {
        if let Err(reason) = push(&body) {
            trouble.say(&reason);
        }
    }
}

/// One push.
fn push(agent: &ureq::Agent, url: &str, login: Option<&Secret>, body: &str) -> Result<(), String> {
    let mut request = agent.post(url).content_type("text/plain; version=0.0.4; charset=utf-8");
    if let Some(login) = login {
        request = request.header("authorization", login.expose());
    }
    let mut response = request.send(body).map_err(|error| match error {
        ureq::Error::Timeout(_) => format!("no answer within {PUSH:?}"),
        error => error.to_string(),
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let reason = response.body_mut().read_to_string().unwrap_or_default();
    let reason = reason.trim().replace(['\r', '\n'], " ");
    Err(format!("the Pushgateway answered {status}: {}", &reason[..reason.floor_char_boundary(REASON)]))
}

/// The path of a group. Labels without a value are left out.
fn path(labels: &[(&str, &str)]) -> String {
    let mut path = "/metrics".to_owned();
    for (name, value) in labels.iter().filter(|(_, value)| !value.is_empty()) {
        // A slash would end the value, encoded or not, and dots alone are a step within the path.
        let part = if value.contains('/') || matches!(*value, "." | "..") {
            format!("/{name}@base64/{}", BASE64_URL_SAFE.encode(value))
        } else {
            format!("/{name}/{}", percent_encoded(value))
        };
        path.push_str(&part);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_group_reach_the_gateway_as_they_are() {
        for (labels, expected) in [
            (
                &[("job", "kafka-producer"), ("topic", "a.b_c-1"), ("shard", "0")][..],
                "/metrics/job/kafka-producer/topic/a.b_c-1/shard/0",
            ),
            (&[("job", "j"), ("namespace", "")], "/metrics/job/j"),
            (&[("job", "a b%ä?#")], "/metrics/job/a%20b%25%C3%A4%3F%23"),
            (&[("job", "j"), ("namespace", "a/b")], "/metrics/job/j/namespace@base64/YS9i"),
            (&[("job", "j"), ("namespace", "/?")], "/metrics/job/j/namespace@base64/Lz8="),
            (&[("job", "j"), ("namespace", "..")], "/metrics/job/j/namespace@base64/Li4="),
        ] {
            assert_eq!(path(labels), expected);
        }
    }
}
