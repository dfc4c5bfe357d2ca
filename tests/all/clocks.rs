//! A supplied clock is user code: it may panic at any reading, stand still, run backwards, or jump. A
//! collection ends as it would with an honest one.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use slotgc::{Budget, Gc, Heap, HeapConfig, Phase, Root, RootSource, Tracer, Weak, WeakSet};

use crate::objects::{APART, Log, Node, Noisy, panic_text, text_of};

/// A clock that panics at the reading with this number, counted from one.
#[derive(Clone, Default)]
struct Trap {
    readings: Arc<AtomicU64>,
    at: Arc<AtomicU64>,
}

impl Trap {
    fn arm(&self, at: u64) {
        self.readings.store(0, Ordering::Relaxed);
        self.at.store(at, Ordering::Relaxed);
    }

    /// Whether it panicked. Resets it.
    fn disarm(&self) -> bool {
        self.readings.load(Ordering::Relaxed) >= self.at.swap(u64::MAX, Ordering::Relaxed)
    }

    fn read(&self) -> Duration {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(reading != self.at.load(Ordering::Relaxed), "the clock");
        Duration::from_micros(reading)
    }
}

const KEPT: u64 = 300;
const GARBAGE: u32 = 200;

struct Scene {
    heap: Heap,
    trap: Trap,
    log: Log,
    kept: Root<Node>,
    list: Vec<Gc<Node>>,
    set: Root<WeakSet<Noisy>>,
    garbage: Vec<Weak<Noisy>>,
    told: Arc<AtomicU64>,
}

impl Scene {
    fn new() -> Self {
        let (trap, log, told) = (Trap::default(), Log::default(), Arc::new(AtomicU64::new(0)));
        trap.arm(u64::MAX);
        let clock = trap.clone();
        let config = HeapConfig::default().clock(move || clock.read()).nursery_bytes(1024);
        let mut heap = Heap::with_config(config);
        let list: Vec<_> = (0..KEPT).map(|value| heap.alloc(Node::leaf(value))).collect();
        let kept = heap.alloc_root(Node::with(list.clone()));
        let garbage: Vec<_> =
            (0..GARBAGE).map(|number| heap.alloc(Noisy::new(number, &log)).downgrade()).collect();
        let set = heap.alloc_root(garbage.iter().copied().collect::<WeakSet<_>>());
        for weak in garbage.iter().step_by(10) {
            let told = Arc::clone(&told);
            heap.on_death(weak, move |_, _| {
                told.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
        }
        Self { heap, trap, log, kept, list, set, garbage, told }
    }

    /// The clock panics at its n-th reading within this call; the panic reaches the caller, and the call
    /// completes its work.
    fn call(&mut self, reading: u64, act: impl FnOnce(&mut Heap)) {
        self.trap.arm(reading);
        let outcome = catch_unwind(AssertUnwindSafe(|| act(&mut self.heap)));
        match (self.trap.disarm(), outcome) {
            (true, Err(payload)) => assert_eq!(text_of(&*payload), "the clock"),
            (false, Ok(())) => {}
            (sprung, outcome) => panic!("sprung: {sprung}, a panic: {}", outcome.is_err()),
        }
        self.heap.verify();
        let living = self.heap.iter::<Noisy>().count();
        assert_eq!(self.heap.len_of::<Noisy>(), living, "the count is right");
        assert!(self.list.iter().all(|gc| self.heap.is_alive(gc)));
        assert_eq!(self.garbage.iter().filter(|weak| self.heap.is_alive(*weak)).count(), living);
    }

    /// What still resolves may be stored, and then stays alive.
    fn ends_well(mut self, what: &str) {
        let saved: Vec<_> = self.garbage.iter().filter_map(|weak| self.heap.root(weak)).take(3).collect();
        self.heap.collect();
        assert!(saved.iter().all(|root| self.heap.is_alive(root)), "{what}");
        assert_eq!(self.heap[&self.set].len(), saved.len(), "{what}");
        drop(saved);
        self.heap.collect();
        self.heap.verify();
        assert_eq!((self.heap.len_of::<Noisy>(), self.heap.len()), (0, KEPT as usize + 2), "{what}");
        let stats = self.heap.stats();
        assert_eq!(stats.allocated - stats.freed, stats.objects as u64, "{what}");
        let mut dropped = self.log.take();
        dropped.sort_unstable();
        assert!(dropped.into_iter().eq(0..GARBAGE), "{what}: each destructor runs once");
        assert_eq!(self.told.load(Ordering::Relaxed), u64::from(GARBAGE / 10), "{what}");
        assert!(self.heap.is_alive(&self.kept));
    }
}

const READINGS: std::ops::RangeInclusive<u64> = 1..=60;

#[test]
fn a_clock_that_panics_at_any_reading_of_a_full_collection_changes_nothing_of_it() {
    for reading in READINGS.step_by(APART) {
        let mut scene = Scene::new();
        scene.call(reading, |heap| {
            heap.collect();
        });
        assert_eq!(scene.heap.len_of::<Noisy>(), 0, "reading {reading}: the collection ran to its end");
        scene.ends_well("collect");
    }
}

#[test]
fn a_clock_that_panics_at_any_reading_of_a_minor_collection_changes_nothing_of_it() {
    for reading in READINGS.step_by(APART) {
        let mut scene = Scene::new();
        scene.call(reading, |heap| {
            heap.collect_minor();
        });
        assert_eq!(scene.heap.len_of::<Noisy>(), 0, "reading {reading}: the collection ran to its end");
        scene.ends_well("collect_minor");
    }
}

#[test]
fn a_clock_that_panics_at_any_reading_of_a_step_loses_nothing_in_any_phase() {
    for phase in [Phase::Idle, Phase::Mark, Phase::Prune, Phase::Sweep, Phase::Drop, Phase::Notify] {
        for reading in READINGS.step_by(APART) {
            let mut scene = Scene::new();
            let mut budget = 0;
            while scene.heap.stats().phase != phase {
                scene.heap.step(Budget::Objects(1));
                budget += 1;
                assert!(budget < 100_000, "{phase:?} is reached");
            }
            scene.call(reading, |heap| {
                heap.step(Budget::Time(Duration::from_micros(20)));
            });
            scene.call(reading, |heap| {
                heap.step(Budget::Unlimited);
            });
            scene.ends_well("step");
        }
    }
}

#[test]
fn a_clock_that_panics_at_any_reading_of_pace_loses_nothing() {
    for budget in [Budget::Time(Duration::from_micros(20)), Budget::Objects(10), Budget::Unlimited] {
        for reading in READINGS.step_by(APART) {
            let mut scene = Scene::new();
            for _ in 0..8 {
                scene.call(reading, |heap| {
                    heap.pace(budget);
                });
            }
            scene.ends_well("pace");
        }
    }
}

#[test]
fn a_clock_that_panics_at_any_reading_of_a_destroy_whose_callback_collects_loses_nothing() {
    for reading in READINGS.step_by(APART) {
        let mut scene = Scene::new();
        let target = scene.heap.alloc_root(7_u8);
        scene
            .heap
            .on_death(&target, |heap, _| {
                heap.collect();
            })
            .unwrap();
        scene.call(reading, |heap| {
            heap.destroy(&target);
        });
        assert_eq!(scene.heap.len_of::<Noisy>(), 0, "reading {reading}: the collection ran");
        drop(target);
        scene.ends_well("destroy");
    }
}

#[test]
fn a_clock_that_panics_at_any_reading_of_a_shutdown_is_its_error_and_everything_ends() {
    for reading in READINGS.step_by(APART) {
        let Scene { heap, trap, log, told, .. } = Scene::new();
        trap.arm(reading);
        let outcome = heap.shutdown();
        assert_eq!(trap.disarm(), outcome.is_err());
        if let Err(error) = outcome {
            assert_eq!(text_of(&*error.into_payload()), "the clock");
        }
        assert_eq!((log.take().len(), told.load(Ordering::Relaxed)), (200, 20));
    }
}

#[test]
fn a_clock_that_panics_at_every_reading_harms_nothing() {
    let mut scene = Scene::new();
    scene.heap = {
        let mut heap = Heap::with_config(HeapConfig::default().clock(|| panic!("no time")));
        let kept = heap.alloc_root(Node::leaf(1));
        let dead = heap.alloc(Noisy::new(1000, &scene.log));
        assert_eq!(panic_text(|| heap.collect()), "no time");
        assert!(heap.is_alive(&kept) && !heap.is_alive(dead));
        for _ in 0..100 {
            heap.alloc(Node::leaf(2));
            assert_eq!(panic_text(|| heap.step(Budget::Time(Duration::from_millis(1)))), "no time");
        }
        heap.verify();
        assert_eq!(panic_text(|| drop(heap)), "no time");
        std::mem::take(&mut scene.heap)
    };
    assert_eq!(scene.log.take(), [1000]);
}

/// A heap with that clock and a list too long for one step of a millisecond.
fn long_list(clock: impl Fn() -> Duration + Send + Sync + 'static) -> (Heap, Root<Node>) {
    let mut heap = Heap::with_config(HeapConfig::default().clock(clock));
    let nodes: Vec<_> = (0..LONG).map(|value| heap.alloc(Node::leaf(value))).collect();
    let root = heap.alloc_root(Node::with(nodes));
    (heap, root)
}

const LONG: u64 = 100_000;

/// With any clock that does not advance, a step of a millisecond traces at most this many objects.
const MOST: usize = 30_000;

#[test]
fn a_step_ends_while_the_clock_stands_still() {
    let (mut heap, root) = long_list(|| Duration::from_secs(5));
    for _ in 0..3 {
        let report = heap.step(Budget::Time(Duration::from_millis(1)));
        assert!(report.work < MOST && report.finished.is_none(), "{report:?}");
    }
    while heap.step(Budget::Time(Duration::from_millis(1))).finished.is_none() {}
    assert!(heap.is_alive(&root) && heap.len() == LONG as usize + 1);
}

#[test]
fn a_clock_that_stops_within_a_step_ends_it() {
    for stops_after in [1, 2, 3, 10, 30] {
        let readings = AtomicU64::new(0);
        let (mut heap, _root) = long_list(move || {
            Duration::from_micros(readings.fetch_add(1, Ordering::Relaxed).min(stops_after))
        });
        let report = heap.step(Budget::Time(Duration::from_millis(1)));
        assert!(report.work < MOST && report.finished.is_none(), "{report:?}");
    }
}

#[test]
fn a_clock_that_goes_back_does_not_make_a_step_run_over_the_whole_heap() {
    let readings = AtomicU64::new(1 << 40);
    let (mut heap, _root) =
        long_list(move || Duration::from_micros(readings.fetch_sub(100, Ordering::Relaxed)));
    for _ in 0..3 {
        let report = heap.step(Budget::Time(Duration::from_millis(1)));
        assert!(report.work < MOST && report.finished.is_none(), "{report:?}");
    }
    assert!(heap.collect().kept == LONG as usize + 1);
}

#[test]
fn a_clock_between_zero_and_the_end_of_time_overflows_nothing() {
    for first in [0, 1] {
        let readings = AtomicU64::new(first);
        let (mut heap, root) = long_list(move || {
            if readings.fetch_add(1, Ordering::Relaxed) % 2 == 0 { Duration::ZERO } else { Duration::MAX }
        });
        heap.collect();
        heap.collect_minor();
        for millis in [0, 1, u64::MAX] {
            heap.alloc(Node::leaf(1));
            heap.step(Budget::Time(Duration::from_millis(millis)));
            heap.pace(Budget::Time(Duration::from_millis(millis)));
        }
        heap.step(Budget::Time(Duration::MAX));
        heap.step(Budget::Unlimited);
        let (mortal, stats) = (heap.alloc(1_u8), heap.stats());
        heap.on_death(mortal, |heap, _| {
            heap.collect();
        })
        .unwrap();
        heap.destroy(mortal);
        assert!(stats.pause_max <= Duration::MAX && heap.is_alive(&root));
        heap.collect();
        assert_eq!(heap.len(), LONG as usize + 1);
        heap.shutdown().unwrap();
    }
}

/// Handles that take 3 ms to report.
struct SlowWorld {
    handles: Vec<Gc<Node>>,
    now: Arc<AtomicU64>,
    answers: Cell<usize>,
    step_began: Cell<u64>,
}

impl RootSource for SlowWorld {
    fn trace_roots(&self, tracer: &mut Tracer<'_>) {
        self.answers.set(self.answers.get() + 1);
        let now = self.now.fetch_add(3_000_000, Ordering::Relaxed);
        assert!(now - self.step_began.get() < 10_000, "the source was traced late in a step");
        tracer.edges(self.handles.iter().copied());
    }
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn a_step_asks_a_source_slower_than_its_budget_first_and_then_ends_marking() {
    let now = Arc::new(AtomicU64::new(0));
    let clock = now.clone();
    // Each reading takes a microsecond.
    let read = move || Duration::from_nanos(clock.fetch_add(1000, Ordering::Relaxed));
    let mut heap = Heap::with_config(HeapConfig::default().clock(read));
    let handles = (0..5000).map(|value| heap.alloc(Node::leaf(value))).collect();
    let mut world = SlowWorld { handles, now, answers: Cell::new(0), step_began: Cell::new(0) };
    heap.collect_with(&world);
    for _ in 0..3 {
        world.answers.set(0);
        for frame in 0.. {
            (0..400).for_each(|value| world.handles[value] = heap.alloc(Node::leaf(value as u64)));
            let asked = world.answers.get();
            world.step_began.set(world.now.load(Ordering::Relaxed));
            let report = heap.step_with(Budget::Time(Duration::from_millis(1)), &world);
            if asked == 1 && world.answers.get() == 2 {
                // Its time is up, so it does not begin the next phase.
                assert_eq!(report.phase, Phase::Prune);
            }
            if report.finished.is_some() {
                break;
            }
            assert!(frame < 200);
        }
        assert_eq!(world.answers.get(), 2);
        assert!(world.handles.iter().all(|gc| heap.is_alive(gc)));
    }
}

/// A source without handles.
#[derive(Default)]
struct Asked(Cell<usize>);

impl RootSource for Asked {
    fn trace_roots(&self, _: &mut Tracer<'_>) {
        self.0.set(self.0.get() + 1);
    }
}

#[test]
#[cfg_attr(gc_zeal, ignore = "zeal marks a bit at each allocation")]
fn a_step_whose_budget_is_spent_on_beginning_leaves_the_source_to_the_next() {
    let now = AtomicU64::new(0);
    let read = move || Duration::from_micros(now.fetch_add(100, Ordering::Relaxed));
    let mut heap = Heap::with_config(HeapConfig::default().clock(read));
    (0..100).for_each(|value| _ = heap.alloc(Node::leaf(value)));
    let (source, budget) = (Asked::default(), Budget::Time(Duration::from_micros(100)));
    let report = heap.step_with(budget, &source);
    assert_eq!((report.phase, source.0.get()), (Phase::Mark, 0));
    heap.step_with(budget, &source);
    assert_eq!(source.0.get(), 1);
    while heap.step_with(budget, &source).finished.is_none() {}
    assert!(heap.is_empty());
    // With a budget in objects a step begins and asks.
    let source = Asked::default();
    heap.step_with(Budget::Objects(1), &source);
    assert!(source.0.get() > 0);
}
