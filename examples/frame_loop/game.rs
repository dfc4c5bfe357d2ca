//! What happens in the game: the same in every mode, however memory is managed.
//!
//! Invariant: what `Game` does depends only on the seed, never on results of a [`World`], so that all modes
//! do the same work and end in the same state. Objects are addressed by their place in a level.

use slotgc::{CollectStats, StepReport};

/// Levels that are loaded at a time.
pub(crate) const LEVELS: usize = 8;
/// Entities in a sector, the parts that levels are divided into.
pub(crate) const SECTOR: usize = 64;
/// An entity comes with two goals, an inventory, two items, a listener, and every fourth with a script's
/// memory.
const OBJECTS_FOR_4_ENTITIES: usize = 29;
/// Frames that a level takes to load, bit by bit.
const LOADING_FRAMES: usize = 100;
/// Frames between two changes of level, in a long run.
const LEVEL_FRAMES: usize = 150;
/// Textures that only one level uses.
const LEVEL_TEXTURES: u64 = 32;

/// Where an entity is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) level: usize,
    pub(crate) index: usize,
}

impl Place {
    pub(crate) fn sector(self) -> usize {
        self.index / SECTOR
    }

    pub(crate) fn seat(self) -> usize {
        self.index % SECTOR
    }
}

/// An entity that spawns.
pub(crate) struct Spawn {
    /// Its number; its parts have the ones that follow.
    pub(crate) serial: u64,
    pub(crate) target: Option<Place>,
    /// The textures of the entity and its two items.
    pub(crate) textures: [TextureId; 3],
    pub(crate) has_script: bool,
}

/// Numbers that an entity and its parts take.
pub(crate) const PARTS: u64 = 8;

/// The name of a texture, `level3/17.png`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TextureId {
    pub(crate) level: u64,
    pub(crate) number: u64,
}

impl TextureId {
    pub(crate) fn name(self) -> String {
        format!("level{}/{}.png", self.level, self.number)
    }

    pub(crate) fn pixels(self) -> Vec<u8> {
        vec![self.number as u8; 4096]
    }
}

/// A short-lived event of a frame: who does what to whom.
#[derive(Clone, Copy)]
pub(crate) struct Happening {
    pub(crate) serial: u64,
    pub(crate) by: Place,
    pub(crate) to: Place,
}

/// What the game does to a world.
pub(crate) trait World {
    fn open_level(&mut self, level: usize, serial: u64);
    fn close_level(&mut self, level: usize);
    /// Puts an entity at a place: at the end of its level, or in the place of another one, which despawns.
    fn spawn(&mut self, at: Place, new: &Spawn);
    fn retarget(&mut self, of: Place, to: Place);
    /// Replaces one of an entity's goals.
    fn set_goal(&mut self, of: Place, which: usize, serial: u64);
    /// Two entities exchange an item.
    fn trade(&mut self, a: Place, b: Place, which: usize);
    /// Runs the script of an entity, if it has one. The number is for the memory that it may make.
    fn run_script(&mut self, of: Place, serial: u64);
    /// Makes an event of each and handles it. The last `kept` of them can be replayed for some more frames.
    fn events(&mut self, happenings: &[Happening], kept: usize);
    /// Draws what is on the screen: reads entities and their parts. Returns a number for what it saw.
    fn render(&self, views: &[Place]) -> u64;
    /// The end of a frame, which frees the memory of what is gone. Not part of the frame's other work.
    fn tidy(&mut self) -> Tidied;
    /// The loading screen is over: all the time in the world to tidy up.
    fn loaded(&mut self);
    /// Bytes in objects.
    fn bytes(&self) -> usize;
    /// The numbers of everything in the levels, in an order that depends only on the game.
    fn digest(&self) -> Digest;
}

/// What was done at the end of a frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tidied {
    pub(crate) work: Work,
    pub(crate) finished: Finished,
}

/// How memory was freed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    Nothing,
    Step(StepReport),
    Minor(CollectStats),
    Full(CollectStats),
    /// This many entities were taken apart.
    ByHand(usize),
}

/// Which collection ended.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Finished {
    #[default]
    None,
    Minor,
    Full,
}

/// A number for the state of a world, and how many objects were visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Digest {
    pub(crate) hash: u64,
    pub(crate) objects: usize,
}

impl Digest {
    pub(crate) fn object(&mut self, serial: u64) {
        self.objects += 1;
        self.number(serial);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.hash = (self.hash ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

/// The size of everything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) entities_per_level: usize,
    pub(crate) level_frames: usize,
    pub(crate) loaded_per_frame: usize,
    pub(crate) events: usize,
    pub(crate) kept_events: usize,
    pub(crate) retargets: usize,
    pub(crate) goals: usize,
    pub(crate) trades: usize,
    pub(crate) scripts: usize,
    pub(crate) respawns: usize,
    pub(crate) views: usize,
}

impl Size {
    /// 5000 short-lived objects and 2000 changed edges a frame; less in a small world.
    pub(crate) fn of(objects: usize, frames: usize) -> Self {
        let entities_per_level = (objects * 4 / OBJECTS_FOR_4_ENTITIES / LEVELS).max(2);
        let level_frames = (frames / 8).clamp(10, LEVEL_FRAMES);
        let loading_frames = LOADING_FRAMES.min(level_frames * 2 / 3);
        let part = |most: usize, of: usize| most.min(objects / of).max(1);
        Self {
            entities_per_level,
            level_frames,
            loaded_per_frame: entities_per_level.div_ceil(loading_frames),
            events: part(5000, 4),
            kept_events: part(500, 40),
            retargets: part(1000, 40),
            goals: part(500, 80),
            trades: part(250, 160),
            scripts: part(500, 80),
            respawns: part(10, 1000),
            views: part(40_000, 5),
        }
    }
}

/// The director of the game.
pub(crate) struct Game {
    size: Size,
    random: Random,
    next_serial: u64,
    frame: usize,
    levels: [Level; LEVELS],
    next_level: u64,
    happenings: Vec<Happening>,
    views: Vec<Place>,
}

#[derive(Clone, Copy, Default)]
struct Level {
    number: u64,
    loaded: usize,
}

impl Game {
    pub(crate) fn new(size: Size, seed: u64) -> Self {
        let (random, levels) = (Random::new(seed), [Level::default(); LEVELS]);
        Self {
            size,
            random,
            next_serial: 1,
            frame: 0,
            levels,
            next_level: 1,
            happenings: Vec::new(),
            views: Vec::new(),
        }
    }

    /// The loading screen.
    pub(crate) fn load(&mut self, world: &mut impl World) {
        for level in 0..LEVELS {
            self.open(world, level);
            self.load_some(world, level, usize::MAX);
        }
        world.loaded();
    }

    /// One frame, without tidying up.
    pub(crate) fn frame(&mut self, world: &mut impl World) {
        self.frame += 1;
        if self.frame % self.size.level_frames == 0 {
            let oldest = self.frame / self.size.level_frames % LEVELS;
            world.close_level(oldest);
            self.open(world, oldest);
        }
        for level in 0..LEVELS {
            self.load_some(world, level, self.size.loaded_per_frame);
        }
        for _ in 0..self.size.respawns {
            let at = self.place();
            self.spawn(world, at);
        }
        for _ in 0..self.size.retargets {
            world.retarget(self.place(), self.place());
        }
        for _ in 0..self.size.goals {
            world.set_goal(self.place(), self.random.below(2), self.serials(1));
        }
        for _ in 0..self.size.trades {
            world.trade(self.place(), self.place(), self.random.below(2));
        }
        for _ in 0..self.size.scripts {
            world.run_script(self.place(), self.serials(1));
        }
        let mut happenings = std::mem::take(&mut self.happenings);
        happenings.clear();
        for _ in 0..self.size.events {
            happenings.push(Happening { serial: self.serials(1), by: self.place(), to: self.place() });
        }
        world.events(&happenings, self.size.kept_events);
        self.happenings = happenings;
    }

    /// The other half of a frame, in which nothing changes. Returns a number for what was seen.
    pub(crate) fn render(&mut self, world: &impl World) -> u64 {
        let mut views = std::mem::take(&mut self.views);
        views.clear();
        views.extend((0..self.size.views).map(|_| self.place()));
        let seen = world.render(&views);
        self.views = views;
        seen
    }

    fn open(&mut self, world: &mut impl World, level: usize) {
        self.levels[level] = Level { number: self.next_level, loaded: 0 };
        self.next_level += 1;
        world.open_level(level, self.serials(1));
    }

    fn load_some(&mut self, world: &mut impl World, level: usize, most: usize) {
        let Level { loaded, .. } = self.levels[level];
        let end = self.size.entities_per_level.min(loaded.saturating_add(most));
        for index in loaded..end {
            self.spawn(world, Place { level, index });
            self.levels[level].loaded = index + 1;
        }
    }

    fn spawn(&mut self, world: &mut impl World, at: Place) {
        let level = self.levels[at.level].number;
        let textures = [(); 3].map(|()| {
            let level = if self.random.below(4) == 0 { 0 } else { level };
            TextureId { level, number: self.random.below(LEVEL_TEXTURES as usize) as u64 }
        });
        let target = (at.index > 0).then(|| self.place());
        let has_script = self.random.below(4) == 0;
        // One more number, for a sector of which this entity may be the first.
        let serial = self.serials(PARTS + 1);
        world.spawn(at, &Spawn { serial, target, textures, has_script });
    }

    /// The place of some entity.
    fn place(&mut self) -> Place {
        loop {
            let level = self.random.below(LEVELS);
            if self.levels[level].loaded > 0 {
                return Place { level, index: self.random.below(self.levels[level].loaded) };
            }
        }
    }

    fn serials(&mut self, count: u64) -> u64 {
        let first = self.next_serial;
        self.next_serial += count;
        first
    }
}

/// xorshift64*.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // Never zero, and different for neighbouring seeds.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let random = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        ((random * end as u64) >> 32) as usize
    }
}
