//! What changed in a weak collection since the collector last visited it, and how far the current visit has
//! come.
//!
//! Invariant: unless `all` says otherwise, an entry whose hash is not in `fresh` was in the collection, alive
//! and unchanged, when the heap's cycle `known_at` pruned it. So what it refers to is old and outlives minor
//! collections. During a walk the same holds for `fresh` from `seen` on and for what the walk has passed:
//! those entries need not be traced again in its cycle.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::trace::{Destroyed, Era, Moment};

#[derive(Debug)]
pub(crate) struct Changes {
    /// Hashes of entries that were inserted or changed, perhaps several times, perhaps removed again.
    fresh: Vec<u64>,
    /// Whether any entry may have been inserted or changed.
    all: bool,
    /// The cycle that pruned the collection last.
    known_at: Moment,
    pruning: Pruning,
    /// Whether values change unseen, through shared references. Written through `&`, like a walk.
    unguarded: AtomicBool,
    /// Boxed, so that the rest of the table does not change through `&`. A small table has no walk and is
    /// traced in one go.
    walk: Option<Box<Walk>>,
}

/// How far a cycle has pruned the collection.
#[derive(Clone, Copy, Debug, Default)]
struct Pruning {
    cycle: Moment,
    /// The next bucket.
    next: usize,
    /// How often it had to start over.
    restarts: usize,
}

/// How far a trace of the entries has come. Written through `&` by the collector, which has exclusive access
/// to the heap.
#[derive(Debug, Default)]
struct Walk {
    /// Whether a walk is in progress. It may belong to an abandoned cycle.
    on: AtomicBool,
    heap: AtomicU32,
    cycle: AtomicU32,
    /// The next bucket.
    next: AtomicUsize,
    /// How many of `fresh` need not be traced merely because they are fresh.
    seen: AtomicUsize,
    /// How often it had to start over.
    restarts: AtomicUsize,
    /// Whether a value in the table has weak collections of its own.
    nested: AtomicBool,
}

impl Walk {
    fn moment(&self) -> Moment {
        Moment { heap: self.heap.load(Relaxed), cycle: self.cycle.load(Relaxed) }
    }

    fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    fn copied(&self, renaming: Renaming) -> Self {
        let now = renaming.of(self.moment());
        Self {
            on: AtomicBool::new(self.is_on()),
            heap: AtomicU32::new(now.heap),
            cycle: AtomicU32::new(now.cycle),
            next: AtomicUsize::new(self.next.load(Relaxed)),
            seen: AtomicUsize::new(self.seen.load(Relaxed)),
            restarts: AtomicUsize::new(self.restarts.load(Relaxed)),
            nested: AtomicBool::new(self.nested.load(Relaxed)),
        }
    }

    fn restart(&mut self) {
        if *self.on.get_mut() {
            *self.next.get_mut() = 0;
            *self.restarts.get_mut() += 1;
        }
    }

    fn stop(&mut self) {
        *self.on.get_mut() = false;
        *self.seen.get_mut() = 0;
    }
}

/// The position of a walk that has passed all buckets.
const END: usize = usize::MAX;

impl Changes {
    /// Nothing is known about a collection that no heap has pruned yet.
    pub(crate) fn new(capacity: usize) -> Self {
        let walk = has_walk(capacity).then(Box::default);
        Self {
            fresh: Vec::new(),
            all: true,
            known_at: Moment::default(),
            pruning: Pruning::default(),
            unguarded: AtomicBool::new(false),
            walk,
        }
    }

    /// For a copy of the collection. Nothing is known about it either, unless it takes the place of the
    /// original.
    pub(crate) fn copied(&self, capacity: usize) -> Self {
        let Some(renaming) = Faithful::renaming() else {
            return Self::new(capacity);
        };
        Self {
            fresh: self.fresh.clone(),
            all: self.all,
            known_at: renaming.of(self.known_at),
            pruning: Pruning { cycle: renaming.of(self.pruning.cycle), ..self.pruning },
            unguarded: AtomicBool::new(self.unguarded.load(Relaxed)),
            walk: self.walk.as_ref().map(|walk| Box::new(walk.copied(renaming))),
        }
    }

    pub(crate) fn owned_bytes(&self) -> usize {
        self.fresh.capacity() * size_of::<u64>() + self.walk.as_ref().map_or(0, |_| size_of::<Walk>())
    }

    /// An entry was inserted or changed; there are `entries` of them.
    #[inline]
    pub(crate) fn note(&mut self, hash: u64, entries: usize) {
        if !self.all || self.walk.as_ref().is_some_and(|walk| walk.is_on()) {
            self.note_fresh(hash, entries);
        }
    }

    fn seen(&mut self) -> usize {
        self.walk.as_mut().map_or(0, |walk| *walk.seen.get_mut())
    }

    fn note_fresh(&mut self, hash: u64, entries: usize) {
        const LEAST: usize = 16;
        if self.fresh.last() == Some(&hash) && self.seen() < self.fresh.len() {
            return;
        }
        if self.fresh.len() > entries / 4 + LEAST {
            self.shorten();
        }
        if !self.all || self.walk.is_some() {
            self.fresh.push(hash);
        }
    }

    /// The list has become too long.
    fn shorten(&mut self) {
        match self.seen() {
            seen if self.all && seen > 0 => {
                self.fresh.drain(..seen);
                self.forget_seen();
            }
            _ => self.note_all(),
        }
    }

    fn forget_seen(&mut self) {
        if let Some(walk) = &mut self.walk {
            *walk.seen.get_mut() = 0;
        }
    }

    /// Any entry may have changed.
    pub(crate) fn note_all(&mut self) {
        self.all = true;
        self.fresh = Vec::new();
        self.forget_seen();
        if let Some(walk) = &mut self.walk {
            walk.restart();
        }
    }

    /// Entries move to other buckets, of a table with this capacity.
    pub(crate) fn note_rehash(&mut self, capacity: usize) {
        if self.pruning.next > 0 {
            self.pruning.next = 0;
            self.pruning.restarts += 1;
        }
        match &mut self.walk {
            Some(walk) if walk.next.load(Relaxed) != END => walk.restart(),
            None if has_walk(capacity) => self.walk = Some(Box::default()),
            _ => {}
        }
    }

    /// What the current minor collection has to look at; `None` if that is everything.
    pub(crate) fn fresh(&self, era: &Era) -> Option<&[u64]> {
        (!self.all && era.knows(self.known_at)).then_some(&self.fresh[..])
    }

    /// Those that the cycle that last pruned the collection may not have known.
    pub(crate) fn unknown<'d>(&self, destroyed: &'d [Destroyed]) -> &'d [Destroyed] {
        &destroyed[destroyed.partition_point(|destroyed| destroyed.cycle < self.known_at.cycle)..]
    }

    // ---- Tracing

    /// Where this cycle's walk over the buckets continues, and what changed behind it; `None` if the table is
    /// too small for one.
    pub(crate) fn walk(&self, era: &Era) -> Option<(usize, &[u64])> {
        let walk = self.walk.as_ref()?;
        if !walk.is_on() || walk.moment() != era.now {
            walk.on.store(true, Relaxed);
            walk.heap.store(era.now.heap, Relaxed);
            walk.cycle.store(era.now.cycle, Relaxed);
            walk.next.store(0, Relaxed);
            walk.restarts.store(0, Relaxed);
            walk.seen.store(self.fresh.len(), Relaxed);
        }
        let seen = walk.seen.swap(self.fresh.len(), Relaxed);
        Some((walk.next.load(Relaxed), &self.fresh[seen..]))
    }

    /// A slice of the walk begins. If this is dropped before the slice is finished, the walk starts over.
    pub(crate) fn walking(&self) -> Walking<'_> {
        Walking(self.walk.as_deref())
    }

    /// The walk reached this bucket; `None` is the end.
    pub(crate) fn walked(&self, next: Option<usize>) {
        if let Some(walk) = &self.walk {
            walk.next.store(next.unwrap_or(END), Relaxed);
        }
    }

    /// Whether the program made this cycle's walk start over so often that it is better done in one go.
    pub(crate) fn is_restless(&self) -> bool {
        const OFTEN: usize = 4;
        self.walk.as_ref().is_some_and(|walk| walk.restarts.load(Relaxed) > OFTEN)
    }

    /// Whether values change unseen, as far as the last trace of them found.
    pub(crate) fn has_unguarded(&self) -> bool {
        self.unguarded.load(Relaxed)
    }

    pub(crate) fn set_unguarded(&self, unguarded: bool) {
        self.unguarded.store(unguarded, Relaxed);
    }

    /// A value has a weak collection of its own.
    pub(crate) fn note_nested(&self) {
        if let Some(walk) = &self.walk {
            walk.nested.store(true, Relaxed);
        }
    }

    /// Whether values may have weak collections of their own.
    pub(crate) fn has_nested(&self) -> bool {
        self.walk.as_ref().is_none_or(|walk| walk.nested.load(Relaxed))
    }

    // ---- Pruning

    /// The next bucket to prune in this cycle; `None` if all are pruned.
    pub(crate) fn prune_from(&mut self, era: &Era) -> Option<usize> {
        if self.known_at == era.now {
            return None;
        }
        if self.pruning.cycle != era.now {
            self.pruning = Pruning { cycle: era.now, next: 0, restarts: 0 };
            // From here on changes are recorded, but the present entries are not known yet.
            self.known_at = Moment::default();
            self.all = false;
            self.fresh.clear();
            self.stop_walk();
        }
        Some(self.pruning.next)
    }

    pub(crate) fn pruned_to(&mut self, next: usize) {
        self.pruning.next = next;
    }

    /// Whether the program moved the entries so often during this cycle's pruning that it is better done in
    /// one go: each time the table may have doubled.
    pub(crate) fn is_pruning_restless(&self) -> bool {
        self.pruning.restarts > 1
    }

    /// The current cycle pruned the collection.
    pub(crate) fn note_pruned(&mut self, era: &Era) {
        self.known_at = era.now;
    }

    /// A minor collection pruned what is fresh.
    pub(crate) fn note_fresh_pruned(&mut self, era: &Era) {
        self.fresh.clear();
        self.stop_walk();
        self.known_at = era.now;
    }

    fn stop_walk(&mut self) {
        if let Some(walk) = &mut self.walk {
            walk.stop();
        }
    }
}

/// A heap has another number from here on.
#[derive(Clone, Copy)]
pub(crate) struct Renaming {
    pub(crate) before: u32,
    pub(crate) after: u32,
}

impl Renaming {
    fn of(self, moment: Moment) -> Moment {
        if moment.heap == self.before { Moment { heap: self.after, ..moment } } else { moment }
    }
}

#[cfg(feature = "std")]
std::thread_local! {
    static FAITHFUL: core::cell::Cell<Option<Renaming>> = const { core::cell::Cell::new(None) };
}

/// As long as this lives, copies made on this thread take the places of the originals: what is known about an
/// original is known about its copy. Without thread locals nothing is known about copies, and the collector
/// visits them again.
pub(crate) struct Faithful(#[cfg(feature = "std")] Option<Renaming>);

impl Faithful {
    #[cfg(feature = "std")]
    pub(crate) fn begin(renaming: Renaming) -> Self {
        Self(FAITHFUL.replace(Some(renaming)))
    }

    #[cfg(not(feature = "std"))]
    pub(crate) fn begin(_: Renaming) -> Self {
        Self()
    }

    fn renaming() -> Option<Renaming> {
        #[cfg(feature = "std")]
        {
            FAITHFUL.get()
        }
        #[cfg(not(feature = "std"))]
        {
            None
        }
    }
}

#[cfg(feature = "std")]
impl Drop for Faithful {
    fn drop(&mut self) {
        FAITHFUL.set(self.0);
    }
}

/// A slice of the current walk.
pub(crate) struct Walking<'a>(Option<&'a Walk>);

impl Walking<'_> {
    pub(crate) fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Walking<'_> {
    fn drop(&mut self) {
        if let Some(walk) = self.0 {
            walk.on.store(false, Relaxed);
        }
    }
}

/// Whether a table with this capacity is large enough to be traced in slices.
fn has_walk(capacity: usize) -> bool {
    const LEAST: usize = if cfg!(gc_zeal) { 4 } else { 64 };
    capacity >= LEAST
}
