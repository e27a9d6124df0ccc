//! The library: every video seen, every run of it, in one SQLite file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};
use tempograph_core::{Cancel, Error, ErrorKind, Graph, Observation, Result, Timeline};
use tempograph_pipeline::cache::Objects as _;

use crate::{FileObjects, VideoLock, search};

/// One migration a step; `user_version` counts those that were run.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_library.sql"),
    include_str!("migrations/0002_search.sql"),
    include_str!("migrations/0003_models.sql"),
    include_str!("migrations/0004_chat.sql"),
    include_str!("migrations/0005_frames.sql"),
    include_str!("migrations/0006_told.sql"),
];

/// The data folder: database, objects, locks.
#[derive(Debug)]
pub struct Library {
    root: PathBuf,
    objects: Arc<FileObjects>,
    // One connection is enough: writes are a few a second, and SQLite has one writer anyway.
    connection: Mutex<Connection>,
}

/// A video the library knows.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VideoRecord {
    /// BLAKE3 of the bytes, hexadecimal.
    pub id: String,
    /// Where it was last read from.
    pub uri: String,
}

/// One run of an analysis.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// Row id.
    pub id: i64,
    /// The fused view.
    pub timeline: Timeline,
    /// Its temporal graph.
    pub graph: Graph,
    /// Detections with track ids, frame by frame.
    pub detections: Vec<Observation>,
}

pub(crate) fn store_error(what: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |e| {
        if let rusqlite::Error::SqliteFailure(cause, _) = &e
            && cause.code == rusqlite::ErrorCode::DiskFull
        {
            return Error::new(ErrorKind::DiskFull, format!("cannot {what}: no space left"))
                .with_hint("free some space, then run the same command again: finished work is kept")
                .with_source(e);
        }
        Error::new(ErrorKind::Store, format!("cannot {what}: {e}")).with_source(e)
    }
}

impl Library {
    /// Opens the library under `root`, making what is missing and bringing an older one up to date.
    ///
    /// # Errors
    /// When the folder cannot be written, or the database is newer than this program.
    pub fn open(root: &Path) -> Result<Self> {
        let connection = database(root)?;
        let objects = Arc::new(FileObjects::open(root.join("objects"))?);
        Ok(Self { root: root.to_owned(), objects, connection: Mutex::new(connection) })
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic while holding the lock leaves SQLite consistent: every write is a transaction.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects beside the database.
    pub fn objects(&self) -> &Arc<FileObjects> {
        &self.objects
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until no other process analyses the video `id`; `waiting` is called once if it must wait.
    ///
    /// # Errors
    /// When the lock cannot be taken, or `cancel` was raised meanwhile.
    pub fn lock(&self, id: &str, cancel: &Cancel, waiting: impl FnOnce()) -> Result<VideoLock> {
        VideoLock::acquire(&self.root.join("locks"), id, cancel, waiting)
    }

    /// Whether some process analyses the video `id` now.
    pub fn is_analysing(&self, id: &str) -> bool {
        VideoLock::is_held(&self.root.join("locks"), id)
    }

    /// Notes that the video `id` was read from `uri`.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_video(&self, id: &str, uri: &str) -> Result<()> {
        self.connection()
            .execute(
                "INSERT INTO video (id, uri) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET uri = excluded.uri",
                params![id, uri],
            )
            .map_err(store_error("note a video"))?;
        Ok(())
    }

    /// Videos, most recent first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn videos(&self) -> Result<Vec<VideoRecord>> {
        let failed = store_error("list videos");
        let connection = self.connection();
        let mut statement =
            connection.prepare("SELECT id, uri FROM video ORDER BY first_seen DESC, rowid DESC").map_err(&failed)?;
        let rows =
            statement.query_map([], |row| Ok(VideoRecord { id: row.get(0)?, uri: row.get(1)? })).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// Keeps the result of a run of the plan `plan` (a hash of what was asked for) and indexes its moments. The same
    /// plan replaces its earlier result.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_run(
        &self,
        video: &str,
        plan: &str,
        timeline: &Timeline,
        graph: &Graph,
        detections: &[Observation],
    ) -> Result<()> {
        let mut lines = Vec::new();
        for observation in detections {
            serde_json::to_writer(&mut lines, observation).map_err(unwritable)?;
            lines.push(b'\n');
        }
        let object = self.objects.put(&lines)?;
        let text = serde_json::to_string(timeline).map_err(unwritable)?;
        let graph = serde_json::to_string(graph).map_err(unwritable)?;
        let failed = store_error("keep a run");
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(&failed)?;
        let run: i64 = transaction
            .query_row(
                "INSERT INTO run (video, plan, timeline, graph, detections) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (video, plan) DO UPDATE SET timeline = excluded.timeline, graph = excluded.graph,
                     detections = excluded.detections, finished = unixepoch('subsec') RETURNING id",
                params![video, plan, text, graph, object],
                |row| row.get(0),
            )
            .map_err(&failed)?;
        search::put(&transaction, run, timeline)?;
        transaction.commit().map_err(&failed)?;
        Ok(())
    }

    /// Keeps another timeline of the run in row `id`: what was decided anew from the same claims.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_timeline(&self, id: i64, timeline: &Timeline) -> Result<()> {
        let timeline = serde_json::to_string(timeline).map_err(unwritable)?;
        self.connection()
            .execute("UPDATE run SET timeline = ?2 WHERE id = ?1", params![id, timeline])
            .map_err(store_error("keep a run"))?;
        Ok(())
    }

    /// The most recent run of the video `id`; with `plan`, of exactly that plan.
    ///
    /// # Errors
    /// When the database cannot be read or holds a result of another version.
    pub fn run(&self, id: &str, plan: Option<&str>) -> Result<Option<RunRecord>> {
        let row: Option<(i64, String, String, String)> = self
            .connection()
            .query_row(
                "SELECT id, timeline, graph, detections FROM run WHERE video = ?1 AND (?2 IS NULL OR plan = ?2)
                 ORDER BY finished DESC, id DESC LIMIT 1",
                params![id, plan],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )
            .optional()
            .map_err(store_error("read a run"))?;
        let Some((id, timeline, graph, object)) = row else { return Ok(None) };
        let timeline = serde_json::from_str(&timeline).map_err(of_another_version)?;
        let graph = serde_json::from_str(&graph).map_err(of_another_version)?;
        let lines = self.objects.get(&object)?;
        let detections = lines
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty())
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()
            .map_err(of_another_version)?;
        Ok(Some(RunRecord { id, timeline, graph, detections }))
    }
}

fn unwritable(e: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("a result cannot be written as JSON: {e}"))
}

fn of_another_version(e: serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidData, format!("a stored run is of another version: {e}"))
        .with_hint("analyse the video again")
}

/// A connection to the database under `root`, made or brought up to date.
pub(crate) fn database(root: &Path) -> Result<Connection> {
    fs::create_dir_all(root)
        .map_err(|e| Error::io("make the data folder", root, e).with_hint("name another folder with `--data`"))?;
    let failed = store_error("open the library");
    let mut connection = Connection::open(root.join("library.db")).map_err(&failed)?;
    connection.busy_timeout(Duration::from_secs(30)).map_err(&failed)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(&failed)?;
    // WAL with NORMAL survives a killed process whole; a power cut may lose the last units.
    connection.pragma_update(None, "synchronous", "normal").map_err(&failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(&failed)?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let failed = store_error("bring the library up to date");
    // IMMEDIATE: two processes that open a new library at once must not both create it.
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(&failed)?;
    let done: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(&failed)?;
    let known = MIGRATIONS.len() as i64;
    if done > known {
        return Err(Error::new(
            ErrorKind::Store,
            format!("the library is of version {done}, this program knows {known}"),
        )
        .with_hint("use a newer tempograph, or another folder with `--data`"));
    }
    for step in &MIGRATIONS[done.max(0) as usize..] {
        transaction.execute_batch(step).map_err(&failed)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(&failed)?;
    transaction.commit().map_err(&failed)
}

#[cfg(test)]
mod tests {
    use tempograph_core::timeline::Video;

    use super::*;

    #[test]
    fn a_run_comes_back_and_the_same_plan_replaces_it() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(dir.path()).unwrap();
        library.put_video("v", "a.mp4").unwrap();
        let mut timeline = Timeline::empty(Video { id: "v".into(), ..Video::default() });
        library.put_run("v", "p", &timeline, &Graph::default(), &[]).unwrap();
        timeline.summary.text = "second".into();
        library.put_run("v", "p", &timeline, &Graph::default(), &[]).unwrap();
        assert_eq!(library.run("v", None).unwrap().unwrap().timeline, timeline);
        assert_eq!(library.run("v", Some("p")).unwrap().unwrap().timeline.summary.text, "second");
        assert!(library.run("v", Some("q")).unwrap().is_none());
        let run = library.run("v", None).unwrap().unwrap();
        timeline.summary.text = "third".into();
        library.set_timeline(run.id, &timeline).unwrap();
        assert_eq!(library.run("v", None).unwrap().unwrap().timeline, timeline);
        assert_eq!(library.videos().unwrap(), vec![VideoRecord { id: "v".into(), uri: "a.mp4".into() }]);
    }

    #[test]
    fn a_newer_library_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        Library::open(dir.path()).unwrap().connection().pragma_update(None, "user_version", 999).unwrap();
        let err = Library::open(dir.path()).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::Store);
        assert!(err.hint().is_some());
    }
}
