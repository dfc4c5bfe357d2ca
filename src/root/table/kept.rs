//! Going back to an earlier state of a heap: what becomes of its roots. They live outside it and stay as they
//! are; only those whose objects no longer exist resolve to nothing. Entries are used in the same order as
//! before.

use alloc::vec::Vec;

use super::{NONE, RootTable};
use crate::handle::RawHandle;
use crate::root::UNDONE;
use crate::sync::Ordering;

/// The lists of a root table, and which objects had a root.
pub(crate) struct KeptRoots {
    free: Vec<u32>,
    fresh: Vec<u32>,
    used: Vec<(u32, RawHandle)>,
    dropped: u32,
}

impl RootTable {
    /// Whether the entry's object is one of this heap, and none that was undone.
    #[inline(always)]
    pub(in crate::root) fn is_of(&self, heap: u64, index: u32) -> bool {
        // Relaxed: written with `&mut Heap`, and nothing depends on it without the heap.
        self.shown.load(Ordering::Relaxed) == heap || (self.heap == heap && !self.is_undone(index))
    }

    /// Whether the entry's object was undone.
    #[cold]
    pub(in crate::root) fn is_undone(&self, index: u32) -> bool {
        // Relaxed, both: as above.
        self.shown.load(Ordering::Relaxed) == UNDONE
            && self.entries[index as usize].handle.load(Ordering::Relaxed) == RawHandle::NULL.to_bits()
    }

    /// Entries of a list.
    fn listed(&self, first: u32, next: impl Fn(u32) -> u32) -> Vec<u32> {
        let mut listed = Vec::new();
        let mut index = first;
        while (index as usize) < self.entries.count() {
            listed.push(index);
            index = next(index);
        }
        listed
    }

    // Relaxed, all below: making a root needs `&Heap`, and neither of these runs beside that;
    // the free list is pushed to by threads that drop roots, and what is read here of it was published by the
    // load of its head.

    /// Not while roots are made.
    pub(crate) fn keep(&self) -> KeptRoots {
        // Acquire: the entries' `next` as their last owners published them.
        let free = self.free.load(Ordering::Acquire);
        KeptRoots {
            free: self.listed(free, |index| self.entries[index as usize].next.load(Ordering::Relaxed)),
            fresh: self.listed(self.fresh.load(Ordering::Relaxed), |index| {
                self.entries[index as usize].next_fresh.load(Ordering::Relaxed)
            }),
            used: self.in_use().collect(),
            dropped: self.dropped(),
        }
    }

    fn in_use(&self) -> impl Iterator<Item = (u32, RawHandle)> {
        self.entries.iter().filter_map(|(index, entry)| Some((index as u32, self.rooted(entry)?)))
    }

    /// Goes back to what was kept, as far as the roots still exist. `is_alive` tells which objects exist.
    pub(crate) fn go_back(&self, kept: &KeptRoots, is_alive: impl Fn(RawHandle) -> bool) {
        for (index, raw) in self.in_use() {
            if !raw.is_null() && !is_alive(raw) {
                self.entries[index as usize].handle.store(RawHandle::NULL.to_bits(), Ordering::Relaxed);
                self.shown.store(UNDONE, Ordering::Relaxed);
            }
        }
        let used: Vec<_> = self.in_use().collect();
        let stays = |old: &&(u32, RawHandle)| {
            used.binary_search_by_key(&old.0, |new| new.0).is_ok_and(|at| used[at].1 == old.1)
        };
        let gone = kept.used.len() - kept.used.iter().filter(stays).count();
        self.dropped.store(kept.dropped.wrapping_add(gone as u32), Ordering::Relaxed);
        self.relist_fresh(kept, &used);
        self.relist_free(kept);
    }

    /// Lists what was fresh then, and every root since.
    fn relist_fresh(&self, kept: &KeptRoots, used: &[(u32, RawHandle)]) {
        while self.next_fresh().is_some() {}
        let is_new = |new: &&(u32, RawHandle)| {
            kept.used.binary_search_by_key(&new.0, |old| old.0).map_or(true, |at| kept.used[at].1 != new.1)
        };
        // Pushed last, and so visited first.
        let old = kept.fresh.iter().rev().copied().filter(|index| (*index as usize) < self.entries.count());
        for index in used.iter().filter(is_new).map(|new| new.0).chain(old) {
            self.list_fresh(&self.entries[index as usize], index);
        }
    }

    /// Lists those that were free then in their order, and the rest by their numbers.
    fn relist_free(&self, kept: &KeptRoots) {
        // Acquire: the entries' `next` as their last owners published them. No thread takes an entry
        // meanwhile, and one that pushes finds an empty list.
        let first = self.free.swap(NONE, Ordering::Acquire);
        let mut rest = self.listed(first, |index| self.entries[index as usize].next.load(Ordering::Relaxed));
        rest.sort_unstable();
        let mut order: Vec<u32> =
            kept.free.iter().copied().filter(|index| rest.binary_search(index).is_ok()).collect();
        let mut known = order.clone();
        known.sort_unstable();
        order.extend(rest.iter().filter(|index| known.binary_search(index).is_err()));
        for index in order.into_iter().rev() {
            let mut head = self.free.load(Ordering::Relaxed);
            loop {
                self.entries[index as usize].next.store(head, Ordering::Relaxed);
                // Release: as when its last root is dropped.
                match self.free.compare_exchange(head, index, Ordering::Release, Ordering::Relaxed) {
                    Ok(_) => break,
                    Err(now) => head = now,
                }
            }
        }
    }
}
