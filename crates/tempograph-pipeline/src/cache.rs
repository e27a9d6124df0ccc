//! What a stage has already worked out, kept unit by unit.
//!
//! A **unit** is a stretch of media (or one speech chunk) whose claims are stored together in one
//! atomic step. Whatever kills the process, a stage redoes at most the unit it was in.

use serde_json::Value;
use tempograph_core::{Observation, Result};

/// Everything a stage's claims depend on. Equal identities give equal claims.
#[derive(Clone, Debug, PartialEq)]
pub struct StageIdentity {
    /// BLAKE3 of the video's bytes.
    pub video: String,
    /// Stage name, e.g. `detect`.
    pub stage: String,
    /// Raised by hand whenever the stage's code gives other claims than before.
    pub version: u32,
    /// Parameters that shape the claims.
    pub params: Value,
    /// SHA-256 of each model it runs.
    pub models: Vec<String>,
    /// Keys of the stages whose claims it reads.
    pub inputs: Vec<String>,
}

impl StageIdentity {
    /// The cache key: BLAKE3 over all fields, hexadecimal.
    pub fn key(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.video, &self.stage, &self.version.to_string(), &canonical(&self.params)] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        for list in [&self.models, &self.inputs] {
            hasher.update(&(list.len() as u64).to_le_bytes());
            for item in list {
                hasher.update(&(item.len() as u64).to_le_bytes());
                hasher.update(item.as_bytes());
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Why a stage of this identity cannot reuse the claims of `earlier`, in words.
    pub fn difference(&self, earlier: &Self) -> String {
        let mut reasons = Vec::new();
        if self.version != earlier.version {
            reasons.push(format!("stage code changed from version {} to {}", earlier.version, self.version));
        }
        if self.params != earlier.params {
            let empty = serde_json::Map::new();
            let (new, old) = (self.params.as_object().unwrap_or(&empty), earlier.params.as_object().unwrap_or(&empty));
            let mut names: Vec<_> = new.keys().chain(old.keys()).collect();
            names.sort_unstable();
            names.dedup();
            for name in names {
                let (now, before) = (new.get(name), old.get(name));
                if now != before {
                    let show = |v: Option<&Value>| v.map_or_else(|| "unset".to_owned(), Value::to_string);
                    reasons.push(format!("`{name}` changed from {} to {}", show(before), show(now)));
                }
            }
        }
        if self.models != earlier.models {
            reasons.push("another model".to_owned());
        }
        if self.inputs != earlier.inputs {
            reasons.push("its input stages changed".to_owned());
        }
        if reasons.is_empty() { "same identity".to_owned() } else { reasons.join(", ") }
    }
}

/// JSON with object keys in order, so that equal values give equal text.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            let body: Vec<_> =
                entries.iter().map(|(name, v)| format!("{}:{}", Value::from(name.as_str()), canonical(v))).collect();
            format!("{{{}}}", body.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

/// The stored claims of one unit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unit {
    /// Its claims, in order.
    pub observations: Vec<Observation>,
    /// What the stage needs to go on after it; empty when nothing. Kept for the last unit only.
    pub snapshot: Vec<u8>,
}

/// What the cache holds of a stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StageRecord {
    /// Units stored so far: `0..units`.
    pub units: u64,
    /// Whether the last unit is there.
    pub complete: bool,
    /// Of the last unit.
    pub snapshot: Vec<u8>,
}

/// Where units are kept. Every method is atomic and safe against a kill at any moment.
pub trait StageCache: Send + Sync {
    /// What is there of this stage.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn record(&self, identity: &StageIdentity) -> Result<StageRecord>;

    /// The most recent other identity of the same stage of the same video, to explain a rerun.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn previous(&self, identity: &StageIdentity) -> Result<Option<StageIdentity>>;

    /// Keeps unit `number`; storing the same number again replaces it.
    ///
    /// # Errors
    /// When the store cannot be written, a full disk among the reasons.
    fn append(&self, identity: &StageIdentity, number: u64, unit: &Unit) -> Result<()>;

    /// Marks the stage as whole.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn complete(&self, identity: &StageIdentity) -> Result<()>;

    /// Reads the units in order, one at a time.
    ///
    /// # Errors
    /// When the store cannot be read, or what `visit` returned.
    fn read(&self, identity: &StageIdentity, visit: &mut dyn FnMut(u64, Unit) -> Result<()>) -> Result<()>;
}

/// Where stages keep bytes that are too large for claims, under the hash of their content.
pub trait Objects: Send + Sync {
    /// Keeps `bytes`; returns their key. The same bytes are kept once.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn put(&self, bytes: &[u8]) -> Result<String>;

    /// The bytes under `key`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](tempograph_core::ErrorKind::NotFound) when there are none.
    fn get(&self, key: &str) -> Result<Vec<u8>>;
}

/// What every [`StageCache`] must do; called by the tests of each implementation.
///
/// # Errors
/// What the cache returns.
///
/// # Panics
/// When the cache breaks the contract.
#[doc(hidden)]
pub fn stage_cache_suite(cache: &dyn StageCache) -> Result<()> {
    use tempograph_core::{Claim, MediaTime, Span};
    let identity = StageIdentity {
        video: "v".into(),
        stage: "scenes".into(),
        version: 1,
        params: serde_json::json!({"b": 1, "a": [1.5, "x"]}),
        models: vec!["m".into()],
        inputs: vec![],
    };
    let unit = |n: i64| Unit {
        observations: vec![Observation {
            span: Span::new(MediaTime::from_millis(n), MediaTime::from_millis(n + 1)),
            claim: Claim::SceneScores { frame: n as u64, scores: vec![0.1, f64::from(n as i32) / 3.0] },
        }],
        snapshot: vec![n as u8; 3],
    };
    assert_eq!(cache.record(&identity)?, StageRecord::default(), "nothing is stored at first");
    assert_eq!(cache.previous(&identity)?, None);
    cache.append(&identity, 0, &unit(0))?;
    cache.append(&identity, 1, &unit(7))?;
    cache.append(&identity, 1, &unit(1))?;
    let record = cache.record(&identity)?;
    assert_eq!((record.units, record.complete), (2, false), "a repeated unit replaces the first");
    assert_eq!(record.snapshot, vec![1; 3], "the snapshot is the last unit's");
    cache.complete(&identity)?;
    assert!(cache.record(&identity)?.complete);
    let mut seen = Vec::new();
    cache.read(&identity, &mut |number, unit| {
        seen.push((number, unit.observations));
        Ok(())
    })?;
    let want = vec![(0, unit(0).observations), (1, unit(1).observations)];
    assert_eq!(seen, want, "claims come back equal and in order");
    let other = StageIdentity { params: serde_json::json!({"b": 2}), ..identity.clone() };
    assert_eq!(cache.record(&other)?, StageRecord::default(), "other parameters share nothing");
    assert_eq!(cache.previous(&other)?.as_ref(), Some(&identity));
    assert!(other.difference(&identity).contains("`b` changed from 1 to 2"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_ignores_the_order_of_parameters() {
        let a = StageIdentity {
            video: "v".into(),
            stage: "s".into(),
            version: 1,
            params: serde_json::json!({"x": 1, "y": {"p": 1, "q": 2}}),
            models: vec![],
            inputs: vec![],
        };
        let b = StageIdentity { params: serde_json::json!({"y": {"q": 2, "p": 1}, "x": 1}), ..a.clone() };
        assert_eq!(a.key(), b.key());
        let c = StageIdentity { models: vec!["1".into()], ..a.clone() };
        let d = StageIdentity { inputs: vec!["1".into()], ..a.clone() };
        assert_ne!(c.key(), d.key());
    }
}
