//! A game world in a web page: `game.js` calls `frame` for each frame and shows the numbers.
//!
//! Bare WebAssembly has no clock for std. The page supplies its own, `performance.now()`, so budgets of time
//! work as everywhere else.
#![expect(unsafe_code, reason = "exports to and imports from JavaScript")]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use slotgc::{Budget, Gc, Heap, HeapConfig, Root, Trace};

#[link(wasm_import_module = "page")]
unsafe extern "C" {
    /// `performance.now()`, in milliseconds.
    safe fn now() -> f64;
}

/// Mobs that know each other in a circle.
const SQUAD: usize = 20;
/// Objects of a squad: itself, and for each mob the mob and its goal.
const SQUAD_OBJECTS: usize = 1 + 2 * SQUAD;

#[derive(Trace)]
struct Squad {
    mobs: Vec<Gc<Mob>>,
}

#[derive(Trace)]
struct Mob {
    health: u32,
    next: Option<Gc<Mob>>,
    goal: Option<Gc<Goal>>,
}

#[derive(Trace)]
struct Goal {
    of: Gc<Mob>,
    urgency: u32,
}

struct World {
    heap: Heap,
    squads: VecDeque<Root<Squad>>,
    budget: Duration,
    frames: u32,
    last_pause: Duration,
    longest_pause: Duration,
}

impl World {
    fn new(squads: usize, budget: Duration) -> Self {
        let clock = || Duration::from_secs_f64(now() / 1e3);
        let heap = Heap::with_config(HeapConfig::default().clock(clock));
        let mut world = Self {
            heap,
            squads: VecDeque::new(),
            budget,
            frames: 0,
            last_pause: Duration::ZERO,
            longest_pause: Duration::ZERO,
        };
        for _ in 0..squads {
            world.spawn();
        }
        world
    }

    /// Makes a squad: mobs in a circle, each in another circle with its goal.
    fn spawn(&mut self) {
        let heap = &mut self.heap;
        let squad = heap.alloc_root(Squad { mobs: Vec::new() });
        let mobs: Vec<_> =
            (0..SQUAD).map(|_| heap.alloc(Mob { health: 100, next: None, goal: None })).collect();
        for (place, &mob) in mobs.iter().enumerate() {
            let goal = heap.alloc(Goal { of: mob, urgency: 0 });
            heap[mob].next = Some(mobs[(place + 1) % SQUAD]);
            heap[mob].goal = Some(goal);
        }
        heap[&squad].mobs = mobs;
        self.squads.push_back(squad);
    }

    /// Squads come and go, mobs get new goals, and the heap gets its part of the frame.
    fn frame(&mut self) {
        for _ in 0..10 {
            self.squads.pop_front(); // nothing is taken apart: the root is dropped
            self.spawn();
        }
        for place in (self.frames as usize % 7..self.squads.len()).step_by(7) {
            let mob = self.heap[&self.squads[place]].mobs[self.frames as usize % SQUAD];
            let goal = self.heap.alloc(Goal { of: mob, urgency: self.frames });
            self.heap[mob].goal = Some(goal);
            self.heap[mob].health -= 1;
        }
        self.frames += 1;
        let start = now();
        self.heap.pace(Budget::Time(self.budget));
        self.last_pause = Duration::from_secs_f64((now() - start).max(0.0) / 1e3);
        self.longest_pause = self.longest_pause.max(self.last_pause);
    }

    /// Collects everything, and returns how many objects are wrong afterwards: too many, lost, or not the
    /// expected one.
    fn wrong(&mut self) -> usize {
        self.heap.collect();
        let mut wrong = self.heap.len().abs_diff(self.squads.len() * SQUAD_OBJECTS);
        for squad in &self.squads {
            let mobs = &self.heap[squad].mobs;
            for (place, &mob) in mobs.iter().enumerate() {
                let is_right = self.heap.get(mob).is_some_and(|found| {
                    let goal = found.goal.and_then(|goal| self.heap.get(goal));
                    found.next == Some(mobs[(place + 1) % SQUAD]) && goal.is_some_and(|goal| goal.of == mob)
                });
                wrong += usize::from(!is_right);
            }
        }
        wrong
    }
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

fn with_world<R>(run: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| run(world.as_mut().expect("`start` comes first")))
}

/// Makes a world of this many objects, whose heap gets this many milliseconds per frame.
#[unsafe(no_mangle)]
pub extern "C" fn start(objects: u32, budget_ms: f64) {
    let squads = objects as usize / SQUAD_OBJECTS;
    WORLD.set(Some(World::new(squads, Duration::from_secs_f64(budget_ms / 1e3))));
}

#[unsafe(no_mangle)]
pub extern "C" fn frame() {
    with_world(World::frame);
}

#[unsafe(no_mangle)]
pub extern "C" fn wrong() -> u32 {
    with_world(World::wrong) as u32
}

#[unsafe(no_mangle)]
pub extern "C" fn objects() -> u32 {
    with_world(|world| world.heap.len() as u32)
}

#[unsafe(no_mangle)]
pub extern "C" fn collections() -> f64 {
    with_world(|world| world.heap.stats().collections as f64)
}

#[unsafe(no_mangle)]
pub extern "C" fn freed() -> f64 {
    with_world(|world| world.heap.stats().freed as f64)
}

#[unsafe(no_mangle)]
pub extern "C" fn last_pause_ms() -> f64 {
    with_world(|world| world.last_pause.as_secs_f64() * 1e3)
}

#[unsafe(no_mangle)]
pub extern "C" fn longest_pause_ms() -> f64 {
    with_world(|world| world.longest_pause.as_secs_f64() * 1e3)
}

/// The same as the heap measured it, by the clock that it was given, to within 6 %.
#[unsafe(no_mangle)]
pub extern "C" fn p99_pause_ms() -> f64 {
    with_world(|world| world.heap.stats().pause_p99.as_secs_f64() * 1e3)
}
