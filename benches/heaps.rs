//! What the questions share: objects, and a population of which a part dies. The same in every run.

use slotgc::{CollectStats, Gc, Heap, Trace};
use slotgc_graphs::{DEGREE, Graph, Random};

/// An object of `40 + 8 * FILL` bytes.
#[derive(Trace)]
#[repr(C)]
pub(crate) struct Node<const FILL: usize = 3> {
    pub(crate) id: u64,
    pub(crate) edges: [Option<Gc<Node<FILL>>>; DEGREE],
    pub(crate) fill: [u64; FILL],
}

const _: () = assert!(size_of::<Node>() == 64);

impl<const FILL: usize> Node<FILL> {
    pub(crate) fn new(id: u64) -> Self {
        Self { id, edges: [None; DEGREE], fill: [0; FILL] }
    }
}

/// 0 + 1 + .. + (n - 1): what the ids of `n` objects add up to.
pub(crate) fn sum_below(n: usize) -> u64 {
    (n as u64 * (n as u64 - 1)) / 2
}

/// Allocates the objects of a graph.
pub(crate) fn build<const FILL: usize>(graph: &Graph, heap: &mut Heap) -> Vec<Gc<Node<FILL>>> {
    let nodes: Vec<_> = (0..graph.len()).map(|id| heap.alloc(Node::new(id as u64))).collect();
    for (node, edges) in nodes.iter().zip(&graph.edges) {
        heap[node].edges = edges.map(|edge| nodes.get(edge as usize).copied());
    }
    nodes
}

/// Objects without edges, some of which die and are replaced, round after round.
pub(crate) struct Population<T> {
    pub(crate) heap: Heap,
    /// The old ones are in random order.
    pub(crate) alive: Vec<Gc<T>>,
    make: fn(u64) -> T,
    random: Random,
}

impl<T: Trace> Population<T> {
    /// `n` objects, among which one generation in random places has died already, so that the first round is
    /// like all others.
    pub(crate) fn new(n: usize, make: fn(u64) -> T) -> Self {
        let alive = Vec::with_capacity(n);
        let mut population = Self { heap: Heap::new(), alive, make, random: Random::new(2) };
        population.grow(n);
        population.shrink(n / 2);
        population.grow(n);
        population
    }

    /// Allocates until there are `n`.
    pub(crate) fn grow(&mut self, n: usize) {
        for id in self.alive.len()..n {
            self.alive.push(self.heap.alloc((self.make)(id as u64)));
        }
    }

    /// Lets all but `n` die, chosen at random.
    pub(crate) fn shrink(&mut self, n: usize) -> CollectStats {
        let before = self.alive.len();
        self.random.shuffle(&mut self.alive);
        self.alive.truncate(n);
        let stats = self.heap.collect_with(&self.alive);
        assert_eq!(
            (stats.kept, stats.freed, self.heap.len()),
            (n, before - n, n),
            "exactly the unrooted ones die"
        );
        stats
    }
}
