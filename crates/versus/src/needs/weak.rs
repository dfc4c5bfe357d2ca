//! What works on weak handles and weak maps need of a peer.
//!
//! Objects are eight words, `[id, 0, .., id + 1]`, without edges. Where a peer's map takes a hash function it
//! uses slotgc's, so that maps are compared, not hash functions.

use std::hash::BuildHasherDefault;
use std::hint::black_box;
use std::time::Duration;

use slotgc_graphs::Random;

use crate::clock::Stopwatch;
use crate::needs::NODE_BYTES;
use crate::shape::Inputs;

/// An object of 64 bytes.
pub(crate) type Object = [u64; 8];

const _: () = assert!(size_of::<Object>() == NODE_BYTES);

/// An object.
#[inline(always)]
pub(crate) fn object(id: u64) -> Object {
    [id, 0, 0, 0, 0, 0, 0, id + 1]
}

/// The hash function of slotgc's maps.
pub(crate) type SameHash = BuildHasherDefault<::slotgc::HandleHasher>;

/// Which entries there are, in which orders.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// All objects, in the order of insertion.
    pub(crate) insertions: &'a [u32],
    /// All objects, in the order of lookups; the first half of them is what dies.
    pub(crate) lookups: Vec<u32>,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(inputs: &'a Inputs) -> Self {
        Self { insertions: inputs.order(), lookups: Random::new(6).order(inputs.objects) }
    }

    /// How many objects there are.
    pub(crate) fn len(&self) -> usize {
        self.insertions.len()
    }

    /// The objects that die, and those that live on.
    pub(crate) fn split(&self) -> (&[u32], &[u32]) {
        self.lookups.split_at(self.len() / 2)
    }
}

/// An object's number and its handle.
pub(crate) type Entry<H> = (u64, H);

/// A weak map whose objects have handles that are plain values.
pub(crate) trait Table: Sized {
    /// What names an object.
    type Handle: Clone;

    /// No objects, and an empty map.
    fn new() -> Self;
    /// Makes an object.
    fn alloc(&mut self, id: u64) -> Self::Handle;
    /// Puts an entry for this object into the map.
    fn insert(&mut self, id: u64, handle: &Self::Handle);
    /// Finds the entry, and returns what distinguishes it from others.
    fn get(&self, id: u64, handle: &Self::Handle) -> u64;
    /// What `get` must return.
    fn expected(id: u64, handle: &Self::Handle) -> u64;
    /// Entries.
    fn len(&self) -> usize;
    /// Lets objects die, removes their entries from the map, and returns how long the removal took.
    fn prune(&mut self, dead: Vec<Entry<Self::Handle>>, kept: &[Entry<Self::Handle>]) -> Duration;
}

/// What is timed: one for each of the three works on a map.
pub(crate) trait Maps {
    /// Inserting all entries into an empty map.
    fn insert(plan: &Plan<'_>) -> Duration;
    /// Looking up every entry once.
    fn get(plan: &Plan<'_>) -> Duration;
    /// Removing the entries of the dead half.
    fn prune(plan: &Plan<'_>) -> Duration;
}

impl<T: Table> Maps for T {
    fn insert(plan: &Plan<'_>) -> Duration {
        let (mut table, handles) = objects::<T>(plan.len());
        let entries = entries(plan.insertions, &handles);
        let start = Stopwatch::start();
        insert_all(&mut table, black_box(&entries));
        let time = start.elapsed();
        check(&table, &entries);
        drop((entries, handles));
        time
    }

    fn get(plan: &Plan<'_>) -> Duration {
        let (mut table, handles) = objects::<T>(plan.len());
        insert_all(&mut table, &entries(plan.insertions, &handles));
        let entries = entries(&plan.lookups, &handles);
        let start = Stopwatch::start();
        let found = get_all(black_box(&table), black_box(&entries));
        let time = start.elapsed();
        assert_eq!(found, expected::<T>(&entries));
        // Handles go before the heap does.
        drop((entries, handles));
        time
    }

    fn prune(plan: &Plan<'_>) -> Duration {
        let (mut table, handles) = objects::<T>(plan.len());
        insert_all(&mut table, &entries(plan.insertions, &handles));
        let (dead, kept) = plan.split();
        let (dead, kept) = (entries(dead, &handles), entries(kept, &handles));
        drop(handles);
        let time = table.prune(dead, &kept);
        check(&table, &kept);
        drop(kept);
        time
    }
}

fn objects<T: Table>(n: usize) -> (T, Vec<T::Handle>) {
    let mut table = T::new();
    let handles = (0..n as u64).map(|id| table.alloc(id)).collect();
    (table, handles)
}

/// The entries in this order, one after the other in memory.
fn entries<H: Clone>(order: &[u32], handles: &[H]) -> Vec<Entry<H>> {
    order.iter().map(|id| (u64::from(*id), handles[*id as usize].clone())).collect()
}

/// Checks that the map has these entries and no others.
fn check<T: Table>(table: &T, entries: &[Entry<T::Handle>]) {
    assert_eq!(table.len(), entries.len(), "entries in the map");
    assert_eq!(get_all(table, entries), expected::<T>(entries), "what the entries say");
}

fn expected<T: Table>(entries: &[Entry<T::Handle>]) -> u64 {
    entries.iter().fold(0, |sum, (id, handle)| sum.wrapping_add(T::expected(*id, handle)))
}

/// A loop that is timed.
#[inline(never)]
fn insert_all<T: Table>(table: &mut T, entries: &[Entry<T::Handle>]) {
    entries.iter().for_each(|(id, handle)| table.insert(*id, handle));
}

/// A loop that is timed.
#[inline(never)]
fn get_all<T: Table>(table: &T, entries: &[Entry<T::Handle>]) -> u64 {
    entries.iter().fold(0, |sum, (id, handle)| sum.wrapping_add(table.get(*id, handle)))
}
