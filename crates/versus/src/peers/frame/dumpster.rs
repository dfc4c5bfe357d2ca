//! dumpster: reference counts, and collections of cycles when it decides to. It has nothing weak: what is
//! cached is held, and removed by hand.
//!
//! Its nodes are larger than the others', since an `Option` of its pointers takes 16 bytes.

use std::cell::RefCell;

use dumpster::Trace;
use dumpster::unsync::{Gc, collect, default_collect_condition, set_collect_condition};
use hashbrown::HashMap;
use slotgc_graphs::DEGREE;

use crate::needs::frame::{HOOK, Plan, Playable, Played, Start, World, number_of};
use crate::needs::weak::SameHash;

#[derive(Trace)]
pub(crate) struct Node {
    id: u64,
    edges: RefCell<[Option<Gc<Node>>; DEGREE]>,
    fill: u64,
}

/// A world. The list keeps the old objects alive.
pub(crate) struct Objects {
    old: Vec<Gc<Node>>,
    cache: HashMap<u64, (Gc<Node>, u64), SameHash>,
}

/// For the harness.
pub(crate) type DumpsterWorld = Played<Objects>;

impl Drop for Objects {
    /// Leaves nothing for the next case. By hand, since its recursion would be as deep as the world is large.
    fn drop(&mut self) {
        self.cache.clear();
        self.old.iter().for_each(|node| *node.edges.borrow_mut() = Default::default());
        self.old.clear();
        collect();
    }
}

impl World for Objects {
    type Young = Gc<Node>;

    fn read(&self, old: u32) -> u64 {
        self.old[old as usize].id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Gc<Node>>) -> Gc<Node> {
        let [first, second] = of.map(|old| Some(self.old[old as usize].clone()));
        Gc::new(Node { id, edges: RefCell::new([first, second, previous.cloned(), None]), fill: 0 })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        let to = self.old[to as usize].clone();
        let before = self.old[from as usize].edges.borrow_mut()[edge].replace(to);
        // A collection may begin here: not while the edges are borrowed.
        drop(before);
    }

    fn hang(&mut self, old: u32, young: &Gc<Node>, is_cached: bool) {
        let dead = self.old[old as usize].edges.borrow_mut()[HOOK].replace(young.clone());
        if let Some(dead) = dead.as_ref().filter(|_| is_cached) {
            self.cache.remove(&dead.id);
        }
    }

    fn cache(&mut self, id: u64, young: &Gc<Node>) {
        self.cache.insert(id, (young.clone(), number_of(id)));
    }

    fn look_up(&self, id: u64) -> u64 {
        let (node, number) = &self.cache[&id];
        node.id + number
    }

    fn end_frame(&mut self, young: &mut Vec<Gc<Node>>, _: &Plan) {
        young.clear();
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.old[old as usize].edges.borrow()[HOOK].as_ref()?.id)
    }
}

impl Playable for Objects {
    fn build(start: &Start) -> Self {
        set_collect_condition(default_collect_condition);
        let node = |id| Gc::new(Node { id, edges: RefCell::default(), fill: 0 });
        let old: Vec<_> = (0..start.0.len() as u64).map(node).collect();
        for (node, edges) in old.iter().zip(&start.0) {
            let [first, second, third] = edges.map(|edge| Some(old[edge as usize].clone()));
            *node.edges.borrow_mut() = [first, second, third, None];
        }
        collect();
        Self { old, cache: HashMap::default() }
    }

    fn living(&mut self) -> Option<usize> {
        None
    }
}
