//! Typical cycles of game servers: a mob and its goals, a vehicle and its passengers, a chest and its
//! viewers. A hundred mobs despawn, once with `Arc`, once with slotgc; what is not dropped has leaked.
//!
//! ```text
//! cargo run --example mobs
//! ```
//!
//! Every printed number is asserted too. With `Arc`, each cycle would have to be broken by a `Weak` on the
//! right side, which requires knowing all cycles and the right sides. With slotgc nobody has to know them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{self, Arc, Mutex};

use slotgc::{Gc, Heap, Root, Trace, Weak};

const MOBS: usize = 100;

/// Kinds of objects, each counted while alive.
#[derive(Clone, Copy, Trace)]
enum Kind {
    Mob,
    Goal,
    Vehicle,
    Chest,
    Viewer,
}

static LIVING: [AtomicUsize; 5] = [const { AtomicUsize::new(0) }; 5];

/// A part of each object: counts up when it is made and down when it is dropped.
#[derive(Trace)]
struct Life(Kind);

impl Life {
    fn of(kind: Kind) -> Self {
        // Relaxed: one thread counts.
        LIVING[kind as usize].fetch_add(1, Ordering::Relaxed);
        Self(kind)
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // Relaxed: as above.
        LIVING[self.0 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Records how many of each kind are alive, and counts again from zero.
fn take_census() -> [usize; 5] {
    std::array::from_fn(|kind| LIVING[kind].swap(0, Ordering::Relaxed)) // Relaxed: as above
}

/// The usual way: `Arc` to share, `Mutex` to change. Returns what is alive after all mobs are gone from the
/// world, and whether the player's weak target still is.
fn with_arc() -> ([usize; 5], bool) {
    struct Mob {
        goals: Mutex<Vec<Arc<Goal>>>,
        riding: Mutex<Option<Arc<Vehicle>>>,
        _life: Life,
    }
    struct Goal {
        _owner: Arc<Mob>, // a goal moves its mob
        _life: Life,
    }
    struct Vehicle {
        passengers: Mutex<Vec<Arc<Mob>>>, // a vehicle moves its passengers, a passenger steers
        _life: Life,
    }
    struct Chest {
        viewers: Mutex<Vec<Arc<Viewer>>>, // a chest tells its viewers of changes
        _life: Life,
    }
    struct Viewer {
        _chest: Arc<Chest>, // a viewer puts things into the chest
        _by: Arc<Mob>,
        _life: Life,
    }

    let mut world = Vec::new();
    for _ in 0..MOBS {
        let (goals, riding) = (Mutex::default(), Mutex::default());
        let mob = Arc::new(Mob { goals, riding, _life: Life::of(Kind::Mob) });
        for _ in 0..2 {
            mob.goals
                .lock()
                .unwrap()
                .push(Arc::new(Goal { _owner: mob.clone(), _life: Life::of(Kind::Goal) }));
        }
        let vehicle = Arc::new(Vehicle { passengers: Mutex::default(), _life: Life::of(Kind::Vehicle) });
        vehicle.passengers.lock().unwrap().push(mob.clone());
        *mob.riding.lock().unwrap() = Some(vehicle);
        let chest = Arc::new(Chest { viewers: Mutex::default(), _life: Life::of(Kind::Chest) });
        let viewer = Viewer { _chest: chest.clone(), _by: mob.clone(), _life: Life::of(Kind::Viewer) };
        chest.viewers.lock().unwrap().push(Arc::new(viewer));
        world.push(mob);
    }
    let target: sync::Weak<Mob> = Arc::downgrade(&world[0]);
    world.clear();
    (take_census(), target.upgrade().is_some())
}

/// The same with slotgc: the fields are handles, and objects change only through the `Heap`.
fn with_slotgc() -> ([usize; 5], bool) {
    #[derive(Trace)]
    struct Mob {
        goals: Vec<Gc<Goal>>,
        riding: Option<Gc<Vehicle>>,
        _life: Life,
    }
    #[derive(Trace)]
    struct Goal {
        owner: Gc<Mob>,
        _life: Life,
    }
    #[derive(Trace)]
    struct Vehicle {
        passengers: Vec<Gc<Mob>>,
        _life: Life,
    }
    #[derive(Trace)]
    struct Chest {
        viewers: Vec<Gc<Viewer>>,
        _life: Life,
    }
    #[derive(Trace)]
    struct Viewer {
        chest: Gc<Chest>,
        by: Gc<Mob>,
        _life: Life,
    }

    let mut heap = Heap::new();
    let mut world: Vec<Root<Mob>> = Vec::new(); // what is in the world stays alive, with all that it needs
    for _ in 0..MOBS {
        let mob = heap.alloc_root(Mob { goals: Vec::new(), riding: None, _life: Life::of(Kind::Mob) });
        for _ in 0..2 {
            let goal = heap.alloc(Goal { owner: mob.gc(), _life: Life::of(Kind::Goal) });
            heap[&mob].goals.push(goal);
        }
        let vehicle = heap.alloc(Vehicle { passengers: vec![mob.gc()], _life: Life::of(Kind::Vehicle) });
        heap[&mob].riding = Some(vehicle);
        let chest = heap.alloc(Chest { viewers: Vec::new(), _life: Life::of(Kind::Chest) });
        let viewer = heap.alloc(Viewer { chest, by: mob.gc(), _life: Life::of(Kind::Viewer) });
        heap[chest].viewers.push(viewer);
        world.push(mob);
    }
    let target: Weak<Mob> = world[0].downgrade();
    world.clear();
    assert!(heap.get(target).is_some(), "nothing dies before the program says that now is the time");
    let stats = heap.collect();
    assert_eq!((stats.kept, stats.freed), (0, 6 * MOBS));
    (take_census(), heap.get(target).is_some())
}

fn main() {
    let (arc, arc_target) = with_arc();
    let (slotgc, slotgc_target) = with_slotgc();

    println!("{MOBS} mobs despawned. Still in memory:   with Arc   with slotgc");
    for (kind, name) in ["mobs", "goals", "vehicles", "chests", "viewers"].iter().enumerate() {
        println!("  {name:<34}{:>10}{:>14}", arc[kind], slotgc[kind]);
    }
    let shown = |alive| if alive { "a ghost" } else { "None" };
    println!("  {:<34}{:>10}{:>14}", "the player's weak target is", shown(arc_target), shown(slotgc_target));

    assert_eq!(arc, [MOBS, 2 * MOBS, MOBS, MOBS, MOBS], "with Arc all of it leaks");
    assert!(arc_target, "and a weak pointer to a leaked mob still resolves");
    assert_eq!(slotgc, [0; 5], "with slotgc nothing does");
    assert!(!slotgc_target, "and the weak handle resolves to None");
}
