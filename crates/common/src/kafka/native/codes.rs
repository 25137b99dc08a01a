//! The codes that librdkafka describes, for a test that none of them was forgotten.

use rdkafka::bindings::rd_kafka_get_err_descs;
use rdkafka::error::RDKafkaErrorCode;

/// All codes that librdkafka has a description for.
pub(crate) fn described_codes() -> Vec<RDKafkaErrorCode> {
    let (mut first, mut count) = (std::ptr::null(), 0);
    // SAFETY: both pointers are valid for the call; librdkafka's list is static, and as long as it says.
    let all = unsafe {
        rd_kafka_get_err_descs(&mut first, &mut count);
        std::slice::from_raw_parts(first, count)
    };
    // Between the codes there are holes, and at both ends there are marks.
    all.iter().filter(|row| !row.desc.is_null()).map(|row| row.code.into()).collect()
}

mod tests {
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    use rdkafka::bindings::{rd_kafka_handle_mock_cluster, rd_kafka_mock_push_request_errors_array};
    use rdkafka::client::ClientContext;
    use rdkafka::message::DeliveryResult;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

    use crate::config::Properties;
    use crate::kafka::error::{Class, class, hint, name};

    /// What a delivery report was named and sorted as.
    #[derive(Default)]
    struct Reports(Mutex<Vec<(String, Class)>>);

    impl ClientContext for Reports {}

    impl ProducerContext for Reports {
        type DeliveryOpaque = ();

        fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
            if let Err((error, _)) = result {
                let code = error.rdkafka_error_code().unwrap();
                assert_eq!(hint(code), "");
                self.0.lock().unwrap().push((name(code), class(code)));
            }
        }
    }

    #[test]
    fn a_number_that_librdkafka_does_not_know_is_transient_and_named_by_it() {
        const NEWER: i32 = 119;
        let mut properties = Properties::new();
        properties.fallback("test.mock.num.brokers", "1");
        let producer: BaseProducer<Reports> =
            crate::kafka::client_config(&properties).create_with_context(Reports::default()).unwrap();
        let errors = [NEWER];
        // SAFETY: the client is alive, and so is the cluster that it was made with; the numbers are copied.
        unsafe {
            let cluster = rd_kafka_handle_mock_cluster(producer.client().native_ptr());
            rd_kafka_mock_push_request_errors_array(cluster, 0, errors.len(), errors.as_ptr().cast());
        }
        producer.send(BaseRecord::<(), str>::to("test").payload("x")).map_err(|(error, _)| error).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while producer.context().0.lock().unwrap().is_empty() {
            producer.poll(Duration::from_millis(20));
            assert!(Instant::now() < deadline, "no report");
        }
        assert_eq!(*producer.context().0.lock().unwrap(), [("119".to_owned(), Class::Transient)]);
    }
}
