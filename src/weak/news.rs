//! What is new in a weak collection since it was last pruned, so that a minor collection need not look at the rest.
//!
//! Invariant: unless `all` says otherwise, an entry that is not of a handle in `fresh` was in the collection, alive and
//! unchanged, when the heap's cycle `known_at` pruned it. What it refers to is old, then, and outlives minor collections.

use alloc::vec::Vec;

use crate::handle::Weak;
use crate::trace::{Era, Moment};

#[derive(Debug)]
pub(crate) struct News<T> {
    /// Handles of entries that were inserted or changed, perhaps several times, perhaps removed again.
    fresh: Vec<Weak<T>>,
    /// Whether anything may have been.
    all: bool,
    known_at: Moment,
}

impl<T> Default for News<T> {
    /// Of a collection that no heap has pruned yet, nothing is known.
    fn default() -> Self {
        Self { fresh: Vec::new(), all: true, known_at: Moment::default() }
    }
}

impl<T> News<T> {
    /// An entry among so many was inserted or changed.
    #[inline]
    pub(crate) fn note(&mut self, handle: Weak<T>, entries: usize) {
        if !self.all {
            self.note_fresh(handle, entries);
        }
    }

    fn note_fresh(&mut self, handle: Weak<T>, entries: usize) {
        const LEAST: usize = 16;
        if self.fresh.len() > entries / 4 + LEAST {
            self.note_all();
        } else if self.fresh.last() != Some(&handle) {
            self.fresh.push(handle);
        }
    }

    /// Any entry may have changed.
    pub(crate) fn note_all(&mut self) {
        self.all = true;
        self.fresh = Vec::new();
    }

    /// What the cycle under way has to look at; `None` if that is everything.
    pub(crate) fn fresh(&self, era: &Era) -> Option<&[Weak<T>]> {
        (!self.all && era.knows(self.known_at)).then_some(&self.fresh[..])
    }

    /// The cycle under way pruned the collection.
    pub(crate) fn note_pruned(&mut self, era: &Era) {
        self.all = false;
        self.fresh.clear();
        self.known_at = era.now;
    }
}
