//! How much memory a process uses.

use std::fs;

use serde::{Deserialize, Serialize};

/// Memory of a process, in bytes; 0 where the system does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// Most that was ever resident.
    pub peak: u64,
}

impl Memory {
    /// This process now.
    pub fn now() -> Self {
        fs::read_to_string("/proc/self/status").map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    /// Reads what Linux writes to `/proc/PID/status`, which counts in units of 1024 bytes.
    fn parse(text: &str) -> Self {
        let field = |name: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
        };
        Self { resident: field("VmRSS:").unwrap_or(0), peak: field("VmHWM:").unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_words_are_read() {
        let text = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(Memory::parse(text), Memory { resident: 1 << 20, peak: 2 << 20 });
        assert_eq!(Memory::parse("VmRSS: many"), Memory::default());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_that_is_used_is_seen() {
        let before = Memory::now();
        // Hidden from the optimiser, which otherwise never asks for a block that is read in one place.
        let block = std::hint::black_box(vec![1_u8; 64 << 20]);
        let during = Memory::now();
        assert!(during.resident >= before.resident + (48 << 20), "{before:?} {during:?}");
        assert!(during.peak >= during.resident && block[1] == 1);
    }
}
