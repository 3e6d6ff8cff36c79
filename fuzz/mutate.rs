//! A small seeded mutator: what a parser meets when the network, or somebody, changes bytes.

/// Makes mutated inputs from a corpus; the same seed makes the same inputs.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// A mutator that starts at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed | 1 }
    }

    /// Where the sequence stands, to name a finding.
    #[must_use]
    pub fn state(&self) -> u64 {
        self.state
    }

    /// One input: a corpus entry with some bytes changed, cut, doubled or joined with another.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.pick(corpus).unwrap_or_default();
        for _ in 0..=self.below(6) {
            self.change(&mut input, corpus);
        }
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => input.truncate(at),
            1 => {
                let byte = self.byte();
                input.insert(at, byte);
            }
            2 => {
                let tail: Vec<u8> = input.iter().skip(at).copied().collect();
                input.extend(tail.iter().take(4_096));
            }
            3 => {
                let other = self.pick(corpus).unwrap_or_default();
                input.truncate(at);
                input.extend(other.iter().skip(at.min(other.len())));
            }
            4 => {
                for byte in input.iter_mut().skip(at).take(4) {
                    *byte = 0xff;
                }
            }
            5 => {
                for byte in input.iter_mut().skip(at).take(2) {
                    *byte = 0;
                }
            }
            _ => {
                let (bit, value) = (self.below(8), self.byte());
                let flip = self.below(2) == 0;
                if let Some(byte) = input.get_mut(at) {
                    *byte = if flip { *byte ^ (1 << bit) } else { value };
                }
            }
        }
    }

    fn pick(&mut self, corpus: &[Vec<u8>]) -> Option<Vec<u8>> {
        let at = self.below(corpus.len());
        corpus.get(at).cloned()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % limit).unwrap_or(0)
    }

    /// xorshift64*.
    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
