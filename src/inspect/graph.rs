//! The graph as data: nodes are numbers, edges lie row after row.
//!
//! Node 0 is the root: its row holds what roots and root sources refer to. All arrays are indexed by node or
//! by edge (compressed sparse rows), eight bytes an edge, four a node. An ephemeron, which keeps its value
//! alive only together with its key, is an entry of its own that the edges of its ends name. Once the graph
//! is complete it is known whether all its ends are reached; if so its edges count as strong ones, otherwise
//! as weak ones.
//!
//! Invariant: `starts` ascends and has one entry more than there are nodes; every target is a node.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use crate::inspect::names::NameId;
use crate::space::prefetch_near;

/// Prefetches an item that will be read soon. The place may be out of bounds.
#[inline(always)]
pub(crate) fn prefetch<T>(items: &[T], place: usize) {
    prefetch_near(items.as_ptr().wrapping_add(place).cast());
}

/// A node, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NodeIndex(pub(crate) u32);

impl NodeIndex {
    /// The node that refers to everything rooted.
    pub(crate) const ROOT: NodeIndex = NodeIndex(0);
    /// No node.
    pub(crate) const NONE: NodeIndex = NodeIndex(u32::MAX);

    pub(crate) fn from_place(place: usize) -> Self {
        debug_assert!(place < u32::MAX as usize);
        Self(place as u32)
    }

    #[inline(always)]
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// An edge, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct EdgeIndex(pub(crate) u32);

impl EdgeIndex {
    pub(crate) const NONE: EdgeIndex = EdgeIndex(u32::MAX);

    #[inline(always)]
    pub(crate) fn place(self) -> usize {
        self.0 as usize
    }
}

/// What an edge does for its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EdgeKind {
    /// Keeps it alive.
    Strong,
    /// Keeps it alive together with the ephemeron's other ends, all of which are reached.
    Ephemeron,
    /// Nothing.
    Weak,
    /// Nothing, since an end of the ephemeron is not reached.
    IdleEphemeron,
}

impl EdgeKind {
    pub(crate) fn is_strong(self) -> bool {
        matches!(self, EdgeKind::Strong | EdgeKind::Ephemeron)
    }

    pub(crate) fn is_ephemeron(self) -> bool {
        matches!(self, EdgeKind::Ephemeron | EdgeKind::IdleEphemeron)
    }
}

/// The kind of an edge in two bits, and in the other 30 its name or the number of its ephemeron.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tag(u32);

impl Tag {
    const WEAK: u32 = 1 << 30;
    const EPHEMERON: u32 = 1 << 31;

    #[inline(always)]
    pub(crate) fn new(kind: EdgeKind, number: u32) -> Self {
        assert!(number <= NameId::MAX, "slotgc: more than 2^30 ephemerons or names in a snapshot");
        let weak = if kind.is_strong() { 0 } else { Self::WEAK };
        let ephemeron = if kind.is_ephemeron() { Self::EPHEMERON } else { 0 };
        Self(number | weak | ephemeron)
    }

    #[inline(always)]
    fn is_strong(self) -> bool {
        self.0 & Self::WEAK == 0
    }

    #[inline(always)]
    fn is_ephemeron(self) -> bool {
        self.0 & Self::EPHEMERON != 0
    }

    fn number(self) -> u32 {
        self.0 & NameId::MAX
    }

    fn kind(self) -> EdgeKind {
        match (self.is_ephemeron(), self.is_strong()) {
            (false, true) => EdgeKind::Strong,
            (false, false) => EdgeKind::Weak,
            (true, true) => EdgeKind::Ephemeron,
            (true, false) => EdgeKind::IdleEphemeron,
        }
    }
}

/// An ephemeron, by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct EphemeronIndex(u32);

impl EphemeronIndex {
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// An entry of an ephemeron table: what the edges of one value have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ephemeron {
    /// The object that holds the table; the root for one in a root source.
    pub(crate) map: NodeIndex,
    pub(crate) key: NodeIndex,
    /// The name of the edge in the map.
    pub(crate) name: NameId,
    /// The ephemeron whose value contains this one.
    outer: Option<EphemeronIndex>,
}

/// The graph.
#[derive(Debug)]
pub(crate) struct Graph {
    starts: Vec<u32>,
    targets: Vec<NodeIndex>,
    tags: Vec<Tag>,
    ephemerons: Vec<Ephemeron>,
    /// Whether there are edges that do not count; if not, walks need not read the tags.
    has_weak: bool,
}

impl Graph {
    /// Nodes, the root included.
    pub(crate) fn nodes_len(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn edges_len(&self) -> usize {
        self.targets.len()
    }

    pub(crate) fn has_ephemerons(&self) -> bool {
        !self.ephemerons.is_empty()
    }

    pub(crate) fn row(&self, node: NodeIndex) -> Range<u32> {
        self.starts[node.place()]..self.starts[node.place() + 1]
    }

    /// The edges of a node, in the order in which it reported them.
    pub(crate) fn edges(&self, node: NodeIndex) -> impl Iterator<Item = EdgeIndex> + use<> {
        self.row(node).map(EdgeIndex)
    }

    #[inline(always)]
    pub(crate) fn target(&self, edge: EdgeIndex) -> NodeIndex {
        self.targets[edge.place()]
    }

    pub(crate) fn kind(&self, edge: EdgeIndex) -> EdgeKind {
        self.tags[edge.place()].kind()
    }

    #[inline(always)]
    pub(crate) fn is_strong(&self, edge: EdgeIndex) -> bool {
        !self.has_weak || self.tags[edge.place()].is_strong()
    }

    /// The targets of these edges, weak or not.
    #[inline(always)]
    pub(crate) fn targets(&self, edges: Range<u32>) -> &[NodeIndex] {
        &self.targets[edges.start as usize..edges.end as usize]
    }

    /// Prefetches what [`row`](Self::row) will read.
    #[inline(always)]
    pub(crate) fn prefetch_row(&self, node: NodeIndex) {
        prefetch(&self.starts, node.place());
    }

    /// Prefetches the first targets of a node.
    #[inline(always)]
    pub(crate) fn prefetch_targets(&self, node: NodeIndex) {
        prefetch(&self.targets, self.starts[node.place()] as usize);
    }

    /// The name of the edge; for a root's edge, the number of the record about the root.
    pub(crate) fn name(&self, edge: EdgeIndex) -> NameId {
        let tag = self.tags[edge.place()];
        if tag.is_ephemeron() {
            self.ephemerons[tag.number() as usize].name
        } else {
            NameId::from_number(tag.number())
        }
    }

    /// The ephemeron to which the edge belongs.
    pub(crate) fn ephemeron(&self, edge: EdgeIndex) -> Option<&Ephemeron> {
        let tag = self.tags[edge.place()];
        tag.is_ephemeron().then(|| &self.ephemerons[tag.number() as usize])
    }

    /// The node in whose row the edge is. O(log nodes).
    pub(crate) fn source(&self, edge: EdgeIndex) -> NodeIndex {
        let after = self.starts.partition_point(|start| *start <= edge.0);
        NodeIndex::from_place(after - 1)
    }

    /// The nodes to which strong edges lead, with the edge.
    #[inline(always)]
    pub(crate) fn strong(&self, node: NodeIndex) -> impl Iterator<Item = (EdgeIndex, NodeIndex)> + '_ {
        let row = self.row(node);
        let targets = self.targets(row.clone());
        let edges = row.map(EdgeIndex).zip(targets.iter().copied());
        edges.filter(|(edge, _)| self.is_strong(*edge))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.starts.capacity() * 4
            + self.targets.capacity() * size_of::<NodeIndex>()
            + self.tags.capacity() * size_of::<Tag>()
            + self.ephemerons.capacity() * size_of::<Ephemeron>()
    }

    /// All keys of the ephemeron, those of the ones around it included.
    fn keys(&self, ephemeron: EphemeronIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        let mut next = Some(ephemeron);
        core::iter::from_fn(move || {
            let entry = &self.ephemerons[next?.0 as usize];
            next = entry.outer;
            Some(entry.key)
        })
    }

    /// Gives each key the edges of its ephemerons, which only the maps have before.
    fn give_keys_their_edges(&mut self) {
        let mut added = vec![0_u32; self.nodes_len()];
        let mut more = 0_usize;
        self.each_key_edge(|key, _, _| {
            added[key.place()] += 1;
            more += 1;
        });
        let len = u32::try_from(self.targets.len() + more).expect(TOO_MANY_EDGES) as usize;
        let mut starts = Vec::with_capacity(self.starts.len());
        let mut targets = vec![NodeIndex::NONE; len];
        let mut tags = vec![Tag(0); len];
        let mut start = 0;
        // Where the next edge of each key goes.
        let mut next = added;
        for (node, next) in next.iter_mut().enumerate() {
            let row = self.starts[node] as usize..self.starts[node + 1] as usize;
            starts.push(start as u32);
            let own = start..start + row.len();
            targets[own.clone()].copy_from_slice(&self.targets[row.clone()]);
            tags[own.clone()].copy_from_slice(&self.tags[row]);
            start = own.end + *next as usize;
            *next = own.end as u32;
        }
        starts.push(start as u32);
        self.each_key_edge(|key, target, tag| {
            let place = next[key.place()] as usize;
            next[key.place()] += 1;
            (targets[place], tags[place]) = (target, tag);
        });
        (self.starts, self.targets, self.tags) = (starts, targets, tags);
    }

    fn each_key_edge(&self, mut visit: impl FnMut(NodeIndex, NodeIndex, Tag)) {
        for (target, tag) in self.targets.iter().zip(&self.tags).filter(|(_, tag)| tag.is_ephemeron()) {
            for key in self.keys(EphemeronIndex(tag.number())) {
                visit(key, *target, *tag);
            }
        }
    }

    /// Determines which ephemerons have all their ends reached. Takes one walk over the graph: the end that
    /// is visited last finds the others reached.
    fn settle_ephemerons(&mut self) {
        let mut reached = vec![false; self.nodes_len()];
        let mut stack = vec![NodeIndex::ROOT];
        reached[0] = true;
        let counts = |graph: &Graph, reached: &[bool], tag: Tag| {
            let index = EphemeronIndex(tag.number());
            reached[graph.ephemerons[index.0 as usize].map.place()]
                && graph.keys(index).all(|key| reached[key.place()])
        };
        while let Some(node) = stack.pop() {
            for edge in self.row(node) {
                let (target, tag) = (self.targets[edge as usize], self.tags[edge as usize]);
                let follows = if tag.is_ephemeron() { counts(self, &reached, tag) } else { tag.is_strong() };
                if follows && !core::mem::replace(&mut reached[target.place()], true) {
                    stack.push(target);
                }
            }
        }
        for place in 0..self.tags.len() {
            let tag = self.tags[place];
            if tag.is_ephemeron() {
                let kind =
                    if counts(self, &reached, tag) { EdgeKind::Ephemeron } else { EdgeKind::IdleEphemeron };
                self.tags[place] = Tag::new(kind, tag.number());
            }
        }
    }
}

const TOO_MANY_EDGES: &str = "slotgc: more than 2^32 edges in a snapshot";

/// A graph under construction: rows come in the order of nodes, the root's first.
#[derive(Debug)]
pub(crate) struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    pub(crate) fn with_capacity(nodes: usize, edges: usize) -> Self {
        let mut starts = Vec::with_capacity(nodes + 2);
        starts.push(0);
        let (targets, tags) = (Vec::with_capacity(edges), Vec::with_capacity(edges));
        Self { graph: Graph { starts, targets, tags, ephemerons: Vec::new(), has_weak: true } }
    }

    /// Adds an edge to the current row. An edge from an ephemeron's value is tagged as idle.
    #[inline(always)]
    pub(crate) fn push(&mut self, target: NodeIndex, tag: Tag) {
        self.graph.targets.push(target);
        self.graph.tags.push(tag);
    }

    /// Adds an ephemeron of the node `map`, which may be in the value of another one.
    pub(crate) fn ephemeron(
        &mut self,
        map: NodeIndex,
        key: NodeIndex,
        name: NameId,
        outer: Option<EphemeronIndex>,
    ) -> EphemeronIndex {
        let index = EphemeronIndex(self.graph.ephemerons.len() as u32);
        self.graph.ephemerons.push(Ephemeron { map, key, name, outer });
        index
    }

    pub(crate) fn end_row(&mut self) {
        let len = u32::try_from(self.graph.targets.len()).expect(TOO_MANY_EDGES);
        self.graph.starts.push(len);
    }

    /// The graph, when every node has its row.
    pub(crate) fn finish(mut self) -> Graph {
        let graph = &mut self.graph;
        debug_assert!(graph.targets.iter().all(|target| target.place() < graph.nodes_len()));
        if graph.has_ephemerons() {
            graph.give_keys_their_edges();
            graph.settle_ephemerons();
        }
        graph.has_weak = !graph.tags.iter().all(|tag| tag.is_strong());
        graph.starts.shrink_to_fit();
        graph.targets.shrink_to_fit();
        graph.tags.shrink_to_fit();
        self.graph
    }
}
