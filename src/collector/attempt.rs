//! Marking that a panic may end.

use crate::pool::Pool;
use crate::store::{Age, Store};

/// Marking under way. Dropped before it succeeded, by a panic, it leaves the pools as between two cycles.
pub(super) struct Attempt<'a> {
    pub(super) store: &'a mut Store,
    pub(super) pools: &'a mut [Pool],
    pub(super) succeeded: bool,
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.pools.iter_mut().for_each(|pool| pool.set_making(self.store, Age::Young));
        }
    }
}
