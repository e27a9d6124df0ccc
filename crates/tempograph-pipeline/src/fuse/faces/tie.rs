//! Whose face it is: the person whose upper part it keeps to.

use tempograph_core::{BoxXyxy, MediaTime};

use super::{FaceOptions, Look, Path, Sight};

/// The detector's label of a person.
const PERSON: &str = "person";
/// A person's box this far from the face's time still says where the person is.
const REACH: MediaTime = MediaTime::from_millis(400);

/// The track of the person each face belongs to. Of two faces that claim one person at the same time, the one that lies
/// in its box for more frames gets it.
pub(super) fn owners(
    faces: &[Vec<Sight<'_>>],
    looks: &[Look<'_>],
    paths: &[Path],
    options: &FaceOptions,
) -> Vec<Option<u32>> {
    let mut claims: Vec<(usize, usize, u32, f32)> = Vec::new();
    for (n, sights) in faces.iter().enumerate() {
        let Some(scene) = sights.first().map(|s| looks[s.frame].scene) else { continue };
        for path in paths.iter().filter(|p| p.scene == scene && p.label == PERSON) {
            let boxes: Vec<(&Sight<'_>, BoxXyxy)> =
                sights.iter().filter_map(|s| Some((s, box_at(path, s.time)?))).collect();
            let fits: Vec<f32> = boxes.iter().filter_map(|(s, person)| fit(s.bbox, *person, options)).collect();
            if fits.len() as f64 >= options.tie_share * sights.len() as f64 && !fits.is_empty() {
                claims.push((n, fits.len(), path.track, fits.iter().sum::<f32>() / fits.len() as f32));
            }
        }
    }
    // The longest first, then the best fitting; ids for a fixed order.
    claims.sort_by(|a, b| b.1.cmp(&a.1).then(a.3.total_cmp(&b.3)).then((a.0, a.2).cmp(&(b.0, b.2))));
    let mut owners: Vec<Option<u32>> = vec![None; faces.len()];
    for (face, _, track, _) in claims {
        let meets = |other: usize| {
            let ends = |f: usize| Some((faces[f].first()?.time, faces[f].last()?.time));
            matches!((ends(face), ends(other)), (Some((a, b)), Some((c, d))) if a <= d && c <= b)
        };
        let rival = owners.iter().enumerate().any(|(other, owner)| *owner == Some(track) && meets(other));
        if owners[face].is_none() && !rival {
            owners[face] = Some(track);
        }
    }
    owners
}

/// Where the person was at `time`: the box before or after, whichever is nearer.
fn box_at(path: &Path, time: MediaTime) -> Option<BoxXyxy> {
    let after = path.spots.partition_point(|s| s.time < time);
    let near = [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|i| path.spots.get(i));
    near.min_by_key(|s| s.time.abs_diff(time)).filter(|s| s.time.abs_diff(time) <= REACH).map(|s| s.bbox)
}

/// How far the middle of the face lies from where a person's face is expected, in widths of the box; none when it is no
/// face of this person.
fn fit(face: BoxXyxy, person: BoxXyxy, options: &FaceOptions) -> Option<f32> {
    let (x, y) = face.center();
    let inside = face.intersection_area(person) >= 0.5 * face.area();
    let upper = y <= person.y1 + options.upper * person.height();
    let close = face.height() >= options.close_up * person.height();
    let centred = (x - person.center().0).abs() / person.width().max(1.0);
    (inside && (upper || close)).then_some(centred + (y - person.y1).abs() / person.height().max(1.0) * 0.5)
}
