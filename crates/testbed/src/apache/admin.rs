//! The admin client: requests and metadata, by the brokers' listener without security.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::metadata::Metadata;

use crate::records::client_config;

pub(super) struct Admin {
    pub(super) client: AdminClient<DefaultClientContext>,
}

impl Admin {
    /// A client that finds brokers again quickly: some of them come and go.
    pub(super) fn new(ports: &[u16]) -> Result<Self> {
        let servers: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        let mut config = client_config(&servers.join(","));
        config.set("reconnect.backoff.ms", "50").set("reconnect.backoff.max.ms", "500");
        config.set_log_level(RDKafkaLogLevel::Critical);
        Ok(Self { client: config.create()? })
    }

    pub(super) fn wait_for_brokers(&self, ids: &[i32], timeout: Duration) -> Result<()> {
        self.wait(timeout, &format!("brokers {ids:?} are in the metadata"), |metadata| {
            let known = |id: &i32| metadata.brokers().iter().any(|broker| broker.id() == *id);
            ids.iter().all(known).then_some(())
        })
    }

    pub(super) fn wait_for_full_isr(&self, timeout: Duration) -> Result<()> {
        self.wait(timeout, "all replicas are in sync", |metadata| {
            let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
            partitions.all(|partition| partition.isr().len() == partition.replicas().len()).then_some(())
        })
    }

    /// Asks for the metadata until it gives a value.
    pub(super) fn wait<T>(&self, timeout: Duration, what: &str, found: impl Fn(&Metadata) -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + timeout;
        loop {
            // All topics: to ask for one by name could create it.
            let metadata = self.client.inner().fetch_metadata(None, Duration::from_secs(1));
            if let Some(value) = metadata.as_ref().ok().and_then(&found) {
                return Ok(value);
            }
            if Instant::now() > deadline {
                return match metadata {
                    Ok(_) => bail!("not within {timeout:?}: {what}"),
                    Err(error) => Err(error).with_context(|| format!("not within {timeout:?}: {what}")),
                };
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Waits for the admin client's answer on this thread. A runtime only for that would refuse to start inside a test's own.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
