//! The headers of a message: the stamp that ties it to its run and the context of its trace, in front of its own.

use common::stamp;
use common::telemetry::traceparent::TRACEPARENT;
use rdkafka::message::{Header, OwnedHeaders};

use crate::source::Message;

/// Puts headers on messages, one after the other.
pub struct Envelope {
    stamp: Option<stamp::Writer>,
}

impl Envelope {
    /// `stamp` is `None` when messages carry no stamp.
    pub fn new(stamp: Option<stamp::Writer>) -> Self {
        Self { stamp }
    }

    /// The headers of one message; `None` when it has none, which saves librdkafka an allocation. `traceparent` replaces the one
    /// that the message brings.
    pub fn wrap(
        &mut self,
        sequence: u64,
        sent_us: i64,
        message: &Message,
        traceparent: Option<&[u8]>,
    ) -> Option<OwnedHeaders> {
        let count = message.headers().count() + usize::from(self.stamp.is_some()) + usize::from(traceparent.is_some());
        if count == 0 {
            return None;
        }
        let mut list = OwnedHeaders::new_with_capacity(count);
        if let Some(stamp) = &mut self.stamp {
            let value = Some(stamp.write(sequence, sent_us, message.key(), message.value()));
            list = list.insert(Header { key: stamp::HEADER, value });
        }
        if traceparent.is_some() {
            list = list.insert(Header { key: TRACEPARENT, value: traceparent });
        }
        for (key, value) in message.headers().filter(|(key, _)| traceparent.is_none() || *key != TRACEPARENT) {
            list = list.insert(Header { key, value });
        }
        Some(list)
    }
}
