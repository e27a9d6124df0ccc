//! Reading chosen samples of a line, two neighbours at a time.
//!
//! The two taps of a linear filter lie side by side, and so do, or coincide, the chroma samples under them. One load
//! fetches both; which of the two is meant is a choice that vector instructions make.

use multiversion::multiversion;

/// Which samples of a line are wanted, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    /// Where each pair begins.
    starts: Vec<u32>,
    /// For the first and the second of each pair, all bits where the upper sample is meant. The second may be none.
    upper: [Vec<u8>; 2],
    /// Whether the line is a single sample.
    single: bool,
}

impl Pairs {
    /// For `wanted` columns of lines of `width` samples: `first` of them, then perhaps as many that are equal to these or
    /// the next.
    pub(super) fn new(wanted: &[u32], first: usize, width: u32) -> Self {
        let (first, second) = wanted.split_at(first);
        let starts: Vec<u32> = first.iter().map(|&x| x.min(width.saturating_sub(2))).collect();
        let upper = |columns: &[u32]| columns.iter().zip(&starts).map(|(x, s)| if x > s { 255 } else { 0 }).collect();
        let upper = [upper(first), upper(second)];
        Self { starts, upper, single: width < 2 }
    }

    /// Writes the wanted samples of `line` into `out`; `pairs` is scratch.
    pub(super) fn read(&self, line: &[u8], pairs: &mut Vec<u16>, out: &mut Vec<u8>) {
        let n = self.starts.len();
        out.resize(n + self.upper[1].len(), 0);
        if self.single {
            out.fill(line[0]);
            return;
        }
        pairs.clear();
        pairs.extend(self.starts.iter().map(|&s| {
            let pair = &line[s as usize..s as usize + 2];
            u16::from_le_bytes([pair[0], pair[1]])
        }));
        let (first, second) = out.split_at_mut(n);
        for (out, upper) in [first, second].into_iter().zip(&self.upper) {
            choose(pairs, upper, out);
        }
    }
}

/// Takes the lower or the upper sample of each pair.
#[multiversion(targets("x86_64+avx2"))]
fn choose(pairs: &[u16], upper: &[u8], out: &mut [u8]) {
    for ((out, &pair), &upper) in out.iter_mut().zip(pairs).zip(upper) {
        let [low, high] = pair.to_le_bytes();
        *out = low ^ ((low ^ high) & upper);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_sample_is_the_one_that_is_wanted(
            line in prop::collection::vec(any::<u8>(), 1..40),
            columns in prop::collection::vec((0u32..40, any::<bool>()), 0..30),
            taps in 1usize..3,
        ) {
            let width = line.len() as u32;
            let first: Vec<u32> = columns.iter().map(|c| c.0 % width).collect();
            let second = columns.iter().zip(&first).map(|(c, &x)| (x + u32::from(c.1)).min(width - 1));
            let wanted: Vec<u32> = first.iter().copied().chain(second.take(if taps > 1 { first.len() } else { 0 })).collect();
            let (mut scratch, mut out) = (Vec::new(), vec![7; 3]);
            Pairs::new(&wanted, first.len(), width).read(&line, &mut scratch, &mut out);
            let want: Vec<u8> = wanted.iter().map(|&x| line[x as usize]).collect();
            prop_assert_eq!(out, want);
        }
    }
}
