//! The game's world in a heap of slotgc.
//!
//! Levels are the roots. Everything else is held by a level: goals and inventories know their entity,
//! listeners both of theirs, items their inventory, and a script's memory the entity that is its key. Nothing
//! is ever taken apart by hand: closing a level drops its root.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use slotgc::{
    Budget, Gc, Heap, HeapConfig, HeapStats, Phase, Root, Rule, Trace, Weak, WeakKeyMap, WeakValueMap,
};

use crate::game::{Digest, Finished, Happening, LEVELS, Place, Spawn, TextureId, Tidied, Work, World};

/// Frames for which the last events can be replayed.
const REPLAY: usize = 16;

#[derive(Trace)]
pub(crate) struct Level {
    pub(crate) serial: u64,
    pub(crate) sectors: Vec<Gc<Sector>>,
}

#[derive(Trace)]
pub(crate) struct Sector {
    pub(crate) serial: u64,
    pub(crate) entities: Vec<Gc<Entity>>,
}

#[derive(Trace)]
pub(crate) struct Entity {
    pub(crate) serial: u64,
    pub(crate) health: u32,
    pub(crate) target: Weak<Entity>, // keeps nothing alive
    /// Whom the target is expected to be.
    pub(crate) target_serial: u64,
    pub(crate) goals: [Gc<Goal>; 2],
    pub(crate) inventory: Gc<Inventory>,
    /// The listeners of this entity.
    pub(crate) listeners: Vec<Gc<Listener>>,
    /// This entity's listener at its neighbour.
    pub(crate) hearing: Option<Gc<Listener>>,
    pub(crate) texture: Gc<Texture>,
}

#[derive(Trace)]
pub(crate) struct Goal {
    pub(crate) serial: u64,
    pub(crate) of: Gc<Entity>,
}

#[derive(Trace)]
pub(crate) struct Inventory {
    pub(crate) serial: u64,
    pub(crate) owner: Gc<Entity>,
    pub(crate) items: [Gc<Item>; 2],
}

#[derive(Trace)]
pub(crate) struct Item {
    pub(crate) serial: u64,
    pub(crate) holder: Gc<Inventory>,
    pub(crate) texture: Gc<Texture>,
}

#[derive(Trace)]
pub(crate) struct Listener {
    pub(crate) serial: u64,
    pub(crate) hears: Gc<Entity>,
    pub(crate) tells: Gc<Entity>,
}

#[derive(Trace)]
pub(crate) struct Texture {
    #[trace(skip)]
    pub(crate) id: TextureId,
    pub(crate) pixels: Vec<u8>,
}

/// The state of an entity's script: a value of the `WeakKeyMap`.
#[derive(Trace)]
pub(crate) struct Script {
    pub(crate) runs: u64,
    pub(crate) memory: Gc<Memory>,
}

/// What a script remembers, its own entity among it.
#[derive(Trace)]
pub(crate) struct Memory {
    pub(crate) serial: u64,
    pub(crate) of: Gc<Entity>,
}

/// The last events of some frames.
#[derive(Trace, Default)]
pub(crate) struct Replay {
    pub(crate) frames: VecDeque<Vec<Gc<Event>>>,
}

#[derive(Trace)]
pub(crate) struct Event {
    pub(crate) serial: u64,
    pub(crate) by: Gc<Entity>,
    pub(crate) to: Weak<Entity>,
}

/// When memory is freed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Policy {
    /// A bounded piece of work each frame.
    Step(Duration),
    /// The same, and another thread marks while a frame is rendered.
    Shared(Duration),
    /// A minor collection each frame, and a full one when the heap has grown by half.
    Minor,
    /// A full collection when the heap has grown by half.
    Full,
}

pub(crate) struct GcWorld {
    pub(crate) heap: Heap,
    pub(crate) levels: [Option<Root<Level>>; LEVELS],
    pub(crate) textures: Root<WeakValueMap<String, Texture>>,
    pub(crate) scripts: Root<WeakKeyMap<Entity, Script>>,
    pub(crate) replay: Root<Replay>,
    policy: Policy,
    /// The size after the last full collection.
    kept_bytes: usize,
    /// Whether the current cycle is a minor one.
    in_minor: bool,
    /// What the heap reported when the loading screen was over.
    pub(crate) at_start: HeapStats,
    handled: u64,
}

impl GcWorld {
    pub(crate) fn new(policy: Policy, keep_new: bool) -> Self {
        let mut heap = Heap::with_config(HeapConfig::default().collect_new(!keep_new));
        let textures = heap.alloc_root(WeakValueMap::new());
        let scripts = heap.alloc_root(WeakKeyMap::new());
        let replay = heap.alloc_root(Replay::default());
        let levels = [const { None }; LEVELS];
        let (kept_bytes, in_minor, at_start, handled) = (0, false, HeapStats::default(), 0);
        Self { heap, levels, textures, scripts, replay, policy, kept_bytes, in_minor, at_start, handled }
    }

    fn level(&self, level: usize) -> &Root<Level> {
        self.levels[level].as_ref().expect("the game uses open levels only")
    }

    fn sector(&self, at: Place) -> Gc<Sector> {
        self.heap[self.level(at.level)].sectors[at.sector()]
    }

    fn entity(&self, at: Place) -> Gc<Entity> {
        self.heap[self.sector(at)].entities[at.seat()]
    }

    fn texture(&mut self, id: TextureId) -> Gc<Texture> {
        self.heap.get_or_alloc(&self.textures, id.name(), |_, _| Texture { id, pixels: id.pixels() })
    }

    /// Adds a listener of `tells` to `hears`.
    fn listen(&mut self, hears: Gc<Entity>, tells: Gc<Entity>, serial: u64) {
        let listener = self.heap.alloc(Listener { serial, hears, tells });
        self.heap[hears].listeners.push(listener);
        self.heap[tells].hearing = Some(listener);
    }

    /// The entity is removed from the lists. That is all: no cycle is broken by hand.
    fn despawn(&mut self, old: Gc<Entity>, previous: Option<Gc<Entity>>) {
        if let Some((previous, others)) = previous.and_then(|previous| self.heap.split_mut(previous)) {
            previous.listeners.retain(|listener| others[*listener].tells != old);
        }
    }

    fn grew_by_half(&self) -> bool {
        self.bytes() > self.kept_bytes / 2 * 3
    }

    fn collect(&mut self) -> Tidied {
        let stats = self.heap.collect();
        self.kept_bytes = self.bytes();
        Tidied { work: Work::Full(stats), finished: Finished::Full }
    }

    fn pace(&mut self, budget: Duration) -> Tidied {
        let report = self.heap.pace(Budget::Time(budget));
        // A report does not tell the kind of the finished cycle, only the rule that began it.
        self.in_minor |= report.rule == Rule::Nursery;
        let finished = match report.finished {
            None => Finished::None,
            Some(_) if std::mem::take(&mut self.in_minor) => Finished::Minor,
            Some(_) => Finished::Full,
        };
        Tidied { work: Work::Step(report), finished }
    }
}

impl World for GcWorld {
    fn open_level(&mut self, level: usize, serial: u64) {
        self.levels[level] = Some(self.heap.alloc_root(Level { serial, sectors: Vec::new() }));
    }

    fn close_level(&mut self, level: usize) {
        self.levels[level] = None;
    }

    fn spawn(&mut self, at: Place, new: &Spawn) {
        let serial = new.serial;
        let textures = new.textures.map(|id| self.texture(id));
        let target = new.target.map_or(Weak::dangling(), |target| self.entity(target).downgrade());
        let target_serial = self.heap.get(target).map_or(0, |target| target.serial);
        if self.heap[self.level(at.level)].sectors.len() == at.sector() {
            let sector = self.heap.alloc(Sector { serial: serial + 8, entities: Vec::new() });
            let level = self.level(at.level).gc();
            self.heap[level].sectors.push(sector);
        }
        let entity = self.heap.alloc_cyclic(|heap, of| {
            let goals = [1, 2].map(|part| heap.alloc(Goal { serial: serial + part, of }));
            let inventory = heap.alloc_cyclic(|heap, holder| {
                let item = |part| Item { serial: serial + 3 + part as u64, holder, texture: textures[part] };
                Inventory { serial: serial + 3, owner: of, items: [1, 2].map(|part| heap.alloc(item(part))) }
            });
            let (listeners, hearing, texture) = (Vec::new(), None, textures[0]);
            let (health, target_serial) = (100, target_serial);
            Entity { serial, health, target, target_serial, goals, inventory, listeners, hearing, texture }
        });
        if new.has_script {
            let memory = self.heap.alloc(Memory { serial: serial + 7, of: entity });
            self.heap[&self.scripts].insert(entity, Script { runs: 0, memory });
        }

        let sector = self.sector(at);
        let (seat, entities) = (at.seat(), &mut self.heap[sector].entities);
        let previous = seat.checked_sub(1).map(|seat| entities[seat]);
        let next = entities.get(seat + 1).copied();
        match entities.get_mut(seat) {
            Some(place) => {
                let old = std::mem::replace(place, entity);
                self.despawn(old, previous);
            }
            None => entities.push(entity),
        }
        if let Some(previous) = previous {
            self.listen(previous, entity, serial + 6);
        }
        if let Some(next) = next {
            let serial = self.heap[self.heap[next].hearing.expect("all but the first hear")].serial;
            self.listen(entity, next, serial);
        }
    }

    fn retarget(&mut self, of: Place, to: Place) {
        let (of, to) = (self.entity(of), self.entity(to));
        let target_serial = self.heap[to].serial;
        let entity = &mut self.heap[of];
        (entity.target, entity.target_serial) = (to.downgrade(), target_serial);
    }

    fn set_goal(&mut self, of: Place, which: usize, serial: u64) {
        let of = self.entity(of);
        let goal = self.heap.alloc(Goal { serial, of });
        self.heap[of].goals[which] = goal;
    }

    fn trade(&mut self, a: Place, b: Place, which: usize) {
        let [a, b] = [a, b].map(|place| self.heap[self.entity(place)].inventory);
        if let Some((in_a, in_b)) = self.heap.get_pair_mut(a, b) {
            std::mem::swap(&mut in_a.items[which], &mut in_b.items[which]);
            let [item_a, item_b] = [in_a.items[which], in_b.items[which]];
            self.heap[item_a].holder = a;
            self.heap[item_b].holder = b;
        }
    }

    fn run_script(&mut self, of: Place, serial: u64) {
        let of = self.entity(of);
        let Some(script) = self.heap[&self.scripts].get_mut(of) else {
            return;
        };
        script.runs += 1;
        if script.runs % 4 == 0 {
            let memory = self.heap.alloc(Memory { serial, of });
            self.heap[&self.scripts].get_mut(of).expect("it was there").memory = memory;
        }
    }

    fn events(&mut self, happenings: &[Happening], kept: usize) {
        let mut events = Vec::with_capacity(happenings.len());
        for happening in happenings {
            let (by, to) = (self.entity(happening.by), self.entity(happening.to).downgrade());
            events.push(self.heap.alloc(Event { serial: happening.serial, by, to }));
        }
        for event in &events {
            let event = &self.heap[event];
            let target = self.heap.get(event.to).map_or(0, |to| to.health);
            self.handled += u64::from(self.heap[event.by].health) + u64::from(target);
        }
        let replay = &mut self.heap[&self.replay].frames;
        replay.push_back(events.split_off(events.len() - kept));
        if replay.len() > REPLAY {
            replay.pop_front();
        }
    }

    fn render(&self, views: &[Place]) -> u64 {
        // A piece small enough that the frame hardly waits for it.
        const PIECE: Budget = Budget::Objects(1000);
        let heap = &self.heap;
        if !matches!(self.policy, Policy::Shared(_)) || heap.stats().phase != Phase::Mark {
            return self.look(views);
        }
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            // Relaxed: a hint to stop.
            scope.spawn(|| {
                let mark = || (!is_over.load(Ordering::Relaxed)).then(|| heap.step_shared(PIECE));
                std::iter::from_fn(mark).take_while(|report| report.work > 0).count()
            });
            let seen = self.look(views);
            is_over.store(true, Ordering::Relaxed);
            seen
        })
    }

    fn tidy(&mut self) -> Tidied {
        match self.policy {
            Policy::Step(budget) | Policy::Shared(budget) => self.pace(budget),
            Policy::Minor | Policy::Full if self.grew_by_half() => self.collect(),
            Policy::Minor => {
                Tidied { work: Work::Minor(self.heap.collect_minor()), finished: Finished::Minor }
            }
            Policy::Full => Tidied { work: Work::Nothing, finished: Finished::None },
        }
    }

    fn loaded(&mut self) {
        self.collect();
        self.at_start = self.heap.stats();
    }

    fn bytes(&self) -> usize {
        self.heap.stats().bytes
    }

    fn digest(&self) -> Digest {
        let (heap, mut digest) = (&self.heap, Digest::default());
        for level in self.levels.iter().flatten() {
            digest.object(heap[level].serial);
            for sector in &heap[level].sectors {
                digest.object(heap[sector].serial);
                for entity in &heap[sector].entities {
                    self.digest_entity(*entity, &mut digest);
                }
            }
        }
        for event in heap[&self.replay].frames.iter().flatten() {
            digest.object(heap[event].serial);
            digest.number(heap[heap[event].by].serial);
        }
        digest
    }
}

impl GcWorld {
    fn look(&self, views: &[Place]) -> u64 {
        let heap = &self.heap;
        let look = |place: &Place| {
            let entity = &heap[self.entity(*place)];
            let items = heap[entity.inventory].items.iter().map(|item| heap[heap[item].texture].id.number);
            heap[entity.texture].id.number + items.sum::<u64>() + u64::from(entity.health)
        };
        views.iter().map(look).fold(0, u64::wrapping_add)
    }

    fn digest_entity(&self, of: Gc<Entity>, digest: &mut Digest) {
        let (heap, entity) = (&self.heap, &self.heap[of]);
        digest.object(entity.serial);
        digest.number(entity.target_serial);
        digest.number(heap[entity.texture].id.number);
        for goal in entity.goals {
            digest.object(heap[goal].serial);
            assert_eq!(heap[goal].of, of, "a goal belongs to the entity that has it");
        }
        digest.object(heap[entity.inventory].serial);
        for item in heap[entity.inventory].items {
            digest.object(heap[item].serial);
            digest.number(heap[heap[item].texture].id.number);
            assert_eq!(heap[item].holder, entity.inventory, "an item belongs to the inventory that it is in");
        }
        for listener in &entity.listeners {
            digest.object(heap[listener].serial);
            digest.number(heap[heap[listener].tells].serial);
        }
        if let Some(script) = heap[&self.scripts].get(of) {
            digest.object(heap[script.memory].serial);
            digest.number(script.runs);
        }
    }
}
