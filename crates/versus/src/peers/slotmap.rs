//! slotmap: `SlotMap` with its default keys, grown as needed; with its capacity reserved; and `DenseSlotMap`,
//! whose values lie one after the other.

use slotgc_graphs::DEGREE;
use slotmap::DefaultKey;

use crate::needs::iterate::Iterate;
use crate::needs::memory::Meter;
use crate::needs::{Field, Free, Handles, NODE_BYTES};

#[derive(Debug)]
#[repr(C)]
struct Node {
    id: u64,
    edges: [Option<DefaultKey>; DEGREE],
    fill: [u64; 2],
    tail: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

#[inline(always)]
fn node(id: u64) -> Node {
    Node { id, edges: [None; DEGREE], fill: [0; 2], tail: id + 1 }
}

/// A `SlotMap`, with room for all objects from the start or not.
#[derive(Debug)]
pub(crate) struct Map<const RESERVED: bool> {
    map: slotmap::SlotMap<DefaultKey, Node>,
}

/// Grows as objects come.
pub(crate) type SlotMap = Map<false>;

/// Knows how many will.
pub(crate) type ReservedSlotMap = Map<true>;

impl<const RESERVED: bool> Handles for Map<RESERVED> {
    type Handle = DefaultKey;

    fn new(objects: usize) -> Self {
        let room = if RESERVED { objects } else { 0 };
        Self { map: slotmap::SlotMap::with_capacity(room) }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> DefaultKey {
        self.map.insert(node(id))
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &DefaultKey) -> u64 {
        let node = self.map.get(*handle).expect("a living object");
        F::pick(&node.id, &node.tail)
    }
}

impl<const RESERVED: bool> Free for Map<RESERVED> {
    fn free(&mut self, dead: Vec<DefaultKey>, _: &[DefaultKey]) {
        dead.into_iter().for_each(|key| assert!(self.map.remove(key).is_some()));
    }
}

impl<const RESERVED: bool> Iterate for Map<RESERVED> {
    fn sum_of_all(&self) -> u64 {
        self.map.iter().map(|(_, node)| node.id).sum()
    }
}

/// A `DenseSlotMap`: a lookup goes through a table, and freeing moves the last value.
#[derive(Debug)]
pub(crate) struct DenseSlotMap {
    map: slotmap::DenseSlotMap<DefaultKey, Node>,
}

impl Handles for DenseSlotMap {
    type Handle = DefaultKey;

    fn new(_: usize) -> Self {
        Self { map: slotmap::DenseSlotMap::new() }
    }

    #[inline(always)]
    fn alloc(&mut self, id: u64) -> DefaultKey {
        self.map.insert(node(id))
    }

    #[inline(always)]
    fn read<F: Field>(&self, handle: &DefaultKey) -> u64 {
        let node = self.map.get(*handle).expect("a living object");
        F::pick(&node.id, &node.tail)
    }
}

impl Free for DenseSlotMap {
    fn free(&mut self, dead: Vec<DefaultKey>, _: &[DefaultKey]) {
        dead.into_iter().for_each(|key| assert!(self.map.remove(key).is_some()));
    }
}

impl Iterate for DenseSlotMap {
    fn sum_of_all(&self) -> u64 {
        self.map.iter().map(|(_, node)| node.id).sum()
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    let mut map: slotmap::SlotMap<DefaultKey, [u64; WORDS]> = slotmap::SlotMap::new();
    meter.fill(|id| {
        map.insert([id; WORDS]);
    });
}
