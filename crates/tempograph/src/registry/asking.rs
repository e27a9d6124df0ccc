//! The models that are asked: named in chains, built once, behind the router.

use std::sync::Arc;

use tempograph_core::{
    Issue, Result,
    timeline::Run,
    vlm::{ModelCall, Vlm},
};
use tempograph_remote::{
    meter::{Meter, SpendLimits},
    router::{CallRecords, SystemClock, Task},
};

use super::Registry;
use crate::settings::Settings;

/// What the models that are asked share.
pub(super) struct Asking {
    records: Arc<CallRecords>,
    meter: Arc<Meter>,
}

impl Asking {
    pub(super) fn new(settings: &Settings) -> Self {
        let limits = SpendLimits {
            video_usd: settings.cost_video_usd.map(|usd| usd.0),
            day_usd: settings.cost_day_usd.map(|usd| usd.0),
            alert_share: settings.cost_alert_share.0,
        };
        Self { records: Arc::default(), meter: Meter::new(limits, None, Arc::new(SystemClock)) }
    }
}

impl Registry {
    /// The model for `task`, as the settings name it: a chain behind the router. `None` when none is named and none
    /// is here.
    ///
    /// # Errors
    /// When a model that is named cannot be used.
    pub(crate) fn model(&self, _task: Task) -> Result<Option<Arc<dyn Vlm>>> {
        Ok(None)
    }

    /// From here on calls are counted for another video.
    pub(crate) fn begin_video(&self) {
        self.asking.records.take();
        self.asking.meter.begin_video();
    }

    /// What models were asked since this was last called, and what came near its limit.
    pub(crate) fn calls(&self) -> (Vec<ModelCall>, Vec<Issue>) {
        (self.asking.records.take(), self.asking.meter.take_alerts())
    }

    /// Writes what models were asked into the account of a run.
    pub(crate) fn account(&self, run: &mut Run, issues: &mut Vec<Issue>) {
        let (calls, alerts) = self.calls();
        for call in &calls {
            run.tokens_in += call.usage.tokens_in;
            run.tokens_out += call.usage.tokens_out;
            run.cost_usd += call.cost_usd;
        }
        run.calls.extend(calls);
        issues.extend(alerts);
    }
}
