//! The client that a check asks the brokers by. It joins no group and changes nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::metadata::Metadata;

use crate::config::Properties;
use crate::kafka::ClientState;
use crate::kafka::context::SharedContext;
use crate::kafka::native::{Answer, Questions};
use crate::kafka::topic::SLICE;
use crate::shutdown::Shutdown;
use crate::verdict::Verdict;

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the brokers may take to tell a topic's configuration.
const CONFIGURATION: Duration = Duration::from_secs(5);
/// Between two looks at whether an answer has come.
const LOOK: Duration = Duration::from_millis(20);

/// A client, and by when it has to be done.
pub struct Client {
    consumer: Arc<BaseConsumer<SharedContext>>,
    questions: Questions<SharedContext>,
    pub(super) state: Arc<ClientState>,
    shutdown: Shutdown,
    until: Instant,
}

/// What matters of a topic's configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicLimits {
    /// `min.insync.replicas`.
    pub in_sync: Option<usize>,
    /// `max.message.bytes`.
    pub message_bytes: Option<u64>,
}

impl Client {
    /// Makes it. Asks no broker yet.
    ///
    /// # Errors
    /// When librdkafka refuses the configuration.
    pub fn new(
        properties: &Properties,
        state: Arc<ClientState>,
        shutdown: Shutdown,
        until: Instant,
    ) -> Result<Self, Verdict> {
        let context = SharedContext::new(Arc::clone(&state), ());
        let consumer: Arc<BaseConsumer<SharedContext>> = Arc::new(crate::kafka::create(properties, context)?);
        let questions = Questions::new(Arc::<BaseConsumer<SharedContext>>::clone(&consumer), ANSWER).with_rights();
        Ok(Self { consumer, questions, state, shutdown, until })
    }

    /// Whether nobody waits any more.
    fn is_over(&self) -> bool {
        self.shutdown.requested().is_some() || Instant::now() >= self.until
    }

    /// Errors of connections and logins come by the queue, and tokens are wished for there.
    fn serve(&self, wait: Duration) {
        drop(self.consumer.poll(wait));
        self.state.tend(self.consumer.client());
    }

    /// The brokers, and what they say of a topic; `None` when the login was refused, or the time is over.
    pub fn metadata(&self, topic: &str) -> Option<Metadata> {
        loop {
            self.serve(LOOK);
            if let Ok(metadata) = self.consumer.fetch_metadata(Some(topic), SLICE) {
                return Some(metadata);
            }
            self.serve(LOOK);
            if self.state.has_refusal() || self.is_over() {
                return None;
            }
        }
    }

    /// The answer to a question; `None` when none comes.
    pub fn ask(&self, put: impl FnOnce(&Questions<SharedContext>)) -> Option<Answer> {
        put(&self.questions);
        loop {
            if let Some((_, answer)) = self.questions.answer(LOOK) {
                return Some(answer);
            }
            self.serve(Duration::ZERO);
            if self.is_over() {
                return None;
            }
        }
    }

    /// What the configuration of a topic allows; nothing where the login may not see it.
    pub fn limits(&self, properties: &Properties, topic: &str) -> TopicLimits {
        let context = SharedContext::new(Arc::clone(&self.state), ());
        let Ok(admin) = crate::kafka::create::<(), AdminClient<SharedContext>>(properties, context) else {
            return TopicLimits::default();
        };
        self.state.lend_token(admin.inner());
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return TopicLimits::default() };
        let limit = self.until.saturating_duration_since(Instant::now()).min(CONFIGURATION);
        let options = AdminOptions::new().request_timeout(Some(limit));
        let asked = [ResourceSpecifier::Topic(topic)];
        let answer = runtime.block_on(admin.describe_configs(&asked, &options));
        let Some(Ok(resource)) = answer.ok().and_then(|resources| resources.into_iter().next()) else {
            return TopicLimits::default();
        };
        let value = |name: &str| resource.get(name).and_then(|entry| entry.value.as_deref());
        TopicLimits {
            in_sync: value("min.insync.replicas").and_then(|value| value.parse().ok()),
            message_bytes: value("max.message.bytes").and_then(|value| value.parse().ok()),
        }
    }
}
