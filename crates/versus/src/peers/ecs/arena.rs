//! gc-arena: its pointers cannot leave the arena. Either the components hold a `DynamicRoot` each, or the
//! whole column is the arena's root.

use gc_arena::{Arena, Collect, DynamicRoot, DynamicRootSet, Gc, Mutation, Rootable, lock::Lock};
use slotgc_graphs::DEGREE;

use crate::needs::NODE_BYTES;
use crate::needs::ecs::{Column, Plan, Reclaim};

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

fn node<'gc>(mc: &Mutation<'gc>, id: u64) -> Pointer<'gc> {
    Gc::new(mc, Node { id, edges: Lock::new([None; DEGREE]), fill: [0; 3] })
}

/// The end of a frame, for an arena with any root.
macro_rules! reclaim {
    ($arena:expr, $reclaim:expr) => {
        match $reclaim {
            Reclaim::All => $arena.finish_cycle(),
            Reclaim::Due => $arena.collect_debt(),
        }
    };
}

/// Keeps an object alive from outside of the arena.
type NodeRoot = DynamicRoot<Rootable![Node<'_>]>;

/// The components are outside of the arena, with a `DynamicRoot` each.
pub(crate) struct RootSetColumn {
    column: Vec<NodeRoot>,
    arena: Arena<Rootable![DynamicRootSet<'_>]>,
    reclaim: Reclaim,
}

impl RootSetColumn {
    fn spawn(&mut self, ids: impl Iterator<Item = u64>) {
        let Self { column, arena, .. } = self;
        arena.mutate(|mc, set| column.extend(ids.map(|id| set.stash(mc, node(mc, id)))));
    }
}

impl Column for RootSetColumn {
    fn new(entities: usize, reclaim: Reclaim) -> Self {
        let arena = Arena::new(|mc| DynamicRootSet::new(mc));
        let mut made = Self { column: Vec::with_capacity(entities), arena, reclaim };
        made.spawn(0..entities as u64);
        made.arena.finish_cycle();
        made
    }

    fn frame(&mut self, plan: &Plan) {
        plan.despawned.iter().for_each(|place| drop(self.column.swap_remove(*place as usize)));
        self.spawn(plan.spawned());
        reclaim!(self.arena, self.reclaim);
    }

    fn ids(&self) -> Vec<u64> {
        self.arena.mutate(|_, set| self.column.iter().map(|root| set.fetch(root).id).collect())
    }

    fn objects(&mut self) -> Option<usize> {
        // The set is an object too.
        Some(self.arena.metrics().total_gc_count() - 1)
    }

    fn free_all(&mut self) {
        // The first cycle may have begun before the last objects died.
        (0..2).for_each(|_| self.arena.finish_cycle());
    }
}

#[derive(Collect)]
#[collect(no_drop)]
struct Roots<'gc>(Vec<Pointer<'gc>>);

/// The components are the root.
pub(crate) struct RootColumn {
    arena: Arena<Rootable![Roots<'_>]>,
    reclaim: Reclaim,
}

impl Column for RootColumn {
    fn new(entities: usize, reclaim: Reclaim) -> Self {
        let mut arena = Arena::<Rootable![Roots<'_>]>::new(|mc| {
            Roots((0..entities as u64).map(|id| node(mc, id)).collect())
        });
        arena.finish_cycle();
        Self { arena, reclaim }
    }

    fn frame(&mut self, plan: &Plan) {
        self.arena.mutate_root(|mc, Roots(column)| {
            plan.despawned.iter().for_each(|place| _ = column.swap_remove(*place as usize));
            column.extend(plan.spawned().map(|id| node(mc, id)));
        });
        reclaim!(self.arena, self.reclaim);
    }

    fn ids(&self) -> Vec<u64> {
        self.arena.mutate(|_, Roots(column)| column.iter().map(|node| node.id).collect())
    }

    fn objects(&mut self) -> Option<usize> {
        Some(self.arena.metrics().total_gc_count())
    }

    fn free_all(&mut self) {
        // The first cycle may have begun before the last objects died.
        (0..2).for_each(|_| self.arena.finish_cycle());
    }
}
