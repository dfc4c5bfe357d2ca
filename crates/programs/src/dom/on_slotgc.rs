//! slotgc: nodes in a heap, one root, `pace` between batches of edits.

use std::ops::{Deref, DerefMut};

use slotgc::{Budget, Gc, Heap};

use super::benchmark::{Log, Sizes};
use super::generate::Generator;
use super::node::{Node, Nodes, Traced};
use super::query;

pub(crate) struct SlotNodes {
    heap: Heap,
}

impl Traced for SlotNodes {}

impl Nodes for SlotNodes {
    type Id = Gc<Node<Self>>;
    type Back = Gc<Node<Self>>;

    fn make(&mut self, node: Node<Self>) -> Gc<Node<Self>> {
        self.heap.alloc(node)
    }

    #[inline(always)]
    fn node<'a>(&'a self, id: &'a Gc<Node<Self>>) -> impl Deref<Target = Node<Self>> + 'a {
        &self.heap[id]
    }

    #[inline(always)]
    fn node_mut<'a>(&'a mut self, id: &'a Gc<Node<Self>>) -> impl DerefMut<Target = Node<Self>> + 'a {
        &mut self.heap[id]
    }

    #[inline(always)]
    fn back(id: &Gc<Node<Self>>) -> Gc<Node<Self>> {
        *id
    }

    #[inline(always)]
    fn follow(back: &Gc<Node<Self>>) -> Gc<Node<Self>> {
        *back
    }
}

/// Builds, edits, queries and drops a document.
pub(crate) fn run(sizes: &Sizes, log: &mut Log, heap: Heap) {
    let mut generator = Generator::new(1);
    let mut memory = SlotNodes { heap };
    let root = log.time(|_| {
        let root = generator.document(&mut memory, sizes.nodes);
        memory.heap.root(root).expect("just made")
    });
    let id = root.gc();
    log.time(|log| {
        for _ in 0..sizes.batches {
            (0..sizes.edits_a_batch).for_each(|_| log.edits.edit(&mut memory, &id, &mut generator));
            memory.heap.pace(Budget::Unlimited);
        }
    });
    log.time(|log| log.found.extend((0..sizes.queries).map(|number| query::round(&memory, &id, number))));
    log.time(|_| drop((root, memory)));
}
