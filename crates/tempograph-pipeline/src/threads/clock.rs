//! What a piece of work cost.

use std::time::{Duration, Instant};

/// Measures wall and processor time of the calling thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

fn thread_cpu() -> Duration {
    #[cfg(unix)]
    {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(t.tv_sec.max(0) as u64, t.tv_nsec.clamp(0, 999_999_999) as u32)
    }
    #[cfg(not(unix))]
    {
        Duration::ZERO
    }
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { wall: Instant::now(), cpu: thread_cpu() }
    }

    /// Adds what has passed since the start to `cost`.
    pub(crate) fn add_to(self, cost: &mut Cost) {
        cost.wall += self.wall.elapsed();
        cost.cpu += thread_cpu().saturating_sub(self.cpu);
    }
}

/// Time spent inside a stage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// Of the stage's own thread and its lanes; a runtime's helper threads are not in it.
    pub(crate) cpu: Duration,
}
