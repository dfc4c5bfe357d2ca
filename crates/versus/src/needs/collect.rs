//! What full collections need of a peer.

use slotgc_graphs::{DEGREE, Graph, NONE};

use crate::needs::{First, Handles, Last};

/// What collecting needs of a peer.
pub(crate) trait Collector {
    /// Which collections look at all objects.
    const EXAMINES: Examines = Examines::All;

    /// Makes the objects of a graph in order, and its edges, and roots the graph's roots and nothing else.
    fn build(graph: &Graph) -> Self;
    /// Drops all roots but the first.
    fn drop_other_roots(&mut self);
    /// A full collection.
    fn collect(&mut self);
    /// Which objects are alive, as far as the peer can say.
    fn census(&self) -> Census;
    /// Follows the edges from the roots.
    fn walk(&self) -> Reached;
}

/// What a peer's collection looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Examines {
    /// Every object.
    All,
    /// Objects that lost a reference, and what those reach.
    Candidates,
}

/// Which objects live.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Census {
    /// Their number.
    Count(usize),
    /// Whether each of some objects, given by id, lives.
    Sample(Vec<(usize, bool)>),
    /// The peer does not say, but each object is an allocation of its own.
    AskMalloc,
}

/// What a walk over a graph found.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Reached {
    /// Objects.
    pub(crate) count: usize,
    /// The sum of their ids.
    pub(crate) sum: u64,
}

/// A heap that collects.
pub(crate) trait Linked: Handles {
    /// Which objects its collections look at.
    const EXAMINES: Examines = Examines::All;

    /// Sets an object's edges.
    fn link(&mut self, from: &Self::Handle, to: [Option<&Self::Handle>; DEGREE]);
    /// Receives all objects in order when the graph is complete.
    fn remember(&mut self, handles: &[Self::Handle]) {
        let _ = handles;
    }
    /// A full collection that keeps what is reachable from these; all other handles have been dropped.
    fn collect(&mut self, roots: &[Self::Handle]);
    /// Which objects are alive.
    fn census(&self) -> Census;
    /// An object's edges.
    fn edges(&self, of: &Self::Handle) -> [Option<Self::Handle>; DEGREE];
}

/// A heap that collects, with the roots of a graph. (Handles go before the heap does.)
#[derive(Debug)]
pub(crate) struct Rooted<P: Handles> {
    roots: Vec<P::Handle>,
    heap: P,
}

impl<P: Linked> Collector for Rooted<P> {
    const EXAMINES: Examines = P::EXAMINES;

    fn build(graph: &Graph) -> Self {
        let mut heap = P::new(graph.len());
        let handles: Vec<_> = (0..graph.len() as u64).map(|id| Some(heap.alloc(id))).collect();
        let handle =
            |node: u32| (node != NONE).then(|| handles[node as usize].as_ref().expect("not taken yet"));
        for (node, edges) in graph.edges.iter().enumerate() {
            heap.link(handle(node as u32).expect("a node"), edges.map(handle));
        }
        let mut handles: Vec<_> = handles.into_iter().flatten().collect();
        heap.remember(&handles);
        // The roots, in their order, and no other handle survives.
        let mut roots: Vec<_> = graph.roots.iter().enumerate().map(|(place, node)| (*node, place)).collect();
        roots.sort_unstable();
        let mut taken: Vec<_> = Vec::new();
        for (node, place) in roots.into_iter().rev() {
            taken.push((place, handles.swap_remove(node as usize)));
        }
        drop(handles);
        taken.sort_unstable_by_key(|(place, _)| *place);
        let roots = taken.into_iter().map(|(_, handle)| handle).collect();
        Self { roots, heap }
    }

    fn drop_other_roots(&mut self) {
        self.roots.truncate(1);
    }

    fn collect(&mut self) {
        self.heap.collect(&self.roots);
    }

    fn census(&self) -> Census {
        self.heap.census()
    }

    fn walk(&self) -> Reached {
        let mut seen: Vec<bool> = Vec::new();
        let mut reached = Reached::default();
        let mut stack: Vec<P::Handle> = Vec::new();
        let visit = |handle: &P::Handle, stack: &mut Vec<P::Handle>| {
            stack.extend(self.heap.edges(handle).into_iter().flatten());
        };
        let mut count = |handle: &P::Handle| {
            let id = self.heap.read::<First>(handle);
            assert_eq!(self.heap.read::<Last>(handle), id + 1, "the last word of object {id}");
            if seen.len() <= id as usize {
                seen.resize(id as usize + 1, false);
            }
            let new = !std::mem::replace(&mut seen[id as usize], true);
            reached.count += usize::from(new);
            reached.sum += if new { id } else { 0 };
            new
        };
        self.roots.iter().filter(|root| count(root)).for_each(|root| visit(root, &mut stack));
        while let Some(handle) = stack.pop() {
            if count(&handle) {
                visit(&handle, &mut stack);
            }
        }
        reached
    }
}
