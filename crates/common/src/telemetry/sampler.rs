//! The decision which messages and records are traced. It is made before anything else, as most are not.

use std::hash::{BuildHasher, RandomState};

use fastrand::Rng;

use super::traceparent::{Traceparent, is_declined};

/// What decides where nobody has decided before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Whether the flag of the context that came with a message decides.
    pub follows_parent: bool,
    /// The part of the traces that begin here: 0 to 1.
    pub ratio: f64,
}

/// Decides, and draws ids. One for each thread that decides: it takes no lock.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    /// A trace is recorded if the upper 63 bits of its id's second half are below this, as OpenTelemetry's other SDKs have it: they
    /// decide alike about the same trace.
    bound: u64,
    rng: Rng,
}

/// The place of a span that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The span itself.
    pub context: Traceparent,
    /// The span that it is a child of, in the process that sent the message.
    pub parent: Option<Traceparent>,
}

impl Sampler {
    /// A sampler whose ids nobody else draws.
    pub fn new(sampling: Sampling) -> Self {
        let bound = (sampling.ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        // The standard library asks the system for the keys of its hashes.
        Self { sampling, bound, rng: Rng::with_seed(RandomState::new().hash_one(std::process::id())) }
    }

    /// The place of the next message's span, recorded or not, for a message that came with this context.
    pub fn send(&mut self, parent: Option<Traceparent>) -> Place {
        let (trace_id, sampled) = match parent {
            Some(parent) if self.sampling.follows_parent => (parent.trace_id, parent.sampled),
            Some(parent) => (parent.trace_id, self.is_below(low(&parent.trace_id))),
            None => {
                let trace_id = self.trace_id();
                (trace_id, self.is_below(low(&trace_id)))
            }
        };
        Place { context: Traceparent { trace_id, span_id: self.span_id(), sampled }, parent }
    }

    /// The place of a record's span, if it is recorded. The flag of the record's `traceparent` decides, or the ratio where there is
    /// none. Most records cost a look at five bytes, or a random number.
    #[inline]
    pub fn process(&mut self, traceparent: Option<&[u8]>) -> Option<Place> {
        match traceparent {
            Some(value) if self.sampling.follows_parent && is_declined(value) => None,
            Some(value) => self.continued(value),
            None => self.begun(),
        }
    }

    /// The place of a span that begins a trace and is recorded because others are.
    pub fn root(&mut self) -> Place {
        let (trace_id, span_id) = (self.trace_id(), self.span_id());
        Place { context: Traceparent { trace_id, span_id, sampled: true }, parent: None }
    }

    fn continued(&mut self, value: &[u8]) -> Option<Place> {
        let Some(parent) = Traceparent::parse(value) else { return self.begun() };
        let place = self.send(Some(parent));
        place.context.sampled.then_some(place)
    }

    fn begun(&mut self) -> Option<Place> {
        let low = self.rng.u64(..);
        if !self.is_below(low) {
            return None;
        }
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&self.drawn());
        trace_id[8..].copy_from_slice(&low.to_be_bytes());
        Some(Place { context: Traceparent { trace_id, span_id: self.span_id(), sampled: true }, parent: None })
    }

    fn is_below(&self, low: u64) -> bool {
        low >> 1 < self.bound
    }

    fn trace_id(&mut self) -> [u8; 16] {
        let mut trace_id = [0; 16];
        trace_id[..8].copy_from_slice(&self.drawn());
        trace_id[8..].copy_from_slice(&self.rng.u64(..).to_be_bytes());
        trace_id
    }

    fn span_id(&mut self) -> [u8; 8] {
        self.drawn()
    }

    /// Random bytes that are not all zero, which no id may be.
    fn drawn(&mut self) -> [u8; 8] {
        self.rng.u64(1..).to_be_bytes()
    }
}

/// The second half of a trace id, as a number.
fn low(trace_id: &[u8; 16]) -> u64 {
    let half = trace_id.last_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(half)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const PARENT: Traceparent = Traceparent { trace_id: [7; 16], span_id: [9; 8], sampled: true };

    fn sampler(follows_parent: bool, ratio: f64) -> Sampler {
        Sampler::new(Sampling { follows_parent, ratio })
    }

    #[test]
    fn the_parents_flag_decides_and_its_trace_goes_on() {
        let mut never = sampler(true, 0.0);
        let place = never.send(Some(PARENT));
        assert_eq!((place.context.trace_id, place.context.sampled), (PARENT.trace_id, true));
        assert_ne!(place.context.span_id, PARENT.span_id);
        assert_eq!(never.process(Some(&PARENT.write())).unwrap().parent, Some(PARENT));
        assert_eq!(never.process(None), None);
        let not = Traceparent { sampled: false, ..PARENT };
        let mut always = sampler(true, 1.0);
        assert!(!always.send(Some(not)).context.sampled);
        assert_eq!(always.process(Some(&not.write())), None);
        assert!(always.process(None).is_some());
    }

    #[test]
    fn without_parent_the_ratio_decides_the_same_in_every_process() {
        let (mut one, mut other) = (sampler(false, 0.5), sampler(false, 0.5));
        let mut sampled = 0;
        for _ in 0..1000 {
            let context = one.send(None).context;
            assert_eq!(other.process(Some(&context.write())).is_some(), context.sampled);
            sampled += u32::from(context.sampled);
        }
        assert!((400..600).contains(&sampled), "{sampled} of 1000");
        assert!(sampler(false, 0.0).process(Some(&PARENT.write())).is_none());
        assert!(sampler(false, 1.0).process(Some(&Traceparent { sampled: false, ..PARENT }.write())).is_some());
    }

    #[test]
    fn a_malformed_context_is_none() {
        let bad = b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01";
        assert_eq!(sampler(true, 1.0).process(Some(bad)).unwrap().parent, None);
        assert_eq!(sampler(true, 1.0).process(Some(b"")).unwrap().parent, None);
        assert_eq!(sampler(true, 0.0).process(Some(bad)), None);
    }

    #[test]
    fn the_ratio_is_met_and_no_id_comes_twice() {
        let mut sampler = sampler(true, 0.01);
        let sampled: Vec<Place> = (0..200_000).filter_map(|_| sampler.process(None)).collect();
        assert!((1_700..2_300).contains(&sampled.len()), "{}", sampled.len());
        let ids: std::collections::HashSet<_> = sampled.iter().map(|place| place.context.trace_id).collect();
        assert_eq!(ids.len(), sampled.len());
    }
}
