//! Requests as the mock's brokers see them: which came, and answers that fail or come late.

use std::ffi::c_void;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rdkafka::bindings::{
    rd_kafka_handle_mock_cluster, rd_kafka_mem_free, rd_kafka_mock_broker_push_request_error_rtts,
    rd_kafka_mock_cluster_t, rd_kafka_mock_get_requests, rd_kafka_mock_request_api_key, rd_kafka_mock_request_destroy,
    rd_kafka_mock_set_apiversion, rd_kafka_mock_start_request_tracking,
};
use rdkafka::producer::Producer;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::Mock;

impl Mock {
    /// Lets one broker answer the next `count` requests of a kind after `delay` and with this error, if any.
    #[allow(unsafe_code, reason = "rdkafka does not offer answers of a single broker")]
    pub fn answers(
        &self,
        broker: i32,
        kind: RDKafkaApiKey,
        count: usize,
        error: Option<RDKafkaRespErr>,
        delay: Duration,
    ) -> Result<()> {
        let delay: i32 = delay.as_millis().try_into()?;
        let error = error.map_or(0, |error| error as i32);
        for _ in 0..count {
            // SAFETY: the cluster lives as long as the client; the variable part is one pair of integers, as announced.
            let code = unsafe {
                rd_kafka_mock_broker_push_request_error_rtts(self.native(), broker, kind.into(), 1, error, delay)
            };
            ensure!(code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, "broker {broker}: {code:?}");
        }
        Ok(())
    }

    /// The brokers do not know the group protocol of KIP-848, as those before 4.0.
    #[allow(unsafe_code, reason = "rdkafka has no name for this kind of request")]
    pub fn without_kip848(&self) -> Result<()> {
        const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
        // SAFETY: the cluster lives as long as the client.
        let code = unsafe { rd_kafka_mock_set_apiversion(self.native(), CONSUMER_GROUP_HEARTBEAT, -1, -1) };
        ensure!(code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, "{code:?}");
        Ok(())
    }

    /// Takes note of requests from now on, for [`Mock::wait_for_request`].
    #[allow(unsafe_code, reason = "rdkafka does not offer the requests")]
    pub fn track_requests(&self) {
        // SAFETY: the cluster lives as long as the client.
        unsafe { rd_kafka_mock_start_request_tracking(self.native()) };
    }

    /// Waits until a request of this kind has come since [`Mock::track_requests`].
    pub fn wait_for_request(&self, kind: RDKafkaApiKey, timeout: Duration) -> Result<()> {
        let (kind, deadline): (i16, _) = (kind.into(), Instant::now() + timeout);
        loop {
            let seen = self.requests();
            if seen.contains(&kind) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "no request of kind {kind} came within {timeout:?}, only {seen:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The kinds of all requests that were tracked, in order.
    #[allow(unsafe_code, reason = "rdkafka does not offer the requests")]
    fn requests(&self) -> Vec<i16> {
        let mut count = 0;
        // SAFETY: the list and each of its requests are ours to free, which is done once and after their last use.
        unsafe {
            let list = rd_kafka_mock_get_requests(self.native(), &raw mut count);
            let kinds = (0..count)
                .map(|index| {
                    let request = *list.add(index);
                    let kind = rd_kafka_mock_request_api_key(request);
                    rd_kafka_mock_request_destroy(request);
                    kind
                })
                .collect();
            rd_kafka_mem_free(std::ptr::null_mut(), list.cast::<c_void>());
            kinds
        }
    }

    #[allow(unsafe_code, reason = "rdkafka does not hand out the mock cluster of a client")]
    fn native(&self) -> *mut rd_kafka_mock_cluster_t {
        // SAFETY: the client is alive.
        unsafe { rd_kafka_handle_mock_cluster(self.client.client().native_ptr()) }
    }
}
