//! gc-arena in its incremental mode: a frame is a `mutate_root`, and then `collect_debt` does as much as was
//! allocated. Its maps of `GcWeak` are pruned by hand.
//!
//! The root holds the old objects in pieces: an object is traced in one go, and a single list would cause the
//! longest pause.

use gc_arena::barrier::unlock;
use gc_arena::{Arena, Collect, Gc, GcWeak, Mutation, Rootable, lock::Lock};
use hashbrown::HashMap;
use slotgc_graphs::DEGREE;

use crate::needs::NODE_BYTES;
use crate::needs::frame::{Game, HOOK, Plan, Start, World, frame, number_of};
use crate::needs::weak::SameHash;
use crate::peers::frame::PRUNE_EVERY;

#[derive(Collect)]
#[collect(no_drop)]
#[repr(C)]
struct Node<'gc> {
    id: u64,
    edges: Lock<[Option<Pointer<'gc>>; DEGREE]>,
    fill: [u64; 3],
}

type Pointer<'gc> = Gc<'gc, Node<'gc>>;

const _: () = assert!(size_of::<Node<'_>>() == NODE_BYTES);

/// Old objects in a piece.
const PIECE: usize = 256;

#[derive(Collect)]
#[collect(no_drop)]
struct Roots<'gc> {
    pieces: Vec<Gc<'gc, Vec<Pointer<'gc>>>>,
    cache: HashMap<u64, GcWeak<'gc, Node<'gc>>, SameHash>,
    /// By address.
    numbers: HashMap<u64, (GcWeak<'gc, Node<'gc>>, u64), SameHash>,
    frames: u32,
}

/// An arena with a world.
pub(crate) struct ArenaGame {
    arena: Arena<Rootable![Roots<'_>]>,
}

/// A world during a frame.
struct Open<'a, 'gc> {
    mc: &'a Mutation<'gc>,
    roots: &'a mut Roots<'gc>,
}

impl<'gc> Open<'_, 'gc> {
    fn old(&self, old: u32) -> Pointer<'gc> {
        self.roots.pieces[old as usize / PIECE][old as usize % PIECE]
    }

    fn set(&self, node: Pointer<'gc>, edge: usize, to: Pointer<'gc>) {
        let mut edges = node.edges.get();
        edges[edge] = Some(to);
        unlock!(Gc::write(self.mc, node), Node, edges).set(edges);
    }
}

impl<'gc> World for Open<'_, 'gc> {
    type Young = Pointer<'gc>;

    fn read(&self, old: u32) -> u64 {
        self.old(old).id
    }

    fn make(&mut self, id: u64, of: [u32; 2], previous: Option<&Pointer<'gc>>) -> Pointer<'gc> {
        let [first, second] = of.map(|old| Some(self.old(old)));
        let edges = Lock::new([first, second, previous.copied(), None]);
        Gc::new(self.mc, Node { id, edges, fill: [0; 3] })
    }

    fn rewire(&mut self, from: u32, edge: usize, to: u32) {
        self.set(self.old(from), edge, self.old(to));
    }

    fn hang(&mut self, old: u32, young: &Pointer<'gc>, _: bool) {
        self.set(self.old(old), HOOK, *young);
    }

    fn cache(&mut self, id: u64, young: &Pointer<'gc>) {
        let weak = Gc::downgrade(*young);
        self.roots.cache.insert(id, weak);
        self.roots.numbers.insert(Gc::as_ptr(*young) as u64, (weak, number_of(id)));
    }

    fn look_up(&self, id: u64) -> u64 {
        let node = self.roots.cache[&id].upgrade(self.mc).expect("a living object");
        node.id + self.roots.numbers[&(Gc::as_ptr(node) as u64)].1
    }

    fn end_frame(&mut self, young: &mut Vec<Pointer<'gc>>, _: &Plan) {
        young.clear();
        self.roots.frames += 1;
        if self.roots.frames.is_multiple_of(PRUNE_EVERY) {
            self.roots.cache.retain(|_, weak| weak.upgrade(self.mc).is_some());
            self.roots.numbers.retain(|_, (weak, _)| weak.upgrade(self.mc).is_some());
        }
    }

    fn hung_on(&self, old: u32) -> Option<u64> {
        Some(self.old(old).edges.get()[HOOK]?.id)
    }
}

impl Game for ArenaGame {
    fn new(start: &Start) -> Self {
        let mut arena = Arena::<Rootable![Roots<'_>]>::new(|mc| {
            let node = |id| Gc::new(mc, Node { id, edges: Lock::new([None; DEGREE]), fill: [0; 3] });
            let old: Vec<_> = (0..start.0.len() as u64).map(node).collect();
            for (node, edges) in old.iter().zip(&start.0) {
                let [first, second, third] = edges.map(|edge| Some(old[edge as usize]));
                unlock!(Gc::write(mc, *node), Node, edges).set([first, second, third, None]);
            }
            Roots {
                pieces: old.chunks(PIECE).map(|piece| Gc::new(mc, piece.to_vec())).collect(),
                cache: HashMap::default(),
                numbers: HashMap::default(),
                frames: 0,
            }
        });
        arena.finish_cycle();
        Self { arena }
    }

    fn frame(&mut self, plan: &Plan) -> u64 {
        let sum = self.arena.mutate_root(|mc, roots| frame(&mut Open { mc, roots }, &mut Vec::new(), plan));
        self.arena.collect_debt();
        sum
    }

    fn hung_on(&self, old: &[u32]) -> Vec<Option<u64>> {
        self.arena.mutate(|_, roots| {
            let node = |old: u32| roots.pieces[old as usize / PIECE][old as usize % PIECE];
            old.iter().map(|old| node(*old).edges.get()[HOOK].map(|hung| hung.id)).collect()
        })
    }

    fn living(&mut self) -> Option<usize> {
        (0..2).for_each(|_| self.arena.finish_cycle());
        self.arena.mutate_root(|_, roots| {
            roots.cache.clear();
            roots.numbers.clear();
        });
        (0..2).for_each(|_| self.arena.finish_cycle());
        let pieces = self.arena.mutate(|_, roots| roots.pieces.len());
        Some(self.arena.metrics().total_gc_count() - pieces)
    }
}
