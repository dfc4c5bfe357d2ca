//! Handles that a root source reported and that are followed by and by.
//!
//! A source's answer is one piece of work. So what it reports as a whole at the beginning of a cycle in steps
//! is only written down here, which takes about a nanosecond a handle; the rest is done in slices.

use alloc::vec::Vec;
use core::any::TypeId;

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
    /// Whether what is reported now is written down here.
    pub(crate) defers: bool,
}

/// Handles of one type.
#[derive(Clone)]
pub(crate) struct List {
    of: TypeId,
    handles: Vec<RawHandle>,
    /// Records an edge to each.
    record: fn(&mut Tracer<'_>, &[RawHandle]),
}

/// Without what is at hand.
impl Clone for Reported {
    fn clone(&self) -> Self {
        Self { lists: self.lists.clone(), spare: Vec::new(), peak: self.peak, defers: self.defers }
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
        let mut list = self.open::<T>();
        for gc in gcs {
            if list.handles.len() == Self::LEN {
                self.put_back(list);
                list = self.open::<T>();
            }
            list.handles.push(gc.raw());
        }
        self.put_back(list);
        self.peak = self.peak.max(self.lists.len());
    }

    /// A list of this type with room: the last one, or a new one.
    fn open<T: Trace>(&mut self) -> List {
        let of = TypeId::of::<T>();
        let has_room = |last: &List| last.of == of && last.handles.len() < Self::LEN;
        match self.lists.pop() {
            Some(last) if has_room(&last) => return last,
            other => self.lists.extend(other),
        }
        List {
            of,
            handles: self.spare.pop().unwrap_or_else(|| Vec::with_capacity(Self::LEN)),
            record: |tracer, handles| {
                handles.iter().for_each(|raw| tracer.edge(Gc::<T>::from_raw(*raw)));
            },
        }
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
        self.defers = false;
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn handles<T: Trace>(len: u32) -> impl Iterator<Item = Gc<T>> {
        (0..len).map(|_| Gc::default())
    }

    #[test]
    fn few_handles_many_times_take_the_lists_of_many_at_once() {
        let mut reported = Reported::default();
        (0..1000).for_each(|_| reported.add(handles::<u8>(40)));
        assert_eq!(reported.lists.len(), 40_000_usize.div_ceil(Reported::LEN));
        reported.add(handles::<u16>(1));
        reported.add(handles::<u8>(1));
        assert_eq!(reported.lists.len(), 5, "each list is of one type");
        reported.add(handles::<u8>(0));
        let len: usize = core::iter::from_fn(|| reported.pop()).map(|list| list.handles.len()).sum();
        assert_eq!(len, 40_002);
    }

    #[test]
    fn memory_stays_for_the_next_full_cycle_and_no_longer() {
        let mut reported = Reported::default();
        reported.add(handles::<u8>(100_000));
        let lists = reported.lists.len();
        reported.reset(false);
        reported.reset(true);
        assert_eq!((reported.spare.len(), reported.is_empty()), (lists, true));
        reported.add(handles::<u8>(10));
        reported.reset(false);
        assert_eq!(reported.spare.len(), 1);
        reported.reset(false);
        assert_eq!(reported.spare.len(), 0);
    }
}
