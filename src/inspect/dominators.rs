//! Dominators: what dies when an object does.
//!
//! An object is dominated by another if every path from the root to it leads through the other. Each reached
//! object has a nearest dominator, its immediate dominator; these form a tree. The objects below one in the
//! tree are those that it alone keeps alive: together with it they are what it *retains*.
//!
//! Semi-NCA (Georgiadis, "Linear-Time Algorithms for Dominators and Related Problems", 2005): nodes are
//! numbered as a depth-first search meets them, the semidominator of each is found from the highest number
//! down, and its immediate dominator is the nearest ancestor in the search's tree that is not above its
//! semidominator. Quadratic at worst and linear in practice: on heaps faster than Lengauer-Tarjan with
//! balanced trees. All loops, no recursion.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::inspect::graph::{EdgeIndex, Graph, NodeIndex, prefetch};

/// How far ahead of its use a node of the forest is prefetched.
const AHEAD: usize = 32;

/// No number: the node is not reached.
const NONE: u32 = u32::MAX;

/// The dominator tree, and what each node retains.
#[derive(Debug)]
pub(crate) struct Dominators {
    /// `NONE` for the root and for what is not reached.
    immediate: Vec<NodeIndex>,
    retained_bytes: Vec<u64>,
    /// Objects, the node itself included.
    retained_len: Vec<u32>,
}

impl Dominators {
    /// The dominators of a graph whose nodes have these sizes.
    pub(crate) fn of(graph: &Graph, bytes: impl Fn(NodeIndex) -> u64) -> Self {
        let search = DepthFirst::of(graph);
        let immediate = search.immediate_dominators(graph);
        let nodes = (0..graph.nodes_len()).map(NodeIndex::from_place);
        let mut retained_bytes: Vec<u64> = nodes.map(bytes).collect();
        let mut retained_len = vec![1; graph.nodes_len()];
        retained_len[0] = 0;
        let mut dominators = vec![NodeIndex::NONE; graph.nodes_len()];
        // A node has a higher number than its dominator: it is complete when it is added.
        for (number, node) in search.nodes.iter().enumerate().skip(1).rev() {
            let dominator = search.nodes[immediate[number] as usize];
            dominators[node.place()] = dominator;
            let bytes = retained_bytes[node.place()];
            retained_bytes[dominator.place()] = retained_bytes[dominator.place()].saturating_add(bytes);
            retained_len[dominator.place()] += retained_len[node.place()];
        }
        Self { immediate: dominators, retained_bytes, retained_len }
    }

    /// The immediate dominator; `None` for the root and for what is not reached.
    pub(crate) fn immediate(&self, node: NodeIndex) -> Option<NodeIndex> {
        Some(self.immediate[node.place()]).filter(|dominator| *dominator != NodeIndex::NONE)
    }

    /// Bytes that the node and what it alone keeps alive take; its own for one that is not reached.
    pub(crate) fn retained_bytes(&self, node: NodeIndex) -> u64 {
        self.retained_bytes[node.place()]
    }

    pub(crate) fn retained_len(&self, node: NodeIndex) -> usize {
        self.retained_len[node.place()] as usize
    }

    pub(crate) fn bytes(&self) -> usize {
        self.immediate.capacity() * 4 + self.retained_bytes.capacity() * 8 + self.retained_len.capacity() * 4
    }

    /// Calls `enter` and `leave` for each reached node, around those that it dominates.
    pub(crate) fn walk(&self, mut visit: impl FnMut(Visit)) {
        let len = self.immediate.len();
        let (mut first, mut next) = (vec![NONE; len], vec![NONE; len]);
        for (place, dominator) in self.immediate.iter().enumerate().rev() {
            if *dominator != NodeIndex::NONE {
                next[place] = core::mem::replace(&mut first[dominator.place()], place as u32);
            }
        }
        let mut at = 0;
        visit(Visit::Enter(NodeIndex::ROOT));
        loop {
            if first[at] != NONE {
                // Taken out, so that the node is left on the return to it.
                let child = core::mem::replace(&mut first[at], NONE) as usize;
                visit(Visit::Enter(NodeIndex::from_place(child)));
                at = child;
                continue;
            }
            visit(Visit::Leave(NodeIndex::from_place(at)));
            if at == 0 {
                return;
            }
            if next[at] != NONE {
                at = next[at] as usize;
                visit(Visit::Enter(NodeIndex::from_place(at)));
            } else {
                at = self.immediate[at].place();
            }
        }
    }
}

/// A step of [`Dominators::walk`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Visit {
    Enter(NodeIndex),
    Leave(NodeIndex),
}

/// The reached nodes in the order of a depth-first search.
struct DepthFirst {
    nodes: Vec<NodeIndex>,
    /// The numbers of all nodes.
    numbers: Vec<u32>,
    /// The number of the node from which each was reached, by number.
    parents: Vec<u32>,
}

impl DepthFirst {
    fn of(graph: &Graph) -> Self {
        let mut search = Self {
            nodes: Vec::with_capacity(graph.nodes_len()),
            numbers: vec![NONE; graph.nodes_len()],
            parents: Vec::with_capacity(graph.nodes_len()),
        };
        // The edges still to be followed of the nodes on the path.
        let mut way = Vec::new();
        search.meet(NodeIndex::ROOT, 0);
        way.push((0, search.open(graph, NodeIndex::ROOT)));
        while let Some((number, rest)) = way.last_mut() {
            let number = *number;
            let unmet = rest
                .by_ref()
                .map(EdgeIndex)
                .find(|edge| search.numbers[graph.target(*edge).place()] == NONE && graph.is_strong(*edge));
            match unmet {
                Some(edge) => {
                    let target = graph.target(edge);
                    way.push((search.nodes.len() as u32, search.open(graph, target)));
                    search.meet(target, number);
                }
                None => _ = way.pop(),
            }
        }
        search
    }

    /// The edges of a node. What will be read of their targets is prefetched together, so that the cache
    /// misses overlap.
    fn open(&self, graph: &Graph, node: NodeIndex) -> Range<u32> {
        const MOST: usize = 16;
        let row = graph.row(node);
        for target in graph.targets(row.clone()).iter().take(MOST) {
            prefetch(&self.numbers, target.place());
            graph.prefetch_row(*target);
        }
        row
    }

    fn meet(&mut self, node: NodeIndex, parent: u32) {
        self.numbers[node.place()] = self.nodes.len() as u32;
        self.nodes.push(node);
        self.parents.push(parent);
    }

    /// The nodes that refer to each node, by number, row after row.
    fn predecessors(&self, graph: &Graph) -> (Vec<u32>, Vec<u32>) {
        // In the order of nodes, which is that of their rows in memory.
        let reached = || {
            let all = (0..graph.nodes_len()).map(NodeIndex::from_place);
            all.filter(|node| self.numbers[node.place()] != NONE)
        };
        let mut starts = vec![0_u32; self.nodes.len() + 1];
        for node in reached() {
            graph.strong(node).for_each(|(_, target)| starts[self.numbers[target.place()] as usize + 1] += 1);
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        let mut all = vec![NONE; starts[self.nodes.len()] as usize];
        for node in reached() {
            for (_, target) in graph.strong(node) {
                let next = &mut starts[self.numbers[target.place()] as usize];
                all[*next as usize] = self.numbers[node.place()];
                *next += 1;
            }
        }
        starts.rotate_right(1);
        starts[0] = 0;
        (starts, all)
    }

    /// The immediate dominator of each node, by number.
    fn immediate_dominators(&self, graph: &Graph) -> Vec<u32> {
        let (starts, predecessors) = self.predecessors(graph);
        let mut forest = Forest::new(&self.parents);
        let mut semi = vec![0; self.nodes.len()];
        for number in (1..self.nodes.len() as u32).rev() {
            let place = number as usize;
            let row = starts[place] as usize..starts[place + 1] as usize;
            let mut least = None;
            for from in row {
                if let Some(ahead) = from.checked_sub(AHEAD) {
                    forest.prefetch(predecessors[ahead]);
                }
                let through = forest.least(predecessors[from], number);
                least = Some(least.map_or(through, |least: u32| least.min(through)));
            }
            semi[place] = self.parents[place].min(least.unwrap_or(NONE));
            forest.link(number, semi[place]);
        }
        drop((starts, predecessors, forest));
        let mut immediate = self.parents.clone();
        for place in 1..immediate.len() {
            let mut candidate = immediate[place];
            while candidate > semi[place] {
                candidate = immediate[candidate as usize];
            }
            immediate[place] = candidate;
        }
        immediate
    }
}

/// The part of the search's tree that was visited: nodes above a number. Paths in it are compressed as they
/// are followed.
struct Forest {
    nodes: Vec<ForestNode>,
    /// Those on the path of the current call.
    way: Vec<u32>,
}

/// Eight bytes, so that one cache line brings all of a node.
#[derive(Clone, Copy)]
struct ForestNode {
    ancestor: u32,
    /// The least semidominator between this node and its ancestor, excluding the ancestor; the node itself
    /// before it is linked.
    least: u32,
}

impl Forest {
    fn new(parents: &[u32]) -> Self {
        let numbered = parents.iter().zip(0..);
        let nodes =
            numbered.map(|(parent, number)| ForestNode { ancestor: *parent, least: number }).collect();
        Self { nodes, way: Vec::new() }
    }

    fn prefetch(&self, number: u32) {
        prefetch(&self.nodes, number as usize);
    }

    fn link(&mut self, number: u32, semi: u32) {
        self.nodes[number as usize].least = semi;
    }

    /// The least semidominator on the path from this node up to those that are not linked: numbers up to
    /// `last`.
    fn least(&mut self, from: u32, last: u32) -> u32 {
        let mut node = self.nodes[from as usize];
        if from <= last || node.ancestor <= last {
            return node.least;
        }
        let mut at = from;
        while node.ancestor > last {
            self.way.push(at);
            at = node.ancestor;
            node = self.nodes[at as usize];
        }
        while let Some(number) = self.way.pop() {
            let below = &mut self.nodes[number as usize];
            below.ancestor = node.ancestor;
            below.least = below.least.min(node.least);
            node = *below;
        }
        node.least
    }
}
