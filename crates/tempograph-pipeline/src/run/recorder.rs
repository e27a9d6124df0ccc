//! Journals one stage: claims go into the cache a unit at a time.

use tempograph_core::{Observation, Result, timeline::StageRun};

use crate::{
    cache::{StageCache, StageIdentity, StageRecord, Unit},
    threads::clock::Cost,
};

/// Writes a stage's units in order and counts what it did.
pub(crate) struct Recorder<'a> {
    cache: &'a dyn StageCache,
    identity: StageIdentity,
    found: StageRecord,
    /// The unit being worked on and its claims so far.
    open: Option<(u64, Vec<Observation>)>,
    /// Number after the last unit known.
    next: u64,
    pub(crate) cost: Cost,
    pub(crate) items: u64,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(cache: &'a dyn StageCache, identity: StageIdentity) -> Result<Self> {
        let found = cache.record(&identity)?;
        let next = found.units;
        Ok(Self { cache, identity, found, open: None, next, cost: Cost::default(), items: 0 })
    }

    /// What the stage's claims depend on.
    pub(crate) fn identity(&self) -> &StageIdentity {
        &self.identity
    }

    /// What the cache held when the run began.
    pub(crate) fn found(&self) -> &StageRecord {
        &self.found
    }

    /// Whether `number` begins a new unit while an earlier one is still open.
    pub(crate) fn closes_before(&self, number: u64) -> bool {
        self.open.as_ref().is_some_and(|(open, _)| *open < number)
    }

    /// The claims of unit `number`, to append to.
    pub(crate) fn claims(&mut self, number: u64) -> &mut Vec<Observation> {
        &mut self.open.get_or_insert_with(|| (number, Vec::new())).1
    }

    /// The claims of the open unit, or of one after the last: for what is said at the very end.
    pub(crate) fn last_claims(&mut self) -> &mut Vec<Observation> {
        let next = self.next;
        self.claims(next)
    }

    /// Keeps the open unit.
    pub(crate) fn close(&mut self, snapshot: Vec<u8>) -> Result<()> {
        if let Some((number, observations)) = self.open.take() {
            self.cache.append(&self.identity, number, &Unit { observations, snapshot })?;
            self.next = number + 1;
        }
        Ok(())
    }

    /// Keeps the last unit and marks the stage as whole.
    pub(crate) fn complete(&mut self) -> Result<()> {
        self.close(Vec::new())?;
        self.cache.complete(&self.identity)
    }

    /// The stage's line in the result.
    pub(crate) fn report(&self, failed: bool) -> StageRun {
        let status = if failed {
            "failed"
        } else if self.found.complete {
            "cached"
        } else if self.found.units > 0 {
            "resumed"
        } else {
            "done"
        };
        StageRun {
            name: self.identity.stage.clone(),
            status: status.to_owned(),
            cached: self.found.complete && !failed,
            wall_s: self.cost.wall.as_secs_f64(),
            cpu_s: self.cost.cpu.as_secs_f64(),
            items: self.items,
        }
    }
}
