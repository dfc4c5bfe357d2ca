//! The clock, where there is one.
//!
//! A clock that the program supplies is user code: it may panic, stand still or run backwards. A [`Timer`]
//! reads it for the duration of one call, never runs backwards, and lets no panic out during a collection.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use alloc::sync::Arc;

use crate::panics::Panics;

/// Returns the time since some moment: the system's clock, or one that the program supplied.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> Duration + Send + Sync>>);

impl Clock {
    /// A clock that the program supplies.
    pub(crate) fn supplied(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Reads the clock for the duration of one call.
    pub(crate) fn timer(&self) -> Timer {
        Timer {
            clock: self.clone(),
            latest: Cell::new(Duration::ZERO),
            panics: RefCell::new(Panics::default()),
        }
    }
}

/// Reads a clock for the duration of one call.
pub(crate) struct Timer {
    clock: Clock,
    /// The latest time read.
    latest: Cell<Duration>,
    /// Those of the clock, to be raised at the end of the call.
    panics: RefCell<Panics>,
}

impl Timer {
    /// The time, never earlier than before; always the same where there is no clock, or when it panics.
    #[inline]
    pub(crate) fn now(&self) -> Duration {
        let now = match &self.clock.0 {
            Some(now) => self.read(&**now),
            None => system::now(),
        };
        self.latest.set(self.latest.get().max(now));
        self.latest.get()
    }

    fn read(&self, now: &dyn Fn() -> Duration) -> Duration {
        let mut time = Duration::ZERO;
        self.panics.borrow_mut().run_contained(|| time = now());
        time
    }

    /// Whether time passes.
    pub(crate) fn runs(&self) -> bool {
        self.clock.0.is_some() || system::RUNS
    }

    /// Moves the clock's first panic to those of the call.
    pub(crate) fn end(self, panics: &mut Panics) {
        panics.append(self.panics.into_inner());
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "supplied" } else { "the system's" })
    }
}

/// Bare WebAssembly has std but no clock: reading the time panics there.
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
    clock: &'a Timer,
    since: Duration,
}

impl<'a> Stopwatch<'a> {
    pub(crate) fn start(clock: &'a Timer) -> Self {
        Self { clock, since: clock.now() }
    }

    /// The time since the start or the last lap; zero where there is no clock.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = self.clock.now();
        let time = now.saturating_sub(self.since);
        self.since = now;
        time
    }
}
