//! Going back to an earlier state of a heap: what becomes of the collector.

use super::{Collector, next_heap};

impl Collector {
    /// The heap's number among those that collect; zero if it has not collected.
    pub(crate) fn heap_number(&self) -> u32 {
        self.marker.era().now.heap
    }

    /// Goes back to an earlier state of the collector. So that what happened since is never confused with
    /// what happens from here on, the heap gets another number among those that collect, and a new epoch.
    /// Returns the number before and after, for what objects know about the cycles.
    pub(crate) fn go_back(&mut self, then: &Self) -> (u32, u32) {
        let full = self.marker.era().full + 1;
        *self = then.clone();
        let era = self.marker.era_mut();
        let before = era.now.heap;
        if before != 0 {
            era.now.heap = next_heap();
        }
        era.full = full;
        (before, era.now.heap)
    }
}
