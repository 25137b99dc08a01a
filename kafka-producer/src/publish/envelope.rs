//! The headers that tie a message to its run.

use common::kafka::headers;
use rdkafka::message::{Header, OwnedHeaders};

use crate::source::Message;

/// The headers that tie a message to its run, in front of its own.
pub struct Envelope<'a> {
    run_id: Option<&'a str>,
}

impl<'a> Envelope<'a> {
    /// `run_id` is `None` when messages carry no headers of the run.
    pub fn new(run_id: Option<&'a str>) -> Self {
        Self { run_id }
    }

    /// The headers of one message; `None` when it has none, which saves librdkafka an allocation.
    pub fn wrap(&mut self, sequence: u64, sent_us: i64, message: &Message) -> Option<OwnedHeaders> {
        let own = message.headers().count();
        if own == 0 && self.run_id.is_none() {
            return None;
        }
        let mut list = OwnedHeaders::new_with_capacity(own + 3);
        if let Some(run_id) = self.run_id {
            let (mut sequence_text, mut sent_text) = (itoa::Buffer::new(), itoa::Buffer::new());
            list = list
                .insert(Header { key: headers::RUN_ID, value: Some(run_id) })
                .insert(Header { key: headers::SEQUENCE, value: Some(sequence_text.format(sequence)) })
                .insert(Header { key: headers::SENT_US, value: Some(sent_text.format(sent_us)) });
        }
        for (key, value) in message.headers() {
            list = list.insert(Header { key, value });
        }
        Some(list)
    }
}
