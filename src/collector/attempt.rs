//! Marking that a panic may end, or that others help with.

use super::mark::Held;
use super::{Collector, Meter};
#[cfg(gc_zeal)]
use super::{CycleKind, Parts};
#[cfg(gc_zeal)]
use crate::panics::Panics;
use crate::pool::Pool;
use crate::stats::Phase;
use crate::store::{Age, Store};

/// Marking in progress. If a panic drops it before it succeeded, it leaves the pools as between two cycles.
pub(super) struct Attempt<'a> {
    pub(super) store: &'a mut Store,
    pub(super) pools: &'a mut [Pool],
    pub(super) succeeded: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.store.set_marking(false);
            self.pools.iter_mut().for_each(|pool| pool.set_making(self.store, Age::Young));
        }
    }
}

impl Collector {
    /// Marks a little, at an arbitrary moment: zeal mode.
    #[cfg(gc_zeal)]
    pub(crate) fn mark_a_bit<H>(&mut self, parts: &mut Parts<'_, H>) {
        if self.phase == Phase::Mark && self.kind == CycleKind::Major {
            self.phase = Phase::Idle;
            let mut meter =
                Meter::new(crate::config::Budget::Objects(1), parts.clock, core::time::Duration::ZERO);
            let mut panics = Panics::default();
            panics.run_once(|_| {
                let mut attempt = Attempt { store: parts.store, pools: parts.pools, succeeded: false };
                self.marker.mark_a_bit(&self.ops, attempt.store, &mut meter);
                attempt.succeeded = true;
                self.phase = Phase::Mark;
            });
        }
    }

    /// Follows edges beside readers and other markers, if edges may be followed.
    pub(crate) fn help(&self, store: &Store, meter: &mut Meter<'_>) {
        self.marker.help(&self.ops, store, meter);
    }

    /// Whether another thread has done so recently.
    pub(crate) fn expects_help(&self) -> bool {
        self.marker.expects_help()
    }

    /// Keeps such threads from entering, and waits until they have left.
    pub(crate) fn hold(&self) -> Held<'_> {
        self.marker.hold()
    }

    /// Abandons the cycle if a `trace` panicked there.
    #[inline]
    pub(crate) fn give_up_failed(&mut self, store: &mut Store, pools: &mut [Pool]) {
        if self.phase == Phase::Mark && self.marker.has_failed() {
            self.phase = Phase::Idle;
            drop(Attempt { store, pools, succeeded: false });
        }
    }
}
