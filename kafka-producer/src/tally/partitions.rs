//! In which partitions a broker has acknowledged something.

/// Partitions, a bit for each: noted with each acknowledgement.
#[derive(Default)]
pub(super) struct Partitions(Vec<u64>);

impl Partitions {
    pub fn insert(&mut self, partition: i32) {
        let Ok(partition) = usize::try_from(partition) else { return };
        let word = partition / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (partition % 64);
    }

    pub fn contains(&self, partition: i32) -> bool {
        let Ok(partition) = usize::try_from(partition) else { return false };
        self.0.get(partition / 64).is_some_and(|word| word & 1 << (partition % 64) != 0)
    }
}
