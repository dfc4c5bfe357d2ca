//! `Rc` and `RefCell`: parents own their first child, and each child the next; handles back are `Weak`.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::rc::{Rc, Weak};

use super::benchmark::{Log, Sizes};
use super::generate::Generator;
use super::node::{Node, Nodes};
use super::query;

/// The C allocator's heap.
pub(crate) struct RcNodes;

/// A counted pointer that compares by identity.
pub(crate) struct Pointer(Rc<RefCell<Node<RcNodes>>>);

/// One that does not count.
#[derive(Clone)]
pub(crate) struct WeakPointer(Weak<RefCell<Node<RcNodes>>>);

impl Clone for Pointer {
    #[inline(always)]
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl PartialEq for Pointer {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Nodes for RcNodes {
    type Id = Pointer;
    type Back = WeakPointer;

    fn make(&mut self, node: Node<Self>) -> Pointer {
        Pointer(Rc::new(RefCell::new(node)))
    }

    #[inline(always)]
    fn node<'a>(&'a self, id: &'a Pointer) -> impl Deref<Target = Node<Self>> + 'a {
        id.0.borrow()
    }

    #[inline(always)]
    fn node_mut<'a>(&'a mut self, id: &'a Pointer) -> impl DerefMut<Target = Node<Self>> + 'a {
        id.0.borrow_mut()
    }

    #[inline(always)]
    fn back(id: &Pointer) -> WeakPointer {
        WeakPointer(Rc::downgrade(&id.0))
    }

    #[inline(always)]
    fn follow(back: &WeakPointer) -> Pointer {
        Pointer(back.0.upgrade().expect("what is above or before a node is alive"))
    }
}

/// Builds, edits, queries and drops a document.
pub(crate) fn run(sizes: &Sizes, log: &mut Log) {
    let mut generator = Generator::new(1);
    let mut memory = RcNodes;
    let root = log.time(|_| generator.document(&mut memory, sizes.nodes));
    log.time(|log| {
        for _ in 0..sizes.batches * sizes.edits_a_batch {
            log.edits.edit(&mut memory, &root, &mut generator);
        }
    });
    log.time(|log| log.found.extend((0..sizes.queries).map(|number| query::round(&memory, &root, number))));
    log.time(|_| drop(root));
}
