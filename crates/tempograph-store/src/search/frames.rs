//! Frames found by text: vectors of pictures in a space of their own, one file a model.
//!
//! They lie beside the vectors of texts and are never compared with them. What counts as a match is the model's own:
//! the smallest cosine comes with the question.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params, params_from_iter, types::Value};
use tempograph_core::{Error, ErrorKind, FrameVector, MediaTime, Result, Span};

use super::{
    Kind, Query,
    index::Space,
    vectors::{MAX_DIMS, VectorFile},
};
use crate::{Library, VideoRecord, library::store_error};

/// Two frames of one video closer than this are one moment: whoever begins at the better one sees both.
const APART: MediaTime = MediaTime::from_millis(10_000);
/// Frames that are looked up for one question at most, 10 µs each. Most of those that match stand beside a better one.
const LOOKED_UP: usize = 1000;

/// The question as the text tower of an image embedder puts it.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameQuestion {
    /// The image embedder. Frames that another one saw are not searched.
    pub space: Space,
    /// A unit vector.
    pub vector: Vec<f32>,
    /// Smallest cosine at which a frame shows what is asked for; the scale is each model's own.
    pub min_cosine: f32,
}

/// A frame that shows what is asked for.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) video: VideoRecord,
    pub(super) span: Span,
    pub(super) cosine: f32,
}

impl Library {
    /// Keeps what the video `video` looks like from when to when, in place of what the same model saw before.
    ///
    /// # Errors
    /// When a vector is not of the space's length, the video is not known, or the library cannot be written.
    pub fn put_frames(&self, video: &str, space: &Space, frames: &[(Span, FrameVector)]) -> Result<()> {
        if !(1..=MAX_DIMS).contains(&space.dims) || frames.iter().any(|(_, f)| f.vector.len() != space.dims) {
            let message = format!("vectors of frames are not of {} numbers each", space.dims);
            return Err(Error::new(ErrorKind::InvalidData, message));
        }
        let failed = store_error("keep vectors of frames");
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let id: i64 = transaction
            .query_row(
                "INSERT INTO frame_space (model, dims) VALUES (?1, ?2)
                 ON CONFLICT (model, dims) DO UPDATE SET dims = dims RETURNING id",
                params![space.model, space.dims as i64],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        // Places that are free by now; those of the rows that go must stay as they are until they are gone for good.
        let mut holes: Vec<i64> = {
            let mut statement = transaction
                .prepare("SELECT position FROM frame_hole WHERE space = ?1 ORDER BY position DESC LIMIT ?2")
                .map_err(&failed)?;
            let rows = statement.query_map([id, frames.len() as i64], |row| row.get(0)).map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)?
        };
        let mut end: i64 = transaction
            .query_row(
                "SELECT 1 + max(coalesce((SELECT max(position) FROM frame WHERE space = ?1), -1),
                                coalesce((SELECT max(position) FROM frame_hole WHERE space = ?1), -1))",
                [id],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        transaction
            .execute("DELETE FROM frame WHERE space = ?1 AND video = ?2", params![id, video])
            .map_err(&failed)?;
        let mut placed: Vec<(u64, Vec<f32>)> = Vec::with_capacity(frames.len());
        for (span, frame) in frames {
            let position = match holes.pop() {
                Some(hole) => {
                    transaction
                        .prepare_cached("DELETE FROM frame_hole WHERE space = ?1 AND position = ?2")
                        .and_then(|mut s| s.execute([id, hole]))
                        .map_err(&failed)?;
                    hole
                }
                None => {
                    end += 1;
                    end - 1
                }
            };
            transaction
                .prepare_cached("INSERT INTO frame (space, video, starts, ends, position) VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut s| s.execute(params![id, video, span.start.nanos(), span.end.nanos(), position]))
                .map_err(&failed)?;
            placed.push((position as u64, frame.unit()));
        }
        // The file first: what the database names must be there.
        file(self, space).write(placed.iter().map(|(position, vector)| (*position, vector.as_slice())))?;
        transaction.commit().map_err(&failed)
    }

    /// Length of the vectors of frames that `model` (its SHA-256) saw; `None` when there are none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn frame_dims(&self, model: &str) -> Result<Option<usize>> {
        let dims: Option<i64> = self
            .connection()
            .query_row(
                "SELECT dims FROM frame_space WHERE model = ?1
                 AND EXISTS (SELECT 1 FROM frame WHERE space = frame_space.id)",
                [model],
                |row| row.get(0),
            )
            .optional()
            .map_err(store_error("read the index"))?;
        Ok(dims.map(|dims| dims.clamp(0, MAX_DIMS as i64) as usize))
    }

    /// At most `wanted` frames that show what is asked for, closest first, no two of them one moment.
    pub(super) fn by_looks(&self, connection: &Connection, query: &Query, wanted: usize) -> Result<Vec<Seen>> {
        let Some(question) = query.frames.as_ref().filter(|_| lets(query)) else { return Ok(Vec::new()) };
        let failed = store_error("search frames");
        let space: Option<i64> = connection
            .prepare_cached("SELECT id FROM frame_space WHERE model = ?1 AND dims = ?2")
            .and_then(|mut s| {
                s.query_row(params![question.space.model, question.space.dims as i64], |row| row.get(0)).optional()
            })
            .map_err(&failed)?;
        let Some(space) = space.filter(|_| question.vector.len() == question.space.dims) else {
            return Ok(Vec::new());
        };
        let scores = file(self, &question.space).scores(&question.vector)?;
        // A video's own frames are listed by an index; what lies in a stretch of time is cheaper to see one by one.
        let mut allowed = if query.videos.is_empty() { None } else { narrowed(connection, space, query)? };
        let mut near: Vec<(usize, f32)> =
            scores.into_iter().enumerate().filter(|(_, score)| *score >= question.min_cosine).collect();
        near.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let mut row = connection
            .prepare_cached(
                "SELECT frame.video, video.uri, starts, ends FROM frame JOIN video ON video.id = frame.video
                 WHERE space = ?1 AND position = ?2",
            )
            .map_err(&failed)?;
        let mut found: Vec<Seen> = Vec::new();
        let mut starts: HashMap<String, Vec<MediaTime>> = HashMap::new();
        let mut looked_up = 0;
        for (position, cosine) in near {
            if allowed.as_ref().is_some_and(|a| !a.contains(&(position as i64))) {
                continue;
            }
            if looked_up == LOOKED_UP && allowed.is_none() {
                allowed = narrowed(connection, space, query)?;
            }
            if found.len() >= wanted || looked_up >= LOOKED_UP * if allowed.is_some() { 2 } else { 1 } {
                break;
            }
            looked_up += 1;
            // A place without a frame: its record outlived it.
            let Some((video, span)) = row
                .query_row(params![space, position as i64], |row| {
                    let time = |i: usize| row.get(i).map(MediaTime::from_nanos);
                    Ok((VideoRecord { id: row.get(0)?, uri: row.get(1)? }, Span::new(time(2)?, time(3)?)))
                })
                .optional()
                .map_err(&failed)?
            else {
                continue;
            };
            let ends_too_early = query.from.is_some_and(|from| span.end <= from);
            if ends_too_early || query.to.is_some_and(|to| span.start >= to) {
                continue;
            }
            let of_video = starts.entry(video.id.clone()).or_default();
            if of_video.iter().all(|start| start.abs_diff(span.start) >= APART) {
                of_video.push(span.start);
                found.push(Seen { video, span, cosine });
            }
        }
        Ok(found)
    }
}

/// The file of a space, in a folder apart from those of texts.
fn file(library: &Library, space: &Space) -> VectorFile {
    VectorFile::in_folder(&library.root().join("vectors").join("frames"), &space.model, space.dims)
}

/// Whether the filters let frames through at all: they have no labels, speakers or events.
fn lets(query: &Query) -> bool {
    let kinds = query.kinds.is_empty() || query.kinds.contains(&Kind::Frame);
    kinds && query.labels.is_empty() && query.speakers.is_empty() && query.events.is_empty()
}

/// Positions that the filters by video and time let through; `None` when there are no such filters.
fn narrowed(connection: &Connection, space: i64, query: &Query) -> Result<Option<HashSet<i64>>> {
    let mut sql = "SELECT position FROM frame WHERE space = ?".to_owned();
    let mut values = vec![Value::from(space)];
    if !query.videos.is_empty() {
        sql += &format!(" AND video IN ({})", vec!["?"; query.videos.len()].join(", "));
        values.extend(query.videos.iter().cloned().map(Value::from));
    }
    if let Some(from) = query.from {
        sql += " AND ends > ?";
        values.push(from.nanos().into());
    }
    if let Some(to) = query.to {
        sql += " AND starts < ?";
        values.push(to.nanos().into());
    }
    if values.len() == 1 {
        return Ok(None);
    }
    let failed = store_error("search frames");
    let mut statement = connection.prepare_cached(&sql).map_err(&failed)?;
    let rows = statement.query_map(params_from_iter(values), |row| row.get(0)).map_err(&failed)?;
    rows.collect::<Result<_, _>>().map(Some).map_err(&failed)
}

#[cfg(test)]
mod tests {
    use tempograph_core::Graph;

    use super::*;
    use crate::search::testing::{self, span};

    fn space(model: &str) -> Space {
        Space { model: model.into(), dims: 3 }
    }

    fn library(videos: &[&str]) -> (tempfile::TempDir, Library) {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(dir.path()).unwrap();
        for video in videos {
            library.put_video(video, &format!("{video}.mp4")).unwrap();
            library.put_run(video, "p", &testing::timeline(video), &Graph::default(), &[]).unwrap();
        }
        (dir, library)
    }

    /// Frames every five seconds.
    fn frames(vectors: &[[f32; 3]]) -> Vec<(Span, FrameVector)> {
        let at = |i: usize| span(5.0 * i as f64, 5.0 * (i + 1) as f64);
        vectors.iter().enumerate().map(|(i, v)| (at(i), FrameVector::new(i as u64, v))).collect()
    }

    fn asked(text: &str, vector: [f32; 3]) -> Query {
        let question = FrameQuestion { space: space("eye"), vector: vector.to_vec(), min_cosine: 0.5 };
        Query { frames: Some(question), kinds: vec![Kind::Frame], ..Query::new(text) }
    }

    fn found(library: &Library, query: &Query) -> Vec<(String, f64, f32)> {
        let hits = library.search(query, None).unwrap();
        let shown = |h: &super::super::Hit| {
            (h.video.id.clone(), h.at_s.as_secs_f64(), (h.matches[0].similarity.unwrap() * 100.0).round() / 100.0)
        };
        hits.iter().map(shown).collect()
    }

    const X: [f32; 3] = [1.0, 0.0, 0.0];
    const Y: [f32; 3] = [0.0, 1.0, 0.0];

    #[test]
    fn frames_are_found_by_looks_alone_closest_first_and_moments_apart() {
        let (_dir, library) = library(&["a", "b"]);
        library
            .put_frames("a", &space("eye"), &frames(&[Y, [0.9, 0.1, 0.0], X, [0.8, 0.6, 0.0], [0.6, 0.8, 0.0]]))
            .unwrap();
        library.put_frames("b", &space("eye"), &frames(&[Y, Y, [0.7, 0.7, 0.1]])).unwrap();
        let asked = asked("a red car", X);
        assert_eq!(
            found(&library, &asked),
            [("a".into(), 10.0, 1.0), ("b".into(), 10.0, 0.7), ("a".into(), 20.0, 0.6)]
        );
        let hit = &library.search(&asked, None).unwrap()[0];
        assert_eq!((hit.matches[0].kind, hit.matches[0].why().as_str()), (Kind::Frame, "looks like it 1.00"));
        assert!(hit.matches[0].highlights.is_empty());
        // Beside words, and never where nothing was asked of it.
        let both = Query { kinds: Vec::new(), ..Query { text: "taxi".into(), ..asked.clone() } };
        let kinds: Vec<Kind> = library.search(&both, None).unwrap().iter().map(|h| h.matches[0].kind).collect();
        assert!(kinds.contains(&Kind::Text) && kinds.contains(&Kind::Frame), "{kinds:?}");
        assert!(library.search(&Query { frames: None, ..asked }, None).unwrap().is_empty());
    }

    #[test]
    fn filters_hold_for_frames() {
        let (_dir, library) = library(&["a", "b"]);
        for video in ["a", "b"] {
            library.put_frames(video, &space("eye"), &frames(&[X, Y, X, Y, X])).unwrap();
        }
        let base = asked("a red car", X);
        let times = |query: &Query| found(&library, query).into_iter().map(|f| (f.0, f.1)).collect::<Vec<_>>();
        assert_eq!(times(&base).len(), 6);
        let b = |time: f64| ("b".to_owned(), time);
        let only = Query { videos: vec!["b".into()], ..base.clone() };
        assert_eq!(times(&only), [b(0.0), b(10.0), b(20.0)]);
        let to = MediaTime::from_millis(20_000);
        assert_eq!(
            times(&Query { from: Some(MediaTime::from_millis(5_000)), to: Some(to), ..only.clone() }),
            [b(10.0)]
        );
        for strict in [
            Query { labels: vec!["car".into()], ..base.clone() },
            Query { speakers: vec!["S".into()], ..base.clone() },
            Query { events: vec!["approach".into()], ..base.clone() },
            Query { kinds: vec![Kind::Speech], ..base.clone() },
        ] {
            assert!(times(&strict).is_empty(), "{strict:?}");
        }
    }

    #[test]
    fn spaces_are_never_mixed_and_a_video_is_kept_once() {
        let (_dir, library) = library(&["a"]);
        assert_eq!(library.frame_dims("eye").unwrap(), None);
        library.put_frames("a", &space("eye"), &frames(&[X, Y])).unwrap();
        library.put_frames("a", &space("other"), &frames(&[Y, Y, X])).unwrap();
        assert_eq!(library.frame_dims("eye").unwrap(), Some(3));
        assert_eq!(found(&library, &asked("a car", X)), [("a".into(), 0.0, 1.0)]);
        // Again and again: the newest counts, and places are used again.
        for vectors in [[Y, X], [X, Y], [Y, X]] {
            library.put_frames("a", &space("eye"), &frames(&vectors)).unwrap();
        }
        assert_eq!(found(&library, &asked("a car", X)), [("a".into(), 5.0, 1.0)]);
        let bytes = std::fs::metadata(library.root().join("vectors/frames/eye-3.i8")).unwrap().len();
        assert_eq!(bytes, 4 * 7, "two places for two frames, and two while they change");
        let wrong = Space { dims: 2, ..space("eye") };
        assert_eq!(library.put_frames("a", &wrong, &frames(&[X])).unwrap_err().kind(), ErrorKind::InvalidData);
        let query = Query {
            frames: Some(FrameQuestion { space: wrong, vector: vec![1.0, 0.0], min_cosine: 0.0 }),
            ..asked("a car", X)
        };
        assert!(library.search(&query, None).unwrap().is_empty());
        assert!(library.put_frames("nobody", &space("eye"), &frames(&[X])).is_err());
        // A file that somebody deleted finds nothing until the video is analysed again.
        std::fs::remove_dir_all(library.root().join("vectors/frames")).unwrap();
        assert!(found(&library, &asked("a car", X)).is_empty());
    }
}
