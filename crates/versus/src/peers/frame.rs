//! Worlds of the peers, for `crate::work::frame`. Nodes are as in the other works: 64 bytes, four edges.

pub(crate) mod arena;
pub(crate) mod boa;
pub(crate) mod dumpster;
pub(crate) mod rc;
pub(crate) mod safe_gc;
pub(crate) mod slotgc;
pub(crate) mod slotmap;

use crate::work::frame::{Game, Plan, Start, World, frame};

/// Every so many frames weak maps that do not prune themselves are pruned.
const PRUNE_EVERY: u32 = 64;

/// A world whose objects have handles that outlive a frame.
pub(crate) struct Played<W: World> {
    young: Vec<W::Young>,
    world: W,
}

/// What a world needs to be played.
pub(crate) trait Playable: World {
    /// Makes the old objects, and collects.
    fn build(start: &Start) -> Self;
    /// See [`Game::living`].
    fn living(&mut self) -> Option<usize>;
}

impl<W: Playable> Game for Played<W> {
    fn new(start: &Start) -> Self {
        Self { young: Vec::new(), world: W::build(start) }
    }

    fn frame(&mut self, plan: &Plan) -> u64 {
        frame(&mut self.world, &mut self.young, plan)
    }

    fn hung_on(&self, old: &[u32]) -> Vec<Option<u64>> {
        old.iter().map(|old| self.world.hung_on(*old)).collect()
    }

    fn living(&mut self) -> Option<usize> {
        self.world.living()
    }
}
