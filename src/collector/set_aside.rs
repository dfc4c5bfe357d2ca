//! What pruning removed, kept across the slices of a cycle.

use core::mem;

use sync_wrapper::SyncWrapper;

use crate::trace::Discarded;

/// Entries of weak collections that wait for their destructors.
#[derive(Default)]
pub(super) struct SetAside {
    entries: SyncWrapper<Discarded>,
    len: usize,
}

impl SetAside {
    pub(super) fn take(&mut self) -> Discarded {
        mem::take(self.entries.get_mut())
    }

    pub(super) fn put_back(&mut self, entries: Discarded) {
        self.len = entries.len();
        *self.entries.get_mut() = entries;
    }
}

/// Entries cannot be copied, and need not be: their destructors run once.
impl Clone for SetAside {
    fn clone(&self) -> Self {
        Self { entries: SyncWrapper::new(Discarded::of_undone(self.len)), len: self.len }
    }
}
