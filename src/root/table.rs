//! The table of roots: entries, each an object's handle and a count, shared between the heap and its `Root`s.
//!
//! Cloning a `Root` increments a count, dropping it decrements the count, on any thread; neither takes a
//! lock, so a collection that reads the table never waits and blocks no other thread. The last drop puts the
//! entry on a free list; making a root takes it from there.
//!
//! Invariant: an entry with a count above zero belongs to that many `Root`s and its handle does not change;
//! an entry with count zero is on the free list, or on its way there.

mod kept;

use super::{RootNote, RootNotes};
use crate::bitmap::ones;
use crate::handle::RawHandle;
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Gauge, HeapNumber, Ordering, Queue, fence};
pub(crate) use kept::KeptRoots;

/// The end of a list.
const NONE: u32 = u32::MAX;

/// Not on the list at all.
const UNLISTED: u32 = u32::MAX - 1;

/// In place of the next free entry, while the entry is in use: there is a note about it.
const NOTED: u32 = u32::MAX - 2;

/// More `Root`s of one entry than this are not possible in memory; half of the range is left as a margin for
/// threads that count at the same time.
const MAX_COUNT: u32 = u32::MAX / 2;

// The three are distinct, and none is the number of an entry.
const _: () = assert!(UNLISTED != NONE && NOTED != NONE && NOTED != UNLISTED && NOTED > MAX_COUNT);

/// The entries of a heap's root set. It stays with its heap wherever that is moved, so it also identifies the
/// heap.
pub(crate) struct RootTable {
    /// From one on, never used twice in a process.
    heap: u64,
    entries: boxcar::Vec<RootEntry>,
    /// A bit for each entry in use, so that visiting all roots takes time for those that exist, not for all
    /// that ever existed.
    used: boxcar::Vec<Word>,
    /// How often the last `Root` of an object was dropped.
    dropped: AtomicU32,
    /// The heap's number, or `UNDONE` once any `Root` lost its object because the frames that made it were
    /// undone. The entry of such a root has the null handle.
    shown: AtomicU64,
    /// The first free entry, or `NONE`.
    free: AtomicU32,
    /// Whether a thread is taking an entry off the free list. Only one at a time may, or an entry could be
    /// taken, used, and put back between another's two looks at the list (the ABA problem).
    taking: AtomicBool,
    /// The first entry of the fresh list, or `NONE`: entries put to use since a collection last asked. Many
    /// threads may push at once; it is emptied only with exclusive access to the heap.
    fresh: AtomicU32,
    /// The length of the fresh list.
    fresh_len: AtomicU32,
    /// Slots that were reserved in the heap by a call that has another heap now.
    abandoned: Queue<Abandoned>,
    /// What they take.
    abandoned_bytes: Gauge,
    /// Names and origins.
    notes: RootNotes,
}

/// A slot that was reserved and will not be filled.
struct Abandoned {
    slot: RawHandle,
    slot_bytes: usize,
}

/// Which of 64 neighbouring entries are in use, among those that chose this word.
struct Word {
    /// The first of the entries.
    first: u32,
    bits: AtomicU64,
}

struct RootEntry {
    /// The word of `used` that has its bit. Written by the thread that makes the entry, before any other
    /// knows of it.
    word: AtomicU32,
    handle: AtomicU64,
    count: AtomicU32,
    /// The next entry of the free list while this one is on it; otherwise whether there is a note.
    next: AtomicU32,
    /// The next entry of the fresh list, `NONE` at its end; `UNLISTED` while this one is not on it.
    next_fresh: AtomicU32,
}

impl RootTable {
    pub(crate) fn new(remembers_origins: bool) -> Self {
        let heap = next_heap();
        Self {
            heap,
            entries: boxcar::Vec::new(),
            used: boxcar::Vec::new(),
            dropped: AtomicU32::new(0),
            shown: AtomicU64::new(heap),
            free: AtomicU32::new(NONE),
            taking: AtomicBool::new(false),
            fresh: AtomicU32::new(NONE),
            fresh_len: AtomicU32::new(0),
            abandoned: Queue::new(),
            abandoned_bytes: Gauge::new(0),
            notes: RootNotes::new(remembers_origins),
        }
    }

    /// Changes the note of an entry that has a `Root`.
    pub(super) fn note(&self, index: u32, change: impl FnOnce(&mut RootNote)) {
        self.notes.change(index, change);
        // Relaxed: the last `Root` is dropped after this, since the caller has one.
        self.entries[index as usize].next.store(NOTED, Ordering::Relaxed);
    }

    /// The entries that have a `Root`: their handles, notes, and how many `Root`s. Not while roots are made.
    #[cfg(feature = "inspect")]
    pub(crate) fn each(&self, mut visit: impl FnMut(RawHandle, RootNote, u32)) {
        for (index, entry) in self.entries.iter() {
            if let Some(raw) = self.rooted(entry) {
                // Relaxed, both: numbers for people.
                let is_noted = entry.next.load(Ordering::Relaxed) == NOTED;
                let note = if is_noted { self.notes.get(index as u32) } else { RootNote::default() };
                visit(raw, note, entry.count.load(Ordering::Relaxed));
            }
        }
    }

    /// The call that reserved this slot will not fill it.
    pub(crate) fn note_abandoned(&self, slot: RawHandle, slot_bytes: usize) {
        // Relaxed, here and below: a number for limits, whose reader may come before the call or after it.
        self.abandoned_bytes.fetch_add(slot_bytes, Ordering::Relaxed);
        self.abandoned.push(Abandoned { slot, slot_bytes });
    }

    pub(crate) fn abandoned_len(&self) -> usize {
        self.abandoned.len()
    }

    /// How many bytes the slots take that were given up.
    pub(crate) fn abandoned_bytes(&self) -> usize {
        self.abandoned_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn next_abandoned(&self) -> Option<RawHandle> {
        // Almost always: `pop` would wait for all earlier writes.
        if self.abandoned.is_empty() {
            return None;
        }
        let Abandoned { slot, slot_bytes } = self.abandoned.pop()?;
        self.abandoned_bytes.fetch_sub(slot_bytes, Ordering::Relaxed);
        Some(slot)
    }

    /// The number of the heap.
    #[inline(always)]
    pub(crate) fn heap_number(&self) -> u64 {
        self.heap
    }

    /// An entry for this object with a count of one.
    pub(crate) fn insert(&self, handle: RawHandle) -> u32 {
        let Some((index, entry)) = self.take_free() else {
            let index = self.entries.push(RootEntry {
                handle: AtomicU64::new(handle.to_bits()),
                count: AtomicU32::new(1),
                next: AtomicU32::new(NONE),
                next_fresh: AtomicU32::new(UNLISTED),
                word: AtomicU32::new(NONE),
            });
            let index =
                u32::try_from(index).ok().filter(|i| *i < NOTED).expect("slotgc: more than 2^32 roots");
            let entry = &self.entries[index as usize];
            // Relaxed: no other thread knows of the entry yet.
            entry.word.store(self.word_for(index), Ordering::Relaxed);
            self.set_used(entry, index, true);
            self.list_fresh(entry, index);
            return index;
        };
        // Relaxed, both: a `Root` of the entry reaches another thread only by means that synchronise, and a
        // collection, which reads the handle, has `&mut Heap` where this has `&Heap`.
        entry.handle.store(handle.to_bits(), Ordering::Relaxed);
        entry.count.store(1, Ordering::Relaxed);
        self.set_used(entry, index, true);
        // Relaxed: as above. No note of it so far.
        entry.next.store(NONE, Ordering::Relaxed);
        self.list_fresh(entry, index);
        index
    }

    /// A word for the bit of a new entry: one of the latest, or a new one. Another thread may have reserved a
    /// word for the same entries and not filled it yet; this does not wait for it, so two words may cover the
    /// same entries. Each entry has its bit in one of them.
    fn word_for(&self, index: u32) -> u32 {
        const LATEST: usize = 2;
        let (first, count) = (index / 64 * 64, self.used.count());
        let mut latest = (count.saturating_sub(LATEST)..count).rev();
        let word = latest.find(|word| self.used.get(*word).is_some_and(|word| word.first == first));
        let word = word.unwrap_or_else(|| self.used.push(Word { first, bits: AtomicU64::new(0) }));
        u32::try_from(word).expect("there are no more words than entries")
    }

    fn set_used(&self, entry: &RootEntry, index: u32, used: bool) {
        // Relaxed: written before the entry was first used, and not since.
        let word = entry.word.load(Ordering::Relaxed);
        let (word, bit) = (&self.used[word as usize].bits, 1 << (index % 64));
        // Relaxed: a bit is cleared before its entry is on the free list, and set after the entry is taken
        // off it; the list orders the two. A collection has `&mut Heap`, and setting a bit needs `&Heap`; one
        // that is just being cleared may be seen either way, like the count.
        if used {
            word.fetch_or(bit, Ordering::Relaxed);
        } else {
            word.fetch_and(!bit, Ordering::Relaxed);
        }
    }

    /// How often the last `Root` of an object was dropped; wraps around.
    #[inline]
    pub(crate) fn dropped(&self) -> u32 {
        // Relaxed: only an estimate for planning.
        self.dropped.load(Ordering::Relaxed)
    }

    /// Puts an entry that is now in use on the fresh list, unless it is still there from its last use.
    fn list_fresh(&self, entry: &RootEntry, index: u32) {
        // Relaxed, all of it: an entry in use belongs to one thread until it is listed. The list is emptied
        // with `&mut Heap` and this has `&Heap`, which orders everything.
        if entry.next_fresh.load(Ordering::Relaxed) != UNLISTED {
            return;
        }
        self.fresh_len.fetch_add(1, Ordering::Relaxed);
        let mut head = self.fresh.load(Ordering::Relaxed);
        loop {
            entry.next_fresh.store(head, Ordering::Relaxed);
            match self.fresh.compare_exchange_weak(head, index, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes an entry off the fresh list and returns its handle, or the null handle if it no longer has a
    /// `Root`. Not while roots are made.
    pub(crate) fn next_fresh(&self) -> Option<RawHandle> {
        // Relaxed, all of it: see `list_fresh`.
        let index = self.fresh.load(Ordering::Relaxed);
        let entry = self.entries.get(index as usize)?;
        self.fresh.store(entry.next_fresh.load(Ordering::Relaxed), Ordering::Relaxed);
        entry.next_fresh.store(UNLISTED, Ordering::Relaxed);
        self.fresh_len.fetch_sub(1, Ordering::Relaxed);
        Some(self.rooted(entry).unwrap_or(RawHandle::NULL))
    }

    /// Entries on the fresh list.
    pub(crate) fn fresh_len(&self) -> usize {
        // Relaxed: see `list_fresh`.
        self.fresh_len.load(Ordering::Relaxed) as usize
    }

    fn rooted(&self, entry: &RootEntry) -> Option<RawHandle> {
        // Relaxed, both: no root is made meanwhile, see `insert`; a count that is just dropping to zero may
        // be seen either way.
        let is_rooted = entry.count.load(Ordering::Relaxed) != 0;
        is_rooted.then(|| RawHandle::from_bits(entry.handle.load(Ordering::Relaxed)))
    }

    /// Adds a `Root` to an entry that has one.
    pub(crate) fn retain(&self, index: u32) {
        let count = &self.entries[index as usize].count;
        // Relaxed: the caller has a `Root` of this entry, so the count is above zero before and after, and
        // nothing else is published.
        let before = count.fetch_add(1, Ordering::Relaxed);
        if before > MAX_COUNT {
            // Relaxed: undoes the line above.
            count.fetch_sub(1, Ordering::Relaxed);
            panic!("slotgc: more than {MAX_COUNT} clones of one Root");
        }
    }

    /// Removes a `Root` from an entry.
    pub(crate) fn release(&self, index: u32) {
        let entry = &self.entries[index as usize];
        // Release: what this thread did with the entry comes before its next use.
        if entry.count.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: and so does what all the other owners did, whose releases the subtraction above read.
        fence(Ordering::Acquire);
        self.set_used(entry, index, false);
        // Relaxed: only an estimate for planning.
        self.dropped.fetch_add(1, Ordering::Relaxed);
        // Relaxed: written by an owner, see the fence.
        if entry.next.load(Ordering::Relaxed) == NOTED {
            self.notes.forget(index);
        }
        // Relaxed: a first guess, corrected by the exchange.
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            // Relaxed: published by the exchange.
            entry.next.store(head, Ordering::Relaxed);
            // Release: the thread that takes the entry off sees its `next`, and all former uses of it.
            // Relaxed on failure: only the number is used.
            match self.free.compare_exchange_weak(head, index, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes an entry off the free list, unless the list is empty or another thread is taking one.
    fn take_free(&self) -> Option<(u32, &RootEntry)> {
        // Relaxed: only a hint, to leave the flag alone when there is nothing to take.
        if self.free.load(Ordering::Relaxed) == NONE {
            return None;
        }
        // Acquire: the list as the previous taker left it, whose store below released the flag.
        if self.taking.swap(true, Ordering::Acquire) {
            return None;
        }
        // Acquire: the entry's `next` as its last owner's exchange published it.
        let mut head = self.free.load(Ordering::Acquire);
        let taken = loop {
            let Some(entry) = self.entries.get(head as usize) else {
                break None;
            };
            // Relaxed: read after the Acquire above. It cannot change: only a taker could take the entry off
            // and so let it be put back, and this is the only taker.
            let next = entry.next.load(Ordering::Relaxed);
            // Acquire on success: the former uses of the entry come before its next one. Acquire on failure:
            // as for the first load.
            match self.free.compare_exchange_weak(head, next, Ordering::Acquire, Ordering::Acquire) {
                Ok(_) => break Some((head, entry)),
                Err(now) => head = now,
            }
        };
        // Release: pairs with the swap of the next taker.
        self.taking.store(false, Ordering::Release);
        taken
    }

    /// Words of the bits of entries in use.
    pub(crate) fn words_len(&self) -> usize {
        self.used.count()
    }

    /// The handles of the entries of a word that have a `Root`, in order. May run while other threads clone
    /// and drop `Root`s, not while they make new ones.
    pub(crate) fn in_word(&self, word: usize) -> impl Iterator<Item = RawHandle> {
        // Relaxed: see `set_used`.
        let word = self.used.get(word);
        let used = word.map_or(0, |word| word.bits.load(Ordering::Relaxed));
        let first = word.map_or(0, |word| word.first);
        ones(used).filter_map(move |bit| self.rooted(self.entries.get((first + bit) as usize)?))
    }

    /// Whether a root's note says where in the program it was made.
    pub(super) fn remembers_origins(&self) -> bool {
        self.notes.remembers_origins()
    }

    /// A new table for the same heap, to be used when this one has no `Root`.
    pub(crate) fn renewed(&self) -> Self {
        Self { heap: self.heap, shown: AtomicU64::new(self.heap), ..Self::new(self.remembers_origins()) }
    }
}

fn next_heap() -> u64 {
    static LAST: HeapNumber = HeapNumber::new(0);
    // Relaxed: only the number is used.
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}
