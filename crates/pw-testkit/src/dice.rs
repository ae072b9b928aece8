//! Numbers that look random and are the same every time.

/// Made from a seed.
pub struct Dice(pub u64);

impl Dice {
    /// Returns a number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Returns one of these.
    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// The same for places of a list.
    pub fn below(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(length.max(1) as u64)).unwrap()
    }
}
