//! What the questions have in common: objects, graphs of objects, and a population of which a part dies.
//!
//! Everything is the same in every run.

use slotgc::{CollectStats, Gc, Heap, Trace};

/// Edges of an object.
pub(crate) const DEGREE: usize = 4;

/// No edge.
pub(crate) const NONE: u32 = u32::MAX;

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

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, and good enough to make graphs.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// Fisher and Yates.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The numbers below `n` in random order.
    pub(crate) fn order(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut order);
        order
    }
}

/// The edges of each object. Objects are numbered in the order in which they are allocated.
pub(crate) struct Graph(pub(crate) Vec<[u32; DEGREE]>);

impl Graph {
    /// Four random edges each. So that everything is reached from everywhere, the first is that of a random
    /// cycle through all objects.
    pub(crate) fn random(n: usize) -> Self {
        let mut random = Random::new(1);
        let cycle = random.order(n);
        let mut edges = vec![[NONE; DEGREE]; n];
        for (place, node) in cycle.iter().enumerate() {
            edges[*node as usize] = std::array::from_fn(|_| random.below(n) as u32);
            edges[*node as usize][0] = cycle[(place + 1) % n];
        }
        Self(edges)
    }

    /// A tree of four children an object, allocated level by level from object 0.
    pub(crate) fn tree(n: usize) -> Self {
        let child = |node: usize, place: usize| Some(DEGREE * node + 1 + place).filter(|child| *child < n);
        let edges_of =
            |node| std::array::from_fn(|place| child(node, place).map_or(NONE, |child| child as u32));
        Self((0..n).map(edges_of).collect())
    }

    /// A list from object 0 to the last.
    pub(crate) fn list(n: usize) -> Self {
        let next = |node: usize| if node + 1 < n { node as u32 + 1 } else { NONE };
        Self((0..n).map(|node| [next(node), NONE, NONE, NONE]).collect())
    }

    /// A list from the last object to object 0.
    pub(crate) fn list_in_reverse(n: usize) -> Self {
        Self((0..n).map(|node| [(node as u32).checked_sub(1).unwrap_or(NONE), NONE, NONE, NONE]).collect())
    }

    /// Makes the objects.
    pub(crate) fn build<const FILL: usize>(&self, heap: &mut Heap) -> Vec<Gc<Node<FILL>>> {
        let nodes: Vec<_> = (0..self.0.len()).map(|id| heap.alloc(Node::new(id as u64))).collect();
        for (node, edges) in nodes.iter().zip(&self.0) {
            heap[node].edges = edges.map(|edge| nodes.get(edge as usize).copied());
        }
        nodes
    }
}

/// Objects without edges, of which some die and are replaced, again and again.
pub(crate) struct Population<T> {
    pub(crate) heap: Heap,
    /// In random order as far as they are old.
    pub(crate) alive: Vec<Gc<T>>,
    make: fn(u64) -> T,
    random: Random,
}

impl<T: Trace> Population<T> {
    /// `n` objects, of which one generation in random places died already, so that the first round is like all.
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

    /// Lets all die but `n`, chosen at random.
    pub(crate) fn shrink(&mut self, n: usize) -> CollectStats {
        let before = self.alive.len();
        self.random.shuffle(&mut self.alive);
        self.alive.truncate(n);
        let stats = self.heap.collect_with(&self.alive);
        assert_eq!((stats.kept, stats.freed, self.heap.len()), (n, before - n, n), "who should die did");
        stats
    }
}
