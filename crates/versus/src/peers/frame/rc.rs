//! `std::rc::Rc`, with weak-table's maps. What dies is freed at once.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use slotgc_graphs::DEGREE;
use weak_table::{PtrWeakKeyHashMap, WeakValueHashMap};

use crate::needs::NODE_BYTES;
use crate::needs::frame::{HOOK, Plan, Playable, Played, Start, World, number_of};
use crate::needs::weak::SameHash;

#[repr(C)]
pub(crate) struct Node {
    id: u64,
    edges: RefCell<[Option<Rc<Node>>; DEGREE]>,
    fill: [u64; 2],
}

const _: () = assert!(size_of::<Node>() == NODE_BYTES);

/// A world.
pub(crate) struct Objects {
    old: Vec<Rc<Node>>,
    cache: WeakValueHashMap<u64, Weak<Node>, SameHash>,
    numbers: PtrWeakKeyHashMap<Weak<Node>, u64, SameHash>,
}

/// For the harness.
pub(crate) type RcWorld = Played<Objects>;

impl Drop for Objects {
    /// Takes the cycles apart.
    fn drop(&mut self) {
        self.old.iter().for_each(|node| *node.edges.borrow_mut() = Default::default());
    }
}

impl World for Objects {
    type Young = Rc<Node>;

    fn read(&self, old: u32) -> u64 {
        self.old[old as usize].id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Rc<Node>>) -> Rc<Node> {
        let [first, second] = of.map(|old| Some(Rc::clone(&self.old[old as usize])));
        let edges = RefCell::new([first, second, previous.cloned(), None]);
        Rc::new(Node { id, edges, fill: [0; 2] })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        let to = Rc::clone(&self.old[to as usize]);
        self.old[from as usize].edges.borrow_mut()[edge] = Some(to);
    }

    fn hang(&mut self, old: u32, young: &Rc<Node>, _: bool) {
        self.old[old as usize].edges.borrow_mut()[HOOK] = Some(Rc::clone(young));
    }

    fn cache(&mut self, id: u64, young: &Rc<Node>) {
        self.cache.insert(id, Rc::clone(young));
        self.numbers.insert(Rc::clone(young), number_of(id));
    }

    fn look_up(&self, id: u64) -> u64 {
        let node = self.cache.get(&id).expect("an entry");
        node.id + self.numbers.get(&node).expect("an entry")
    }

    fn end_frame(&mut self, young: &mut Vec<Rc<Node>>, _: &Plan) {
        young.clear();
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.old[old as usize].edges.borrow()[HOOK].as_ref()?.id)
    }
}

impl Playable for Objects {
    fn build(start: &Start) -> Self {
        let node = |id| Rc::new(Node { id, edges: RefCell::default(), fill: [0; 2] });
        let old: Vec<_> = (0..start.0.len() as u64).map(node).collect();
        for (node, edges) in old.iter().zip(&start.0) {
            let [first, second, third] = edges.map(|edge| Some(Rc::clone(&old[edge as usize])));
            *node.edges.borrow_mut() = [first, second, third, None];
        }
        Self { old, cache: WeakValueHashMap::default(), numbers: PtrWeakKeyHashMap::default() }
    }

    fn living(&mut self) -> Option<usize> {
        None
    }
}
