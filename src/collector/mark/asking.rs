//! When the root source is asked.
//!
//! Its report is one indivisible piece of work: about 2 ns per handle. At the end of marking it is asked
//! again; if less time is left in the step than the last report took, the next step begins with it instead.

use core::mem;
use core::time::Duration;

use super::{MOST_ROOTS, Marker, ROOT_UNIT};
use crate::collector::meter::Meter;
use crate::store::Store;
use crate::trace::RootSource;

/// What is known about the root source.
#[derive(Clone, Copy, Default)]
pub(super) struct Asking {
    /// Whether it was asked in this cycle.
    was_asked: bool,
    /// Whether the next step begins by asking it.
    is_first: bool,
    /// How long its last report took, in a step with a budget of time.
    takes: Duration,
}

impl Asking {
    /// Another cycle begins.
    pub(super) fn begin(&mut self) {
        (self.was_asked, self.is_first) = (false, false);
    }

    /// Whether this step begins by asking it.
    pub(super) fn comes_first(&mut self) -> bool {
        mem::take(&mut self.is_first) || !self.was_asked
    }

    /// Whether there is too little time left to ask it in this step.
    pub(super) fn is_put_off(&mut self, meter: &Meter<'_>) -> bool {
        self.is_first = meter.time_left().is_some_and(|left| left < self.takes);
        self.is_first
    }
}

impl Marker {
    /// Traces some of what it reported at the beginning.
    pub(super) fn trace_reported(&mut self, store: &Store, meter: &mut Meter<'_>) {
        let Some(mut list) = self.side.reported.pop() else { return };
        let (most, mut len) = (meter.quota().saturating_mul(ROOT_UNIT).min(MOST_ROOTS), 0);
        self.trace_with(store, |tracer| len = list.record_last(most, tracer));
        self.side.reported.put_back(list);
        meter.spend(len.div_ceil(ROOT_UNIT));
    }

    /// Asks the root source: for everything at first, then for what is new.
    pub(super) fn ask(&mut self, store: &Store, source: &dyn RootSource, meter: &Meter<'_>) {
        let was_asked = mem::replace(&mut self.asking.was_asked, true);
        let start = meter.is_timed().then(|| meter.clock().now());
        // Where other threads help, they can follow the edges at once.
        let is_first = !was_asked && !self.is_minor && !self.side.gathering;
        self.side.reported.defers = is_first && meter.is_limited() && !self.expects_help();
        self.trace_with(store, |tracer| match was_asked {
            false if !tracer.era().is_minor => source.trace_roots(tracer),
            _ => source.trace_changed_roots(tracer),
        });
        self.side.reported.defers = false;
        if let Some(start) = start {
            self.asking.takes = meter.clock().now().saturating_sub(start);
        }
    }
}
