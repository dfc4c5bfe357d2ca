//! Ephemerons whose key has not been reached: the edges of each value, filed under the key.
//!
//! Invariant: a record that is filed has a white key. The marker asks for what waits for an object when it
//! takes the object up, so every record is released at most once, and marking stays linear in whatever order
//! keys, values and tables are reached.

use alloc::vec::Vec;
use core::hash::Hasher;
use core::ops::Range;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::handle::RawHandle;
use crate::hash::HandleHasher;

/// The number of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordIndex(u32);

/// The value of one ephemeron: its edges, and the ephemerons nested in it.
struct Record {
    key: RawHandle,
    edges: Range<u32>,
    /// The next record filed under the same key, or nested in the same record.
    next: Option<RecordIndex>,
    first_nested: Option<RecordIndex>,
    /// The record in which this one is nested, while it is being taken down.
    outer: Option<RecordIndex>,
}

/// All ephemerons that wait.
#[derive(Default)]
pub(crate) struct Waiting {
    records: Vec<Record>,
    edges: Vec<RawHandle>,
    /// The first record of each key.
    by_key: HashTable<RecordIndex>,
    /// The record being taken down, if any: what is found meanwhile is nested in it.
    open: Option<RecordIndex>,
}

fn hash(key: RawHandle) -> u64 {
    let mut hasher = HandleHasher::default();
    hasher.write_u64(key.to_bits());
    hasher.finish()
}

impl Waiting {
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    fn record(&mut self, index: RecordIndex) -> &mut Record {
        &mut self.records[index.0 as usize]
    }

    /// Begins to take down the value of an ephemeron.
    pub(crate) fn begin(&mut self, key: RawHandle) -> RecordIndex {
        let index =
            u32::try_from(self.records.len()).expect("slotgc: more than 2^32 ephemerons wait for their keys");
        let index = RecordIndex(index);
        let outer = self.open.replace(index);
        self.records.push(Record { key, edges: 0..0, next: None, first_nested: None, outer });
        index
    }

    /// Ends it: these are the edges of the value. The record waits for its key, or for the record around it.
    pub(crate) fn end(&mut self, index: RecordIndex, edges: &[RawHandle]) {
        let end = |len: usize| u32::try_from(len).expect("slotgc: more than 2^32 edges wait for their keys");
        let start = end(self.edges.len());
        self.edges.extend_from_slice(edges);
        let range = start..end(self.edges.len());
        let record = self.record(index);
        record.edges = range;
        let outer = record.outer;
        self.open = outer;
        match outer {
            Some(outer) => {
                let first = self.record(outer).first_nested.replace(index);
                self.record(index).next = first;
            }
            None => self.file(index),
        }
    }

    /// Files a record under its key.
    pub(crate) fn file(&mut self, index: RecordIndex) {
        let Self { records, by_key, .. } = self;
        let key = records[index.0 as usize].key;
        let same_key = |other: &RecordIndex| records[other.0 as usize].key == key;
        let rehash = |other: &RecordIndex| hash(records[other.0 as usize].key);
        let next = match by_key.entry(hash(key), same_key, rehash) {
            Entry::Occupied(mut first) => Some(core::mem::replace(first.get_mut(), index)),
            Entry::Vacant(place) => {
                place.insert(index);
                None
            }
        };
        self.record(index).next = next;
    }

    /// Takes what is filed under a key: the first record of a chain.
    pub(crate) fn take(&mut self, key: RawHandle) -> Option<RecordIndex> {
        let Self { records, by_key, .. } = self;
        let found = by_key.find_entry(hash(key), |other| records[other.0 as usize].key == key);
        Some(found.ok()?.remove().0)
    }

    pub(crate) fn key(&self, index: RecordIndex) -> RawHandle {
        self.records[index.0 as usize].key
    }

    pub(crate) fn edges_of(&self, index: RecordIndex) -> Range<u32> {
        self.records[index.0 as usize].edges.clone()
    }

    pub(crate) fn edge(&self, index: u32) -> RawHandle {
        self.edges[index as usize]
    }

    pub(crate) fn first_nested(&self, index: RecordIndex) -> Option<RecordIndex> {
        self.records[index.0 as usize].first_nested
    }

    pub(crate) fn next(&self, index: RecordIndex) -> Option<RecordIndex> {
        self.records[index.0 as usize].next
    }

    /// Makes `inner` the one that comes after `record`.
    pub(crate) fn link_after(&mut self, record: RecordIndex, inner: RecordIndex) {
        let after = self.record(record).next.replace(inner);
        self.record(inner).next = after;
    }

    /// Forgets everything; what still waits has a dead key. Keeps a little memory for the next time.
    pub(crate) fn reset(&mut self) {
        const KEEP: usize = 4096;
        self.open = None;
        self.records.clear();
        self.edges.clear();
        self.by_key.clear();
        self.records.shrink_to(KEEP);
        self.edges.shrink_to(KEEP);
        self.by_key.shrink_to(KEEP, |_| unreachable!("the table is empty"));
    }
}
