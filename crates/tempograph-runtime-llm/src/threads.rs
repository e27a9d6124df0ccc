//! How many processor threads a computation gets.
//!
//! The library's threads wait for each other by spinning. One that has no core to itself holds all others up: on a
//! contended machine two threads were measured to write fifteen times slower than one. So a computation takes the
//! cores that are free when it begins, not those that exist.

use std::{fs, thread, time::Duration};

/// Looks at the run queue.
const LOOKS: usize = 5;
/// Pause between two looks: long enough that they differ, short beside any answer.
const PAUSE: Duration = Duration::from_millis(4);

/// Cores that this process may use.
pub(crate) fn cores() -> u32 {
    thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX))
}

/// Threads for a computation that begins now: the free cores, at least 1 and at most `most`.
pub(crate) fn free(most: u32) -> u32 {
    let mut looks: Vec<u32> = Vec::with_capacity(LOOKS);
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(PAUSE);
        }
        looks.extend(fs::read_to_string("/proc/loadavg").ok().and_then(|text| running(&text)));
    }
    looks.sort_unstable();
    // This thread itself is running whenever it looks.
    let others = looks.get(looks.len() / 2).map_or(0, |n| n.saturating_sub(1));
    cores().saturating_sub(others).clamp(1, most.max(1))
}

/// Threads that run or wait for a core, from Linux's `/proc/loadavg` (`0.20 0.18 0.12 1/80 11206`).
fn running(text: &str) -> Option<u32> {
    text.split_whitespace().nth(3)?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_queue_is_read() {
        assert_eq!(running("0.20 0.18 0.12 3/80 11206\n"), Some(3));
        assert_eq!(running("nonsense"), None);
    }

    #[test]
    fn there_is_always_one_thread_and_never_more_than_asked_for() {
        assert_eq!(free(1), 1);
        assert_eq!(free(0), 1);
        assert!((1..=cores()).contains(&free(u32::MAX)));
    }
}
