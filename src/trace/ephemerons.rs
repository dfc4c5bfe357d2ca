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

    pub(crate) fn number(self) -> u32 {
        self.0.get()
    }
}

/// The value of one ephemeron. Most values have one edge and nothing nested in them: those take this and no
/// more, so that a chain of ephemerons, which jumps from record to record, finds many of them in the cache.
#[derive(Clone)]
struct Record {
    /// The first edge of the value; null if there is none.
    edge: RawHandle,
    /// The next record filed under the same key, or nested in the same record.
    next: Option<RecordIndex>,
    /// The number of its `Rest`, from one on.
    rest: Option<NonZeroU32>,
}

const _: () = assert!(size_of::<Record>() == 16);

/// Records in a cache line.
const LINE: usize = 4;

/// What few values have.
#[derive(Clone, Default)]
struct Rest {
    more_edges: Range<u32>,
    first_nested: Option<RecordIndex>,
    /// The record in which this one is nested.
    outer: Option<RecordIndex>,
}

/// All waiting ephemerons.
#[derive(Clone, Default)]
pub(crate) struct Ephemerons {
    records: ChunkedVec<Record>,
    /// The key of each record.
    keys: ChunkedVec<RawHandle>,
    rests: ChunkedVec<Rest>,
    edges: ChunkedVec<RawHandle>,
    /// The open record, if any: ephemerons found meanwhile are nested in it.
    open: Option<RecordIndex>,
}

impl Ephemerons {
    fn record(&mut self, index: RecordIndex) -> &mut Record {
        self.records.get_mut(index.place())
    }

    fn rest(&self, index: RecordIndex) -> Option<&Rest> {
        self.records.get(index.place()).rest.map(|number| self.rests.get(number.get() as usize - 1))
    }

    #[cold]
    fn rest_mut(&mut self, index: RecordIndex) -> &mut Rest {
        let number = match self.record(index).rest {
            Some(number) => number.get(),
            None => {
                self.rests.push(Rest::default());
                let number = self.rests.len() as u32;
                self.record(index).rest = NonZeroU32::new(number);
                number
            }
        };
        self.rests.get_mut(number as usize - 1)
    }

    /// Begins the record of an ephemeron's value.
    pub(crate) fn begin(&mut self, key: RawHandle) -> RecordIndex {
        let number = self.records.len() + 1;
        assert!(number <= MAX_WAITER as usize, "slotgc: more than {} ephemerons wait", MAX_WAITER);
        let index = RecordIndex(NonZeroU32::new(number as u32).expect("numbers begin with one"));
        self.records.push(Record { edge: RawHandle::NULL, next: None, rest: None });
        self.keys.push(key);
        let outer = self.open.replace(index);
        if outer.is_some() {
            self.rest_mut(index).outer = outer;
        }
        index
    }

    /// Ends the record: these are the edges of the value. Returns whether it is to be filed under its key: if
    /// not, it waits for the record around it.
    pub(crate) fn end(&mut self, index: RecordIndex, edges: &[RawHandle]) -> bool {
        if let Some((first, more)) = edges.split_first() {
            self.record(index).edge = *first;
            if !more.is_empty() {
                let number = |len: usize| {
                    u32::try_from(len).expect("slotgc: more than 2^32 edges wait for their keys")
                };
                let start = number(self.edges.len());
                more.iter().for_each(|edge| self.edges.push(*edge));
                self.rest_mut(index).more_edges = start..number(self.edges.len());
            }
        }
        let outer = self.rest(index).and_then(|rest| rest.outer);
        self.open = outer;
        if let Some(outer) = outer {
            let first = self.rest_mut(outer).first_nested.replace(index);
            self.record(index).next = first;
        }
        outer.is_none()
    }

    /// A record was filed under its key, before the one with this number.
    pub(crate) fn file_before(&mut self, index: RecordIndex, first: u32) {
        self.record(index).next = NonZeroU32::new(first).map(RecordIndex);
    }

    /// Files a record under its key.
    pub(crate) fn file(&mut self, store: &Store, index: RecordIndex) {
        let first = store.replace_waiter(self.key(index), index.number());
        self.file_before(index, first);
    }

    /// Removes what is filed under a key: the first record of a chain.
    pub(crate) fn take(&mut self, store: &Store, key: RawHandle) -> Option<RecordIndex> {
        let first = NonZeroU32::new(store.replace_waiter(key, 0)).map(RecordIndex)?;
        // Neighbours were often filed for neighbours.
        self.records.prefetch(first.place() + LINE);
        Some(first)
    }

    /// What is released with a record: its first edge, the range of its other edges, and the first record
    /// nested in it.
    pub(crate) fn release(&self, index: RecordIndex) -> (Option<RawHandle>, Range<u32>, Option<RecordIndex>) {
        let edge = self.records.get(index.place()).edge;
        let (more_edges, first_nested) =
            self.rest(index).map_or((0..0, None), |rest| (rest.more_edges.clone(), rest.first_nested));
        ((!edge.is_null()).then_some(edge), more_edges, first_nested)
    }

    pub(crate) fn edge(&self, index: u32) -> RawHandle {
        *self.edges.get(index as usize)
    }

    pub(crate) fn key(&self, index: RecordIndex) -> RawHandle {
        *self.keys.get(index.place())
    }

    pub(crate) fn next(&self, index: RecordIndex) -> Option<RecordIndex> {
        self.records.get(index.place()).next
    }

    /// Makes `inner` the record after `record`.
    pub(crate) fn link_after(&mut self, record: RecordIndex, inner: RecordIndex) {
        let after = self.record(record).next.replace(inner);
        self.record(inner).next = after;
    }

    /// Forgets what still waits, for keys that are dead: their headers are not read again. Keeps its memory
    /// for the next cycle; after a full one, as much as that needed.
    pub(crate) fn forget(&mut self, is_minor: bool) {
        self.open = None;
        self.records.clear(is_minor);
        self.keys.clear(is_minor);
        self.rests.clear(is_minor);
        self.edges.clear(is_minor);
    }

    /// Forgets everything, for keys that may live on.
    pub(crate) fn reset(&mut self, store: &Store) {
        for key in self.keys.iter() {
            store.replace_waiter(*key, 0);
        }
        self.forget(true);
    }

    /// Returns the memory that is kept, unless something waits.
    pub(crate) fn shrink(&mut self) {
        if self.records.len() == 0 {
            *self = Self::default();
        }
    }
}
