//! Shortest paths from the root, and which objects refer to each object.
//!
//! Breadth-first search, which visits nodes in the order of their distance; if several edges lead to a node
//! in the same number of steps, the first counts. Nothing here recurses.

use alloc::vec;
use alloc::vec::Vec;

use crate::inspect::graph::{EdgeIndex, Graph, NodeIndex, prefetch};

/// How each node is reached from the root by the fewest strong edges.
#[derive(Debug)]
pub(crate) struct Shortest {
    /// By node.
    ways: Vec<Way>,
}

/// Eight bytes, so that one cache line brings both.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// The last edge; none for the root.
    edge: EdgeIndex,
    /// Edges between the root and the node.
    distance: u32,
}

impl Way {
    const NONE: Way = Way { edge: EdgeIndex::NONE, distance: u32::MAX };
}

/// How far ahead of a node in the queue to prefetch: three cache lines in turn, each of which tells where the
/// next one is. Halves the time on a graph that fits no cache.
const AHEAD: usize = 12;

/// Of a long row only the beginning.
const MOST_AHEAD: usize = 16;

impl Shortest {
    pub(crate) fn of(graph: &Graph) -> Self {
        Self::without(graph, NodeIndex::NONE)
    }

    /// The shortest paths that do not lead through `avoided`.
    pub(crate) fn without(graph: &Graph, avoided: NodeIndex) -> Self {
        let mut ways = vec![Way::NONE; graph.nodes_len()];
        let mut queue = Vec::with_capacity(graph.nodes_len());
        queue.push(NodeIndex::ROOT);
        ways[0].distance = 0;
        let mut next = 0;
        while let Some(node) = queue.get(next).copied() {
            next += 1;
            if let Some(later) = queue.get(next + 2 * AHEAD) {
                graph.prefetch_row(*later);
            }
            if let Some(later) = queue.get(next + AHEAD) {
                graph.prefetch_targets(*later);
            }
            if let Some(later) = queue.get(next + AHEAD / 2) {
                let targets = graph.targets(graph.row(*later)).iter().take(MOST_AHEAD);
                targets.for_each(|target| prefetch(&ways, target.place()));
            }
            let distance = ways[node.place()].distance + 1;
            for (edge, target) in graph.strong(node) {
                let way = &mut ways[target.place()];
                if way.distance == u32::MAX && target != avoided {
                    *way = Way { edge, distance };
                    queue.push(target);
                }
            }
        }
        Self { ways }
    }

    /// How many nodes are reached, the root included.
    #[cfg(all(test, not(slotgc_plain)))]
    pub(crate) fn reached_len(&self) -> usize {
        self.ways.iter().filter(|way| way.distance != u32::MAX).count()
    }

    pub(crate) fn is_reached(&self, node: NodeIndex) -> bool {
        self.ways[node.place()].distance != u32::MAX
    }

    /// The number of edges on the path from the root; `None` if there is no path.
    pub(crate) fn distance(&self, node: NodeIndex) -> Option<u32> {
        Some(self.ways[node.place()].distance).filter(|distance| *distance != u32::MAX)
    }

    /// The edges of the path, first to last; empty for the root and for what is not reached.
    pub(crate) fn path(&self, graph: &Graph, to: NodeIndex) -> Vec<EdgeIndex> {
        let mut path = Vec::with_capacity(self.distance(to).unwrap_or(0) as usize);
        let mut node = to;
        while self.ways[node.place()].edge != EdgeIndex::NONE {
            let edge = self.ways[node.place()].edge;
            path.push(edge);
            node = graph.source(edge);
        }
        path.reverse();
        path
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ways.capacity() * size_of::<Way>()
    }
}

/// The edges that lead to each node.
#[derive(Debug)]
pub(crate) struct Referrers {
    starts: Vec<u32>,
    edges: Vec<EdgeIndex>,
}

impl Referrers {
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut starts = vec![0_u32; graph.nodes_len() + 1];
        let all = || (0..graph.edges_len() as u32).map(EdgeIndex);
        for edge in all() {
            starts[graph.target(edge).place() + 1] += 1;
        }
        for place in 1..starts.len() {
            starts[place] += starts[place - 1];
        }
        // The beginning of each row moves to its end, which is the beginning of the next one.
        let mut edges = vec![EdgeIndex::NONE; graph.edges_len()];
        for edge in all() {
            let next = &mut starts[graph.target(edge).place()];
            edges[*next as usize] = edge;
            *next += 1;
        }
        starts.rotate_right(1);
        starts[0] = 0;
        Self { starts, edges }
    }

    /// The edges to this node, weak ones included, in the order of their sources.
    pub(crate) fn to(&self, node: NodeIndex) -> &[EdgeIndex] {
        &self.edges[self.starts[node.place()] as usize..self.starts[node.place() + 1] as usize]
    }

    pub(crate) fn bytes(&self) -> usize {
        (self.starts.capacity() + self.edges.capacity()) * 4
    }
}

/// Paths from the root to `to`, shortest first, at most `most`, no two with the same last edge and none with
/// `to` in between. O(nodes + edges).
pub(crate) fn several_paths(
    graph: &Graph,
    referrers: &Referrers,
    to: NodeIndex,
    most: usize,
) -> Vec<Vec<EdgeIndex>> {
    let shortest = Shortest::without(graph, to);
    let last = referrers.to(to).iter().copied();
    let mut last: Vec<_> = last
        .filter(|edge| graph.is_strong(*edge))
        .filter_map(|edge| Some((shortest.distance(graph.source(edge))?, edge)))
        .collect();
    last.sort_unstable();
    last.truncate(most);
    let path = |(_, edge): (u32, EdgeIndex)| {
        let mut path = shortest.path(graph, graph.source(edge));
        path.push(edge);
        path
    };
    last.into_iter().map(path).collect()
}
