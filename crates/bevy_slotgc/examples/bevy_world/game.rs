//! The game without memory management: sizes, dice, and the model that both worlds are compared with.

use std::time::Duration;

use bevy_ecs::prelude::*;

/// How much of everything there is.
#[derive(Resource, Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) entities: usize,
    /// Entities that spawn in a frame, and that despawn.
    pub(crate) spawned: usize,
    /// Short-lived objects allocated in a frame.
    pub(crate) temporaries: usize,
    pub(crate) frames: usize,
    pub(crate) budget: Duration,
}

impl Size {
    pub(crate) fn from_arguments() -> Self {
        let mut size = Self {
            entities: 300_000,
            spawned: 1000,
            temporaries: 5000,
            frames: 2000,
            budget: Duration::from_millis(1),
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().and_then(|value| value.parse().ok());
            let Some(value) = value else { usage(&name) };
            match name.as_str() {
                "--entities" => size.entities = value,
                "--spawned" => size.spawned = value,
                "--temporaries" => size.temporaries = value,
                "--frames" => size.frames = value,
                "--budget-us" => size.budget = Duration::from_micros(value as u64),
                _ => usage(&name),
            }
        }
        size.spawned = size.spawned.min(size.entities / 2);
        size
    }

    /// Minds that think in a frame.
    pub(crate) fn thinkers(&self) -> usize {
        (self.entities / 100).max(1)
    }

    /// Topics of conversation.
    pub(crate) fn topics(&self) -> usize {
        (self.entities / 300).max(1)
    }
}

fn usage(name: &str) -> ! {
    eprintln!("{name}? Options, each with a number:");
    eprintln!("--entities --spawned --temporaries --frames --budget-us");
    std::process::exit(2);
}

/// Lines of one dialogue: each leads to the next, the last one to the first.
pub(crate) const LINES: usize = 8;

/// The result of a world.
pub(crate) struct Outcome {
    /// How long the world stood still for memory in each frame.
    pub(crate) pauses: Vec<Duration>,
    /// Whole frames, pauses included.
    pub(crate) frames: Vec<Duration>,
    pub(crate) checksums: Vec<u64>,
    /// Cycles taken apart by hand.
    pub(crate) broken: usize,
    pub(crate) notes: String,
}

/// Dice that fall the same way in both worlds.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        // Knuth's generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % end
    }
}

/// What an entity should have on its mind, without any object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mind {
    pub(crate) id: u64,
    /// Steps of the plan done.
    pub(crate) steps: u64,
    pub(crate) topic: usize,
    pub(crate) line: usize,
}

/// The model: entities by number, and what each has on its mind.
#[derive(Resource)]
pub(crate) struct Model {
    pub(crate) dice: Dice,
    pub(crate) minds: Vec<(Entity, Mind)>,
    next: u64,
    pub(crate) checksum: u64,
    pub(crate) checksums: Vec<u64>,
}

impl Model {
    pub(crate) fn new() -> Self {
        Self { dice: Dice(1), minds: Vec::new(), next: 0, checksum: 0, checksums: Vec::new() }
    }

    /// A new mind.
    pub(crate) fn conceive(&mut self, size: &Size) -> Mind {
        self.next += 1;
        Mind { id: self.next, steps: 0, topic: self.dice.below(size.topics()), line: self.dice.below(LINES) }
    }

    /// Removes an entity that will die.
    pub(crate) fn doom(&mut self) -> (Entity, Mind) {
        let index = self.dice.below(self.minds.len());
        self.minds.swap_remove(index)
    }

    /// Records a value that a world has seen.
    pub(crate) fn note(&mut self, value: u64) {
        self.checksum = self.checksum.rotate_left(5) ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    pub(crate) fn end_frame(&mut self) {
        self.checksums.push(self.checksum);
    }
}
