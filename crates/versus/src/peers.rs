//! The peers, one a file, and the traits through which the works see them.
//!
//! Every peer has a node type of exactly 64 bytes: its `id`, four edges as that peer stores them (with the cell
//! that it needs to change them), words to fill up, and a `tail`, which equals the id plus one.

pub(crate) mod boa_gc;
pub(crate) mod dumpster;
pub(crate) mod frame;
pub(crate) mod gc;
pub(crate) mod gc_arena;
pub(crate) mod rc;
pub(crate) mod rust_cc;
pub(crate) mod safe_gc;
pub(crate) mod slotgc;
pub(crate) mod slotmap;
pub(crate) mod thunderdome;
pub(crate) mod weak;

use crate::shape::{DEGREE, Graph, NONE};
use crate::work::collect::{Census, Collector, Examines, Reached};

/// The size of every peer's node.
pub(crate) const NODE_BYTES: usize = 64;

/// A heap whose handles are plain values. For peers whose heap belongs to the thread it is an empty struct.
pub(crate) trait Handles {
    /// What names an object.
    type Handle;

    /// An empty heap. How many objects it is going to hold is for those who want to reserve.
    fn new(objects: usize) -> Self;
    /// Makes an object without edges.
    fn alloc(&mut self, id: u64) -> Self::Handle;
    /// Reads of a living object what `F` asks for.
    fn read<F: Field>(&self, handle: &Self::Handle) -> u64;
}

/// A heap whose objects can die.
pub(crate) trait Free: Handles {
    /// Makes these objects garbage, one after the other, and frees them, with a collection if it takes one.
    /// `kept` are all others.
    fn free(&mut self, dead: Vec<Self::Handle>, kept: &[Self::Handle]);
}

/// A heap that collects.
pub(crate) trait Linked: Handles {
    /// Which objects its collections look at.
    const EXAMINES: Examines = Examines::All;

    /// Sets an object's edges.
    fn link(&mut self, from: &Self::Handle, to: [Option<&Self::Handle>; DEGREE]);
    /// Is shown all objects in order when the graph is complete.
    fn remember(&mut self, handles: &[Self::Handle]) {
        let _ = handles;
    }
    /// A full collection that keeps what is reached from these; all other handles have been dropped.
    fn collect(&mut self, roots: &[Self::Handle]);
    /// Which objects are alive.
    fn census(&self) -> Census;
    /// An object's edges.
    fn edges(&self, of: &Self::Handle) -> [Option<Self::Handle>; DEGREE];
}

/// Which words of an object are read.
pub(crate) trait Field {
    /// For the name of the work.
    const SUFFIX: &'static str;
    /// For its description.
    const ABOUT: &'static str;

    /// Reads.
    fn pick(id: &u64, tail: &u64) -> u64;
    /// What reading all of `n` objects adds up to, when their ids add up to `ids`.
    fn sum(ids: u64, n: u64) -> u64;
}

/// The first word.
#[derive(Debug)]
pub(crate) struct First;

/// The last word.
#[derive(Debug)]
pub(crate) struct Last;

/// Both.
#[derive(Debug)]
pub(crate) struct Ends;

impl Field for First {
    const SUFFIX: &'static str = "";
    const ABOUT: &'static str = "the first word";

    #[inline(always)]
    fn pick(id: &u64, _: &u64) -> u64 {
        *id
    }

    fn sum(ids: u64, _: u64) -> u64 {
        ids
    }
}

impl Field for Last {
    const SUFFIX: &'static str = "-last";
    const ABOUT: &'static str = "the last word";

    #[inline(always)]
    fn pick(_: &u64, tail: &u64) -> u64 {
        *tail
    }

    fn sum(ids: u64, n: u64) -> u64 {
        ids + n
    }
}

impl Field for Ends {
    const SUFFIX: &'static str = "-ends";
    const ABOUT: &'static str = "the first and the last word";

    #[inline(always)]
    fn pick(id: &u64, tail: &u64) -> u64 {
        id.wrapping_add(*tail)
    }

    fn sum(ids: u64, n: u64) -> u64 {
        2 * ids + n
    }
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
