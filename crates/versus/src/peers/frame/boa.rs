//! boa_gc: decides itself when to collect. `WeakMap` prunes itself, a map of `WeakGc` is pruned by hand.

use boa_gc::{Finalize, Gc, GcRefCell, Trace, WeakGc, WeakMap, force_collect};
use hashbrown::HashMap;
use slotgc_graphs::DEGREE;

use crate::needs::NODE_BYTES;
use crate::needs::frame::{HOOK, Plan, Playable, Played, Start, World, number_of};
use crate::needs::weak::SameHash;
use crate::peers::frame::PRUNE_EVERY;

#[derive(Trace, Finalize)]
#[boa_gc(unsafe_no_drop)]
#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: GcRefCell<[Option<Gc<Node>>; DEGREE]>,
    fill: [u64; 2],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// A world. The list keeps the old objects alive.
pub(crate) struct Objects {
    old: Vec<Gc<Node>>,
    cache: HashMap<u64, WeakGc<Node>, SameHash>,
    numbers: Option<WeakMap<Node, u64>>,
    frames: u32,
}

/// For the harness.
pub(crate) type BoaWorld = Played<Objects>;

impl Objects {
    fn numbers(&self) -> &WeakMap<Node, u64> {
        self.numbers.as_ref().expect("not dropped yet")
    }
}

impl Drop for Objects {
    /// Leaves nothing for the next case.
    fn drop(&mut self) {
        self.old.clear();
        self.cache.clear();
        self.numbers = None;
        force_collect();
    }
}

impl World for Objects {
    type Young = Gc<Node>;

    fn read(&self, old: u32) -> u64 {
        self.old[old as usize].id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Gc<Node>>) -> Gc<Node> {
        let [first, second] = of.map(|old| Some(self.old[old as usize].clone()));
        let edges = GcRefCell::new([first, second, previous.cloned(), None]);
        Gc::new(Node { id, edges, fill: [0; 2] })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        let to = self.old[to as usize].clone();
        self.old[from as usize].edges.borrow_mut()[edge] = Some(to);
    }

    fn hang(&mut self, old: u32, young: &Gc<Node>, _: bool) {
        self.old[old as usize].edges.borrow_mut()[HOOK] = Some(young.clone());
    }

    fn cache(&mut self, id: u64, young: &Gc<Node>) {
        self.cache.insert(id, WeakGc::new(young));
        self.numbers.as_mut().expect("not dropped yet").insert(young, number_of(id));
    }

    fn look_up(&self, id: u64) -> u64 {
        let node = self.cache[&id].upgrade().expect("a living object");
        let entry = self.numbers().get(&node).expect("an entry");
        node.id + *entry.value().expect("a living key")
    }

    fn end_frame(&mut self, young: &mut Vec<Gc<Node>>, _: &Plan) {
        young.clear();
        self.frames += 1;
        if self.frames.is_multiple_of(PRUNE_EVERY) {
            self.cache.retain(|_, weak| weak.is_upgradable());
        }
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.old[old as usize].edges.borrow()[HOOK].as_ref()?.id)
    }
}

impl Playable for Objects {
    fn build(start: &Start) -> Self {
        let node = |id| Gc::new(Node { id, edges: GcRefCell::default(), fill: [0; 2] });
        let old: Vec<_> = (0..start.0.len() as u64).map(node).collect();
        for (node, edges) in old.iter().zip(&start.0) {
            let [first, second, third] = edges.map(|edge| Some(old[edge as usize].clone()));
            *node.edges.borrow_mut() = [first, second, third, None];
        }
        force_collect();
        Self { old, cache: HashMap::default(), numbers: Some(WeakMap::new()), frames: 0 }
    }

    fn living(&mut self) -> Option<usize> {
        None
    }
}
