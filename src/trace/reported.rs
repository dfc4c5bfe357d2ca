//! Handles that a root source reported and that are followed by and by.
//!
//! A source's answer is one piece of work. So what it reports as a whole at the beginning of a cycle in steps
//! is only written down here, which takes about a nanosecond a handle; the rest is done in slices.

use alloc::vec::Vec;

use crate::handle::{Gc, RawHandle};
use crate::trace::{Trace, Tracer};

/// Lists of handles, each of one type.
#[derive(Default)]
pub(crate) struct Reported {
    lists: Vec<List>,
    /// Empty lists of this cycle and of the one before: for memory that is new the system takes longer than
    /// the source does to fill it.
    spare: Vec<Vec<RawHandle>>,
    /// The most lists that there were in this cycle.
    peak: usize,
}

/// Handles of one type.
#[derive(Clone)]
pub(crate) struct List {
    handles: Vec<RawHandle>,
    /// Records an edge to each.
    record: fn(&mut Tracer<'_>, &[RawHandle]),
}

/// Without what is at hand.
impl Clone for Reported {
    fn clone(&self) -> Self {
        Self { lists: self.lists.clone(), spare: Vec::new(), peak: self.peak }
    }
}

impl Reported {
    /// Handles of a list: 128 KiB.
    const LEN: usize = 16 * 1024;

    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// Writes handles down.
    pub(crate) fn add<T: Trace>(&mut self, gcs: impl Iterator<Item = Gc<T>>) {
        let mut handles = self.empty();
        for gc in gcs {
            if handles.len() == Self::LEN {
                self.push::<T>(handles);
                handles = self.empty();
            }
            handles.push(gc.raw());
        }
        match handles.is_empty() {
            true => self.spare.push(handles),
            false => self.push::<T>(handles),
        }
    }

    fn empty(&mut self) -> Vec<RawHandle> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(Self::LEN))
    }

    fn push<T: Trace>(&mut self, handles: Vec<RawHandle>) {
        let record = |tracer: &mut Tracer<'_>, handles: &[RawHandle]| {
            handles.iter().for_each(|raw| tracer.edge(Gc::<T>::from_raw(*raw)));
        };
        self.lists.push(List { handles, record });
        self.peak = self.peak.max(self.lists.len());
    }

    /// Takes the last list out, until it is [put back](Self::put_back).
    pub(crate) fn pop(&mut self) -> Option<List> {
        self.lists.pop()
    }

    pub(crate) fn put_back(&mut self, list: List) {
        match list.handles.is_empty() {
            true => self.spare.push(list.handles),
            false => self.lists.push(list),
        }
    }

    /// Forgets what was written down, for another cycle. A full one keeps as much memory as the one before
    /// needed.
    pub(crate) fn reset(&mut self, is_minor: bool) {
        if is_minor && self.lists.is_empty() {
            return;
        }
        for mut list in self.lists.drain(..) {
            list.handles.clear();
            self.spare.push(list.handles);
        }
        self.spare.truncate(core::mem::take(&mut self.peak));
    }

    /// Gives back what is at hand.
    pub(crate) fn shrink(&mut self) {
        (self.spare, self.peak) = (Vec::new(), 0);
    }
}

impl List {
    /// Takes the last handles off, so many at most, and records an edge to each; returns how many they were.
    pub(crate) fn record_last(&mut self, most: usize, tracer: &mut Tracer<'_>) -> usize {
        let rest = self.handles.len().saturating_sub(most);
        let last = &self.handles[rest..];
        (self.record)(tracer, last);
        let len = last.len();
        self.handles.truncate(rest);
        len
    }
}

impl Tracer<'_> {
    /// A strong edge to each of many roots: by and by, if the cycle is in steps.
    pub(super) fn many_roots<T: Trace>(&mut self, gcs: impl IntoIterator<Item = Gc<T>>) {
        match self.side.defers {
            true => self.side.reported.add(gcs.into_iter()),
            false => self.edges(gcs),
        }
    }
}
