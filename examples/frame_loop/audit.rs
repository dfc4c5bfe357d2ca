//! Is everything there that must be, and is everything gone that must be gone? The naive check: walk from the
//! levels along every field, and compare with the heap.
//!
//! - What the walk reaches resolves, and so does a weak target in it.
//! - A handle always resolves to the same object: a ledger keeps the number of each object ever seen.
//! - What the walk did not reach, and was in the heap, is dead two full cycles later. (Except textures: as
//!   long as one resolves, the cache may return it again. The audit at the end of the run counts them too.)
//! - Right after a cycle no weak map holds an entry of a dead object.

use slotgc::{AnyGc, Gc, GcMap, GcSet, Heap, Trace, Weak};

use crate::game::Finished;
use crate::gc_world::*;

/// An object of the game.
pub(crate) trait Thing: Trace {
    fn serial(&self) -> u64;
    /// Walks along all strong fields, and checks the weak ones.
    fn fields(&self, walk: &mut Walk<'_>);
}

/// An object that the walk reached, and the walk along its fields.
type Ahead<'a> = (AnyGc, fn(&mut Walk<'a>, AnyGc));

/// From the roots to everything that they reach.
pub(crate) struct Walk<'a> {
    heap: &'a Heap,
    seen: GcSet<AnyGc>,
    ahead: Vec<Ahead<'a>>,
    /// Numbers of the entities seen, and of targets that do not resolve.
    entities: GcSet<u64>,
    lost_targets: Vec<u64>,
}

impl<'a> Walk<'a> {
    /// What the game's levels, its replay and the scripts of living entities hold.
    fn of(world: &'a GcWorld) -> Self {
        let heap = &world.heap;
        let (seen, entities) = (GcSet::default(), GcSet::default());
        let mut walk = Self { heap, seen, ahead: Vec::new(), entities, lost_targets: Vec::new() };
        world.levels.iter().flatten().for_each(|level| walk.edge(level.gc()));
        heap[&world.replay].frames.iter().flatten().for_each(|event| walk.edge(*event));
        walk.go();
        // A script counts once its entity does. Naively: repeat until nothing is added.
        let mut scripts: Vec<_> =
            heap[&world.scripts].iter().map(|(key, script)| (key, script.memory)).collect();
        loop {
            let before = scripts.len();
            scripts.retain(|(key, memory)| {
                let counts = heap.upgrade(*key).is_some_and(|key| walk.seen.contains(&key.erase()));
                if counts {
                    walk.edge(*memory);
                }
                !counts
            });
            if scripts.len() == before {
                break;
            }
            walk.go();
        }
        for serial in &walk.lost_targets {
            let is_reachable = walk.entities.contains(serial);
            assert!(!is_reachable, "LOST: entity {serial} is reachable, and a weak target of it is None");
        }
        walk
    }

    fn edge<T: Thing>(&mut self, gc: Gc<T>) {
        if self.seen.insert(gc.erase()) {
            assert!(self.heap.is_alive(gc), "LOST: {gc:?} is reachable and does not resolve");
            self.ahead.push((gc.erase(), Self::visit::<T>));
        }
    }

    fn visit<T: Thing>(&mut self, any: AnyGc) {
        let gc = self.heap.downcast::<T>(any).expect("it resolved, with this type");
        self.heap[gc].fields(self);
    }

    fn target(&mut self, target: Weak<Entity>, serial: u64) {
        match self.heap.get(target) {
            Some(target) => assert_eq!(target.serial, serial, "a weak target resolves to somebody else"),
            None => self.lost_targets.push(serial),
        }
    }

    fn go(&mut self) {
        while let Some((any, visit)) = self.ahead.pop() {
            visit(self, any);
        }
    }
}

/// What was unreachable at one time.
struct Garbage {
    handles: Vec<AnyGc>,
    /// How many full cycles had ended.
    since: usize,
}

#[derive(Default)]
pub(crate) struct Audit {
    /// The number of each object that was ever seen.
    ledger: GcMap<AnyGc, u64>,
    garbage: Vec<Garbage>,
    full_cycles: usize,
    /// Objects visited, and those of the garbage.
    pub(crate) walked: usize,
    pub(crate) condemned: usize,
}

impl Audit {
    /// A cycle may have ended.
    pub(crate) fn cycle(&mut self, world: &GcWorld, finished: Finished) {
        if finished == Finished::None {
            return;
        }
        let heap = &world.heap;
        for key in heap[&world.scripts].keys() {
            assert!(heap.is_alive(key), "the WeakKeyMap holds {key:?}, which is dead, after a cycle");
        }
        for (name, texture) in heap[&world.textures].iter() {
            assert!(heap.is_alive(texture), "the WeakValueMap holds {name}, which is dead, after a cycle");
        }
        if finished == Finished::Full {
            self.full_cycles += 1;
            let is_due = |garbage: &Garbage| self.full_cycles >= garbage.since + 2;
            let due = self.garbage.iter().take_while(|garbage| is_due(garbage)).count();
            for any in self.garbage.drain(..due).flat_map(|garbage| garbage.handles) {
                assert!(
                    !heap.is_alive_any(any),
                    "LEAKED: {any:?} is there two cycles after it became unreachable"
                );
            }
        }
    }

    /// Compares what is reachable with what exists.
    pub(crate) fn walk(&mut self, world: &GcWorld) {
        let walk = Walk::of(world);
        let mut garbage = Vec::new();
        self.take_stock::<Level>(&walk, &mut garbage);
        self.take_stock::<Sector>(&walk, &mut garbage);
        self.take_stock::<Entity>(&walk, &mut garbage);
        self.take_stock::<Goal>(&walk, &mut garbage);
        self.take_stock::<Inventory>(&walk, &mut garbage);
        self.take_stock::<Item>(&walk, &mut garbage);
        self.take_stock::<Listener>(&walk, &mut garbage);
        self.take_stock::<Memory>(&walk, &mut garbage);
        self.take_stock::<Event>(&walk, &mut garbage);
        self.ledger.retain(|any, _| world.heap.is_alive_any(*any));
        self.walked += walk.seen.len();
        self.condemned += garbage.len();
        self.garbage.push(Garbage { handles: garbage, since: self.full_cycles });
    }

    fn take_stock<T: Thing>(&mut self, walk: &Walk<'_>, garbage: &mut Vec<AnyGc>) {
        for (gc, object) in walk.heap.iter::<T>() {
            let (any, serial) = (gc.erase(), object.serial());
            let known = *self.ledger.entry(any).or_insert(serial);
            assert_eq!(known, serial, "{gc:?} has become another object");
            if !walk.seen.contains(&any) {
                garbage.push(any);
            }
        }
    }

    /// The end of a run: after two more cycles only what is reachable exists.
    pub(crate) fn finish(&mut self, world: &mut GcWorld) {
        self.walk(world);
        for _ in 0..2 {
            world.heap.collect();
            self.cycle(world, Finished::Full);
        }
        assert!(self.garbage.is_empty(), "two cycles are enough for all garbage");
        // Besides what is reachable: the two maps and the replay.
        let reachable = Walk::of(world).seen.len() + 3;
        assert_eq!(world.heap.len(), reachable, "LEAKED: objects in the heap, and objects reachable");
    }
}

impl Thing for Level {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        self.sectors.iter().for_each(|sector| walk.edge(*sector));
    }
}

impl Thing for Sector {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        self.entities.iter().for_each(|entity| walk.edge(*entity));
    }
}

impl Thing for Entity {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.entities.insert(self.serial);
        walk.target(self.target, self.target_serial);
        self.goals.iter().for_each(|goal| walk.edge(*goal));
        walk.edge(self.inventory);
        self.listeners.iter().chain(&self.hearing).for_each(|listener| walk.edge(*listener));
        walk.edge(self.texture);
    }
}

impl Thing for Goal {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.edge(self.of);
    }
}

impl Thing for Inventory {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.edge(self.owner);
        self.items.iter().for_each(|item| walk.edge(*item));
    }
}

impl Thing for Item {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.edge(self.holder);
        walk.edge(self.texture);
    }
}

impl Thing for Listener {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.edge(self.hears);
        walk.edge(self.tells);
    }
}

impl Thing for Texture {
    fn serial(&self) -> u64 {
        self.id.number
    }

    fn fields(&self, _: &mut Walk<'_>) {
        assert_eq!(self.pixels, self.id.pixels(), "the pixels of a texture");
    }
}

impl Thing for Memory {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.edge(self.of);
    }
}

impl Thing for Event {
    fn serial(&self) -> u64 {
        self.serial
    }

    fn fields(&self, walk: &mut Walk<'_>) {
        walk.edge(self.by);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::game::{Game, Size, World};
    use crate::gc_world::Policy;

    fn world() -> GcWorld {
        let mut world = GcWorld::new(Policy::Full, false);
        let mut game = Game::new(Size::of(2000, 50), 1);
        game.load(&mut world);
        (0..50).for_each(|_| game.frame(&mut world));
        world
    }

    #[test]
    #[should_panic(expected = "LEAKED")]
    fn a_level_that_a_forgotten_root_keeps_is_found() {
        let (mut world, mut audit) = (world(), Audit::default());
        let _forgotten = world.levels[3].clone();
        world.close_level(3);
        audit.finish(&mut world);
    }

    #[test]
    #[should_panic(expected = "LOST: Gc<Goal>")]
    fn a_goal_that_is_gone_is_missed() {
        let mut world = world();
        let level = world.levels[0].as_ref().expect("a loaded level");
        let sector = world.heap[level].sectors[0];
        let goal = world.heap[world.heap[sector].entities[0]].goals[1];
        world.heap.destroy(goal);
        world.heap.collect();
        Audit::default().walk(&world);
    }

    #[test]
    fn what_the_game_lets_go_is_garbage_and_dies() {
        let (mut world, mut audit) = (world(), Audit::default());
        audit.walk(&world);
        let garbage = audit.condemned;
        world.close_level(3);
        audit.walk(&world);
        assert!(audit.condemned > 2 * garbage);
        audit.finish(&mut world);
    }
}
