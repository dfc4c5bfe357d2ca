//! hashbrown alone: a table with as many bytes per entry as slotgc's, and nothing weak about it. A bit for
//! each object tells it what died.

use std::hash::BuildHasher;
use std::time::Duration;

use hashbrown::{DefaultHashBuilder, HashMap};
use slotgc::{Heap, Weak};

use crate::clock::Stopwatch;
use crate::needs::weak::{Entry, Object, Table, object};

/// hashbrown's default hash function.
pub(crate) type Foldhash = DefaultHashBuilder;

/// From numbers to words.
#[derive(Debug)]
pub(crate) struct PlainValues<S> {
    map: HashMap<u64, u64, S>,
}

/// From slotgc's weak handles to numbers.
#[derive(Debug)]
pub(crate) struct PlainKeys<S> {
    heap: Heap,
    map: HashMap<Weak<Object>, u64, S>,
}

/// A bit for each object.
struct Living(Vec<u64>);

impl Living {
    fn only<H>(kept: &[Entry<H>], objects: usize) -> Self {
        let mut bits = vec![0; objects.div_ceil(64)];
        kept.iter().for_each(|(id, _)| bits[*id as usize / 64] |= 1 << (id % 64));
        Self(bits)
    }

    #[inline(always)]
    fn has(&self, id: u64) -> bool {
        self.0[id as usize / 64] >> (id % 64) & 1 != 0
    }
}

impl<S: BuildHasher + Default> Table for PlainValues<S> {
    type Handle = u64;

    fn new() -> Self {
        Self { map: HashMap::default() }
    }

    /// As wide as a handle.
    fn alloc(&mut self, id: u64) -> u64 {
        id << 32 | 1
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &u64) {
        self.map.insert(id, *handle);
    }

    #[inline(always)]
    fn get(&self, id: u64, _: &u64) -> u64 {
        *self.map.get(&id).expect("an entry")
    }

    fn expected(_: u64, handle: &u64) -> u64 {
        *handle
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn prune(&mut self, dead: Vec<Entry<u64>>, kept: &[Entry<u64>]) -> Duration {
        let living = Living::only(kept, dead.len() + kept.len());
        let start = Stopwatch::start();
        self.map.retain(|id, _| living.has(*id));
        start.elapsed()
    }
}

impl<S: BuildHasher + Default> Table for PlainKeys<S> {
    type Handle = Weak<Object>;

    fn new() -> Self {
        Self { heap: Heap::new(), map: HashMap::default() }
    }

    fn alloc(&mut self, id: u64) -> Weak<Object> {
        self.heap.alloc(object(id)).downgrade()
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &Weak<Object>) {
        self.map.insert(*handle, id);
    }

    #[inline(always)]
    fn get(&self, _: u64, handle: &Weak<Object>) -> u64 {
        *self.map.get(handle).expect("an entry")
    }

    fn expected(id: u64, _: &Weak<Object>) -> u64 {
        id
    }

    fn len(&self) -> usize {
        self.map.len()
    }

    fn prune(&mut self, dead: Vec<Entry<Weak<Object>>>, kept: &[Entry<Weak<Object>>]) -> Duration {
        let living = Living::only(kept, dead.len() + kept.len());
        let start = Stopwatch::start();
        self.map.retain(|_, id| living.has(*id));
        start.elapsed()
    }
}
