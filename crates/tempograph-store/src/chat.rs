//! Conversations about videos, kept turn by turn.

use rusqlite::{TransactionBehavior, params};
use tempograph_core::{Error, ErrorKind, Result};
use tempograph_pipeline::chat::Turn;

use crate::{Library, library::store_error};

/// Turns that a session keeps; older ones are dropped.
const KEPT: i64 = 200;

impl Library {
    /// The last turns of `session` about the video `video`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn turns(&self, video: &str, session: &str, limit: usize) -> Result<Vec<Turn>> {
        let failed = store_error("read a conversation");
        let connection = self.connection();
        let mut statement = connection
            .prepare(
                "SELECT question, reply FROM chat_turn WHERE video = ?1 AND session = ?2 ORDER BY id DESC LIMIT ?3",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map(params![video, session, limit.min(KEPT as usize) as i64], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .map_err(&failed)?;
        let mut turns = Vec::new();
        for row in rows {
            let (question, reply) = row.map_err(&failed)?;
            // An answer of another version is not looked back on; the rest is.
            if let Ok(reply) = serde_json::from_str(&reply) {
                turns.push(Turn { question, reply });
            }
        }
        turns.reverse();
        Ok(turns)
    }

    /// Adds `turn` to `session` about the video `video`, which the library must know.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn add_turn(&self, video: &str, session: &str, turn: &Turn) -> Result<()> {
        let reply = serde_json::to_string(&turn.reply)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("an answer cannot be written as JSON: {e}")))?;
        let failed = store_error("keep a conversation");
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        transaction
            .execute(
                "INSERT INTO chat_turn (video, session, question, reply) VALUES (?1, ?2, ?3, ?4)",
                params![video, session, turn.question, reply],
            )
            .map_err(&failed)?;
        transaction
            .execute(
                "DELETE FROM chat_turn WHERE video = ?1 AND session = ?2 AND id <=
                     (SELECT id FROM chat_turn WHERE video = ?1 AND session = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
                params![video, session, KEPT],
            )
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    /// Forgets `session` about the video `video`; how many turns that were.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn forget_turns(&self, video: &str, session: &str) -> Result<usize> {
        self.connection()
            .execute("DELETE FROM chat_turn WHERE video = ?1 AND session = ?2", [video, session])
            .map_err(store_error("forget a conversation"))
    }
}

#[cfg(test)]
mod tests {
    use tempograph_pipeline::chat::Reply;

    use super::*;

    #[test]
    fn a_conversation_is_kept_bounded_and_apart() {
        let dir = tempfile::tempdir().unwrap();
        let library = Library::open(dir.path()).unwrap();
        library.put_video("v", "a.mp4").unwrap();
        let turn =
            |i: i64| Turn { question: format!("q{i}"), reply: Reply { text: i.to_string(), ..Reply::default() } };
        for i in 0..KEPT + 5 {
            library.add_turn("v", "one", &turn(i)).unwrap();
        }
        library.add_turn("v", "two", &turn(0)).unwrap();
        let last = library.turns("v", "one", 2).unwrap();
        assert_eq!(last, [turn(KEPT + 3), turn(KEPT + 4)]);
        let all = library.turns("v", "one", 10_000).unwrap();
        assert_eq!((all.len() as i64, &all[0].question[..]), (KEPT, "q5"));
        assert_eq!(library.forget_turns("v", "one").unwrap() as i64, KEPT);
        assert!(library.turns("v", "one", 9).unwrap().is_empty());
        assert_eq!(library.turns("v", "two", 9).unwrap().len(), 1);
        assert!(library.add_turn("nobody", "one", &turn(0)).is_err(), "a video that is not there");
    }
}
