//! Time during which this thread was running: time in which other processes had the core does not count.
//!
//! The state in which they leave the caches does count, and so does what a hypervisor takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Whether stopwatches stand still.
static STANDS_STILL: AtomicBool = AtomicBool::new(false);

/// From here on no clock is read: valgrind 3.19 exits when rustix looks for it.
pub(crate) fn stand_still() {
    // One thread.
    STANDS_STILL.store(true, Ordering::Relaxed);
}

/// Runs from its creation on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    start: Option<Timespec>,
}

impl Stopwatch {
    /// Starts.
    pub(crate) fn start() -> Self {
        let is_read = !STANDS_STILL.load(Ordering::Relaxed);
        Self { start: is_read.then(|| clock_gettime(ClockId::ThreadCPUTime)) }
    }

    /// The time since the start.
    pub(crate) fn elapsed(self) -> Duration {
        let Some(start) = self.start else { return Duration::ZERO };
        let time = clock_gettime(ClockId::ThreadCPUTime) - start;
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}
