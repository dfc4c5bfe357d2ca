//! A leak hunt: fifty levels are loaded and unloaded, and each leaves a mob behind. Two snapshots show which
//! type grows, a path shows what holds one of the new objects, and after the fix the same rounds leave
//! nothing.
//!
//! ```text
//! cargo run --example level_leak
//! ```
//!
//! The page `slotgc::docs::finding_a_leak` explains the same, step by step. Everything that is printed is
//! asserted too. Writes two files for Chrome DevTools and memlab into the folder given as an argument, or
//! into the temporary folder.

use std::io;
use std::path::{Path, PathBuf};

use slotgc::inspect::Snapshot;
use slotgc::{AnyGc, Gc, Heap, HeapConfig, Root, Trace, Weak};

const LEVELS: usize = 50;
const MOBS: usize = 20;

#[derive(Trace)]
struct Level {
    #[trace(label)]
    name: String,
    mobs: Vec<Gc<Mob>>,
    chests: Vec<Gc<Chest>>,
}

#[derive(Trace)]
struct Mob {
    #[trace(label)]
    name: String,
    loot: Option<Gc<Chest>>,
    friends: Vec<Gc<Mob>>,
    /// The prey: keeps nothing alive.
    target: Weak<Mob>,
}

#[derive(Trace)]
struct Chest {
    gold: Vec<u32>,
}

/// Outlives every level.
#[derive(Trace, Default)]
struct EventBus {
    listeners: Vec<Listener>,
}

/// A closure: a function, and what it captured.
#[derive(Trace)]
struct Listener {
    captured: Captured,
    #[trace(skip)]
    call: fn(&mut Heap, Gc<Mob>),
}

/// The boss of a level wants to hear of thunder.
#[derive(Trace)]
enum Captured {
    /// The mistake: the bus lives for ever, and so does the mob that it holds.
    Strong(Gc<Mob>),
    /// The fix.
    Weak(Weak<Mob>),
}

struct Game {
    heap: Heap,
    bus: Root<EventBus>,
    is_mended: bool,
    loaded: usize,
}

impl Game {
    fn new() -> Self {
        // Roots remember where they were made; in builds without debug assertions only on request.
        let mut heap = Heap::with_config(HeapConfig::default().root_origins(true));
        let bus = heap.alloc_root(EventBus::default()).named("event_bus");
        Self { heap, bus, is_mended: false, loaded: 0 }
    }

    fn load(&mut self) -> Root<Level> {
        self.loaded += 1;
        let heap = &mut self.heap;
        let mut mobs: Vec<Gc<Mob>> = Vec::new();
        let mut chests = Vec::new();
        for number in 0..MOBS {
            let chest = heap.alloc(Chest { gold: vec![1; number] });
            let name = format!("wolf {number}");
            let friends = mobs.last().copied().into_iter().collect();
            mobs.push(heap.alloc(Mob { name, loot: Some(chest), friends, target: Weak::dangling() }));
            chests.push(chest);
        }
        let boss = heap.alloc(Mob {
            name: format!("boss {}", self.loaded),
            loot: None,
            friends: Vec::new(),
            target: mobs[0].downgrade(),
        });
        mobs.push(boss);
        let captured = if self.is_mended { Captured::Weak(boss.downgrade()) } else { Captured::Strong(boss) };
        let call = |heap: &mut Heap, boss: Gc<Mob>| heap[boss].friends.clear();
        heap[&self.bus].listeners.push(Listener { captured, call });
        let name = format!("level {}", self.loaded);
        heap.alloc_root(Level { name, mobs, chests })
    }

    /// Thunder: every listener is called; listeners whose mob is gone are removed.
    fn thunder(&mut self) {
        let mut listeners = std::mem::take(&mut self.heap[&self.bus].listeners);
        listeners.retain(|listener| {
            let mob = match listener.captured {
                Captured::Strong(mob) => Some(mob),
                Captured::Weak(mob) => self.heap.upgrade(mob),
            };
            mob.is_some_and(|mob| {
                (listener.call)(&mut self.heap, mob);
                true
            })
        });
        self.heap[&self.bus].listeners = listeners;
    }

    fn play(&mut self, levels: usize) {
        for _ in 0..levels {
            let level = self.load();
            self.thunder();
            drop(level); // the level is unloaded
            self.heap.collect();
        }
    }
}

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let mut game = Game::new();
    // What is made only once, at the first level, is not a leak.
    game.play(2);
    let before = game.heap.snapshot();
    game.play(LEVELS);
    let after = game.heap.snapshot();

    println!("{LEVELS} levels later, by growth:\n{}\n", after.since(&before));
    let growth = after.since(&before);
    let row = growth.get("Mob").expect("mobs are what leaks");
    assert_eq!((row.new, row.gone, growth.rows()[0].type_name.as_str()), (LEVELS, 0, "Mob"));
    assert!(growth.get("Chest").is_none() && growth.get("Level").is_none());

    let suspect: AnyGc = growth.new_of("Mob").next().expect("there are new ones");
    let suspect: Gc<Mob> = game.heap.downcast(suspect).expect("it is a mob");
    let path = game.heap.why_alive(suspect).expect("something holds it");
    println!("Why is one of them alive?\n{path:#}\n");
    assert_eq!(path.root_name(), Some("event_bus"));
    let edge = path.steps().last().and_then(|step| step.edge().map(str::to_string));
    assert!(edge.is_some_and(|edge| edge.starts_with("listeners[") && edge.contains("captured")));

    println!("{}", after.census());
    for (name, snapshot) in [("level_leak_before", &before), ("level_leak_after", &after)] {
        let path = folder.join(name).with_extension("heapsnapshot");
        write(snapshot, &path)?;
        println!("wrote {}", path.display());
    }
    println!(
        "Open Chrome, DevTools (F12), tab Memory, `Load profile`: both files. Then choose `Comparison` above the table.\n"
    );

    // The fix: the bus holds its listeners' mobs weakly. The old listeners go with this game.
    let mut game = Game { is_mended: true, ..Game::new() };
    game.play(2);
    let before = game.heap.snapshot();
    game.play(LEVELS);
    let growth = game.heap.snapshot().since(&before);
    println!("With weak listeners, {LEVELS} levels later:\n{growth}");
    assert!(growth.rows().iter().all(|row| row.new == row.gone), "nothing grows");

    // As in a test.
    let level = game.load();
    let boss = *game.heap[&level].mobs.last().expect("a level has a boss");
    drop(level);
    game.heap.assert_collected(boss);
    Ok(())
}

fn write(snapshot: &Snapshot, path: &Path) -> io::Result<()> {
    snapshot.write_heapsnapshot(io::BufWriter::new(std::fs::File::create(path)?))
}
