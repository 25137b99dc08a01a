//! Sends batches of spans, on the SDK's thread: encoding, retries, results.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message;

use super::counts::Counts;
use super::http::{Client, Failure};

/// The wait before the first retry; each further one is twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// What a receiver asks for counts up to here; no batch waits for a longer one.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);

/// When all has to be sent; set once, at the end. Wakes whoever waits for a retry.
#[derive(Clone, Default)]
pub(super) struct LastCall(Arc<(Mutex<Option<Instant>>, Condvar)>);

impl LastCall {
    /// From now on nothing is tried again, and no request lasts longer than until then.
    pub fn until(&self, deadline: Instant) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.0.1.notify_all();
    }

    fn deadline(&self) -> Option<Instant> {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits so long. `false` when the end has come meanwhile.
    fn wait(&self, time: Duration) -> bool {
        let deadline = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(deadline, time, |deadline| deadline.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_none()
    }
}

/// The SDK's way to the receiver.
pub(super) struct Exporter {
    client: Client,
    /// The receiver, for messages.
    endpoint: String,
    timeout: Duration,
    resource: ResourceAttributesWithSchema,
    counts: Counts,
    last_call: LastCall,
    /// The last batch was not taken.
    is_failing: AtomicBool,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Exporter {
    pub fn new(
        client: Client,
        endpoint: String,
        timeout: Duration,
        resource: &Resource,
        counts: Counts,
        last_call: LastCall,
    ) -> Self {
        Self {
            client,
            endpoint,
            timeout,
            resource: resource.into(),
            counts,
            last_call,
            is_failing: AtomicBool::new(false),
        }
    }

    /// Sends a batch and returns how many of its spans the receiver rejected.
    fn send(&self, batch: Vec<SpanData>) -> Result<u64, String> {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = self.client.packed(ExportTraceServiceRequest { resource_spans }.encode_to_vec());
        let (began, mut wait) = (Instant::now(), FIRST_WAIT);
        loop {
            let last = self.last_call.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let left = self.timeout.saturating_sub(began.elapsed()).min(last.unwrap_or(Duration::MAX));
            if left.is_zero() {
                return Err("the time was over before it could be asked".to_owned());
            }
            let (why, after) = match self.client.post(&body, left) {
                Ok(answer) => return Ok(rejected(&answer)),
                Err(Failure::Final(why)) => return Err(why),
                Err(Failure::Passing(why, after)) => (why, after),
            };
            let pause = pause(wait, after, fastrand::f64());
            if began.elapsed() + pause >= self.timeout || !self.last_call.wait(pause) {
                return Err(why);
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Says when trouble starts and when it ends.
    fn tell(&self, result: &Result<u64, String>) {
        let trouble = match result {
            Ok(0) => None,
            Ok(rejected) => Some(format!("rejected {rejected} spans of a batch")),
            Err(why) => Some(why.clone()),
        };
        match (trouble, self.is_failing.load(Ordering::Relaxed)) {
            (Some(why), false) => {
                tracing::warn!(
                    event = "spans_fail",
                    "the receiver of spans, {}: {why}; the work goes on",
                    self.endpoint
                );
            }
            (None, true) => tracing::info!(event = "spans_succeed", "the receiver of spans takes them again"),
            _ => return,
        }
        self.is_failing.fetch_xor(true, Ordering::Relaxed);
    }
}

/// How long to wait before the next try: as long as it is its turn, give or take a fifth by `chance` (0 to 1), and never shorter than
/// the receiver asked for. One that asks for no wait at all, gets it nevertheless.
fn pause(turn: Duration, asked: Option<Duration>, chance: f64) -> Duration {
    turn.mul_f64(0.8 + 0.4 * chance).max(asked.unwrap_or_default().min(LONGEST_ASKED))
}

/// How many spans an answer says were rejected. One that is no answer of OTLP rejects none: its status said so.
fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportTraceServiceResponse::decode(answer).unwrap_or_default();
    answer.partial_success.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or(0))
}

impl SpanExporter for Exporter {
    // Blocks: the thread is there for nothing else.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        self.counts.begin(spans);
        let result = self.send(batch);
        let rejected = result.as_ref().map_or(spans, |rejected| usize::try_from(*rejected).unwrap_or(spans));
        self.counts.end(spans, rejected);
        self.tell(&result);
        result.map(|_| ()).map_err(OTelSdkError::InternalFailure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receiver_can_lengthen_a_wait_and_never_shorten_it() {
        let seconds = Duration::from_secs;
        for (asked, chance, expected) in [
            (None, 0.5, seconds(10)),
            (None, 0.0, seconds(8)),
            (Some(seconds(0)), 0.0, seconds(8)),
            (Some(seconds(9)), 0.0, seconds(9)),
            (Some(seconds(100)), 1.0, seconds(100)),
            (Some(Duration::MAX), 1.0, LONGEST_ASKED),
        ] {
            assert_eq!(pause(seconds(10), asked, chance), expected, "{asked:?}");
        }
    }
}
