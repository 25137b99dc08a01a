//! The headers of a message: the stamp that ties it to its run, in front of its own.

use common::stamp;
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

    /// The headers of one message; `None` when it has none, which saves librdkafka an allocation.
    pub fn wrap(&mut self, sequence: u64, sent_us: i64, message: &Message) -> Option<OwnedHeaders> {
        let own = message.headers().count();
        let mut list = match &mut self.stamp {
            None if own == 0 => return None,
            None => OwnedHeaders::new_with_capacity(own),
            Some(stamp) => {
                let value = Some(stamp.write(sequence, sent_us, message.key(), message.value()));
                OwnedHeaders::new_with_capacity(own + 1).insert(Header { key: stamp::HEADER, value })
            }
        };
        for (key, value) in message.headers() {
            list = list.insert(Header { key, value });
        }
        Some(list)
    }
}
