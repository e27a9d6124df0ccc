//! Higher order tracking accuracy (Luiten et al., IJCV 2021), as TrackEval computes it.

use std::collections::HashMap;

use tempograph_core::assign::assign;

use super::{PairedFrame, count};

/// Means over the localisation thresholds .05, .10, … .95.
#[derive(Debug, Default)]
pub(super) struct Hota {
    pub(super) hota: f64,
    pub(super) deta: f64,
    pub(super) assa: f64,
    pub(super) loca: f64,
}

const THRESHOLDS: usize = 19;

pub(super) fn score(frames: &[PairedFrame]) -> Hota {
    let (lives, found) = (count(frames, |f| &f.objects), count(frames, |f| &f.found));
    let alignment = alignment(frames, &lives, &found);
    let mut tp = [0u64; THRESHOLDS];
    let mut near = [0.0f64; THRESHOLDS];
    let mut together: Vec<HashMap<(usize, usize), u64>> = vec![HashMap::new(); THRESHOLDS];
    for frame in frames {
        let (rows, cols) = (frame.objects.len(), frame.found.len());
        let costs: Vec<f64> = (0..rows * cols)
            .map(|i| {
                let (o, h) = (frame.objects[i / cols], frame.found[i % cols]);
                -alignment[o * found.len() + h] * frame.iou[i]
            })
            .collect();
        for (r, c) in assign(&costs, rows, cols).into_iter().enumerate() {
            let Some(c) = c else { continue };
            let iou = frame.iou[r * cols + c];
            for (a, together) in together.iter_mut().enumerate() {
                if iou < threshold(a) - f64::EPSILON {
                    break;
                }
                tp[a] += 1;
                near[a] += iou;
                *together.entry((frame.objects[r], frame.found[c])).or_default() += 1;
            }
        }
    }
    let (objects, predictions): (u64, u64) = (lives.iter().sum(), found.iter().sum());
    let mut out = Hota::default();
    for a in 0..THRESHOLDS {
        let mut pairs: Vec<_> = together[a].iter().collect();
        pairs.sort_unstable();
        let shared: f64 =
            pairs.iter().map(|&(&(o, h), &n)| (n * n) as f64 / ((lives[o] + found[h] - n).max(1)) as f64).sum();
        let assa = shared / tp[a].max(1) as f64;
        let deta = tp[a] as f64 / (objects + predictions - tp[a]).max(1) as f64;
        out.hota += (assa * deta).sqrt();
        out.deta += deta;
        out.assa += assa;
        out.loca += near[a].max(1e-10) / (tp[a] as f64).max(1e-10);
    }
    let n = THRESHOLDS as f64;
    Hota { hota: out.hota / n, deta: out.deta / n, assa: out.assa / n, loca: out.loca / n }
}

fn threshold(a: usize) -> f64 {
    0.05 * (a as f64 + 1.0)
}

/// How well each object and identity go together over the sequence, 0 to 1.
fn alignment(frames: &[PairedFrame], lives: &[u64], found: &[u64]) -> Vec<f64> {
    let mut shared = vec![0.0; lives.len() * found.len()];
    for frame in frames {
        let cols = frame.found.len();
        let by_row: Vec<f64> = frame.iou.chunks(cols.max(1)).map(|row| row.iter().sum()).collect();
        let by_col: Vec<f64> = (0..cols).map(|c| frame.iou.iter().skip(c).step_by(cols).sum()).collect();
        for (i, &iou) in frame.iou.iter().enumerate() {
            let (r, c) = (i / cols, i % cols);
            let whole = by_row[r] + by_col[c] - iou;
            if whole > f64::EPSILON {
                shared[frame.objects[r] * found.len() + frame.found[c]] += iou / whole;
            }
        }
    }
    for (i, s) in shared.iter_mut().enumerate() {
        *s /= lives[i / found.len()] as f64 + found[i % found.len()] as f64 - *s;
    }
    shared
}
