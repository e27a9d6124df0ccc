//! Mutated inputs: small changes to known ones, now and then spliced together.

/// The longest input.
const MAX_BYTES: usize = 1 << 16;
/// Values that parsers trip over.
const EDGES: &[&[u8]] = &[
    b"\0",
    b"\xff\xff\xff\xff",
    b"-1",
    b"1e999",
    b"NaN",
    b"99999999999999999999",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\"",
    b"[[",
    b"{",
    b"\x7f",
    b"\xc3\x28",
    b"-->",
    b"=",
    b"00:00:00",
];

/// Makes inputs from a corpus.
pub(super) struct Mutator {
    corpus: &'static [&'static [u8]],
    state: u64,
    first: usize,
}

impl Mutator {
    pub(super) fn new(corpus: &'static [&'static [u8]], seed: u64) -> Self {
        Self { corpus, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, first: 0 }
    }

    /// The corpus as it is, then mutations of it.
    pub(super) fn next(&mut self) -> Vec<u8> {
        if let Some(input) = self.corpus.get(self.first) {
            self.first += 1;
            return input.to_vec();
        }
        let mut input = self.corpus[self.below(self.corpus.len())].to_vec();
        for _ in 0..=self.below(8) {
            self.change(&mut input);
        }
        input.truncate(MAX_BYTES);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 => input.truncate(at),
            1 if at < input.len() => input[at] = self.random() as u8,
            2 if at < input.len() => input[at] ^= 1 << self.below(8),
            3 => input.insert(at, self.random() as u8),
            4 if at < input.len() => {
                let end = (at + 1 + self.below(16)).min(input.len());
                input.drain(at..end);
            }
            5 => {
                let edge = EDGES[self.below(EDGES.len())];
                input.splice(at..at, edge.iter().copied());
            }
            6 => {
                let other = self.corpus[self.below(self.corpus.len())];
                let from = self.below(other.len() + 1);
                input.splice(at..at, other[from..].iter().copied());
            }
            _ => {
                let end = (at + self.below(64)).min(input.len());
                let copy = input[at..end].to_vec();
                input.splice(at..at, copy);
            }
        }
    }

    fn below(&mut self, n: usize) -> usize {
        (self.random() % n.max(1) as u64) as usize
    }

    /// xorshift64* (Vigna 2016).
    fn random(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs() {
        let inputs = |seed| {
            let mut mutator = Mutator::new(&[b"one", b"two"], seed);
            (0..100).map(|_| mutator.next()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        assert_eq!(inputs(1)[..2], [b"one".to_vec(), b"two".to_vec()]);
    }
}
