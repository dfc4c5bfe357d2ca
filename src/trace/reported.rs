//! Handles that a root source reported, to be followed in slices.
//!
//! A source's answer is one piece of work. So what it reports as a whole at the beginning of an incremental
//! cycle is only recorded here, which takes about a nanosecond per handle; the rest is done in slices.

use alloc::vec::Vec;
use core::any::TypeId;

use crate::handle::{Gc, RawHandle};
use crate::trace::Tracer;

/// Lists of handles, each of one type.
#[derive(Default)]
pub(crate) struct Reported {
    /// Full lists.
    lists: Vec<List>,
    /// Lists with room, one for each type.
    open: Vec<List>,
    /// The open list that was used last.
    last: usize,
    /// Empty lists for reuse, from this cycle and the one before: the system takes longer to provide new
    /// memory than a root source to fill it.
    spare: Vec<Vec<RawHandle>>,
    /// The most lists that were full in this cycle.
    peak: usize,
    /// Whether what is reported now is recorded here.
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

/// Without the spare lists.
impl Clone for Reported {
    fn clone(&self) -> Self {
        let Self { lists, open, last, peak, defers, .. } = self;
        let (lists, open, spare) = (lists.clone(), open.clone(), Vec::new());
        Self { lists, open, last: *last, spare, peak: *peak, defers: *defers }
    }
}

impl Reported {
    /// Handles of a list: 128 KiB.
    const LEN: usize = 16 * 1024;

    pub(crate) fn is_empty(&self) -> bool {
        self.lists.is_empty() && self.open.is_empty()
    }

    /// Records handles.
    pub(crate) fn add<T: 'static>(&mut self, gcs: impl Iterator<Item = Gc<T>>) {
        let of = TypeId::of::<T>();
        if self.open.get(self.last).is_none_or(|list| list.of != of) {
            self.last = self.open.iter().position(|list| list.of == of).unwrap_or(self.open.len());
        }
        if self.last == self.open.len() {
            // Small at first: there may be few of this type.
            self.open.push(List::of::<T>(Vec::new()));
        }
        let mut list = &mut self.open[self.last];
        for gc in gcs {
            if list.handles.len() == Self::LEN {
                let empty = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(Self::LEN));
                self.lists.push(core::mem::replace(list, List::of::<T>(empty)));
                self.peak = self.peak.max(self.lists.len());
                list = &mut self.open[self.last];
            }
            list.handles.push(gc.raw());
        }
    }

    /// Takes a list out, until it is [put back](Self::put_back).
    pub(crate) fn pop(&mut self) -> Option<List> {
        self.lists.pop().or_else(|| self.open.pop())
    }

    pub(crate) fn put_back(&mut self, list: List) {
        if list.handles.is_empty() { self.keep_for_later(list.handles) } else { self.lists.push(list) }
    }

    fn keep_for_later(&mut self, handles: Vec<RawHandle>) {
        // Small ones are cheap to make again.
        if handles.capacity() >= Self::LEN {
            self.spare.push(handles);
        }
    }

    /// Forgets what was recorded, for another cycle. A full one keeps as much memory as the one before
    /// needed.
    pub(crate) fn reset(&mut self, is_minor: bool) {
        self.defers = false;
        if is_minor && self.is_empty() {
            return;
        }
        while let Some(mut list) = self.pop() {
            list.handles.clear();
            self.keep_for_later(list.handles);
        }
        self.last = 0;
        self.spare.truncate(core::mem::take(&mut self.peak));
    }

    /// Releases the spare lists.
    pub(crate) fn shrink(&mut self) {
        (self.spare, self.peak) = (Vec::new(), 0);
    }
}

impl List {
    fn of<T: 'static>(handles: Vec<RawHandle>) -> Self {
        let record = |tracer: &mut Tracer<'_>, handles: &[RawHandle]| {
            handles.iter().for_each(|raw| tracer.edge(Gc::<T>::from_raw(*raw)));
        };
        Self { of: TypeId::of::<T>(), handles, record }
    }

    /// Removes the last handles, at most `most`, and records an edge to each; returns how many they were.
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

    fn handles<T: 'static>(len: u32) -> impl Iterator<Item = Gc<T>> {
        (0..len).map(|_| Gc::default())
    }

    #[test]
    fn few_handles_many_times_take_the_lists_of_many_at_once() {
        let mut reported = Reported::default();
        for _ in 0..1000 {
            reported.add(handles::<u8>(40));
            reported.add(handles::<u16>(1));
            reported.add(handles::<u32>(0));
        }
        assert_eq!((reported.lists.len(), reported.open.len()), (40_000 / Reported::LEN, 3));
        let room: usize =
            reported.lists.iter().chain(&reported.open).map(|list| list.handles.capacity()).sum();
        assert!(room < 40_000 + Reported::LEN + 2000, "room for {room} handles");
        let lens = core::iter::from_fn(|| reported.pop()).map(|list| list.handles.len());
        assert_eq!(lens.sum::<usize>(), 41_000);
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
        assert_eq!(reported.spare.len(), 0);
    }
}
