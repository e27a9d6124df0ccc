//! The suite that every back end passes. Alone in its program, so that no other test's calls are taken for its own.

#[expect(dead_code, reason = "shared with the tests that ask more")]
#[path = "local/support.rs"]
mod support;

use std::{fs, sync::Arc};

use tempograph_core::vlm::Vlm;
use tempograph_remote::conformance::{Subject, vlm_suite};
use tempograph_runtime_llm::{LocalOptions, LocalVlm};

use self::support::{nano, smollm2};

/// Whether any thread of this process works for a call of a local model. The child is kept on purpose and then waits.
fn calls_running() -> bool {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks.map(|t| fs::read_to_string(t.path().join("comm")).unwrap_or_default()).any(|name| name.trim() == "llm-call")
}

fn holds(options: &LocalOptions) {
    let model: Arc<dyn Vlm> = Arc::new(LocalVlm::new(options.clone()).expect("the checkpoint is there"));
    vlm_suite(&|| Subject { model: Arc::clone(&model), secret: None, busy: Box::new(calls_running) });
}

#[cfg(target_os = "linux")]
#[test]
fn local_models_pass_the_suite() {
    holds(&nano("qwen2.5-vl"));
    holds(&nano("qwen3-vl"));
    if let Some(options) = smollm2() {
        holds(&options);
    }
}
