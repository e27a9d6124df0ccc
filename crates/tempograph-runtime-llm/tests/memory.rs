//! What the parent keeps of a local model. Alone in its program, so that no other test's memory is counted.

#[expect(dead_code, reason = "shared with the tests that ask more")]
#[path = "local/support.rs"]
mod support;

use tempograph_runtime_llm::{LocalVlm, Memory};

use self::support::{answer, ask, frames, nano, text};

/// What the allocator may keep of the pictures that were put together: threads have arenas of their own.
#[cfg(target_os = "linux")]
const ARENAS: u64 = 8 << 20;

#[cfg(target_os = "linux")]
#[test]
fn all_memory_comes_back() {
    let model = LocalVlm::new(nano("qwen3-vl")).unwrap();
    let cycle = || {
        answer(&model, ask(vec![frames(8), text("What?")], 32)).unwrap();
        let during = (Memory::now().resident, model.memory());
        model.unload();
        (during, Memory::now().resident)
    };
    let before = Memory::now().resident;
    let (during, after) = cycle();
    let later: Vec<_> = (0..3).map(|_| cycle().1).collect();
    eprintln!("parent {before}, {} during, {after} after, then {later:?}; child {:?}", during.0, during.1);
    assert!(during.1.peak >= during.1.resident && during.1.resident > 8 << 20, "{during:?}");
    let bound = (before as f64 * 1.05) as u64 + ARENAS;
    assert!(after <= bound && later.iter().all(|l| *l <= bound), "{before} -> {after}, {later:?}");
}
