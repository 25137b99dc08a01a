//! librdkafka's callbacks of the producer: each delivery is counted, everything else goes to the shared client state.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::kafka::{ClientState, native};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::ProducerContext;

use crate::ledger::Ledger;

/// What the callbacks write to.
pub struct Context {
    /// Connections, refusals, statistics.
    pub client: Arc<ClientState>,
    /// The counts.
    pub ledger: Arc<Ledger>,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        self.client.log(level, facility, line);
    }

    fn stats_raw(&self, json: &[u8]) {
        self.client.statistics(json);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.client.error(&error, reason);
    }

    fn generate_oauth_token(&self, _config: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.client.token()
    }
}

impl ProducerContext for Context {
    /// When the message was sent, or should have been: microseconds after the ledger's start. A number, because a box would be an
    /// allocation for each message.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        match result {
            Ok(message) => {
                let now = Instant::now();
                let sent = self.ledger.started + Duration::from_micros(sent_us as u64);
                let bytes = message.payload_len() + message.key_len();
                self.ledger.delivered(bytes, now.saturating_duration_since(sent), now);
            }
            Err((error, message)) => {
                let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
                let transmitted = is_of_a_request(code) || native::was_attempted(message);
                self.ledger.undelivered(code, transmitted, message.topic(), message.partition());
            }
        }
    }
}

/// Whether an error can only come from a request: a broker's answer, or a request that was given up.
fn is_of_a_request(code: RDKafkaErrorCode) -> bool {
    code == RDKafkaErrorCode::PurgeInflight || code as i32 > RDKafkaErrorCode::End as i32
}
