//! What calls of language models leave: answers to use again, and what was spent.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, OptionalExtension as _, params};
use tempograph_core::{
    Error, ErrorKind, Result,
    vlm::{AnswerCache, Finish, KnownAnswer, SpendLedger, Spending, Usage},
};

use crate::library::{database, store_error};

/// Share of the room that is left full when answers have to go, so that not every further one pushes one out.
const KEPT_SHARE: f64 = 0.9;
/// Bytes of a row besides its text, about.
const ROW_BYTES: usize = 160;

/// Answers and spending in the library's database, over a connection of its own.
#[derive(Debug)]
pub struct ModelBooks {
    connection: Mutex<Connection>,
    max_bytes: u64,
}

impl ModelBooks {
    /// The books of the library under `root`; of answers, `max_bytes` are kept.
    ///
    /// # Errors
    /// As [`crate::Library::open`].
    pub fn open(root: &Path, max_bytes: u64) -> Result<Self> {
        Ok(Self { connection: Mutex::new(database(root)?), max_bytes })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Every write is one statement or a transaction, so a panic leaves nothing half done.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Filtered => "filtered",
    }
}

fn finish_of(name: &str) -> Result<Finish> {
    [Finish::Stop, Finish::Length, Finish::Filtered].into_iter().find(|f| finish_name(*f) == name).ok_or_else(|| {
        Error::new(ErrorKind::InvalidData, format!("an answer that is kept ends in an unknown way: {name}"))
    })
}

fn count(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn usage_of(row: &rusqlite::Row<'_>, from: usize) -> rusqlite::Result<Usage> {
    let tokens = |i| row.get::<_, i64>(i).map(|n| u64::try_from(n).unwrap_or_default());
    Ok(Usage { tokens_in: tokens(from)?, tokens_cached: tokens(from + 1)?, tokens_out: tokens(from + 2)? })
}

impl AnswerCache for ModelBooks {
    fn answer(&self, key: &str) -> Result<Option<KnownAnswer>> {
        let failed = store_error("read an answer");
        let connection = self.connection();
        let row = connection
            .query_row(
                "UPDATE answer SET used = (SELECT max(used) + 1 FROM answer) WHERE key = ?1
                 RETURNING text, finish, tokens_in, tokens_cached, tokens_out",
                [key],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, usage_of(row, 2)?)),
            )
            .optional()
            .map_err(&failed)?;
        row.map(|(text, finish, usage)| Ok(KnownAnswer { text, finish: finish_of(&finish)?, usage })).transpose()
    }

    fn remember(&self, key: &str, answer: &KnownAnswer) -> Result<()> {
        let bytes = (answer.text.len() + key.len() + ROW_BYTES) as u64;
        if bytes > self.max_bytes {
            return Ok(());
        }
        let failed = store_error("keep an answer");
        let mut connection = self.connection();
        let transaction =
            connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(&failed)?;
        transaction
            .execute(
                "INSERT INTO answer (key, text, finish, tokens_in, tokens_cached, tokens_out, bytes, used)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT coalesce(max(used), 0) + 1 FROM answer))
                 ON CONFLICT (key) DO NOTHING",
                params![
                    key,
                    answer.text,
                    finish_name(answer.finish),
                    count(answer.usage.tokens_in),
                    count(answer.usage.tokens_cached),
                    count(answer.usage.tokens_out),
                    count(bytes)
                ],
            )
            .map_err(&failed)?;
        let total: i64 = transaction
            .query_row("SELECT coalesce(sum(bytes), 0) FROM answer", [], |row| row.get(0))
            .map_err(&failed)?;
        if total > count(self.max_bytes) {
            let kept = (self.max_bytes as f64 * KEPT_SHARE) as i64;
            // The one that was just written stays, however large.
            transaction
                .execute(
                    "DELETE FROM answer WHERE key <> ?2 AND key IN (SELECT key FROM
                       (SELECT key, sum(bytes) OVER (ORDER BY used DESC) AS so_far FROM answer) WHERE so_far > ?1)",
                    params![kept, key],
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }
}

impl SpendLedger for ModelBooks {
    fn spent_usd(&self, day: u32) -> Result<f64> {
        self.connection()
            .query_row("SELECT coalesce(sum(cost_usd), 0.0) FROM spending WHERE day = ?1", [day], |row| row.get(0))
            .map_err(store_error("read what was spent"))
    }

    fn calls(&self, day: u32, model: &str) -> Result<u64> {
        self.connection()
            .query_row("SELECT count(*) FROM spending WHERE day = ?1 AND model = ?2", params![day, model], |row| {
                row.get::<_, i64>(0)
            })
            .map(|n| u64::try_from(n).unwrap_or_default())
            .map_err(store_error("read what was spent"))
    }

    fn book(&self, spending: &Spending) -> Result<()> {
        self.connection()
            .execute(
                "INSERT INTO spending (id, day, model, tokens_in, tokens_cached, tokens_out, cost_usd)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO NOTHING",
                params![
                    spending.id,
                    spending.day,
                    spending.model,
                    count(spending.usage.tokens_in),
                    count(spending.usage.tokens_cached),
                    count(spending.usage.tokens_out),
                    spending.cost_usd
                ],
            )
            .map_err(store_error("book what was spent"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Library;

    fn answer(text: &str) -> KnownAnswer {
        KnownAnswer {
            text: text.to_owned(),
            finish: Finish::Stop,
            usage: Usage { tokens_in: 5, tokens_cached: 1, tokens_out: 2 },
        }
    }

    #[test]
    fn an_answer_comes_back_as_it_was_and_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let books = ModelBooks::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(books.answer("k").unwrap(), None);
        books.remember("k", &answer("a \"dog\"\0")).unwrap();
        books.remember("k", &answer("another")).unwrap();
        drop(books);
        let books = ModelBooks::open(dir.path(), 1 << 20).unwrap();
        assert_eq!(books.answer("k").unwrap(), Some(answer("a \"dog\"\0")));
        // The library itself opens beside it.
        Library::open(dir.path()).unwrap();
    }

    #[test]
    fn answers_that_were_not_used_for_longest_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let row = ROW_BYTES + 1000 + 2;
        let books = ModelBooks::open(dir.path(), (row * 10) as u64).unwrap();
        let text = "x".repeat(1000);
        for n in 10..20 {
            books.remember(&n.to_string(), &answer(&text)).unwrap();
        }
        assert!(books.answer("10").unwrap().is_some(), "all ten have room, and the first is used now");
        books.remember("20", &answer(&text)).unwrap();
        let left: Vec<_> = (10..=20).filter(|n| books.answer(&n.to_string()).unwrap().is_some()).collect();
        assert_eq!(left, [10, 13, 14, 15, 16, 17, 18, 19, 20]);
        books.remember("too large", &answer(&"x".repeat(row * 10))).unwrap();
        assert_eq!(books.answer("too large").unwrap(), None);
    }

    #[test]
    fn what_is_booked_twice_is_spent_once() {
        let dir = tempfile::tempdir().unwrap();
        let books = ModelBooks::open(dir.path(), 0).unwrap();
        let spending = |id: &str, day, model: &str, cost_usd| Spending {
            id: id.to_owned(),
            day,
            model: model.to_owned(),
            usage: Usage::default(),
            cost_usd,
        };
        for entry in [
            spending("1", 7, "a", 0.5),
            spending("1", 7, "a", 0.5),
            spending("2", 7, "b", 0.25),
            spending("3", 8, "a", 4.0),
        ] {
            books.book(&entry).unwrap();
        }
        assert_eq!(
            (books.spent_usd(7).unwrap(), books.spent_usd(8).unwrap(), books.spent_usd(9).unwrap()),
            (0.75, 4.0, 0.0)
        );
        assert_eq!(
            (books.calls(7, "a").unwrap(), books.calls(7, "b").unwrap(), books.calls(9, "a").unwrap()),
            (1, 1, 0)
        );
    }
}
