//! Inputs that all peers share: the orders and graphs for a given number of objects.

use std::cell::OnceCell;

use slotgc_graphs::{Graph, Random};

/// All inputs for one number of objects, each made when it is first asked for.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Objects in a heap.
    pub(crate) objects: usize,
    order: OnceCell<Vec<u32>>,
    random: OnceCell<Graph>,
    halves: OnceCell<Graph>,
    tree_by_level: OnceCell<Graph>,
    tree_by_branch: OnceCell<Graph>,
    list: OnceCell<Graph>,
}

/// Which graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shape {
    /// [`Graph::random`].
    Random,
    /// [`Graph::halves`].
    Halves,
    /// [`Graph::tree_by_level`].
    TreeByLevel,
    /// [`Graph::tree_by_branch`].
    TreeByBranch,
    /// [`Graph::list`].
    List,
}

impl Inputs {
    /// Inputs for heaps of this many objects.
    pub(crate) fn new(objects: usize) -> Self {
        Self {
            objects,
            order: OnceCell::new(),
            random: OnceCell::new(),
            halves: OnceCell::new(),
            tree_by_level: OnceCell::new(),
            tree_by_branch: OnceCell::new(),
            list: OnceCell::new(),
        }
    }

    /// All objects in random order.
    pub(crate) fn order(&self) -> &[u32] {
        self.order.get_or_init(|| Random::new(3).order(self.objects))
    }

    /// A graph of all objects.
    pub(crate) fn graph(&self, shape: Shape) -> &Graph {
        let (cell, make): (_, fn(usize) -> Graph) = match shape {
            Shape::Random => (&self.random, Graph::random),
            Shape::Halves => (&self.halves, Graph::halves),
            Shape::TreeByLevel => (&self.tree_by_level, Graph::tree_by_level),
            Shape::TreeByBranch => (&self.tree_by_branch, Graph::tree_by_branch),
            Shape::List => (&self.list, Graph::list),
        };
        cell.get_or_init(|| make(self.objects))
    }
}
