//! slotgc: `pace` at the end of each frame. One root keeps the world alive; the program's list of old objects
//! has plain handles.

use std::time::Duration;

use slotgc::{Budget, Gc, Heap, Root, Trace, WeakKeyMap, WeakValueMap};
use slotgc_graphs::DEGREE;

use crate::needs::NODE_BYTES;
use crate::needs::frame::{HOOK, Plan, Playable, Played, Start, World, number_of};

#[derive(Trace)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: [u64; 3],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// A world in which a frame may spend this many microseconds on collecting.
pub(crate) struct Objects<const MICROS: u64> {
    heap: Heap,
    old: Vec<Gc<Node>>,
    cache: Root<WeakValueMap<u64, Node>>,
    numbers: Root<WeakKeyMap<Node, u64>>,
    _root: Root<Node>,
}

/// For the harness.
pub(crate) type SlotGcWorld<const MICROS: u64> = Played<Objects<MICROS>>;

impl<const MICROS: u64> World for Objects<MICROS> {
    type Young = Gc<Node>;

    fn read(&self, old: u32) -> u64 {
        self.heap[self.old[old as usize]].id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Gc<Node>>) -> Gc<Node> {
        let [first, second] = of.map(|old| Some(self.old[old as usize]));
        self.heap.alloc(Node { id, edges: [first, second, previous.copied(), None], fill: [0; 3] })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        self.heap[self.old[from as usize]].edges[edge] = Some(self.old[to as usize]);
    }

    fn hang(&mut self, old: u32, young: &Gc<Node>, _: bool) {
        self.heap[self.old[old as usize]].edges[HOOK] = Some(*young);
    }

    fn cache(&mut self, id: u64, young: &Gc<Node>) {
        self.heap[&self.cache].insert(id, young);
        self.heap[&self.numbers].insert(young, number_of(id));
    }

    fn look_up(&self, id: u64) -> u64 {
        let weak = self.heap[&self.cache].get(&id).expect("an entry");
        let number = self.heap[&self.numbers].get(weak).expect("an entry");
        self.heap[weak].id + number
    }

    fn end_frame(&mut self, young: &mut Vec<Gc<Node>>, _: &Plan) {
        young.clear();
        self.heap.pace(Budget::Time(Duration::from_micros(MICROS)));
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.heap[self.heap[self.old[old as usize]].edges[HOOK]?].id)
    }
}

impl<const MICROS: u64> Playable for Objects<MICROS> {
    fn build(start: &Start) -> Self {
        let mut heap = Heap::new();
        let node = |id| Node { id, edges: [None; DEGREE], fill: [0; 3] };
        let old: Vec<_> = (0..start.0.len() as u64).map(|id| heap.alloc(node(id))).collect();
        for (node, edges) in old.iter().zip(&start.0) {
            let [first, second, third] = edges.map(|edge| Some(old[edge as usize]));
            heap[node].edges = [first, second, third, None];
        }
        let root = heap.root(old[0]).expect("a living object");
        let cache = heap.alloc_root(WeakValueMap::new());
        let numbers = heap.alloc_root(WeakKeyMap::new());
        heap.collect();
        Self { heap, old, cache, numbers, _root: root }
    }

    fn living(&mut self) -> Option<usize> {
        self.heap.collect();
        Some(self.heap.len_of::<Node>())
    }
}
