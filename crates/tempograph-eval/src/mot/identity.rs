//! Identity metrics: one identity for each object over the whole sequence.

use tempograph_core::assign::assign_within;

use super::{PairedFrame, count};

/// Boxes under the best one-to-one naming of identities.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) tp: u64,
    pub(super) fp: u64,
    pub(super) missed: u64,
}

pub(super) fn score(frames: &[PairedFrame], limit: f64) -> Identity {
    let (lives, found) = (count(frames, |f| &f.objects), count(frames, |f| &f.found));
    let mut together = vec![0u64; lives.len() * found.len()];
    for frame in frames {
        for (r, &o) in frame.objects.iter().enumerate() {
            for (c, &h) in frame.found.iter().enumerate() {
                let near = 1.0 - frame.iou[r * frame.found.len() + c] <= limit;
                together[o * found.len() + h] += u64::from(near);
            }
        }
    }
    // Naming a pair saves one miss and one false positive for each frame they share, so the least
    // cost is the most frames shared.
    let costs: Vec<f64> = together.iter().map(|&n| -(n as f64)).collect();
    let pairs = assign_within(&costs, lives.len(), found.len(), 0.0);
    let tp = pairs.iter().enumerate().filter_map(|(o, h)| h.map(|h| together[o * found.len() + h])).sum();
    Identity { tp, fp: found.iter().sum::<u64>() - tp, missed: lives.iter().sum::<u64>() - tp }
}
