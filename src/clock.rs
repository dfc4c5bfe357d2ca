//! The clock, where there is one.

use core::fmt;
use core::time::Duration;

use alloc::sync::Arc;

/// Tells the time since some moment: the system's clock, or one that the program supplied.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> Duration + Send + Sync>>);

impl Clock {
    /// A clock that the program supplies.
    pub(crate) fn supplied(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// The time; always the same where there is no clock.
    #[inline]
    pub(crate) fn now(&self) -> Duration {
        match &self.0 {
            Some(now) => now(),
            None => system::now(),
        }
    }

    /// Whether time passes.
    pub(crate) fn runs(&self) -> bool {
        self.0.is_some() || system::RUNS
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "supplied" } else { "the system's" })
    }
}

/// Bare WebAssembly has std but no clock: asking for the time panics there.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod system {
    use std::sync::OnceLock;
    use std::time::{Duration, Instant};

    pub(super) const RUNS: bool = true;

    static START: OnceLock<Instant> = OnceLock::new();

    #[inline]
    pub(super) fn now() -> Duration {
        let now = Instant::now();
        now - *START.get_or_init(|| now)
    }
}

#[cfg(not(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown")))))]
mod system {
    use core::time::Duration;

    pub(super) const RUNS: bool = false;

    pub(super) fn now() -> Duration {
        Duration::ZERO
    }
}

/// Measures one phase after the other.
pub(crate) struct Stopwatch<'a> {
    clock: &'a Clock,
    since: Duration,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(clock: &'a Clock) -> Self {
        Self { clock, since: clock.now() }
    }

    /// The time since the start or the last lap; zero where there is no clock.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = self.clock.now();
        // A clock that the program supplied may run backwards.
        let time = now.saturating_sub(self.since);
        self.since = now;
        time
    }
}
