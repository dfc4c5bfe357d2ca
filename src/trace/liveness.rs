//! [`Liveness`]: what weak collections query when marking is done.

use core::cell::{Cell, RefCell};

use bumpalo::Bump;

use crate::handle::{RawHandle, Weak};
use crate::store::Headers;

use crate::trace::{Destroyed, Discarded, Era, Handle, LOOK_AHEAD, Trace};

/// When liveness is queried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum During {
    /// In a collection, marking done: what is white is dead.
    Collection(Era),
    /// Outside a collection: what resolves is alive.
    Mutation,
}

/// Tells weak collections which objects are alive when marking is done.
pub struct Liveness<'a> {
    headers: Headers<'a>,
    /// When it is queried.
    during: During,
    /// Objects under construction.
    building: &'a [RawHandle],
    pruned: Cell<usize>,
    discarded: &'a RefCell<Discarded>,
    scratch: &'a Bump,
    /// Old objects that the program destroyed, in order, as far back as a minor collection relies on tables.
    destroyed: &'a [Destroyed],
    /// Entries of tables that may be visited in this call.
    slice: Cell<usize>,
    /// Entries that were visited beyond it.
    beyond: Cell<usize>,
    /// Whether a table was not finished.
    unfinished: Cell<bool>,
}

impl<'a> Liveness<'a> {
    /// With no limit.
    pub(crate) fn new(
        headers: Headers<'a>,
        during: During,
        building: &'a [RawHandle],
        discarded: &'a RefCell<Discarded>,
        scratch: &'a Bump,
    ) -> Self {
        Self {
            headers,
            during,
            building,
            pruned: Cell::new(0),
            discarded,
            scratch,
            destroyed: &[],
            slice: Cell::new(usize::MAX),
            beyond: Cell::new(0),
            unfinished: Cell::new(false),
        }
    }

    pub(crate) fn in_slices(mut self, slice: usize, destroyed: &'a [Destroyed]) -> Self {
        self.slice.set(slice);
        self.destroyed = destroyed;
        self
    }

    /// Entries that tables may visit now.
    pub(crate) fn slice(&self) -> usize {
        self.slice.get()
    }

    pub(crate) fn spend(&self, entries: usize) {
        self.slice.set(self.slice.get().saturating_sub(entries));
    }

    /// Visits these entries, and the tables in them, whatever the slice. They are paid for all the same.
    pub(crate) fn beyond_slice(&self, entries: usize, visit: impl FnOnce()) {
        let slice = self.slice.replace(usize::MAX);
        visit();
        let visited = entries + (usize::MAX - self.slice.get());
        self.slice.set(slice.saturating_sub(visited));
        self.beyond.set(self.beyond.get() + visited.saturating_sub(slice));
    }

    /// Entries that were visited, of a slice of this size.
    pub(crate) fn visited(&self, slice: usize) -> usize {
        slice.saturating_sub(self.slice.get()) + self.beyond.get()
    }

    /// Causes the owner's `prune` to be called once more.
    pub(crate) fn leave_unfinished(&self) {
        self.unfinished.set(true);
    }

    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished.get()
    }

    pub(crate) fn destroyed(&self) -> &'a [Destroyed] {
        self.destroyed
    }

    /// Prefetches the header of an object whose liveness will be queried soon.
    pub(crate) fn prefetch<T>(&self, weak: Weak<T>) {
        self.headers.prefetch(weak.raw());
    }

    /// Whether the object lives on. O(1); touches the object's page.
    #[inline]
    pub fn is_live(&self, h: impl Handle) -> bool {
        h.is_of(self.headers.heap_number()) && self.is_live_weak(h.downgrade())
    }

    #[inline]
    fn is_live_weak<T: Trace>(&self, weak: Weak<T>) -> bool {
        let raw = weak.raw();
        let in_cycle = matches!(self.during, During::Collection(_));
        if let Some(is_live) = self.headers.is_live_by_bits::<T>(raw, in_cycle) {
            return is_live;
        }
        if self.headers.is_alive::<T>(raw) {
            !in_cycle || !self.headers.is_white::<T>(raw)
        } else {
            self.building.contains(&raw) && self.headers.is_of::<T>(raw)
        }
    }

    /// Takes a removed entry: it counts as one pruned entry and is dropped once the heap is in its final
    /// state, so its destructor does not run during pruning.
    pub fn set_aside<X: Send + 'static>(&self, entry: X) {
        self.count_pruned(1);
        self.discard(entry);
    }

    /// Takes a removed entry that is counted elsewhere.
    pub(crate) fn discard<X: Send + 'static>(&self, entry: X) {
        self.discarded.borrow_mut().push(entry);
    }

    /// The cycle, during one.
    pub(crate) fn era(&self) -> Option<&Era> {
        match &self.during {
            During::Collection(era) => Some(era),
            During::Mutation => None,
        }
    }

    /// Counts removed entries.
    pub(crate) fn count_pruned(&self, entries: usize) {
        self.pruned.set(self.pruned.get() + entries);
    }

    /// Whether each of these objects lives on, in order. Determined before the entries are touched, so that
    /// the headers of the next objects arrive meanwhile.
    pub(crate) fn verdicts<T: Trace>(&self, handles: impl Iterator<Item = Weak<T>> + Clone) -> Verdicts<'_> {
        let len = handles.size_hint().0;
        let mut bits = bumpalo::collections::Vec::with_capacity_in(len.div_ceil(64), self.scratch);
        let mut ahead = handles.clone().skip(LOOK_AHEAD);
        for (index, weak) in handles.enumerate() {
            if let Some(weak) = ahead.next() {
                self.headers.prefetch(weak.raw());
            }
            if index % 64 == 0 {
                bits.push(0_u64);
            }
            bits[index / 64] |= u64::from(self.is_live_weak(weak)) << (index % 64);
        }
        Verdicts { bits, next: 0 }
    }

    pub(crate) fn pruned(&self) -> usize {
        self.pruned.get()
    }
}

/// Answers of [`Liveness::verdicts`], in the order of its questions.
pub(crate) struct Verdicts<'a> {
    bits: bumpalo::collections::Vec<'a, u64>,
    next: usize,
}

impl Verdicts<'_> {
    /// Whether the next object lives on.
    #[inline]
    pub(crate) fn next(&mut self) -> bool {
        let index = self.next;
        self.next += 1;
        self.bits[index / 64] >> (index % 64) & 1 != 0
    }
}

impl core::fmt::Debug for Liveness<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Liveness").field("pruned", &self.pruned).finish_non_exhaustive()
    }
}
