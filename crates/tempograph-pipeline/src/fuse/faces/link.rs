//! Which faces of neighbouring frames are one face.

use tempograph_core::assign::assign_within;

use super::{FaceOptions, Look, Sight};

/// The faces over time, in order of first appearance, then from left to right.
pub(super) fn link<'a>(looks: &[Look<'a>], options: &FaceOptions) -> Vec<Vec<Sight<'a>>> {
    let mut done: Vec<Vec<Sight<'a>>> = Vec::new();
    let mut open: Vec<Vec<Sight<'a>>> = Vec::new();
    let mut scene = None;
    for look in looks {
        let (over, still): (Vec<_>, Vec<_>) = open.into_iter().partition(|track| {
            let late = track.last().is_none_or(|last| look.span.start - last.time > options.max_gap);
            scene != Some(look.scene) || late
        });
        done.extend(over);
        open = still;
        scene = Some(look.scene);
        let mut costs = Vec::with_capacity(open.len() * look.faces.len());
        for track in &open {
            costs.extend(
                look.faces.iter().map(|face| track.last().map_or(f64::INFINITY, |last| cost(last, face, options))),
            );
        }
        let pairs = assign_within(&costs, open.len(), look.faces.len(), 1.0);
        let mut taken = vec![false; look.faces.len()];
        for (track, pair) in open.iter_mut().zip(pairs) {
            if let Some(column) = pair {
                taken[column] = true;
                track.push(look.faces[column].clone());
            }
        }
        open.extend(look.faces.iter().zip(taken).filter(|(_, taken)| !taken).map(|(face, _)| vec![face.clone()]));
    }
    done.append(&mut open);
    let frames_of = |scene: usize| looks.iter().filter(|l| l.scene == scene).count();
    done.retain(|track| {
        let enough = |first: &Sight<'_>| track.len() >= options.min_frames.min(frames_of(looks[first.frame].scene));
        track.len() >= options.min_frames || track.first().is_some_and(enough)
    });
    done.sort_by(|a, b| {
        let key = |t: &[Sight<'_>]| t.first().map(|s| (s.time, s.bbox.x1, s.bbox.y1));
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    done
}

/// How little two faces look like one, 0 to 1; infinite when they cannot be.
fn cost(a: &Sight<'_>, b: &Sight<'_>, options: &FaceOptions) -> f64 {
    let (wa, wb) = (a.bbox.width(), b.bbox.width());
    let ((ax, ay), (bx, by)) = (a.bbox.center(), b.bbox.center());
    let moved = (ax - bx).hypot(ay - by) / ((wa + wb) / 2.0);
    let ratio = wa.max(wb) / wa.min(wb).max(f32::MIN_POSITIVE);
    // Written so that what is not a number is refused.
    if moved <= options.max_move && ratio <= options.max_ratio {
        f64::from(moved / options.max_move * 0.9)
    } else {
        f64::INFINITY
    }
}
