//! Where a fault happens: the brokers, the load that runs, and chance.

use fastrand::Rng;

use super::bench::Bench;
use super::load::Load;

/// Where a fault happens.
pub struct Scene<'a> {
    /// The brokers and the programs.
    pub bench: &'a Bench,
    /// The load that runs.
    pub load: &'a mut Load,
    /// Chance, by the seed.
    pub rng: Rng,
}
