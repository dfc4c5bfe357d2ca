//! Time during which this thread was running: time in which other processes had the core does not count.
//!
//! The state in which they leave the caches does count, and so does what a hypervisor takes. The works run on
//! one thread.

use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Runs from its creation on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    start: Timespec,
}

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Self {
        Self { start: clock_gettime(ClockId::ThreadCPUTime) }
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime) - self.start;
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}
