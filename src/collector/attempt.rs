//! Marking that a panic may end, or that others help with.

use super::mark::Held;
use super::{Collector, Meter};
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
