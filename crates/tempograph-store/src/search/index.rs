//! Writing the index: a run's moments beside the run, in its transaction, and vectors beside their phrases.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};
use tempograph_core::{Error, ErrorKind, Result, Timeline};

use super::{
    moments::{Kind, Moment, VERSION, moments},
    vectors::{MAX_DIMS, VectorFile},
    words,
};
use crate::{Library, library::store_error};

/// What vectors are made with: vectors of different models cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// SHA-256 of the model.
    pub model: String,
    /// Length of its vectors.
    pub dims: usize,
}

/// Runs that are indexed before the lock is given to others for a moment.
const RUNS_A_STEP: usize = 16;

/// Puts the moments of the run `run` in place of those it had. Of other runs of the video those kinds are dropped that
/// this one has or looked for in vain: each kind is found in the most recent run that looked for it, where what models
/// tell of objects and events counts apart from what is seen of them.
pub(crate) fn put(transaction: &Transaction<'_>, run: i64, timeline: &Timeline) -> Result<()> {
    let failed = store_error("index a run");
    let before: i64 =
        transaction.query_row("SELECT coalesce(max(id), 0) FROM moment", [], |row| row.get(0)).map_err(&failed)?;
    let all = moments(timeline);
    // What is new comes first, so that a phrase that stays keeps its vector.
    for moment in &all {
        insert(transaction, run, moment).map_err(&failed)?;
    }
    transaction.execute("DELETE FROM moment WHERE run = ?1 AND id <= ?2", [run, before]).map_err(&failed)?;
    let found: BTreeSet<(Kind, bool)> = all.iter().map(|m| (m.kind, m.told)).collect();
    let each = Kind::ALL.into_iter().flat_map(|kind| [(kind, false), (kind, true)]);
    for (kind, told) in
        each.filter(|&(kind, told)| found.contains(&(kind, told)) || kind.looked_for(told, &timeline.run.stages))
    {
        transaction
            .execute(
                "DELETE FROM moment WHERE kind = ?1 AND told = ?2 AND run <> ?3
                 AND run IN (SELECT id FROM run WHERE video = (SELECT video FROM run WHERE id = ?3))",
                params![kind.as_str(), told, run],
            )
            .map_err(&failed)?;
    }
    transaction.execute("UPDATE run SET moments = ?1 WHERE id = ?2", [VERSION, run]).map_err(&failed)?;
    Ok(())
}

fn insert(transaction: &Transaction<'_>, run: i64, moment: &Moment) -> rusqlite::Result<()> {
    let phrase = phrase(transaction, &moment.text)?;
    let details =
        serde_json::to_string(&moment.details).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    transaction
        .prepare_cached(
            "INSERT INTO moment (run, kind, told, starts, ends, phrase, confidence, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            run,
            moment.kind.as_str(),
            moment.told,
            moment.span.start.nanos(),
            moment.span.end.nanos(),
            phrase,
            moment.confidence,
            details
        ])?;
    let id = transaction.last_insert_rowid();
    let mut tags = transaction.prepare_cached("INSERT INTO moment_tag (tag, moment) VALUES (?1, ?2)")?;
    for tag in moment.details.tags() {
        tags.execute(params![tag, id])?;
    }
    Ok(())
}

fn phrase(transaction: &Transaction<'_>, text: &str) -> rusqlite::Result<i64> {
    let known = transaction
        .prepare_cached("SELECT id FROM phrase WHERE text = ?1")?
        .query_row([text], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    transaction
        .prepare_cached("INSERT INTO phrase (text, terms) VALUES (?1, ?2)")?
        .execute([text, &words::terms(text)])?;
    Ok(transaction.last_insert_rowid())
}

impl Library {
    /// Indexes the runs that were kept by an older program, and again those of the same videos that came after them;
    /// how many that were.
    ///
    /// # Errors
    /// When the database cannot be read or written.
    pub fn index_pending(&self) -> Result<usize> {
        let failed = store_error("index the library");
        let any = "SELECT EXISTS (SELECT 1 FROM run WHERE moments < ?1)";
        // As a rule there is none, and then a question must not wait for whoever writes.
        if !self.connection().query_row(any, [VERSION], |row| row.get::<_, bool>(0)).map_err(&failed)? {
            return Ok(0);
        }
        // What is found of a video is what its latest runs say, so the older ones must not be put last.
        self.connection()
            .execute(
                "UPDATE run SET moments = 0 WHERE EXISTS (SELECT 1 FROM run AS older WHERE older.video = run.video
                 AND older.moments < ?1 AND (older.finished, older.id) < (run.finished, run.id)) AND moments >= ?1",
                [VERSION],
            )
            .map_err(&failed)?;
        let mut done = 0;
        loop {
            let mut connection = self.connection();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred).map_err(&failed)?;
            let runs: Vec<(i64, String)> = {
                let mut statement = transaction
                    .prepare("SELECT id, timeline FROM run WHERE moments < ?1 ORDER BY finished, id LIMIT ?2")
                    .map_err(&failed)?;
                let rows = statement
                    .query_map(params![VERSION, RUNS_A_STEP as i64], |row| Ok((row.get(0)?, row.get(1)?)))
                    .map_err(&failed)?;
                rows.collect::<Result<_, _>>().map_err(&failed)?
            };
            if runs.is_empty() {
                return Ok(done);
            }
            for (id, timeline) in &runs {
                // A result of another version cannot be searched; the rest can.
                match serde_json::from_str::<Timeline>(timeline) {
                    Ok(timeline) => put(&transaction, *id, &timeline)?,
                    Err(_) => {
                        transaction
                            .execute("UPDATE run SET moments = ?1 WHERE id = ?2", [VERSION, *id])
                            .map_err(&failed)?;
                    }
                }
            }
            transaction.commit().map_err(&failed)?;
            done += runs.len();
        }
    }

    /// Which of `texts` have no vector of `model` (its SHA-256) yet, by position, each text once.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn without_vector(&self, model: &str, texts: &[&str]) -> Result<Vec<usize>> {
        let failed = store_error("read the index");
        let connection = self.connection();
        let same = self.holds(&connection, model)?;
        let mut statement =
            connection.prepare("SELECT 1 FROM phrase WHERE text = ?1 AND position IS NOT NULL").map_err(&failed)?;
        let mut missing = Vec::new();
        let mut seen = BTreeSet::new();
        for (i, text) in texts.iter().enumerate() {
            if seen.insert(*text) && !(same && statement.exists([text]).map_err(&failed)?) {
                missing.push(i);
            }
        }
        Ok(missing)
    }

    /// At most `limit` texts of the index that have no vector of `model` yet, and how many there are in all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn pending_texts(&self, model: &str, limit: usize) -> Result<(Vec<String>, usize)> {
        let failed = store_error("read the index");
        let connection = self.connection();
        let same = self.holds(&connection, model)?;
        let lacks = if same { "position IS NULL" } else { "TRUE" };
        let count: i64 = connection
            .query_row(&format!("SELECT count(*) FROM phrase WHERE {lacks}"), [], |row| row.get(0))
            .map_err(&failed)?;
        if count == 0 {
            return Ok((Vec::new(), 0));
        }
        let mut statement = connection
            .prepare(&format!("SELECT text FROM phrase WHERE {lacks} ORDER BY id DESC LIMIT ?1"))
            .map_err(&failed)?;
        let texts = statement.query_map([limit as i64], |row| row.get(0)).map_err(&failed)?;
        Ok((texts.collect::<Result<_, _>>().map_err(&failed)?, count as usize))
    }

    /// Keeps vectors of texts. The first of another model drops all of the one before.
    ///
    /// # Errors
    /// When a vector is not of the space's length, or the library cannot be written.
    pub fn put_vectors(&self, space: &Space, vectors: &BTreeMap<&str, Vec<f32>>) -> Result<()> {
        if !(1..=MAX_DIMS).contains(&space.dims) || vectors.values().any(|v| v.len() != space.dims) {
            let message = format!("vectors are not of {} numbers each", space.dims);
            return Err(Error::new(ErrorKind::InvalidData, message));
        }
        let failed = store_error("keep vectors");
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let file = VectorFile::new(self.root(), &space.model, space.dims);
        let anew = current(&transaction)?.as_ref() != Some(space) || !file.exists();
        if anew {
            transaction
                .execute_batch("UPDATE phrase SET position = NULL; DELETE FROM vector_hole; DELETE FROM vector_space;")
                .map_err(&failed)?;
            transaction
                .execute(
                    "INSERT INTO vector_space (id, model, dims) VALUES (1, ?1, ?2)",
                    params![space.model, space.dims as i64],
                )
                .map_err(&failed)?;
        }
        let mut holes: Vec<i64> = {
            let mut statement = transaction
                .prepare("SELECT position FROM vector_hole ORDER BY position DESC LIMIT ?1")
                .map_err(&failed)?;
            let rows = statement.query_map([vectors.len() as i64], |row| row.get(0)).map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)?
        };
        let mut end: i64 = transaction
            .query_row(
                "SELECT 1 + max(coalesce((SELECT max(position) FROM phrase), -1),
                                coalesce((SELECT max(position) FROM vector_hole), -1))",
                [],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        let mut placed: Vec<(u64, &[f32])> = Vec::new();
        for (text, vector) in vectors {
            let id = phrase(&transaction, text).map_err(&failed)?;
            let known: Option<i64> = transaction
                .query_row("SELECT position FROM phrase WHERE id = ?1", [id], |row| row.get(0))
                .map_err(&failed)?;
            if known.is_some() {
                continue;
            }
            let position = match holes.pop() {
                Some(hole) => {
                    transaction.execute("DELETE FROM vector_hole WHERE position = ?1", [hole]).map_err(&failed)?;
                    hole
                }
                None => {
                    end += 1;
                    end - 1
                }
            };
            transaction
                .prepare_cached("UPDATE phrase SET position = ?1 WHERE id = ?2")
                .and_then(|mut s| s.execute([position, id]))
                .map_err(&failed)?;
            placed.push((position as u64, vector));
        }
        // The file first: what the database names must be there.
        file.write(placed.into_iter())?;
        transaction.commit().map_err(&failed)?;
        if anew {
            file.remove_others();
        }
        Ok(())
    }

    /// Whether the vectors are of `model` and still there: somebody may have deleted the file to save space.
    fn holds(&self, connection: &rusqlite::Connection, model: &str) -> Result<bool> {
        let space = current(connection)?.filter(|space| space.model == model);
        Ok(space.is_some_and(|space| VectorFile::new(self.root(), &space.model, space.dims).exists()))
    }
}

/// What the vectors of the library were made with.
pub(super) fn current(connection: &rusqlite::Connection) -> Result<Option<Space>> {
    connection
        .query_row("SELECT model, dims FROM vector_space", [], |row| {
            Ok(Space { model: row.get(0)?, dims: row.get::<_, i64>(1)?.clamp(0, MAX_DIMS as i64) as usize })
        })
        .optional()
        .map_err(store_error("read the index"))
}
