//! What entities with components need of a peer. The components are in a column outside of the heap, and each
//! holds an object.

use std::ops::Range;

use crate::needs::{First, Free, Handles};

/// What happens in a frame.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Places in the column. The components there are removed one after the other, and each time the last one
    /// moves to the free place.
    pub(crate) despawned: Vec<u32>,
    /// The id of the first object that is made.
    pub(crate) first_id: u64,
}

impl Plan {
    /// The ids of the objects of the entities that spawn: as many as despawn.
    pub(crate) fn spawned(&self) -> Range<u64> {
        self.first_id..self.first_id + self.despawned.len() as u64
    }
}

/// How a frame ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reclaim {
    /// All garbage is freed.
    All,
    /// The collector does as much as is due.
    Due,
}

/// What the entities need of a peer.
pub(crate) trait Column {
    /// This many entities, whose objects have the ids from 0 on, without garbage.
    fn new(entities: usize, reclaim: Reclaim) -> Self;
    /// Some entities despawn, as many spawn, and garbage is reclaimed.
    fn frame(&mut self, plan: &Plan);
    /// The ids of all objects in the order of the column, read from them.
    fn ids(&self) -> Vec<u64>;
    /// How many objects there are, garbage included, if the peer can report it.
    fn objects(&mut self) -> Option<usize>;
    /// Frees all garbage.
    fn free_all(&mut self);
}

/// A column for a peer whose handles keep objects alive, or that frees by hand. (Handles go before the heap
/// does.)
#[derive(Debug)]
pub(crate) struct Held<P: Handles> {
    column: Vec<P::Handle>,
    heap: P,
}

impl<P: Free> Column for Held<P> {
    /// It always frees all garbage.
    fn new(entities: usize, _: Reclaim) -> Self {
        let mut heap = P::new(entities);
        let column = (0..entities as u64).map(|id| heap.alloc(id)).collect();
        Self { column, heap }
    }

    fn frame(&mut self, plan: &Plan) {
        let Self { column, heap } = self;
        let dead = plan.despawned.iter().map(|place| column.swap_remove(*place as usize)).collect();
        column.extend(plan.spawned().map(|id| heap.alloc(id)));
        heap.free(dead, column);
    }

    fn ids(&self) -> Vec<u64> {
        self.column.iter().map(|handle| self.heap.read::<First>(handle)).collect()
    }

    fn objects(&mut self) -> Option<usize> {
        None
    }

    /// The last frame did that.
    fn free_all(&mut self) {}
}
