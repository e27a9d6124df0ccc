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
    done.sort_by(|a, b| {
        let key = |t: &[Sight<'_>]| t.first().map(|s| (s.time, s.bbox.x1, s.bbox.y1));
        key(a).partial_cmp(&key(b)).unwrap_or(std::cmp::Ordering::Equal)
    });
    done
}

/// Brings the parts of one person's face together and drops what was seen too briefly to be anybody's: `owners` names the
/// person's track of each face, of which nobody has two at a time.
pub(super) fn settle<'a>(
    faces: Vec<Vec<Sight<'a>>>,
    owners: Vec<Option<u32>>,
    looks: &[Look<'a>],
    options: &FaceOptions,
) -> Vec<(Vec<Sight<'a>>, Option<u32>)> {
    let scene_of = |face: &[Sight<'_>]| face.first().map(|s| looks[s.frame].scene);
    let mut settled: Vec<(Vec<Sight<'a>>, Option<u32>)> = Vec::new();
    for (face, owner) in faces.into_iter().zip(owners) {
        let same = |(other, of): &&mut (Vec<Sight<'a>>, Option<u32>)| {
            owner.is_some() && *of == owner && scene_of(other) == scene_of(&face)
        };
        match settled.iter_mut().find(same) {
            Some((earlier, _)) => {
                earlier.extend(face);
                earlier.sort_by_key(|s| s.time);
            }
            None => settled.push((face, owner)),
        }
    }
    let frames_of = |scene| looks.iter().filter(|l| Some(l.scene) == scene).count();
    settled.retain(|(face, owner)| {
        owner.is_some() || face.len() >= options.min_frames || face.len() >= frames_of(scene_of(face))
    });
    settled
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
