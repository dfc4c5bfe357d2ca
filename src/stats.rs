//! Numbers that a heap and its collections report: plain data.

use core::time::Duration;

/// What a heap holds and has done so far, from [`Heap::stats`](crate::Heap::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeapStats {
    /// Objects alive, those that no collection has found dead yet included.
    pub objects: usize,
    /// Bytes in their slots: values, headers of 8 bytes and padding.
    pub bytes: usize,
    /// Pages of 64 KiB that hold memory.
    pub pages: usize,
    /// [`Root`](crate::Root)s that have not been dropped.
    pub roots: usize,
    /// Collections that ran to their end.
    pub collections: u64,
    /// Objects ever allocated.
    pub allocated: u64,
    /// Objects freed, by collections and by `destroy`.
    pub freed: u64,
    /// Times that a collection held up the program.
    pub pauses: u64,
}

/// What one collection did, from [`Heap::collect`](crate::Heap::collect).
///
/// The times are zero where there is no clock (without the feature `std`, and on bare WebAssembly).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectStats {
    /// Objects reached from the roots.
    pub marked: usize,
    /// Objects living after the sweep.
    pub kept: usize,
    /// Objects freed.
    pub freed: usize,
    /// Bytes in the slots of the freed.
    pub freed_bytes: usize,
    /// Entries removed from weak collections.
    pub pruned: usize,
    /// Callbacks, finalizers and queue tags that the deaths set off.
    pub notified: usize,
    /// Time to mark.
    pub mark_time: Duration,
    /// Time to prune weak collections.
    pub prune_time: Duration,
    /// Time to sweep.
    pub sweep_time: Duration,
    /// Time in destructors.
    pub drop_time: Duration,
    /// Time in callbacks and finalizers.
    pub notify_time: Duration,
}

impl CollectStats {
    /// This collection and the one after it, which a callback asked for, as one.
    pub(crate) fn then(&self, next: &CollectStats) -> CollectStats {
        CollectStats {
            marked: next.marked,
            kept: next.kept,
            freed: self.freed + next.freed,
            freed_bytes: self.freed_bytes + next.freed_bytes,
            pruned: self.pruned + next.pruned,
            notified: self.notified + next.notified,
            mark_time: self.mark_time + next.mark_time,
            prune_time: self.prune_time + next.prune_time,
            sweep_time: self.sweep_time + next.sweep_time,
            drop_time: self.drop_time + next.drop_time,
            notify_time: self.notify_time + next.notify_time,
        }
    }
}
