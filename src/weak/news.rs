//! What changed in a weak collection since the collector last went over it, and how far it has come.
//!
//! Invariant: unless `all` says otherwise, an entry whose hash is not in `fresh` was in the collection, alive and
//! unchanged, when the heap's cycle `known_at` pruned it. What it refers to is old, then, and outlives minor collections.
//! While a walk is on, the same holds of `fresh` from `seen` on and of what the walk has passed: those entries need not
//! be traced again in its cycle.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};

use crate::trace::{Destroyed, Era, Moment};

#[derive(Debug)]
pub(crate) struct News {
    /// Hashes of entries that were inserted or changed, perhaps several times, perhaps removed again.
    fresh: Vec<u64>,
    /// Whether anything may have been.
    all: bool,
    /// The cycle that pruned the collection last.
    known_at: Moment,
    /// The cycle that is pruning it, and the next bucket.
    pruning: (Moment, usize),
    tracing: Walk,
    /// Whether a value in it has weak collections of its own.
    nested: AtomicBool,
}

/// How far a trace of the entries has come. Written through `&`, by the collector, which has the heap to itself.
#[derive(Debug, Default)]
struct Walk {
    /// Whether there is one. It may be of a cycle that was given up.
    on: AtomicBool,
    heap: AtomicU32,
    cycle: AtomicU32,
    /// The next bucket.
    next: AtomicUsize,
    /// So many of `fresh` need not be traced for being fresh.
    seen: AtomicUsize,
    /// How often it had to begin anew.
    restarts: AtomicUsize,
}

impl Walk {
    fn moment(&self) -> Moment {
        Moment { heap: self.heap.load(Relaxed), cycle: self.cycle.load(Relaxed) }
    }
}

/// Where a walk that has passed all buckets is.
const END: usize = usize::MAX;

impl Default for News {
    /// Of a collection that no heap has pruned yet, nothing is known.
    fn default() -> Self {
        Self {
            fresh: Vec::new(),
            all: true,
            known_at: Moment::default(),
            pruning: (Moment::default(), 0),
            tracing: Walk::default(),
            nested: AtomicBool::new(false),
        }
    }
}

impl News {
    /// An entry among so many was inserted or changed.
    #[inline]
    pub(crate) fn note(&mut self, hash: impl FnOnce() -> u64, entries: usize) {
        if !self.all || *self.tracing.on.get_mut() {
            self.note_fresh(hash(), entries);
        }
    }

    fn note_fresh(&mut self, hash: u64, entries: usize) {
        const LEAST: usize = 16;
        if self.fresh.last() == Some(&hash) && *self.tracing.seen.get_mut() < self.fresh.len() {
            return;
        }
        if self.fresh.len() > entries / 4 + LEAST {
            self.shorten();
        }
        self.fresh.push(hash);
    }

    /// The list has become too long.
    fn shorten(&mut self) {
        let seen = self.tracing.seen.get_mut();
        if self.all && *seen > 0 {
            self.fresh.drain(..*seen);
            *seen = 0;
        } else {
            self.note_all();
        }
    }

    /// Any entry may have changed.
    pub(crate) fn note_all(&mut self) {
        self.all = true;
        self.fresh = Vec::new();
        *self.tracing.seen.get_mut() = 0;
        self.restart_walk();
    }

    fn restart_walk(&mut self) {
        if *self.tracing.on.get_mut() {
            *self.tracing.next.get_mut() = 0;
            *self.tracing.restarts.get_mut() += 1;
        }
    }

    /// Entries move to other buckets.
    pub(crate) fn note_rehash(&mut self) {
        self.pruning.1 = 0;
        if *self.tracing.next.get_mut() != END {
            self.restart_walk();
        }
    }

    /// What a minor collection under way has to look at; `None` if that is everything.
    pub(crate) fn fresh(&self, era: &Era) -> Option<&[u64]> {
        (!self.all && era.knows(self.known_at)).then_some(&self.fresh[..])
    }

    /// Those of which the cycle that pruned the collection last may not have known.
    pub(crate) fn unknown<'d>(&self, destroyed: &'d [Destroyed]) -> &'d [Destroyed] {
        &destroyed[destroyed.partition_point(|destroyed| destroyed.cycle < self.known_at.cycle)..]
    }

    // ---- Tracing

    /// Where this cycle's walk over the buckets goes on, and what changed behind it.
    pub(crate) fn walk(&self, era: &Era) -> (usize, &[u64]) {
        let walk = &self.tracing;
        if !walk.on.load(Relaxed) || walk.moment() != era.now {
            walk.on.store(true, Relaxed);
            walk.heap.store(era.now.heap, Relaxed);
            walk.cycle.store(era.now.cycle, Relaxed);
            walk.next.store(0, Relaxed);
            walk.restarts.store(0, Relaxed);
            walk.seen.store(self.fresh.len(), Relaxed);
        }
        let seen = walk.seen.swap(self.fresh.len(), Relaxed);
        (walk.next.load(Relaxed), &self.fresh[seen..])
    }

    /// The walk came to this bucket; `None` is the end.
    pub(crate) fn walked(&self, next: Option<usize>) {
        self.tracing.next.store(next.unwrap_or(END), Relaxed);
    }

    /// Whether the program made this cycle's walk begin anew so often that it is better done in one go.
    pub(crate) fn is_restless(&self) -> bool {
        const OFTEN: usize = 4;
        self.tracing.restarts.load(Relaxed) > OFTEN
    }

    /// A value has a weak collection of its own.
    pub(crate) fn note_nested(&self) {
        self.nested.store(true, Relaxed);
    }

    pub(crate) fn has_nested(&self) -> bool {
        self.nested.load(Relaxed)
    }

    // ---- Pruning

    /// The next bucket to prune in this cycle; `None` if all are pruned.
    pub(crate) fn prune_from(&mut self, era: &Era) -> Option<usize> {
        if self.known_at == era.now {
            return None;
        }
        if self.pruning.0 != era.now {
            self.pruning = (era.now, 0);
            // From here on it is known what changes, and not yet what there is.
            self.known_at = Moment::default();
            self.all = false;
            self.fresh.clear();
            *self.tracing.on.get_mut() = false;
            *self.tracing.seen.get_mut() = 0;
        }
        Some(self.pruning.1)
    }

    pub(crate) fn pruned_to(&mut self, next: usize) {
        self.pruning.1 = next;
    }

    /// The cycle under way pruned the collection.
    pub(crate) fn note_pruned(&mut self, era: &Era) {
        self.known_at = era.now;
    }

    /// A minor collection pruned what is fresh.
    pub(crate) fn note_fresh_pruned(&mut self, era: &Era) {
        self.fresh.clear();
        *self.tracing.on.get_mut() = false;
        *self.tracing.seen.get_mut() = 0;
        self.known_at = era.now;
    }
}
