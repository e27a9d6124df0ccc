//! The stage cache in the library's database.

use rusqlite::{OptionalExtension as _, params};
use serde_json::{Value, json};
use tempograph_core::{Error, ErrorKind, Observation, Result};
use tempograph_pipeline::cache::{StageCache, StageIdentity, StageRecord, Unit};

use crate::{Library, library::store_error};

fn invalid(e: &serde_json::Error) -> Error {
    Error::new(ErrorKind::InvalidData, format!("a stored unit is damaged: {e}"))
        .with_hint("run with `--fresh` to work it out again")
}

fn identity_to_json(identity: &StageIdentity) -> String {
    json!({
        "version": identity.version,
        "params": identity.params,
        "models": identity.models,
        "inputs": identity.inputs,
    })
    .to_string()
}

fn identity_from_json(video: &str, stage: &str, text: &str) -> Option<StageIdentity> {
    let value: Value = serde_json::from_str(text).ok()?;
    let strings = |name: &str| -> Option<Vec<String>> {
        value[name].as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect()
    };
    Some(StageIdentity {
        video: video.to_owned(),
        stage: stage.to_owned(),
        version: u32::try_from(value["version"].as_u64()?).ok()?,
        params: value["params"].clone(),
        models: strings("models")?,
        inputs: strings("inputs")?,
    })
}

impl StageCache for Library {
    fn record(&self, identity: &StageIdentity) -> Result<StageRecord> {
        let failed = store_error("read the stage cache");
        let key = identity.key();
        let connection = self.connection();
        let complete: Option<bool> = connection
            .query_row("SELECT complete FROM stage WHERE key = ?1", [&key], |row| row.get(0))
            .optional()
            .map_err(&failed)?;
        let last: Option<(i64, Vec<u8>)> = connection
            .query_row(
                "SELECT number, snapshot FROM unit WHERE stage = ?1 ORDER BY number DESC LIMIT 1",
                [&key],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(&failed)?;
        let (units, snapshot) = last.map_or((0, Vec::new()), |(number, snapshot)| (number as u64 + 1, snapshot));
        Ok(StageRecord { units, complete: complete.unwrap_or(false), snapshot })
    }

    fn previous(&self, identity: &StageIdentity) -> Result<Option<StageIdentity>> {
        let text: Option<String> = self
            .connection()
            .query_row(
                "SELECT identity FROM stage WHERE video = ?1 AND name = ?2 AND key <> ?3
                 ORDER BY started DESC, rowid DESC LIMIT 1",
                params![identity.video, identity.stage, identity.key()],
                |row| row.get(0),
            )
            .optional()
            .map_err(store_error("read the stage cache"))?;
        Ok(text.and_then(|t| identity_from_json(&identity.video, &identity.stage, &t)))
    }

    fn append(&self, identity: &StageIdentity, number: u64, unit: &Unit) -> Result<()> {
        let failed = store_error("keep a stage's unit");
        let mut claims = String::new();
        for observation in &unit.observations {
            claims.push_str(&serde_json::to_string(observation).map_err(|e| invalid(&e))?);
            claims.push('\n');
        }
        let key = identity.key();
        let mut connection = self.connection();
        let transaction = connection.transaction().map_err(&failed)?;
        transaction
            .execute(
                "INSERT INTO stage (key, video, name, identity) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO NOTHING",
                params![key, identity.video, identity.stage, identity_to_json(identity)],
            )
            .map_err(&failed)?;
        transaction
            .execute(
                "INSERT OR REPLACE INTO unit (stage, number, claims, snapshot) VALUES (?1, ?2, ?3, ?4)",
                params![key, number as i64, claims, unit.snapshot],
            )
            .map_err(&failed)?;
        // A run goes on from the last unit: what the earlier ones ended with is never asked for again.
        transaction
            .execute(
                "UPDATE unit SET snapshot = x'' WHERE stage = ?1 AND number < ?2 AND length(snapshot) > 0",
                params![key, number as i64],
            )
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }

    fn complete(&self, identity: &StageIdentity) -> Result<()> {
        self.connection()
            .execute(
                "INSERT INTO stage (key, video, name, identity, complete) VALUES (?1, ?2, ?3, ?4, 1)
                 ON CONFLICT (key) DO UPDATE SET complete = 1",
                params![identity.key(), identity.video, identity.stage, identity_to_json(identity)],
            )
            .map_err(store_error("finish a stage"))?;
        Ok(())
    }

    fn read(&self, identity: &StageIdentity, visit: &mut dyn FnMut(u64, Unit) -> Result<()>) -> Result<()> {
        let failed = store_error("read the stage cache");
        let key = identity.key();
        let mut next = 0_i64;
        loop {
            // One unit a query, so that `visit` may use the library too.
            let row: Option<(i64, String, Vec<u8>)> = self
                .connection()
                .query_row(
                    "SELECT number, claims, snapshot FROM unit WHERE stage = ?1 AND number >= ?2
                     ORDER BY number LIMIT 1",
                    params![key, next],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .optional()
                .map_err(&failed)?;
            let Some((number, claims, snapshot)) = row else { return Ok(()) };
            let observations = claims
                .lines()
                .map(serde_json::from_str::<Observation>)
                .collect::<Result<_, _>>()
                .map_err(|e| invalid(&e))?;
            visit(number as u64, Unit { observations, snapshot })?;
            next = number + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use tempograph_pipeline::cache::stage_cache_suite;

    use super::*;

    #[test]
    fn the_library_is_a_stage_cache() {
        let dir = tempfile::tempdir().unwrap();
        stage_cache_suite(&Library::open(dir.path()).unwrap()).unwrap();
    }
}
