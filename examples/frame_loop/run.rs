//! Plays the game in one mode, and measures.
//!
//! Frames run back to back, without waiting for the next sixtieth of a second: the time of a frame is that of
//! the game plus that of freeing memory. Checks and bookkeeping are not part of a frame, nor are waits for a
//! core.

use std::time::Duration;

use hdrhistogram::Histogram;
use slotgc::HeapStats;

use crate::arc_world::{self, ArcWorld};
use crate::arguments::{Arguments, Mode};
use crate::audit::Audit;
use crate::game::{Digest, Finished, Game, Size, Tidied, Work, World};
use crate::gc_world::{GcWorld, Policy};
use crate::progress::Progress;
use crate::stopwatch::{Lap, Stopwatch};

/// Frames between two walks over everything reachable.
const WALK_FRAMES: usize = 150;
const CHECK_FRAMES: usize = 10;

/// One frame.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// How long the game stood still for memory to be freed.
    pub(crate) pause: Duration,
    pub(crate) bytes: usize,
}

pub(crate) struct Pause {
    pub(crate) frame: usize,
    pub(crate) lap: Lap,
    pub(crate) work: Work,
}

/// What a mode did.
pub(crate) struct Run {
    pub(crate) mode: Mode,
    /// In nanoseconds.
    pub(crate) frames: Histogram<u64>,
    pub(crate) pauses: Histogram<u64>,
    pub(crate) samples: Vec<Sample>,
    /// The longest pauses, longest first.
    pub(crate) worst: Vec<Pause>,
    pub(crate) time: Duration,
    /// How long all frames waited for a core.
    pub(crate) waited: Duration,
    pub(crate) full_cycles: usize,
    pub(crate) digest: Digest,
    /// A number for what was on the screen.
    pub(crate) seen: u64,
    pub(crate) end: End,
}

/// What only one kind of world can report.
pub(crate) enum End {
    Gc {
        /// Before the first frame, and after the last.
        from: Box<HeapStats>,
        to: Box<HeapStats>,
        /// Objects that the checks visited, and those that they saw die.
        walked: usize,
        condemned: usize,
    },
    Arc {
        /// Cycles taken apart by hand, and objects left over.
        broken: usize,
        leaked: usize,
    },
}

/// Plays all frames in one mode.
///
/// # Panics
/// If something reachable was lost, or something unreachable outlived two cycles.
pub(crate) fn play(mode: Mode, arguments: &Arguments, progress: &Progress) -> Run {
    let policy = match mode {
        Mode::Arc => return play_arc(arguments, progress),
        Mode::Step => Policy::Step(arguments.budget),
        Mode::Shared => Policy::Shared(arguments.budget),
        Mode::Minor => Policy::Minor,
        Mode::Full => Policy::Full,
    };
    let (mut world, mut audit) = (GcWorld::new(policy, arguments.keep_new), Audit::default());
    let walk_frames = if arguments.check { CHECK_FRAMES } else { WALK_FRAMES };
    let measures = frames(&mut world, arguments, (mode, progress), |world, frame, tidied| {
        audit.cycle(world, tidied.finished);
        if frame % walk_frames == 0 {
            audit.walk(world);
        }
    });
    let (from, to) = (Box::new(world.at_start), Box::new(world.heap.stats()));
    audit.finish(&mut world);
    assert_eq!(world.digest(), measures.digest, "the last two collections change nothing in the game");
    let (walked, condemned) = (audit.walked, audit.condemned);
    measures.run(mode, End::Gc { from, to, walked, condemned })
}

fn play_arc(arguments: &Arguments, progress: &Progress) -> Run {
    let mut world = ArcWorld::default();
    let measures = frames(&mut world, arguments, (Mode::Arc, progress), |_, _, _| {});
    let (broken, leaked) = (world.broken, world.shut_down());
    assert_eq!(leaked, arc_world::living(), "what is left when the world is gone");
    measures.run(Mode::Arc, End::Arc { broken, leaked })
}

struct Measures {
    frames: Histogram<u64>,
    pauses: Histogram<u64>,
    samples: Vec<Sample>,
    worst: Vec<Pause>,
    time: Duration,
    waited: Duration,
    full_cycles: usize,
    digest: Digest,
    seen: u64,
}

impl Measures {
    fn run(self, mode: Mode, end: End) -> Run {
        let Measures { frames, pauses, samples, worst, time, waited, full_cycles, digest, seen } = self;
        Run { mode, frames, pauses, samples, worst, time, waited, full_cycles, digest, seen, end }
    }

    fn note(&mut self, frame: usize, game: Lap, tidying: Lap, tidied: Tidied, bytes: usize) {
        let pause = tidying.own;
        self.frames.saturating_record(nanos(game.own + pause));
        self.pauses.saturating_record(nanos(pause));
        self.samples.push(Sample { pause, bytes });
        self.time += game.own + pause;
        self.waited += game.waited + tidying.waited;
        self.full_cycles += usize::from(tidied.finished == Finished::Full);
        self.worst.push(Pause { frame, lap: tidying, work: tidied.work });
    }

    fn forget_short_pauses(&mut self, kept: usize) {
        self.worst.sort_by_key(|pause| std::cmp::Reverse(pause.lap.own));
        self.worst.truncate(kept);
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn histogram() -> Histogram<u64> {
    // To a minute, with three digits.
    Histogram::new_with_max(60_000_000_000, 3).expect("valid bounds and digits")
}

fn frames<W: World>(
    world: &mut W,
    arguments: &Arguments,
    (mode, progress): (Mode, &Progress),
    mut check: impl FnMut(&mut W, usize, &Tidied),
) -> Measures {
    let mut game = Game::new(Size::of(arguments.objects, arguments.frames), arguments.seed);
    game.load(world);
    let mut measures = Measures {
        frames: histogram(),
        pauses: histogram(),
        samples: Vec::with_capacity(arguments.frames),
        worst: Vec::new(),
        time: Duration::ZERO,
        waited: Duration::ZERO,
        full_cycles: 0,
        digest: Digest::default(),
        seen: 0,
    };
    let mut watch = Stopwatch::new();
    for frame in 1..=arguments.frames {
        watch.start();
        game.frame(world);
        let played = watch.stop();
        watch.start();
        let tidied = world.tidy();
        let tidying = watch.stop();
        watch.start();
        let seen = game.render(world);
        let rendered = watch.stop();
        measures.seen = measures.seen.rotate_left(7) ^ seen;
        check(world, frame, &tidied);
        measures.note(frame, played.and(rendered), tidying, tidied, world.bytes());
        if frame % 1024 == 0 {
            measures.forget_short_pauses(arguments.worst);
        }
        progress.frame(mode.name());
    }
    measures.forget_short_pauses(arguments.worst);
    measures.digest = world.digest();
    measures
}
