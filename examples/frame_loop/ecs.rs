//! `--world ecs`: the handles are in components, outside the heap, and their column is a root source.
//!
//! Each entity has a blackboard and a plan in a cycle. Each frame 1000 entities despawn and as many spawn,
//! 500 change their plans, and 5000 events live for that frame. The collector gets its budget by `pace_with`,
//! with a source that reports what changed, or with one that reports everything each time.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use slotgc::{Budget, Gc, Heap, HeapConfig, RootLog, RootSource, Rule, Trace, Tracer, Weak};

use crate::arguments::Arguments;
use crate::game::Random;
use crate::progress::Progress;
use crate::run::{histogram, nanos};
use crate::stopwatch::Stopwatch;

/// Entities that despawn in a frame, and others that spawn.
const EXCHANGED: usize = 1000;
const THINKING: usize = 500;
const EVENTS: usize = 5000;
/// Frames between two checks of all components.
const CHECK_FRAMES: usize = 10;

#[derive(Trace)]
struct Blackboard {
    id: u64,
    plan: Gc<Plan>,
    /// May be gone.
    target: Weak<Blackboard>,
}

#[derive(Trace)]
struct Plan {
    /// A cycle: with `Arc` this leaks.
    owner: Gc<Blackboard>,
    steps: u64,
}

/// Something that happens to an entity.
#[derive(Trace)]
struct Event {
    to: Gc<Blackboard>,
    before: Option<Gc<Event>>,
}

/// What the source reports.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Changes,
    All,
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Answer::Changes => "changes",
            Answer::All => "all",
        }
    }
}

/// A column of components, as in an ECS.
struct Column {
    answer: Answer,
    minds: Vec<Gc<Blackboard>>,
    /// Handles that were stored since the collector last asked.
    changed: Vec<Gc<Blackboard>>,
    log: RootLog,
    /// How long the longest report took, in nanoseconds.
    scan: AtomicU64,
}

impl RootSource for Column {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        let start = Instant::now();
        match self.answer {
            Answer::All => tracer.edges(self.minds.iter().copied()),
            Answer::Changes => {
                let rows = |rows: Range<usize>| self.minds[rows].iter().copied();
                self.log.report_rows(tracer, self.minds.len(), rows, self.changed.iter().copied());
            }
        }
        self.scan.fetch_max(nanos(start.elapsed()), Ordering::Relaxed);
    }

    fn trace_changed_roots(&self, tracer: &mut Tracer<'_>) {
        self.trace_roots(tracer);
    }
}

struct World {
    heap: Heap,
    column: Column,
    /// What the components must lead to.
    ids: Vec<u64>,
    next: u64,
    random: Random,
}

impl World {
    fn new(entities: usize, answer: Answer, seed: u64, keep_new: bool) -> Self {
        let (minds, changed) = (Vec::with_capacity(entities), Vec::new());
        let column = Column { answer, minds, changed, log: RootLog::new(), scan: AtomicU64::new(0) };
        let heap = Heap::with_config(HeapConfig::default().collect_new(!keep_new));
        let mut world = Self { heap, column, ids: Vec::new(), next: 0, random: Random::new(seed) };
        for _ in 0..entities {
            let mind = world.mind();
            world.column.minds.push(mind);
            world.ids.push(world.next);
        }
        // The loading screen.
        world.heap.collect_with(&world.column);
        world.column.scan = AtomicU64::new(0);
        world
    }

    fn mind(&mut self) -> Gc<Blackboard> {
        self.next += 1;
        let id = self.next;
        self.heap.alloc_cyclic(|heap, owner| Blackboard {
            id,
            plan: heap.alloc(Plan { owner, steps: 0 }),
            target: Weak::dangling(),
        })
    }

    /// A place in the column.
    fn place(&mut self) -> usize {
        self.random.below(self.ids.len())
    }

    fn frame(&mut self) {
        for _ in 0..EXCHANGED {
            let (place, mind) = (self.place(), self.mind());
            self.column.minds[place] = mind;
            self.column.changed.push(mind);
            self.ids[place] = self.next;
        }
        for _ in 0..THINKING {
            let (me, target) = (self.place(), self.place());
            let (me, target) = (self.column.minds[me], self.column.minds[target]);
            let steps = self.heap[self.heap[me].plan].steps + 1;
            let plan = self.heap.alloc(Plan { owner: me, steps });
            self.heap[me].plan = plan;
            self.heap[me].target = target.downgrade();
        }
        let mut before = None;
        for _ in 0..EVENTS {
            let place = self.place();
            let to = self.column.minds[place];
            before = Some(self.heap.alloc(Event { to, before }));
        }
        let mut seen = 0;
        while let Some(event) = before {
            seen += self.heap[self.heap[event].to].id;
            before = self.heap[event].before;
        }
        assert!(seen > 0);
    }

    /// Checks that every component leads to its mind, and that to its plan.
    fn check(&self) {
        for (mind, id) in self.column.minds.iter().zip(&self.ids) {
            let board = &self.heap[mind];
            assert_eq!((board.id, self.heap[self.heap[board.plan].owner].id), (*id, *id));
        }
    }
}

/// The result of one world.
struct Played {
    answer: Answer,
    pauses: Histogram<u64>,
    waited: Duration,
    forced: usize,
    cycles: usize,
    minors: usize,
    most: usize,
    scan: Duration,
}

/// Plays the world with a source that reports changes, and with one that does not; prints a table.
///
/// # Panics
/// If an object that a component holds was lost, or garbage is left at the end.
pub(crate) fn play(arguments: &Arguments) {
    let Arguments { objects, frames, seed, budget, .. } = arguments;
    println!(
        "{objects} components with handles are a root source. In each of {frames} frames {EXCHANGED} entities \
         despawn and spawn,\n{THINKING} change their plans, {EVENTS} short-lived objects; {budget:?} for \
         `pace_with` (seed {seed}).\n"
    );
    let progress = Progress::new(2 * frames);
    let played = [Answer::Changes, Answer::All].map(|answer| play_one(arguments, answer, &progress));
    progress.finish();
    print(&played);
}

fn play_one(arguments: &Arguments, answer: Answer, progress: &Progress) -> Played {
    let mut world = World::new(arguments.objects, answer, arguments.seed, arguments.keep_new);
    let at_start = world.heap.stats().collections;
    let (mut pauses, mut watch) = (histogram(), Stopwatch::new());
    let (mut waited, mut forced, mut cycles, mut minors, mut most) = (Duration::ZERO, 0, 0, 0, 0);
    for frame in 1..=arguments.frames {
        world.frame();
        most = most.max(world.heap.stats().bytes);
        watch.start();
        let report = world.heap.pace_with(Budget::Time(arguments.budget), &world.column);
        let Column { log, changed, .. } = &mut world.column;
        match answer {
            Answer::Changes => log.forget_reported(changed),
            Answer::All => changed.clear(),
        }
        let lap = watch.stop();
        pauses.saturating_record(nanos(lap.own));
        waited += lap.waited;
        forced += usize::from(matches!(report.rule, Rule::Ceiling | Rule::Limit));
        match report.finished {
            Some(stats) if stats.is_minor => minors += 1,
            Some(_) => cycles += 1,
            None => {}
        }
        if arguments.check && frame % CHECK_FRAMES == 0 {
            world.check();
        }
        progress.frame(answer.name());
    }
    assert!(world.heap.stats().collections >= at_start + (cycles + minors) as u64);
    (0..2).for_each(|_| _ = world.heap.collect_with(&world.column));
    world.check();
    assert_eq!(world.heap.len(), 2 * arguments.objects, "nothing is lost, and no garbage is left");
    let scan = Duration::from_nanos(world.column.scan.load(Ordering::Relaxed));
    Played { answer, pauses, waited, forced, cycles, minors, most, scan }
}

fn print(played: &[Played]) {
    let row = |name: &str, value: &dyn Fn(&Played) -> String| {
        print!("{name:<26}");
        played.iter().for_each(|played| print!("{:>14}", value(played)));
        println!();
    };
    let millis = |nanos: u64| format!("{:.2} ms", nanos as f64 / 1e6);
    row("the source reports", &|played| played.answer.name().into());
    for (name, quantile) in [("pause p50", 0.5), ("      p99", 0.99), ("      p99.9", 0.999)] {
        row(name, &|played| millis(played.pauses.value_at_quantile(quantile)));
    }
    row("      max", &|played| millis(played.pauses.max()));
    row("waits for a core", &|played| millis(nanos(played.waited)));
    row("forced collections", &|played| played.forced.to_string());
    row("full cycles", &|played| played.cycles.to_string());
    row("minor collections", &|played| played.minors.to_string());
    row("longest report", &|played| millis(nanos(played.scan)));
    row("memory max", &|played| format!("{:.1} MiB", played.most as f64 / f64::from(1 << 20)));
}
