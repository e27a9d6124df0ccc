//! What the parent keeps of a local model. Alone in its program, so that no other test's memory is counted.

#[expect(dead_code, reason = "shared with the tests that ask more")]
#[path = "local/support.rs"]
mod support;

use tempograph_runtime_llm::{LocalVlm, Memory};

use self::support::{answer, ask, frames, nano, text};

#[cfg(target_os = "linux")]
#[test]
fn all_memory_comes_back() {
    let model = LocalVlm::new(nano("qwen3-vl")).unwrap();
    // Once before, so that what a process allocates only once is there.
    answer(&model, ask(vec![frames(2), text("What?")], 4)).unwrap();
    model.unload();
    let before = Memory::now().resident;
    for _ in 0..3 {
        answer(&model, ask(vec![frames(8), text("What?")], 32)).unwrap();
    }
    let during = model.memory();
    assert!(during.peak >= during.resident && during.resident > 8 << 20, "{during:?}");
    model.unload();
    let after = Memory::now().resident;
    eprintln!("parent {before} -> {after}, child {during:?}");
    assert!(after as f64 <= before as f64 * 1.05, "{before} -> {after}");
}
