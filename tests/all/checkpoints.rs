//! Checkpoints and rollbacks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{
    Budget, Gc, GraphError, Heap, HeapConfig, Root, Schema, Trace, Tracer, Weak, WeakKeyMap, WeakSet,
    WeakValueMap, roots,
};

use crate::objects::{APART, Dice};

#[derive(Trace, Clone, Debug, PartialEq)]
struct Unit {
    hp: u32,
    pos: [i32; 4],
    target: Weak<Unit>,
    friend: Option<Gc<Unit>>,
}

#[derive(Trace, Clone, Debug)]
struct Squad {
    members: Vec<Gc<Unit>>,
    threat: WeakKeyMap<Unit, u32>,
    seen: WeakSet<Unit>,
    names: WeakValueMap<u32, Unit>,
}

fn unit(hp: u32) -> Unit {
    Unit { hp, pos: [0; 4], target: Weak::dangling(), friend: None }
}

fn schema() -> Schema<(Squad, (Unit, ()))> {
    Schema::new().with::<Unit>("unit").with::<Squad>("squad")
}

/// A game in which every frame depends only on the state and the input.
struct Game {
    heap: Heap,
    squad: Root<Squad>,
    seed: u64,
}

impl Game {
    fn new(collect_new: bool) -> Self {
        let mut heap = Heap::with_config(HeapConfig::default().collect_new(collect_new));
        let squad = heap.alloc_root(Squad {
            members: Vec::new(),
            threat: WeakKeyMap::new(),
            seen: WeakSet::new(),
            names: WeakValueMap::new(),
        });
        Self { heap, squad, seed: 1 }
    }

    fn random(&mut self, below: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.seed >> 33) as usize % below
    }

    fn frame(&mut self, input: u64, budget: usize) {
        self.seed ^= input;
        for _ in 0..12 {
            let gc = self.heap.alloc(unit(self.seed as u32));
            if self.random(3) == 0 {
                self.heap[&self.squad].members.push(gc);
                let (other, hp) = (self.random(1 << 20), self.random(100) as u32);
                let len = self.heap[&self.squad].members.len();
                let friend = self.heap[&self.squad].members[other % len];
                (self.heap[gc].friend, self.heap[gc].target) = (Some(friend), friend.into());
                let squad = &mut self.heap[&self.squad];
                squad.threat.insert(gc, hp);
                squad.seen.insert(friend);
                squad.names.insert(hp, gc);
            }
        }
        let len = self.heap[&self.squad].members.len();
        if len > 60 {
            let at = self.random(len);
            let gone = self.heap[&self.squad].members.swap_remove(at);
            if self.random(4) == 0 {
                self.heap.destroy(gone);
            }
            self.heap[&self.squad].members.truncate(80);
        }
        self.heap.step(Budget::Objects(budget));
    }

    fn checksum(&self) -> u64 {
        let mut sum = self.seed;
        let mut add = |bits: u64| sum = (sum ^ bits).wrapping_mul(0x100000001b3).rotate_left(17);
        for (gc, unit) in self.heap.iter::<Unit>() {
            add(gc.to_bits());
            add(u64::from(unit.hp));
            add(unit.friend.map_or(0, Gc::to_bits));
            add(unit.target.to_bits());
        }
        let squad = &self.heap[&self.squad];
        squad.members.iter().for_each(|gc| add(gc.to_bits()));
        squad.threat.iter().for_each(|(gc, hp)| add(gc.to_bits() ^ u64::from(*hp)));
        squad.seen.iter().for_each(|gc| add(gc.to_bits()));
        squad.names.iter().for_each(|(name, gc)| add(gc.to_bits() ^ u64::from(*name)));
        add(self.heap.len() as u64);
        add(self.heap.stats().collections);
        sum
    }
}

#[test]
#[cfg_attr(not(feature = "std"), ignore = "without std weak collections are traced again after a rollback")]
fn ten_thousand_frames_with_rollbacks_of_eight_match_those_without() {
    const FRAMES: u64 = if cfg!(gc_zeal) { 300 } else { 10_000 };
    let (mut plain, mut rolled) = (Game::new(false), Game::new(false));
    let schema = schema();
    let mut kept = None;
    for frame in 0..FRAMES {
        if frame % 8 == 0 {
            if let Some((checkpoint, seed, inputs)) = kept.take() {
                let inputs: Vec<u64> = inputs;
                // So far the frames ran with guessed inputs: now come the right ones.
                rolled.heap.roll_back(&checkpoint);
                rolled.seed = seed;
                inputs.iter().for_each(|input| rolled.frame(*input, 40));
                assert_eq!(rolled.checksum(), plain.checksum(), "frame {frame}");
                if frame % 1000 == 0 {
                    rolled.heap.verify();
                }
            }
            kept = Some((rolled.heap.checkpoint(&schema).unwrap(), rolled.seed, Vec::new()));
        }
        plain.frame(frame, 40);
        rolled.frame(if frame % 3 == 0 { frame } else { frame + 77 }, 40);
        if let Some((_, _, inputs)) = &mut kept {
            inputs.push(frame);
        }
    }
    assert!(plain.heap.stats().collections > 10, "cycles were in progress");
    rolled.heap.verify();
}

#[test]
fn a_rollback_drops_new_objects_once_and_revives_destroyed_ones() {
    #[derive(Trace)]
    struct Counted(#[trace(skip)] Arc<AtomicUsize>);
    impl Clone for Counted {
        fn clone(&self) -> Self {
            self.0.fetch_add(1, Ordering::Relaxed);
            Self(Arc::clone(&self.0))
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let living = Arc::new(AtomicUsize::new(0));
    let make = || {
        living.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(&living))
    };
    let schema = Schema::new().with::<Counted>("counted");
    let mut heap = Heap::new();
    let old: Vec<Gc<Counted>> = (0..1000).map(|_| heap.alloc(make())).collect();
    let checkpoint = heap.checkpoint(&schema).unwrap();
    assert_eq!(living.load(Ordering::Relaxed), 2000);
    for _ in 0..3 {
        heap.destroy(old[1]);
        heap.destroy(old[500]);
        let new: Vec<_> = (0..10_000).map(|_| heap.alloc(make())).collect();
        let text = heap.alloc("of a new type".to_string());
        heap.collect_with(&&new[..5000]);
        heap.shrink_to_fit();
        heap.roll_back(&checkpoint);
        heap.verify();
        assert_eq!(living.load(Ordering::Relaxed), 2000);
        assert!(old.iter().all(|gc| heap.is_alive(gc)) && heap.len() == 1000);
        assert!(!heap.is_alive(text));
        assert!(new.iter().all(|gc| !heap.is_alive(gc)));
    }
    drop((heap, checkpoint));
    assert_eq!(living.load(Ordering::Relaxed), 0);
}

#[test]
fn a_rollback_to_any_moment_of_a_cycle_restores_every_bit() {
    let schema = schema();
    for (budget, collect_new) in [(1, false), (3, false), (7, true), (20, false), (2, true)] {
        let mut game = Game::new(collect_new);
        for frame in 0..40 {
            game.frame(frame, 1000);
        }
        for frame in (0..40).step_by(APART) {
            let (checkpoint, seed) = (game.heap.checkpoint(&schema).unwrap(), game.seed);
            let run = |game: &mut Game| {
                let mut sums = Vec::new();
                for more in 0..30 {
                    game.frame(more, budget);
                    sums.push((game.checksum(), game.heap.stats().phase));
                }
                sums
            };
            let first = run(&mut game);
            game.heap.roll_back(&checkpoint);
            game.heap.verify();
            game.seed = seed;
            assert_eq!(run(&mut game), first, "budget {budget}, frame {frame}");
            game.heap.roll_back(&checkpoint);
            game.seed = seed;
            game.frame(frame, budget);
        }
    }
}

#[test]
fn a_root_of_an_object_undone_by_a_rollback_is_dead_for_ever() {
    let mut heap = Heap::new();
    let schema = Schema::new().with::<u32>("number");
    let kept = heap.alloc_root(1_u32);
    let checkpoint = heap.checkpoint(&schema).unwrap();
    let undone = heap.alloc_root(2_u32);
    heap.roll_back(&checkpoint);
    let next = heap.alloc_root(3_u32);
    assert_eq!(next.gc(), undone.gc(), "the same calls give the same handles");
    assert_eq!((heap.get(&kept), heap.get(&undone), heap.get(&next)), (Some(&1), None, Some(&3)));
    assert!(undone != next && undone == undone.clone());
    assert!(heap.root(&undone).is_none());
    drop(next);
    heap.collect();
    assert_eq!(heap.len(), 1);
    heap.verify();
}

#[test]
fn callbacks_survive_a_rollback_if_their_object_does() {
    let mut heap = Heap::new();
    let schema = Schema::new().with::<u32>("number");
    let (mob, called) = (heap.alloc(1_u32), Arc::new(AtomicUsize::new(0)));
    let watch = |heap: &mut Heap, gc: Gc<u32>| {
        let called = Arc::clone(&called);
        heap.on_death(gc, move |_, _| _ = called.fetch_add(1, Ordering::Relaxed)).unwrap();
    };
    watch(&mut heap, mob);
    let checkpoint = heap.checkpoint(&schema).unwrap();
    watch(&mut heap, mob);
    let arrow = heap.alloc(2);
    watch(&mut heap, arrow);
    heap.set_owned_bytes(mob, 100);
    heap.roll_back(&checkpoint);
    heap.verify();
    assert_eq!((Arc::strong_count(&called), heap.watch_count(mob)), (3, 2));
    assert_eq!(heap.stats().owned_bytes, 0);
    heap.collect();
    assert_eq!(called.load(Ordering::Relaxed), 2);
    heap.roll_back(&checkpoint);
    assert_eq!((heap.watch_count(mob), heap.is_alive(mob)), (0, true));
    heap.collect();
    assert_eq!(called.load(Ordering::Relaxed), 2, "what ran does not run again");
}

#[test]
fn a_source_reports_everything_after_a_rollback() {
    let mut heap = Heap::new();
    let schema = Schema::new().with::<u32>("number");
    let gc = heap.alloc(1_u32);
    let epochs = std::sync::Mutex::new(Vec::new());
    let source = |tracer: &mut Tracer<'_>| {
        epochs.lock().unwrap().push(tracer.epoch());
        tracer.edge(gc);
    };
    heap.collect_with(&roots(&source));
    let checkpoint = heap.checkpoint(&schema).unwrap();
    heap.collect_minor_with(&roots(&source));
    heap.roll_back(&checkpoint);
    heap.collect_minor_with(&roots(&source));
    let epochs = epochs.into_inner().unwrap();
    assert_ne!(epochs.first(), epochs.last());
    assert!(heap.is_alive(gc));
}

#[test]
fn a_checkpoint_error_names_the_type_that_cannot_be_copied() {
    let mut heap = Heap::new();
    heap.alloc("text".to_string());
    let schema = Schema::new().with::<u32>("number");
    let refused = heap.checkpoint(&schema);
    assert!(
        matches!(refused, Err(GraphError::NotInSchema { type_name, .. }) if type_name.contains("String"))
    );
    heap.collect();
    assert!(heap.checkpoint(&schema).is_ok(), "no object of that type is left");
    heap.alloc_cyclic(|heap, _| {
        assert!(matches!(heap.checkpoint(&schema), Err(GraphError::BeingMade)));
        1_u32
    });
}

#[test]
fn pages_used_by_another_type_meanwhile_change_back() {
    let schema = Schema::new().with::<String>("word").with::<[u64; 9]>("numbers");
    let mut heap = Heap::new();
    let words: Vec<_> = (0..20_000).map(|number: u32| heap.alloc_root(number.to_string())).collect();
    let other = heap.alloc_root([1_u64; 9]);
    let then = heap.checkpoint(&schema).unwrap();
    for round in 0..3 {
        for word in &words {
            heap.destroy(word);
        }
        heap.collect();
        heap.shrink_to_fit();
        let counter = std::sync::Arc::new(());
        let made: Vec<_> = (0..20_000_u64)
            .map(|number| heap.alloc_root((number, std::sync::Arc::clone(&counter))))
            .collect();
        let numbers: Vec<_> = (0..20_000_u64).map(|number| heap.alloc_root([number; 9])).collect();
        heap.verify();
        if round == 1 {
            heap.collect();
        }
        heap.roll_back(&then);
        heap.verify();
        assert_eq!(std::sync::Arc::strong_count(&counter), 1, "what was allocated since is gone");
        assert!(made.iter().all(|gone| heap.get(gone).is_none()));
        assert!(numbers.iter().all(|gone| heap.get(gone).is_none()));
        assert!(words.iter().enumerate().all(|(number, word)| heap[word] == number.to_string()));
        assert_eq!(heap[&other], [1; 9]);
        drop((made, numbers));
        heap.collect();
        heap.verify();
        assert_eq!(heap.len(), 20_001);
    }
}

#[test]
fn a_rollback_during_the_destructors_of_a_cycle_drops_each_value_once() {
    #[derive(Trace, Clone)]
    struct Shared {
        #[trace(skip)]
        #[expect(dead_code, reason = "it is counted")]
        counter: Arc<()>,
    }

    let counter = Arc::new(());
    let shared = || Shared { counter: counter.clone() };
    let schema = Schema::new().with::<Shared>("shared");
    for steps in (0..400).step_by(7 * APART) {
        let mut heap = Heap::new();
        let old = heap.alloc_root(shared());
        let checkpoint = heap.checkpoint(&schema).unwrap();
        // On the page of the old one, and on pages that the checkpoint does not have.
        (0..4000).for_each(|_| _ = heap.alloc(shared()));
        (0..steps).for_each(|_| _ = heap.step(Budget::Objects(40)));
        heap.roll_back(&checkpoint);
        heap.verify();
        assert_eq!((heap.len(), heap.is_alive(&old)), (1, true), "after {steps} steps");
        assert_eq!(Arc::strong_count(&counter), 3, "the object, its copy, and ours");
    }
}

/// Where a page whose objects all died is not used again yet, it is so after going back, too.
#[test]
fn the_same_calls_after_a_rollback_give_the_same_handles_wherever_empty_pages_are() {
    let schema =
        Schema::new().with::<u32>("a").with::<u64>("b").with::<[u64; 40]>("c").with::<Vec<Gc<u64>>>("d");
    for program in 0..if cfg!(gc_zeal) { 40 } else { 400 } {
        let mut dice = Dice::new(program);
        let first = [1, 77, u32::MAX, u32::MAX - 4][dice.below(4)];
        let config = HeapConfig::default().first_generation(first).release_after(1);
        let mut heap = Heap::with_config(config);
        let kept = heap.alloc_root(Vec::<Gc<u64>>::new());
        let mut ops = |len| -> Vec<_> { (0..len).map(|_| (dice.below(8), dice.below(300))).collect() };
        let play = |heap: &mut Heap, ops: &[(usize, usize)]| -> Vec<(u64, usize)> {
            let mut seen = vec![];
            for (op, number) in ops {
                let report = match op {
                    0 => {
                        let made = heap.try_alloc(*number as u64).ok();
                        heap[&kept].extend(made.filter(|_| number % 2 == 0));
                        made.map_or(0, |gc| gc.to_bits())
                    }
                    1 => heap.try_alloc(*number as u32).map_or(0, |gc| gc.to_bits()),
                    2 => heap.try_alloc([0_u64; 40]).map_or(0, |gc| gc.to_bits()),
                    3 => heap.step(Budget::Objects(number % 50 + 1)).work as u64,
                    4 => {
                        heap[&kept].truncate(number % 3);
                        0
                    }
                    5 => {
                        let made = (0..*number as u64).map(|number| heap.try_alloc(number));
                        made.fold(0, |sum, gc| sum ^ gc.map_or(0, |gc| gc.to_bits()))
                    }
                    6 => heap.collect_minor().freed as u64,
                    _ => heap.collect().freed as u64,
                };
                seen.push((report, heap.len()));
            }
            seen
        };
        let (before, after) = (ops(20), ops(20));
        play(&mut heap, &before);
        let checkpoint = heap.checkpoint(&schema).unwrap();
        let seen = play(&mut heap, &after);
        heap.roll_back(&checkpoint);
        heap.verify();
        assert_eq!(play(&mut heap, &after), seen, "program {program}: {before:?}, then {after:?}");
        heap.verify();
    }
}
