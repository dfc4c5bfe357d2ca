//! The game's world as it is usually done: `Arc` to share, `Mutex` to change, and every cycle taken apart by
//! hand.
//!
//! Each place where something leaves the world must know all cycles that go through it: here those are
//! `despawn`, `set_goal`, `close_level`, the purge of the caches. What is forgotten leaks for good, silently.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use crate::game::{Digest, Finished, Happening, LEVELS, Place, Spawn, TextureId, Tidied, Work, World};

/// Frames for which the last events can be replayed.
const REPLAY: usize = 16;

thread_local! {
    /// Objects of this world in memory, and their bytes.
    static LIVING: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// A part of each object that counts it.
struct Life(usize);

impl Life {
    /// An estimate: two counts, the value, the allocator's header, rounded up to 16 bytes.
    fn of<T>() -> Self {
        let bytes = (16 + size_of::<T>() + 8).next_multiple_of(16);
        let (objects, total) = LIVING.get();
        LIVING.set((objects + 1, total + bytes));
        Self(bytes)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        let (objects, total) = LIVING.get();
        LIVING.set((objects - 1, total - self.0));
    }
}

/// How many objects are in memory.
pub(crate) fn living() -> usize {
    LIVING.get().0
}

#[derive(Default)]
struct Level {
    serial: u64,
    sectors: Vec<Vec<Arc<Mutex<Entity>>>>,
    sector_serials: Vec<u64>,
}

struct Entity {
    serial: u64,
    health: u32,
    target: Weak<Mutex<Entity>>,
    target_serial: u64,
    goals: [Option<Arc<Goal>>; 2],
    inventory: Arc<Mutex<Inventory>>,
    listeners: Vec<Arc<Listener>>,
    hearing: Option<Arc<Listener>>,
    texture: Arc<Texture>,
    _life: Life,
}

struct Goal {
    serial: u64,
    _of: Arc<Mutex<Entity>>, // a goal moves its entity
    _life: Life,
}

struct Inventory {
    serial: u64,
    owner: Option<Arc<Mutex<Entity>>>,
    items: [Option<Arc<Mutex<Item>>>; 2],
    _life: Life,
}

struct Item {
    serial: u64,
    holder: Option<Arc<Mutex<Inventory>>>,
    texture: Arc<Texture>,
    _life: Life,
}

struct Listener {
    serial: u64,
    _hears: Arc<Mutex<Entity>>,
    tells: Arc<Mutex<Entity>>,
    _life: Life,
}

struct Texture {
    id: TextureId,
    _pixels: Vec<u8>,
    _life: Life,
}

struct Script {
    runs: u64,
    memory: Arc<Memory>,
}

struct Memory {
    serial: u64,
    _of: Arc<Mutex<Entity>>,
    _life: Life,
}

struct Event {
    serial: u64,
    by: Arc<Mutex<Entity>>,
    to: Weak<Mutex<Entity>>,
    _life: Life,
}

type Shared<T> = Arc<Mutex<T>>;

fn lock<T>(shared: &Shared<T>) -> MutexGuard<'_, T> {
    shared.lock().expect("nobody panicked while holding it")
}

#[derive(Default)]
pub(crate) struct ArcWorld {
    levels: [Level; LEVELS],
    textures: HashMap<String, Weak<Texture>>,
    /// By the number of the entity. Entries must be removed by hand, since a script's memory keeps its entity
    /// alive.
    scripts: HashMap<u64, Script>,
    replay: VecDeque<Vec<Arc<Event>>>,
    /// Entities despawned in this frame, to be taken apart at its end.
    despawned: Vec<Shared<Entity>>,
    events: Vec<Arc<Event>>,
    purge_textures: bool,
    /// Cycles that were taken apart by hand.
    pub(crate) broken: usize,
    handled: u64,
}

impl ArcWorld {
    fn entity(&self, at: Place) -> &Shared<Entity> {
        &self.levels[at.level].sectors[at.sector()][at.seat()]
    }

    fn texture(&mut self, id: TextureId) -> Arc<Texture> {
        let cached = self.textures.entry(id.name()).or_default();
        cached.upgrade().unwrap_or_else(|| {
            let texture = Arc::new(Texture { id, _pixels: id.pixels(), _life: Life::of::<Texture>() });
            *cached = Arc::downgrade(&texture);
            texture
        })
    }

    fn listen(hears: &Shared<Entity>, tells: &Shared<Entity>, serial: u64) {
        let life = Life::of::<Listener>();
        let listener =
            Arc::new(Listener { serial, _hears: hears.clone(), tells: tells.clone(), _life: life });
        lock(hears).listeners.push(listener.clone());
        lock(tells).hearing = Some(listener);
    }

    /// Takes apart all cycles through an entity.
    fn take_apart(&mut self, entity: &Shared<Entity>) {
        let mut entity = lock(entity);
        let goals = std::mem::take(&mut entity.goals);
        let listeners = std::mem::take(&mut entity.listeners);
        let hearing = entity.hearing.take();
        let (owner, items) = {
            let mut inventory = lock(&entity.inventory);
            (inventory.owner.take(), std::mem::take(&mut inventory.items))
        };
        for item in items.iter().flatten() {
            lock(item).holder = None;
        }
        let script = self.scripts.remove(&entity.serial);
        self.broken += goals.len() + items.len() + 1 + usize::from(script.is_some()) + listeners.len();
        // Not before the lock is free: this may be the last reference to the entity.
        drop(entity);
        drop((goals, listeners, hearing, owner, items, script));
    }
}

impl World for ArcWorld {
    fn open_level(&mut self, level: usize, serial: u64) {
        self.levels[level].serial = serial;
    }

    fn close_level(&mut self, level: usize) {
        let level = std::mem::take(&mut self.levels[level]);
        self.despawned.extend(level.sectors.into_iter().flatten());
        self.purge_textures = true;
    }

    fn spawn(&mut self, at: Place, new: &Spawn) {
        let serial = new.serial;
        let [texture, a, b] = new.textures.map(|id| self.texture(id));
        let (target, target_serial) = match new.target {
            Some(place) => (Arc::downgrade(self.entity(place)), lock(self.entity(place)).serial),
            None => (Weak::new(), 0),
        };
        let level = &mut self.levels[at.level];
        if level.sectors.len() == at.sector() {
            level.sectors.push(Vec::new());
            level.sector_serials.push(serial + 8);
        }

        let life = Life::of::<Mutex<Inventory>>();
        let (owner, items) = (None, [None, None]);
        let inventory = Arc::new(Mutex::new(Inventory { serial: serial + 3, owner, items, _life: life }));
        let items = [(4, a), (5, b)].map(|(part, texture)| {
            let (holder, life) = (Some(inventory.clone()), Life::of::<Mutex<Item>>());
            Some(Arc::new(Mutex::new(Item { serial: serial + part, holder, texture, _life: life })))
        });
        lock(&inventory).items = items;
        let entity = Arc::new(Mutex::new(Entity {
            serial,
            health: 100,
            target,
            target_serial,
            goals: [None, None],
            inventory,
            listeners: Vec::new(),
            hearing: None,
            texture,
            _life: Life::of::<Mutex<Entity>>(),
        }));
        let goal = |part| Goal { serial: serial + part, _of: entity.clone(), _life: Life::of::<Goal>() };
        let goals = [1, 2].map(|part| Some(Arc::new(goal(part))));
        lock(&entity).goals = goals;
        lock(&lock(&entity).inventory).owner = Some(entity.clone());
        if new.has_script {
            let memory = Memory { serial: serial + 7, _of: entity.clone(), _life: Life::of::<Memory>() };
            self.scripts.insert(serial, Script { runs: 0, memory: Arc::new(memory) });
        }

        let (seat, entities) = (at.seat(), &mut self.levels[at.level].sectors[at.sector()]);
        let previous = seat.checked_sub(1).map(|seat| entities[seat].clone());
        let next = entities.get(seat + 1).cloned();
        match entities.get_mut(seat) {
            Some(place) => {
                let old = std::mem::replace(place, entity.clone());
                if let Some(previous) = &previous {
                    lock(previous).listeners.retain(|listener| !Arc::ptr_eq(&listener.tells, &old));
                }
                self.despawned.push(old);
            }
            None => entities.push(entity.clone()),
        }
        if let Some(previous) = previous {
            Self::listen(&previous, &entity, serial + 6);
        }
        if let Some(next) = next {
            let serial = lock(&next).hearing.as_ref().expect("all but the first hear").serial;
            Self::listen(&entity, &next, serial);
        }
    }

    fn retarget(&mut self, of: Place, to: Place) {
        let (target, target_serial) = (Arc::downgrade(self.entity(to)), lock(self.entity(to)).serial);
        let mut entity = lock(self.entity(of));
        (entity.target, entity.target_serial) = (target, target_serial);
    }

    fn set_goal(&mut self, of: Place, which: usize, serial: u64) {
        let entity = self.entity(of);
        let goal = Arc::new(Goal { serial, _of: entity.clone(), _life: Life::of::<Goal>() });
        // The replaced goal knows the entity, which no longer knows the goal: no cycle.
        let old = lock(entity).goals[which].replace(goal);
        drop(old);
    }

    fn trade(&mut self, a: Place, b: Place, which: usize) {
        let [a, b] = [a, b].map(|place| lock(self.entity(place)).inventory.clone());
        if Arc::ptr_eq(&a, &b) {
            return;
        }
        let (mut in_a, mut in_b) = (lock(&a), lock(&b));
        std::mem::swap(&mut in_a.items[which], &mut in_b.items[which]);
        for (inventory, handle) in [(&in_a, &a), (&in_b, &b)] {
            let item = inventory.items[which].as_ref().expect("the living have their items");
            lock(item).holder = Some(handle.clone());
        }
    }

    fn run_script(&mut self, of: Place, serial: u64) {
        let entity = self.entity(of).clone();
        let entity_serial = lock(&entity).serial;
        let Some(script) = self.scripts.get_mut(&entity_serial) else {
            return;
        };
        script.runs += 1;
        if script.runs % 4 == 0 {
            script.memory = Arc::new(Memory { serial, _of: entity, _life: Life::of::<Memory>() });
        }
    }

    fn events(&mut self, happenings: &[Happening], kept: usize) {
        for happening in happenings {
            let by = self.entity(happening.by).clone();
            let (to, life) = (Arc::downgrade(self.entity(happening.to)), Life::of::<Event>());
            self.events.push(Arc::new(Event { serial: happening.serial, by, to, _life: life }));
        }
        for event in &self.events {
            let target = event.to.upgrade().map_or(0, |to| lock(&to).health);
            self.handled += u64::from(lock(&event.by).health) + u64::from(target);
        }
        let kept = self.events.split_off(self.events.len() - kept);
        self.replay.push_back(kept);
    }

    fn render(&self, views: &[Place]) -> u64 {
        let look = |place: &Place| {
            let entity = lock(self.entity(*place));
            let inventory = lock(&entity.inventory);
            let items = inventory.items.iter().flatten().map(|item| lock(item).texture.id.number);
            entity.texture.id.number + items.sum::<u64>() + u64::from(entity.health)
        };
        views.iter().map(look).fold(0, u64::wrapping_add)
    }

    fn tidy(&mut self) -> Tidied {
        self.events.clear();
        if self.replay.len() > REPLAY {
            self.replay.pop_front();
        }
        let despawned = std::mem::take(&mut self.despawned);
        for entity in &despawned {
            self.take_apart(entity);
        }
        let work = Work::ByHand(despawned.len());
        drop(despawned);
        if std::mem::take(&mut self.purge_textures) {
            self.textures.retain(|_, texture| texture.strong_count() > 0);
        }
        Tidied { work, finished: Finished::None }
    }

    fn loaded(&mut self) {}

    fn bytes(&self) -> usize {
        LIVING.get().1
    }

    fn digest(&self) -> Digest {
        let mut digest = Digest::default();
        for level in &self.levels {
            digest.object(level.serial);
            for (sector, serial) in level.sectors.iter().zip(&level.sector_serials) {
                digest.object(*serial);
                for entity in sector {
                    self.digest_entity(&lock(entity), &mut digest);
                }
            }
        }
        for event in self.replay.iter().flatten() {
            digest.object(event.serial);
            digest.number(lock(&event.by).serial);
        }
        digest
    }
}

impl ArcWorld {
    fn digest_entity(&self, entity: &Entity, digest: &mut Digest) {
        digest.object(entity.serial);
        digest.number(entity.target_serial);
        digest.number(entity.texture.id.number);
        for goal in entity.goals.iter().flatten() {
            digest.object(goal.serial);
        }
        let inventory = lock(&entity.inventory);
        digest.object(inventory.serial);
        for item in inventory.items.iter().flatten() {
            let item = lock(item);
            digest.object(item.serial);
            digest.number(item.texture.id.number);
        }
        for listener in &entity.listeners {
            digest.object(listener.serial);
            digest.number(lock(&listener.tells).serial);
        }
        if let Some(script) = self.scripts.get(&entity.serial) {
            digest.object(script.memory.serial);
            digest.number(script.runs);
        }
    }

    /// Shuts the world down; returns how many objects stay in memory for ever.
    pub(crate) fn shut_down(mut self) -> usize {
        (0..LEVELS).for_each(|level| self.close_level(level));
        self.tidy();
        drop(self);
        living()
    }
}
