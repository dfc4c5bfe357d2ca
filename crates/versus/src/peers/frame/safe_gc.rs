//! safe-gc: collects when its capacity is used up. It has nothing weak: what is cached is removed by hand.

use hashbrown::HashMap;
use safe_gc::{Collector, Gc, Heap, Root, Trace};
use slotgc_graphs::DEGREE;

use crate::needs::NODE_BYTES;
use crate::needs::frame::{HOOK, Plan, Playable, Played, Start, World, number_of};
use crate::needs::weak::SameHash;

#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: [Option<Gc<Node>>; DEGREE],
    fill: u64,
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

impl Trace for Node {
    fn trace(&self, collector: &mut Collector) {
        self.edges.iter().flatten().for_each(|edge| collector.edge(*edge));
    }
}

/// A world. One root keeps it alive.
pub(crate) struct Objects {
    old: Vec<Gc<Node>>,
    _root: Root<Node>,
    cache: HashMap<u64, (Gc<Node>, u64), SameHash>,
    heap: Heap,
}

/// For the harness.
pub(crate) type SafeWorld = Played<Objects>;

impl World for Objects {
    type Young = Root<Node>;

    fn read(&self, old: u32) -> u64 {
        self.heap[self.old[old as usize]].id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Root<Node>>) -> Root<Node> {
        let [first, second] = of.map(|old| Some(self.old[old as usize]));
        let edges = [first, second, previous.map(Root::unrooted), None];
        self.heap.alloc(Node { id, edges, fill: 0 })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        self.heap[self.old[from as usize]].edges[edge] = Some(self.old[to as usize]);
    }

    fn hang(&mut self, old: u32, young: &Root<Node>, is_cached: bool) {
        let dead = self.heap[self.old[old as usize]].edges[HOOK].replace(young.unrooted());
        if let Some(dead) = dead.filter(|_| is_cached) {
            self.cache.remove(&self.heap[dead].id);
        }
    }

    fn cache(&mut self, id: u64, young: &Root<Node>) {
        self.cache.insert(id, (young.unrooted(), number_of(id)));
    }

    fn look_up(&self, id: u64) -> u64 {
        let (node, number) = self.cache[&id];
        self.heap[node].id + number
    }

    fn end_frame(&mut self, young: &mut Vec<Root<Node>>, _: &Plan) {
        young.clear();
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.heap[self.heap[self.old[old as usize]].edges[HOOK]?].id)
    }
}

impl Playable for Objects {
    fn build(start: &Start) -> Self {
        let mut heap = Heap::new();
        let roots: Vec<_> = (0..start.0.len() as u64)
            .map(|id| heap.alloc(Node { id, edges: [None; DEGREE], fill: 0 }))
            .collect();
        let old: Vec<_> = roots.iter().map(Root::unrooted).collect();
        for (node, edges) in old.iter().zip(&start.0) {
            let [first, second, third] = edges.map(|edge| Some(old[edge as usize]));
            heap[*node].edges = [first, second, third, None];
        }
        let root = heap.root(old[0]);
        drop(roots);
        heap.gc();
        Self { old, _root: root, cache: HashMap::default(), heap }
    }

    fn living(&mut self) -> Option<usize> {
        None
    }
}
