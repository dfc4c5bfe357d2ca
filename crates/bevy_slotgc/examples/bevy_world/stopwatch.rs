//! Time without the time in which other programs had the core.
//!
//! On a machine that has other things to do, a frame in which the scheduler ran another program for 4 ms says
//! nothing about this one. Linux reports how long a thread waited for a core; elsewhere all time counts.

use std::fs::File;
use std::io::{Read, Seek};
use std::time::{Duration, Instant};

pub(crate) struct Stopwatch {
    /// Nanoseconds on a core, nanoseconds of waiting for one, and the number of time slices.
    schedstat: Option<File>,
    start: Instant,
    waits_at_start: Duration,
}

/// A measured stretch of time.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Lap {
    /// Time in which this thread ran.
    pub(crate) own: Duration,
    /// Time in which it could have run and did not.
    pub(crate) waited: Duration,
}

impl Stopwatch {
    pub(crate) fn new() -> Self {
        let schedstat = File::open("/proc/thread-self/schedstat").ok();
        Self { schedstat, start: Instant::now(), waits_at_start: Duration::ZERO }
    }

    /// The system call is not part of what is measured.
    pub(crate) fn start(&mut self) {
        self.waits_at_start = self.waits();
        self.start = Instant::now();
    }

    pub(crate) fn stop(&mut self) -> Lap {
        let elapsed = self.start.elapsed();
        let waited = self.waits().saturating_sub(self.waits_at_start).min(elapsed);
        Lap { own: elapsed - waited, waited }
    }

    fn waits(&mut self) -> Duration {
        self.read().map_or(Duration::ZERO, Duration::from_nanos)
    }

    fn read(&mut self) -> Option<u64> {
        let (file, mut text) = (self.schedstat.as_mut()?, [0; 80]);
        file.rewind().ok()?;
        let len = file.read(&mut text).ok()?;
        std::str::from_utf8(&text[..len]).ok()?.split(' ').nth(1)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lap_is_what_passed() {
        let mut watch = Stopwatch::new();
        let start = Instant::now();
        watch.start();
        std::thread::sleep(Duration::from_millis(2));
        let lap = watch.stop();
        assert!(lap.own + lap.waited >= Duration::from_millis(2) && lap.own + lap.waited <= start.elapsed());
    }
}
