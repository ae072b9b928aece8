//! Random numbers that are the same on every machine and in every release.

/// SplitMix64: small, and good enough to shuffle files.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `sides`; 0 when there are none.
    pub(crate) fn below(&mut self, sides: usize) -> usize {
        let sides = sides as u64;
        usize::try_from(self.next().checked_rem(sides).unwrap_or(0)).unwrap_or(0)
    }
}
