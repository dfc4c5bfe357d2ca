//! gc-arena: an arena whose pointers live within a call of `mutate`. It collects only when told to; a full
//! collection is `finish_cycle`. Edges are changed through a `Lock`, the cheaper of its cells.

use std::hint::black_box;
use std::time::Duration;

use gc_arena::barrier::unlock;
use gc_arena::{Arena, Collect, Gc, Mutation, Rootable, lock::Lock};
use slotgc_graphs::{DEGREE, Graph, NONE};

use crate::clock::Stopwatch;
use crate::needs::NODE_BYTES;
use crate::needs::alloc::{Filled, Fresh, Refill};
use crate::needs::collect::{Census, Collector, Reached};
use crate::needs::heaps::Heaps;
use crate::needs::memory::Meter;
use crate::work::{sum_of_ids, touched};

#[derive(Collect)]
#[collect(no_drop)]
#[repr(C)]
struct Node<'gc> {
    id: u64,
    edges: Lock<[Option<Gc<'gc, Node<'gc>>>; DEGREE]>,
    fill: [u64; 2],
    tail: u64,
}

const _: () = assert!(size_of::<Node<'_>>() == NODE_BYTES);

#[derive(Collect)]
#[collect(no_drop)]
struct Roots<'gc>(Vec<Gc<'gc, Node<'gc>>>);

/// An arena that roots some objects.
pub(crate) struct GcArena {
    arena: Arena<Rootable![Roots<'_>]>,
}

#[inline(always)]
fn alloc<'gc>(mc: &Mutation<'gc>, id: u64) -> Gc<'gc, Node<'gc>> {
    Gc::new(mc, Node { id, edges: Lock::new([None; DEGREE]), fill: [0; 2], tail: id + 1 })
}

/// The loop that is timed.
#[inline(never)]
fn fill<'gc>(mc: &Mutation<'gc>, n: usize, made: &mut Vec<Gc<'gc, Node<'gc>>>) {
    (0..n as u64).for_each(|id| made.push(alloc(mc, id)));
}

fn sum(nodes: &[Gc<'_, Node<'_>>]) -> u64 {
    nodes.iter().map(|node| node.id).sum()
}

impl GcArena {
    fn new() -> Self {
        Self { arena: Arena::new(|_| Roots(Vec::new())) }
    }
}

impl Fresh for GcArena {
    fn fresh(n: usize) -> Filled {
        // The vector's type exists only within `mutate`, but its memory can be made outside: any pointer type
        // will do.
        let start = Stopwatch::start();
        let heap = Self::new();
        let creation = start.elapsed();
        heap.arena.mutate(|mc, _| {
            let mut made = touched(n);
            let start = Stopwatch::start();
            fill(mc, n, &mut made);
            Filled { time: creation + start.elapsed(), sum: sum(&made) }
        })
    }
}

impl Refill for GcArena {
    fn refill(order: &[u32]) -> Filled {
        let n = order.len();
        let mut heap = Self::new();
        heap.arena.mutate_root(|mc, roots| {
            let mut made = Vec::new();
            fill(mc, n, &mut made);
            roots.0 = order[n / 2..].iter().map(|id| made[*id as usize]).collect();
        });
        heap.arena.finish_cycle();
        assert_eq!(heap.arena.metrics().total_gc_count(), n - n / 2);
        heap.arena.mutate(|mc, roots| {
            let mut made = touched(n / 2);
            let start = Stopwatch::start();
            fill(mc, n / 2, &mut made);
            let time = start.elapsed();
            assert_eq!(sum(&roots.0), order[n / 2..].iter().map(|id| u64::from(*id)).sum::<u64>());
            Filled { time, sum: sum(&made) }
        })
    }
}

impl Heaps for GcArena {
    #[inline(never)]
    fn one_object(id: u64) -> u64 {
        black_box(Self::new()).arena.mutate(|mc, _| alloc(mc, id).id)
    }

    fn end(n: usize) -> Duration {
        let mut heap = Self::new();
        heap.arena.mutate_root(|mc, roots| fill(mc, n, &mut roots.0));
        heap.arena.mutate(|_, roots| assert_eq!(sum(&roots.0), sum_of_ids(n)));
        let start = Stopwatch::start();
        drop(heap);
        start.elapsed()
    }
}

impl Collector for GcArena {
    fn build(graph: &Graph) -> Self {
        let mut heap = Self::new();
        heap.arena.mutate_root(|mc, roots| {
            let mut made = Vec::new();
            fill(mc, graph.len(), &mut made);
            for (node, edges) in made.iter().zip(&graph.edges) {
                let edges = edges.map(|edge| (edge != NONE).then(|| made[edge as usize]));
                unlock!(Gc::write(mc, *node), Node, edges).set(edges);
            }
            roots.0 = graph.roots.iter().map(|root| made[*root as usize]).collect();
        });
        heap
    }

    fn drop_other_roots(&mut self) {
        self.arena.mutate_root(|_, roots| roots.0.truncate(1));
    }

    fn collect(&mut self) {
        self.arena.finish_cycle();
    }

    fn census(&self) -> Census {
        Census::Count(self.arena.metrics().total_gc_count())
    }

    fn walk(&self) -> Reached {
        self.arena.mutate(|_, roots| {
            let mut reached = Reached::default();
            let mut seen: Vec<bool> = Vec::new();
            let mut stack = roots.0.clone();
            while let Some(node) = stack.pop() {
                let id = node.id as usize;
                assert_eq!(node.tail, node.id + 1, "the last word of object {id}");
                if seen.len() <= id {
                    seen.resize(id + 1, false);
                }
                if !std::mem::replace(&mut seen[id], true) {
                    reached = Reached { count: reached.count + 1, sum: reached.sum + node.id };
                    stack.extend(node.edges.get().into_iter().flatten());
                }
            }
            reached
        })
    }
}

/// See [`crate::needs::memory`].
pub(crate) fn memory<const WORDS: usize>(meter: &mut Meter) {
    let arena = Arena::<Rootable![()]>::new(|_| ());
    arena.mutate(|mc, ()| {
        meter.fill(|id| {
            Gc::new(mc, [id; WORDS]);
        });
    });
}
