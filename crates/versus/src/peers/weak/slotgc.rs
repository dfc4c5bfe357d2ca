//! slotgc: `Weak`, `WeakValueMap`, `WeakKeyMap`, and a table of the user's own that reports ephemerons.

use std::marker::PhantomData;
use std::mem;
use std::time::Duration;

use slotgc::{CollectStats, Gc, Heap, Root, RootSource, Trace, Tracer, Weak, WeakKeyMap, WeakValueMap};

use crate::clock::Stopwatch;
use crate::needs::ephemeron::{Chain, Links};
use crate::needs::weak::{Entry, Object, Table, object};
use crate::needs::{Field, Handles};
use crate::peers::slotgc::{Node, SlotGc};

/// The usual heap, with weak handles.
#[derive(Debug)]
pub(crate) struct WeakHandles {
    heap: SlotGc,
}

impl Handles for WeakHandles {
    type Handle = Weak<Node>;

    fn new(objects: usize) -> Self {
        Self { heap: SlotGc::new(objects) }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> Weak<Node> {
        self.heap.alloc(id).downgrade()
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &Weak<Node>) -> u64 {
        self.heap.read_any::<F>(*handle)
    }
}

/// Where a map is when it is pruned.
pub(crate) trait Place {
    /// Removes the entries of everything but `kept`, and returns how long the removal took.
    fn prune<M: Map>(heap: &mut Heap, map: &Root<M>, kept: &dyn RootSource) -> Duration;
}

/// An object of the heap, pruned by the collection.
#[derive(Debug)]
pub(crate) struct InHeap;

/// A value of the program's, pruned by it.
#[derive(Debug)]
pub(crate) struct OutOfHeap;

/// What both kinds of maps have.
pub(crate) trait Map: Trace + Default {
    fn len(&self) -> usize;
    fn prune_dead(&mut self, heap: &Heap);
}

impl Place for InHeap {
    fn prune<M: Map>(heap: &mut Heap, map: &Root<M>, kept: &dyn RootSource) -> Duration {
        let before = heap[map].len();
        let CollectStats { pruned, prune_time, .. } = heap.collect_with(kept);
        assert_eq!(pruned, before - heap[map].len());
        prune_time
    }
}

impl Place for OutOfHeap {
    fn prune<M: Map>(heap: &mut Heap, map: &Root<M>, kept: &dyn RootSource) -> Duration {
        let mut outside = mem::take(&mut heap[map]);
        heap.collect_with(kept);
        let start = Stopwatch::start();
        outside.prune_dead(heap);
        let time = start.elapsed();
        heap[map] = outside;
        time
    }
}

/// The usual heap with a map in it.
#[derive(Debug)]
pub(crate) struct WithMap<M, P> {
    map: Root<M>,
    heap: Heap,
    place: PhantomData<P>,
}

/// A map from numbers to objects.
pub(crate) type SlotGcValues<P> = WithMap<WeakValueMap<u64, Object>, P>;

/// A map from objects to numbers.
pub(crate) type SlotGcKeys<P> = WithMap<WeakKeyMap<Object, u64>, P>;

impl<M: Map, P: Place> WithMap<M, P> {
    fn empty() -> Self {
        let mut heap = Heap::new();
        Self { map: heap.alloc_root(M::default()), heap, place: PhantomData }
    }

    fn prune_all_but(&mut self, kept: &[Entry<Gc<Object>>]) -> Duration {
        let kept: Vec<_> = kept.iter().map(|(_, gc)| *gc).collect();
        P::prune(&mut self.heap, &self.map, &kept)
    }
}

impl Map for WeakValueMap<u64, Object> {
    fn len(&self) -> usize {
        self.len()
    }

    fn prune_dead(&mut self, heap: &Heap) {
        self.prune_dead(heap);
    }
}

impl Map for WeakKeyMap<Object, u64> {
    fn len(&self) -> usize {
        self.len()
    }

    fn prune_dead(&mut self, heap: &Heap) {
        self.prune_dead(heap);
    }
}

impl<P: Place> Table for SlotGcValues<P> {
    type Handle = Gc<Object>;

    fn new() -> Self {
        Self::empty()
    }

    fn alloc(&mut self, id: u64) -> Gc<Object> {
        self.heap.alloc(object(id))
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &Gc<Object>) {
        self.heap[&self.map].insert(id, handle);
    }

    #[inline(always)]
    fn get(&self, id: u64, _: &Gc<Object>) -> u64 {
        self.heap[&self.map].get(&id).expect("an entry").to_bits()
    }

    fn expected(_: u64, handle: &Gc<Object>) -> u64 {
        handle.to_bits()
    }

    fn len(&self) -> usize {
        self.heap[&self.map].len()
    }

    fn prune(&mut self, _: Vec<Entry<Gc<Object>>>, kept: &[Entry<Gc<Object>>]) -> Duration {
        self.prune_all_but(kept)
    }
}

impl<P: Place> Table for SlotGcKeys<P> {
    type Handle = Gc<Object>;

    fn new() -> Self {
        Self::empty()
    }

    fn alloc(&mut self, id: u64) -> Gc<Object> {
        self.heap.alloc(object(id))
    }

    #[inline(always)]
    fn insert(&mut self, id: u64, handle: &Gc<Object>) {
        self.heap[&self.map].insert(handle, id);
    }

    #[inline(always)]
    fn get(&self, _: u64, handle: &Gc<Object>) -> u64 {
        *self.heap[&self.map].get(handle).expect("an entry")
    }

    fn expected(id: u64, _: &Gc<Object>) -> u64 {
        id
    }

    fn len(&self) -> usize {
        self.heap[&self.map].len()
    }

    fn prune(&mut self, _: Vec<Entry<Gc<Object>>>, kept: &[Entry<Gc<Object>>]) -> Duration {
        self.prune_all_but(kept)
    }
}

/// Ephemerons in some kind of table, and a root for the first key.
#[derive(Debug)]
pub(crate) struct EphemeronChain<M> {
    first: Option<Root<Object>>,
    table: Root<M>,
    heap: Heap,
}

/// In a `WeakKeyMap`, which the collector visits in the order of hashes.
pub(crate) type WeakKeyChain = EphemeronChain<WeakKeyMap<Object, Gc<Object>>>;

/// In a vector, which it visits in the order of insertion. So the order of insertion decides in which order
/// keys are reached.
pub(crate) type TableChain = EphemeronChain<InOrder>;

/// A table that finds no key, and loses none.
#[derive(Default, Debug)]
pub(crate) struct InOrder(Vec<(Weak<Object>, Gc<Object>)>);

impl Trace for InOrder {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        for (key, value) in &self.0 {
            tracer.ephemeron(*key, value);
        }
    }
}

/// A table of ephemerons.
pub(crate) trait Ephemerons: Trace + Default {
    fn insert(&mut self, key: Gc<Object>, value: Gc<Object>);
    /// How many steps lead from a key to its value and on.
    fn steps(&self, heap: &Heap, first: Weak<Object>) -> usize;
    /// Entries with a living key.
    fn living(&self, heap: &Heap) -> usize;
}

impl Ephemerons for WeakKeyMap<Object, Gc<Object>> {
    fn insert(&mut self, key: Gc<Object>, value: Gc<Object>) {
        self.insert(key, value);
    }

    fn steps(&self, heap: &Heap, first: Weak<Object>) -> usize {
        let next = |key: &Weak<Object>| Some(self.get(*key)?.downgrade()).filter(|key| heap.is_alive(key));
        std::iter::successors(Some(first), next).count() - 1
    }

    fn living(&self, _: &Heap) -> usize {
        self.len()
    }
}

impl Ephemerons for InOrder {
    fn insert(&mut self, key: Gc<Object>, value: Gc<Object>) {
        self.0.push((key.downgrade(), value));
    }

    fn steps(&self, heap: &Heap, _: Weak<Object>) -> usize {
        self.0.iter().filter(|(key, value)| heap.is_alive(key) && heap.is_alive(value)).count()
    }

    fn living(&self, heap: &Heap) -> usize {
        self.0.iter().filter(|(key, _)| heap.is_alive(key)).count()
    }
}

impl<M: Ephemerons> Chain for EphemeronChain<M> {
    fn build(links: &Links) -> Self {
        let mut heap = Heap::new();
        let objects: Vec<_> = (0..links.len() as u64).map(|id| heap.alloc(object(id))).collect();
        let mut table = M::default();
        links.each(|key, value| table.insert(objects[key], objects[value]));
        let first = heap.root(objects[links.first()]);
        Self { first, table: heap.alloc_root(table), heap }
    }

    fn collect(&mut self) {
        self.heap.collect();
    }

    fn steps(&self) -> usize {
        let first = self.first.as_ref().expect("a root").downgrade();
        self.heap[&self.table].steps(&self.heap, first)
    }

    fn drop_first(&mut self) {
        self.first = None;
    }

    fn living(&self) -> usize {
        self.heap[&self.table].living(&self.heap)
    }
}
