//! Ephemerons whose key has not been reached: the edges of each value, filed under the key.
//!
//! The header of the key's slot names the records that wait for it. The marker reads that header anyway when
//! it reaches the key, so this costs other objects nothing, needs no hash table, and releases every record at
//! most once. Marking stays linear in whatever order keys, values and tables are reached.
//!
//! Invariant: a filed record has a living white key, whose slot names the record or one that leads to it.

use core::num::NonZeroU32;
use core::ops::Range;

use crate::handle::RawHandle;
use crate::store::{MAX_WAITER, Store};
use crate::trace::chunked_vec::ChunkedVec;

/// The number of a record, from one on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordIndex(NonZeroU32);

impl RecordIndex {
    fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The value of one ephemeron: its edges, and the ephemerons nested in it.
#[derive(Clone)]
struct Record {
    /// Null once the record was released.
    key: RawHandle,
    /// The first edge of the value; most values have only one.
    first_edge: Option<RawHandle>,
    more_edges: Range<u32>,
    /// The next record filed under the same key, or nested in the same record.
    next: Option<RecordIndex>,
    first_nested: Option<RecordIndex>,
    /// The record in which this one is nested.
    outer: Option<RecordIndex>,
}

/// All waiting ephemerons.
#[derive(Clone, Default)]
pub(crate) struct Ephemerons {
    records: ChunkedVec<Record>,
    edges: ChunkedVec<RawHandle>,
    /// The open record, if any: ephemerons found meanwhile are nested in it.
    open: Option<RecordIndex>,
}

impl Ephemerons {
    fn record(&mut self, index: RecordIndex) -> &mut Record {
        self.records.get_mut(index.place())
    }

    /// Begins the record of an ephemeron's value.
    pub(crate) fn begin(&mut self, key: RawHandle) -> RecordIndex {
        let number = self.records.len() + 1;
        assert!(number <= MAX_WAITER as usize, "slotgc: more than {} ephemerons wait", MAX_WAITER);
        let index = RecordIndex(NonZeroU32::new(number as u32).expect("numbers begin with one"));
        let outer = self.open.replace(index);
        let (first_edge, more_edges) = (None, 0..0);
        self.records.push(Record { key, first_edge, more_edges, next: None, first_nested: None, outer });
        index
    }

    /// Ends the record: these are the edges of the value. It waits for its key, or for the record around it.
    pub(crate) fn end(&mut self, store: &Store, index: RecordIndex, edges: &[RawHandle]) {
        let number =
            |len: usize| u32::try_from(len).expect("slotgc: more than 2^32 edges wait for their keys");
        let start = number(self.edges.len());
        edges.iter().skip(1).for_each(|edge| self.edges.push(*edge));
        let more_edges = start..number(self.edges.len());
        let record = self.record(index);
        record.first_edge = edges.first().copied();
        record.more_edges = more_edges;
        let outer = record.outer;
        self.open = outer;
        match outer {
            Some(outer) => {
                let first = self.record(outer).first_nested.replace(index);
                self.record(index).next = first;
            }
            None => self.file(store, index),
        }
    }

    /// Files a record under its key.
    pub(crate) fn file(&mut self, store: &Store, index: RecordIndex) {
        let key = self.record(index).key;
        let first = store.replace_waiter(key, index.0.get());
        self.record(index).next = NonZeroU32::new(first).map(RecordIndex);
    }

    /// Removes what is filed under a key: the first record of a chain.
    pub(crate) fn take(&mut self, store: &Store, key: RawHandle) -> Option<RecordIndex> {
        NonZeroU32::new(store.replace_waiter(key, 0)).map(RecordIndex)
    }

    /// Marks a record as released; returns its first edge, the range of its other edges, and the first record
    /// nested in it.
    pub(crate) fn release(
        &mut self,
        index: RecordIndex,
    ) -> (Option<RawHandle>, Range<u32>, Option<RecordIndex>) {
        let record = self.record(index);
        record.key = RawHandle::NULL;
        (record.first_edge, record.more_edges.clone(), record.first_nested)
    }

    pub(crate) fn edge(&self, index: u32) -> RawHandle {
        *self.edges.get(index as usize)
    }

    pub(crate) fn key(&self, index: RecordIndex) -> RawHandle {
        self.records.get(index.place()).key
    }

    pub(crate) fn next(&self, index: RecordIndex) -> Option<RecordIndex> {
        self.records.get(index.place()).next
    }

    /// Makes `inner` the record after `record`.
    pub(crate) fn link_after(&mut self, record: RecordIndex, inner: RecordIndex) {
        let after = self.record(record).next.replace(inner);
        self.record(inner).next = after;
    }

    /// Forgets what still waits, for keys that are dead: their headers are not read again. Keeps a little
    /// memory for the next time.
    pub(crate) fn forget(&mut self) {
        self.open = None;
        self.records.clear();
        self.edges.clear();
    }

    /// Forgets everything, for keys that may live on.
    pub(crate) fn reset(&mut self, store: &Store) {
        for record in self.records.iter() {
            if !record.key.is_null() {
                store.replace_waiter(record.key, 0);
            }
        }
        self.forget();
    }
}
