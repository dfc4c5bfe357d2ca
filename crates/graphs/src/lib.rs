//! Random orders and graphs of objects for benches, the same in every run.
//!
//! Nodes are numbered in the order in which they are allocated, and carry that number as their `id`. What
//! builds the objects is not here: each bench, and each peer in `crates/versus`, does that in its own way.

/// Edges of an object.
pub const DEGREE: usize = 4;

/// No edge.
pub const NONE: u32 = u32::MAX;

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): small, and good enough to make graphs.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number less than `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    /// Shuffles (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    /// The numbers less than `n` in random order.
    pub fn order(&mut self, n: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n as u32).collect();
        self.shuffle(&mut order);
        order
    }
}

/// Objects and their edges.
#[derive(Debug)]
pub struct Graph {
    /// The targets of each node, [`NONE`] for a null edge.
    pub edges: Vec<[u32; DEGREE]>,
    /// The rooted nodes. Every node is reachable from exactly one of them.
    pub roots: Vec<u32>,
    /// Nodes reached from the first root.
    pub first: Vec<bool>,
}

impl Graph {
    /// A graph with these edges. Its only root is node 0, from which everything has to be reached.
    pub fn of(edges: Vec<[u32; DEGREE]>) -> Self {
        Self { roots: vec![0], first: vec![true; edges.len()], edges }
    }

    fn unrooted(n: usize) -> Self {
        Self::of(vec![[NONE; DEGREE]; n])
    }

    /// Edges from each of `nodes` to four of them at random. So that everything is reached from everywhere,
    /// one of the four, in a random place, is taken from a random cycle through all nodes.
    fn join_at_random(&mut self, nodes: &[u32], random: &mut Random) {
        let mut cycle = nodes.to_vec();
        random.shuffle(&mut cycle);
        for (place, node) in cycle.iter().enumerate() {
            let edges = &mut self.edges[*node as usize];
            *edges = std::array::from_fn(|_| nodes[random.below(nodes.len())]);
            edges[random.below(DEGREE)] = cycle[(place + 1) % cycle.len()];
        }
    }

    /// Four random edges each.
    pub fn random(n: usize) -> Self {
        let mut graph = Self::unrooted(n);
        let nodes: Vec<u32> = (0..n as u32).collect();
        graph.join_at_random(&nodes, &mut Random::new(1));
        graph
    }

    /// Two random graphs without an edge between them, their nodes mixed at random in allocation order.
    pub fn halves(n: usize) -> Self {
        let mut random = Random::new(2);
        let mut graph = Self::unrooted(n);
        let order = random.order(n);
        let (first, second) = order.split_at(n / 2);
        graph.join_at_random(first, &mut random);
        graph.join_at_random(second, &mut random);
        graph.roots = vec![first[0], second[0]];
        second.iter().for_each(|node| graph.first[*node as usize] = false);
        graph
    }

    /// A tree of four children a node, allocated level by level.
    pub fn tree_by_level(n: usize) -> Self {
        let mut graph = Self::unrooted(n);
        for (node, edges) in graph.edges.iter_mut().enumerate() {
            *edges = std::array::from_fn(|child| {
                let child = DEGREE * node + 1 + child;
                if child < n { child as u32 } else { NONE }
            });
        }
        graph
    }

    /// A binary tree, allocated as a recursive function does it: a node, its left subtree, its right subtree.
    pub fn tree_by_branch(n: usize) -> Self {
        let mut graph = Self::unrooted(n);
        let mut subtrees = vec![(0, n)];
        while let Some((node, size)) = subtrees.pop() {
            let left = (size - 1).div_ceil(2);
            let right = size - 1 - left;
            let children = [(node + 1, left), (node + 1 + left, right)];
            for (place, (child, size)) in children.into_iter().enumerate().filter(|(_, child)| child.1 > 0) {
                graph.edges[node][place] = child as u32;
                subtrees.push((child, size));
            }
        }
        graph
    }

    /// A singly linked list from the first object to the last.
    pub fn list(n: usize) -> Self {
        let mut graph = Self::unrooted(n);
        (1..n).for_each(|node| graph.edges[node - 1][0] = node as u32);
        graph
    }

    /// A singly linked list from the last object to the first.
    pub fn list_in_reverse(n: usize) -> Self {
        let mut graph = Self::unrooted(n);
        (1..n).for_each(|node| graph.edges[node][0] = node as u32 - 1);
        graph.roots = vec![n as u32 - 1];
        graph
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.edges.is_empty()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.edges.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(graph: &Graph, root: u32) -> Vec<bool> {
        let mut seen = vec![false; graph.len()];
        let mut stack = vec![root];
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut seen[node as usize], true) {
                stack.extend(graph.edges[node as usize].iter().filter(|edge| **edge != NONE));
            }
        }
        seen
    }

    #[test]
    fn everything_is_reached_from_the_root() {
        for n in [16, 17, 1000] {
            for make in [
                Graph::random,
                Graph::tree_by_level,
                Graph::tree_by_branch,
                Graph::list,
                Graph::list_in_reverse,
            ] {
                let graph = make(n);
                assert!(reached(&graph, graph.roots[0]).iter().all(|seen| *seen));
            }
        }
    }

    #[test]
    fn halves_are_halves_and_do_not_meet() {
        let graph = Graph::halves(1001);
        assert_eq!(reached(&graph, graph.roots[0]), graph.first);
        let second: Vec<bool> = graph.first.iter().map(|first| !first).collect();
        assert_eq!(reached(&graph, graph.roots[1]), second);
        assert_eq!(graph.first.iter().filter(|first| **first).count(), 500);
    }
}
