//! CLEAR MOT events, in py-motmetrics' reading of them.

use tempograph_core::assign::assign;

use super::{PairedFrame, count};

/// What happened over all frames.
#[derive(Debug, Default)]
pub(super) struct Clear {
    pub(super) objects: u64,
    pub(super) predictions: u64,
    pub(super) unique_objects: u64,
    pub(super) unique_predictions: u64,
    pub(super) matches: u64,
    pub(super) switches: u64,
    pub(super) false_positives: u64,
    pub(super) misses: u64,
    pub(super) fragmentations: u64,
    pub(super) transfer: u64,
    pub(super) ascend: u64,
    pub(super) migrate: u64,
    pub(super) mostly_tracked: u64,
    pub(super) partially_tracked: u64,
    pub(super) mostly_lost: u64,
    pub(super) distance: f64,
}

/// Per object: whether it was matched each time it was there.
type History = Vec<bool>;

pub(super) fn score(frames: &[PairedFrame], limit: f64) -> Clear {
    let (lives, found) = (count(frames, |f| &f.objects), count(frames, |f| &f.found));
    let mut out = Clear {
        objects: lives.iter().sum(),
        predictions: found.iter().sum(),
        unique_objects: lives.len() as u64,
        unique_predictions: found.len() as u64,
        ..Clear::default()
    };
    let mut partner: Vec<Option<usize>> = vec![None; lives.len()];
    // Set only when a pair is first made or changed, not when it is carried on.
    let mut chosen_by: Vec<Option<usize>> = vec![None; found.len()];
    let mut object_matched = vec![false; lives.len()];
    let mut found_matched = vec![false; found.len()];
    let mut history: Vec<History> = lives.iter().map(|&n| Vec::with_capacity(n as usize)).collect();
    for frame in frames {
        let (rows, cols) = (frame.objects.len(), frame.found.len());
        let distance = |r: usize, c: usize| Some(1.0 - frame.iou[r * cols + c]).filter(|&d| d <= limit);
        let mut row_done = vec![false; rows];
        let mut col_done = vec![false; cols];
        for (r, &o) in frame.objects.iter().enumerate() {
            let Some(before) = partner[o] else { continue };
            let Some(c) = (0..cols).find(|&c| !col_done[c] && frame.found[c] == before) else { continue };
            let Some(d) = distance(r, c) else { continue };
            (row_done[r], col_done[c]) = (true, true);
            object_matched[o] = true;
            found_matched[before] = true;
            out.matches += 1;
            out.distance += d;
        }
        let costs: Vec<f64> = (0..rows * cols)
            .map(|i| {
                let (r, c) = (i / cols, i % cols);
                if row_done[r] || col_done[c] { f64::NAN } else { distance(r, c).unwrap_or(f64::NAN) }
            })
            .collect();
        for (r, c) in assign(&costs, rows, cols).into_iter().enumerate() {
            let Some(c) = c else { continue };
            let (o, h) = (frame.objects[r], frame.found[c]);
            if partner[o].is_some_and(|p| p != h) {
                out.switches += 1;
                out.ascend += u64::from(!found_matched[h]);
            } else {
                out.matches += 1;
            }
            if chosen_by[h].is_some_and(|p| p != o) {
                out.transfer += 1;
                out.migrate += u64::from(!object_matched[o]);
            }
            (row_done[r], col_done[c]) = (true, true);
            (object_matched[o], found_matched[h]) = (true, true);
            (partner[o], chosen_by[h]) = (Some(h), Some(o));
            out.distance += costs[r * cols + c];
        }
        for (&o, &done) in frame.objects.iter().zip(&row_done) {
            history[o].push(done);
            out.misses += u64::from(!done);
        }
        out.false_positives += col_done.iter().filter(|&&done| !done).count() as u64;
    }
    for seen in &history {
        let tracked = seen.iter().filter(|&&m| m).count() as f64 / seen.len() as f64;
        match tracked {
            t if t >= 0.8 => out.mostly_tracked += 1,
            t if t >= 0.2 => out.partially_tracked += 1,
            _ => out.mostly_lost += 1,
        }
        out.fragmentations += fragments(seen);
    }
    out
}

/// How often a match is followed by a miss, between the first match and the last.
fn fragments(seen: &[bool]) -> u64 {
    let Some(last) = seen.iter().rposition(|&m| m) else { return 0 };
    seen[..=last].windows(2).filter(|w| w[0] && !w[1]).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_count_returns() {
        let f = |s: &str| fragments(&s.chars().map(|c| c == 'x').collect::<Vec<_>>());
        assert_eq!([f(""), f("..x"), f("x..x.x"), f("xx..")], [0, 0, 2, 0]);
    }
}
