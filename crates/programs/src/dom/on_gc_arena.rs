//! gc-arena: nodes in an arena whose root is the document, `collect_debt` between batches of edits.

use std::ops::{Deref, DerefMut};

use gc_arena::lock::RefLock;
use gc_arena::{Arena, Collect, Gc, Mutation, Rootable};

use super::benchmark::{Log, Sizes};
use super::generate::Generator;
use super::node::{Collected, Node, Nodes};
use super::query;

/// The memory within one call of `mutate`.
pub(crate) struct ArenaNodes<'gc>(&'gc Mutation<'gc>);

/// A pointer that compares by identity.
#[derive(Collect)]
#[collect(no_drop)]
pub(crate) struct Pointer<'gc>(Gc<'gc, RefLock<Node<ArenaNodes<'gc>>>>);

impl Copy for Pointer<'_> {}

impl Clone for Pointer<'_> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl PartialEq for Pointer<'_> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        Gc::ptr_eq(self.0, other.0)
    }
}

impl<'gc> Collected<'gc> for ArenaNodes<'gc> {}

impl<'gc> Nodes for ArenaNodes<'gc> {
    type Id = Pointer<'gc>;
    type Back = Pointer<'gc>;

    fn make(&mut self, node: Node<Self>) -> Pointer<'gc> {
        Pointer(Gc::new(self.0, RefLock::new(node)))
    }

    #[inline(always)]
    fn node<'a>(&'a self, id: &'a Pointer<'gc>) -> impl Deref<Target = Node<Self>> + 'a {
        id.0.borrow()
    }

    #[inline(always)]
    fn node_mut<'a>(&'a mut self, id: &'a Pointer<'gc>) -> impl DerefMut<Target = Node<Self>> + 'a {
        id.0.borrow_mut(self.0)
    }

    #[inline(always)]
    fn back(id: &Pointer<'gc>) -> Pointer<'gc> {
        *id
    }

    #[inline(always)]
    fn follow(back: &Pointer<'gc>) -> Pointer<'gc> {
        *back
    }
}

/// Builds, edits, queries and drops a document.
pub(crate) fn run(sizes: &Sizes, log: &mut Log) {
    let mut generator = Generator::new(1);
    let mut arena: Arena<Rootable![Pointer<'_>]> =
        log.time(|_| Arena::new(|mutation| generator.document(&mut ArenaNodes(mutation), sizes.nodes)));
    log.time(|log| {
        for _ in 0..sizes.batches {
            arena.mutate(|mutation, root| {
                let mut memory = ArenaNodes(mutation);
                (0..sizes.edits_a_batch).for_each(|_| log.edits.edit(&mut memory, root, &mut generator));
            });
            arena.collect_debt();
        }
    });
    log.time(|log| {
        arena.mutate(|mutation, root| {
            let memory = ArenaNodes(mutation);
            log.found.extend((0..sizes.queries).map(|number| query::round(&memory, root, number)));
        });
    });
    log.time(|_| drop(arena));
}
