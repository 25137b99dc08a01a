//! From a rate and a size to pods, partitions, brokers, network and log.

use super::costs;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Messages a second.
    pub rate: f64,
    /// Bytes of a value.
    pub bytes: f64,
    /// Copies on the brokers.
    pub replication: f64,
    /// Bytes a second that a broker can write.
    pub broker_writes: f64,
    /// Bytes a second that a partition can take.
    pub partition_writes: f64,
    /// Whether values are logged.
    pub values: bool,
}

/// What it takes.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// Pods of the Job, with a core each.
    pub producers: f64,
    /// Busy cores of them.
    pub producer_cores: f64,
    /// Replicas of the Deployment, with a core each.
    pub consumers: f64,
    /// Busy cores of them.
    pub consumer_cores: f64,
    /// Bytes of all pods at full speed.
    pub memory: f64,
    /// At least so many.
    pub partitions: f64,
    /// Bytes a second on their way to the leaders.
    pub produced: f64,
    /// Bytes a second that all brokers write.
    pub stored: f64,
    /// At least so many.
    pub brokers: f64,
    /// Bytes a second over all links: to leaders, to followers, to consumers.
    pub network: f64,
    /// Bytes a second of record lines.
    pub logged: f64,
}

/// How busy a pod's core may be: what is left is for peaks, and for catching up after a restart.
const BUSY: f64 = 0.6;
/// Partitions for each consumer: room to double the replicas, as a topic's partitions are hard to change.
const SPARE: f64 = 2.0;

/// CPU microseconds to publish one message with headers.
pub fn produce_us(bytes: f64) -> f64 {
    costs::PRODUCE.at(bytes)
}

/// CPU microseconds to log one record; without its value it costs what an empty one costs.
pub fn consume_us(bytes: f64, values: bool) -> f64 {
    if values { costs::CONSUME.at(bytes) } else { costs::CONSUME.at(0.0) + bytes * costs::FETCH_A_BYTE }
}

/// Bytes of a record's line.
pub fn line_bytes(bytes: f64, values: bool) -> f64 {
    let whole = costs::LINE + if values { bytes } else { 0.0 };
    whole.min(kafka_consumer::record_log::DEFAULT_MAX_LINE_BYTES as f64)
}

/// The whole of it.
pub fn need(wanted: &Wanted) -> Need {
    let Wanted { rate, bytes, replication, broker_writes, partition_writes, values } = *wanted;
    let producer_cores = rate * produce_us(bytes) / 1e6;
    let consumer_cores = rate * consume_us(bytes, values) / 1e6;
    let (producers, consumers) = (pods(producer_cores), pods(consumer_cores));
    // Not counting on compression: random bytes do not shrink, and text shrinks by a factor that only a trial tells.
    let produced = rate * (bytes + costs::ENVELOPE);
    let stored = produced * replication;
    Need {
        producers,
        producer_cores,
        consumers,
        consumer_cores,
        memory: producers * costs::PRODUCER_RSS + consumers * costs::CONSUMER_RSS,
        partitions: (consumers * SPARE).max((produced / partition_writes).ceil()),
        produced,
        stored,
        brokers: (stored / broker_writes).ceil().max(replication),
        network: stored + produced,
        logged: rate * line_bytes(bytes, values),
    }
}

fn pods(cores: f64) -> f64 {
    (cores / BUSY).ceil().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far the model may be from what was measured.
    const OFF: f64 = 0.3;

    #[test]
    fn the_costs_meet_the_measured_points() {
        for (bytes, produce, consume) in costs::MEASURED {
            for (what, model, measured) in
                [("produce", produce_us(bytes), produce), ("consume", consume_us(bytes, true), consume)]
            {
                let off = (model / measured - 1.0).abs();
                assert!(off <= OFF, "{what} {bytes} bytes: the model says {model:.2} us, measured {measured:.2}");
            }
        }
    }

    #[test]
    fn the_line_is_as_long_as_measured() {
        let off = (line_bytes(100.0, true) / costs::MEASURED_LINE - 1.0).abs();
        assert!(off < 0.1, "{off}");
    }

    #[test]
    fn more_of_anything_never_needs_less() {
        let of = |rate, bytes| {
            need(&Wanted { rate, bytes, replication: 3.0, broker_writes: 2e8, partition_writes: 1e7, values: true })
        };
        let (small, fast, large) = (of(1e3, 100.0), of(1e6, 100.0), of(1e3, 1e5));
        for (less, more) in [(small, fast), (small, large)] {
            assert!(less.producers <= more.producers && less.consumers <= more.consumers);
            assert!(less.partitions <= more.partitions && less.brokers <= more.brokers);
            assert!(less.network < more.network && less.logged < more.logged);
        }
    }
}
