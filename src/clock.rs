//! The clock, where there is one.

use core::time::Duration;

/// Bare WebAssembly has std but no clock: asking for the time panics there.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod backend {
    pub(super) type Moment = std::time::Instant;

    pub(super) fn now() -> Moment {
        std::time::Instant::now()
    }
}

#[cfg(not(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown")))))]
mod backend {
    #[derive(Clone, Copy)]
    pub(super) struct Moment;

    impl core::ops::Sub for Moment {
        type Output = core::time::Duration;

        fn sub(self, _: Moment) -> core::time::Duration {
            core::time::Duration::ZERO
        }
    }

    pub(super) fn now() -> Moment {
        Moment
    }
}

/// Measures one phase after the other.
pub(crate) struct Stopwatch {
    since: backend::Moment,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { since: backend::now() }
    }

    /// The time since the start or the last lap; zero where there is no clock.
    pub(crate) fn lap(&mut self) -> Duration {
        let now = backend::now();
        let time = now - self.since;
        self.since = now;
        time
    }
}
