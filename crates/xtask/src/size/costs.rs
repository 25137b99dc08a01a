//! What was measured, and the costs that the calculator takes from it. Measured again (`cargo xtask bench`, which writes
//! docs/benchmarks.md), the points are replaced here, and a test says whether the costs still meet them.

/// CPU microseconds of a message: a part for each, and a part for each byte of its value.
pub struct Cost {
    each: f64,
    byte: f64,
}

impl Cost {
    /// For a value of so many bytes.
    pub fn at(&self, bytes: f64) -> f64 {
        self.each + self.byte * bytes
    }
}

/// kafka-producer with its defaults and headers.
pub const PRODUCE: Cost = Cost { each: 2.5, byte: 0.00035 };
/// kafka-consumer with its defaults; text values, headers.
pub const CONSUME: Cost = Cost { each: 1.1, byte: 0.00042 };
/// Of [`CONSUME`], what librdkafka takes to fetch a byte.
pub const FETCH_A_BYTE: f64 = 0.0002;

/// Bytes of a value; CPU microseconds to publish and to log it. A producer beside idle cores does with half of that for 100 bytes,
/// one whose broker is busy does not: planned is the latter.
#[cfg(test)]
pub const MEASURED: [(f64, f64, f64); 3] = [(100.0, 2.37, 1.03), (1_000.0, 3.10, 1.62), (100_000.0, 35.0, 42.5)];
/// Bytes of a line with a value of 100 bytes and the stamp as header.
#[cfg(test)]
pub const MEASURED_LINE: f64 = 573.0;

/// Bytes of a line without its value.
pub const LINE: f64 = 506.0;
/// Bytes that Kafka stores for a message beside its value: key, stamp, lengths and times.
pub const ENVELOPE: f64 = 98.0;
/// Bytes of a pod at full speed.
pub const PRODUCER_RSS: f64 = 50e6;
pub const CONSUMER_RSS: f64 = 52e6;
