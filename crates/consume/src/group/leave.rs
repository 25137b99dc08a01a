//! Leaving the group. Closing is not leaving: librdkafka sends no LeaveGroup while it is rejoining, which a cooperative member
//! without partitions does after each rebalance; then the group waits for the session timeout. Unsubscribing first ends that.

use std::time::{Duration, Instant};

use rdkafka::consumer::{Consumer, RebalanceProtocol};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::{Change, Event, Group};

/// How long one look at the closing client takes.
const CLOSING: Duration = Duration::from_millis(50);

impl Group<'_> {
    /// Leaves the group and closes the client by the deadline. `false` when that took too long; the client is then left as it
    /// is, as to drop it would wait for the brokers without an end.
    pub fn leave(&mut self, deadline: Instant, moves: impl Fn()) -> bool {
        if self.is_fatal {
            // It would never be closed: there is nothing to leave any more.
            std::mem::forget(std::sync::Arc::clone(&self.consumer));
            return true;
        }
        // An assignment that still waits for offsets: librdkafka waits for it to be taken.
        if !std::mem::take(&mut self.placements).is_empty() {
            let none = TopicPartitionList::new();
            let taken = match self.consumer.rebalance_protocol() {
                RebalanceProtocol::Cooperative => self.consumer.incremental_assign(&none),
                _ => self.consumer.assign(&none),
            };
            if let Err(error) = taken {
                tracing::debug!(event = "close", "{error}");
            }
        }
        if self.settings.subscription.is_group() {
            self.consumer.unsubscribe();
        }
        if let Err(error) = self.consumer.close_queue() {
            tracing::debug!(event = "close", "{error}");
        }
        while !self.consumer.closed() && Instant::now() < deadline {
            // Records that still come are not taken: the next member gets them.
            if let Some(event) = Event::of(self.queue.poll(CLOSING)) {
                let _ = self.note(event);
            }
            while let Some(change) = self.changes.pop_front() {
                let released = match change {
                    Change::Revoke(partitions) => self.release(&partitions),
                    Change::Assign(_) => self.release(&[]),
                };
                if let Err(verdict) = released {
                    tracing::debug!(event = "close", "{verdict}");
                }
            }
            moves();
        }
        if !self.consumer.closed() {
            std::mem::forget(std::sync::Arc::clone(&self.consumer));
            return false;
        }
        true
    }
}
