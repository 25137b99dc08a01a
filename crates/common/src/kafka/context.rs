//! librdkafka's callbacks, delegated once for both programs: what concerns the client goes to its state, the rest to a handler.

use std::error::Error;
use std::sync::Arc;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::ProducerContext;
use rdkafka::util::IntoOpaque;

use super::state::ClientState;
use super::statistics::Statistics;

/// What a program does with the callbacks of its client.
pub trait Handler: Send + Sync + 'static {
    /// Statistics, after the client's state has taken its part of them.
    fn statistics(&self, _: &Statistics<'_>) {}
}

impl Handler for () {}

/// A producer's handler.
pub trait Deliveries: Handler {
    /// What travels with a message to its report.
    type Opaque: IntoOpaque;

    /// A message was delivered, or was not.
    fn delivery(&self, result: &DeliveryResult<'_>, opaque: Self::Opaque);
}

/// The context of every client.
#[derive(Clone)]
pub struct Context<H> {
    /// Connections, refusals, metrics of the client.
    pub client: Arc<ClientState>,
    /// The program's part.
    pub handler: H,
}

/// The context of a client that needs nothing more than its state, such as one that creates topics.
pub type SharedContext = Context<()>;

impl<H> Context<H> {
    /// The state and the program's part.
    pub const fn new(client: Arc<ClientState>, handler: H) -> Self {
        Self { client, handler }
    }
}

impl<H: Handler> ClientContext for Context<H> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats_raw(&self, json: &[u8]) {
        if let Some(statistics) = self.client.statistics(json) {
            self.handler.statistics(&statistics);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(&error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.client.token()
    }
}

impl<H: Deliveries> ProducerContext for Context<H> {
    type DeliveryOpaque = H::Opaque;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: H::Opaque) {
        self.handler.delivery(result, opaque);
    }
}

/// Rebalances are taken from the queue, see [`super::native::RecordQueue`].
impl<H: Handler> ConsumerContext for Context<H> {}
