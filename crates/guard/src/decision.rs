//! Whether a record is traced: the consumer's decision, once a record. Its reference reads the whole context first, as a propagator
//! would.

use std::hint::black_box;

use common::telemetry::traceparent::Traceparent;
use common::telemetry::{Sampler, Sampling};

/// What a producer writes that does not sample this message.
const HEADER: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

/// By the consumer's own sampler: half of the records have a context, half have none.
pub fn ours(count: u64) {
    let mut sampler = Sampler::new(Sampling { follows_parent: true, ratio: 0.0 });
    for nth in 0..count {
        black_box(sampler.process(black_box(header(nth))));
    }
}

/// By the context of each record, read to its end, and a number drawn for each without one.
pub fn reference(count: u64) {
    let mut sampler = Sampler::new(Sampling { follows_parent: true, ratio: 0.0 });
    for nth in 0..count {
        let parent = black_box(header(nth)).and_then(Traceparent::parse);
        black_box(sampler.send(parent));
    }
}

fn header(nth: u64) -> Option<&'static [u8]> {
    nth.is_multiple_of(2).then_some(HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_decide_the_same() {
        for ratio in [0.0, 1.0] {
            let mut sampler = Sampler::new(Sampling { follows_parent: true, ratio });
            for header in [header(0), header(1)] {
                let parent = header.and_then(Traceparent::parse);
                assert_eq!(sampler.process(header).is_some(), sampler.send(parent).context.sampled);
            }
        }
    }
}
