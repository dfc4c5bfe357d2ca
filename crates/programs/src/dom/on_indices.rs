//! Plain indices: a vector of nodes. What leaves the document stays in the vector.

use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};

use super::benchmark::{Log, Sizes};
use super::generate::Generator;
use super::node::{Node, Nodes};
use super::query;

/// All nodes.
#[derive(Default)]
pub(crate) struct IndexNodes(Vec<Node<Self>>);

/// A place in the vector, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place(NonZeroU32);

impl Place {
    #[inline(always)]
    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Nodes for IndexNodes {
    type Id = Place;
    type Back = Place;

    fn make(&mut self, node: Node<Self>) -> Place {
        self.0.push(node);
        Place(NonZeroU32::new(self.0.len() as u32).expect("one at least"))
    }

    #[inline(always)]
    fn node<'a>(&'a self, id: &'a Place) -> impl Deref<Target = Node<Self>> + 'a {
        &self.0[id.index()]
    }

    #[inline(always)]
    fn node_mut<'a>(&'a mut self, id: &'a Place) -> impl DerefMut<Target = Node<Self>> + 'a {
        &mut self.0[id.index()]
    }

    #[inline(always)]
    fn back(id: &Place) -> Place {
        *id
    }

    #[inline(always)]
    fn follow(back: &Place) -> Place {
        *back
    }
}

/// Builds, edits, queries and drops a document.
pub(crate) fn run(sizes: &Sizes, log: &mut Log) {
    let mut generator = Generator::new(1);
    let mut memory = IndexNodes::default();
    let root = log.time(|_| generator.document(&mut memory, sizes.nodes));
    log.time(|log| {
        for _ in 0..sizes.batches * sizes.edits_a_batch {
            log.edits.edit(&mut memory, &root, &mut generator);
        }
    });
    log.time(|log| log.found.extend((0..sizes.queries).map(|number| query::round(&memory, &root, number))));
    log.time(|_| drop(memory));
}
