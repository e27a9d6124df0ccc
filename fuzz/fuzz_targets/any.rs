//! Every target of `cargo xtask fuzz`; the first byte of an input chooses which.

#![no_main]

use xtask::fuzz::TARGETS;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some((first, rest)) = bytes.split_first() {
        TARGETS[usize::from(*first) % TARGETS.len()].run(rest);
    }
});
