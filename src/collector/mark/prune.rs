//! Pruning: weak collections lose their dead entries.

use core::cell::RefCell;

use super::{Marker, Scratch, TraceOps};
use crate::handle::RawHandle;
use crate::store::Store;
use crate::trace::{Destroyed, Discarded, During, Era, Liveness, Side, Trace};
use bumpalo::Bump;

/// What pruning needs besides the object.
pub(super) struct Pruning<'a> {
    era: Era,
    building: &'a [RawHandle],
    discarded: &'a RefCell<Discarded>,
    scratch: &'a Bump,
    destroyed: &'a [Destroyed],
    slice: usize,
}

/// The result of pruning one object.
pub(crate) struct Pruned {
    /// Entries removed.
    pub(crate) removed: usize,
    /// Entries visited.
    pub(crate) looked_at: usize,
    is_done: bool,
}

impl Marker {
    /// Continues pruning the weak collections of the next live object that requested it; `None` when all are
    /// pruned.
    pub(crate) fn prune(
        &mut self,
        ops: &[TraceOps],
        store: &mut Store,
        discarded: &RefCell<Discarded>,
        destroyed: &[Destroyed],
        slice: usize,
    ) -> Option<Pruned> {
        let Side { weak_owners, building, era, .. } = &mut self.side;
        let Some(raw) = weak_owners.get(self.pruned_owners).copied() else {
            weak_owners.clear();
            self.pruned_owners = 0;
            self.scratch = Scratch::default();
            return None;
        };
        // Before user code runs, which may panic.
        self.pruned_owners += 1;
        store.set_weak_owner(raw, false);
        let pool = store.pool_of(raw.granule());
        let scratch = self.scratch.0.get_mut();
        scratch.reset();
        let pruning = Pruning { era: *era, building, discarded, scratch, destroyed, slice };
        let pruned = (ops[pool as usize].prune)(store, raw, pruning);
        if !pruned.is_done {
            store.set_weak_owner(raw, true);
            self.pruned_owners -= 1;
        }
        Some(pruned)
    }
}

/// Prunes one object.
pub(super) fn prune<T: Trace>(store: &mut Store, raw: RawHandle, pruning: Pruning<'_>) -> Pruned {
    let Pruning { era, building, discarded, scratch, destroyed, slice } = pruning;
    let pruned = store.with_headers::<T, Pruned>(raw, |object, headers| {
        let live = Liveness::new(headers, During::Collection(era), building, discarded, scratch)
            .in_slices(slice, destroyed);
        object.prune(&live);
        Pruned { removed: live.pruned(), looked_at: live.visited(slice), is_done: !live.is_unfinished() }
    });
    // The program destroyed it.
    pruned.unwrap_or(Pruned { removed: 0, looked_at: 0, is_done: true })
}
