//! Locks that tell the heap when they are written: they are traced again then, and only then.
#![cfg(feature = "std")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slotgc::{Budget, Gc, GcRwLock, Heap, HeapConfig, Phase, Root, Schema, Trace, Tracer};

use crate::objects::Dice;

type Counter = Arc<AtomicUsize>;

/// Counts how often it is traced.
#[derive(Clone, Default)]
struct Text {
    gc: Option<Gc<String>>,
    traced: Counter,
}

impl Trace for Text {
    fn trace(&self, tracer: &mut Tracer<'_>) {
        self.traced.fetch_add(1, Ordering::Relaxed);
        self.gc.trace(tracer);
    }
}

#[derive(Trace, Clone, Default)]
struct Noted {
    lock: GcRwLock<Text>,
}

/// Many objects with locks, which were traced once; none is young.
fn world(len: usize) -> (Heap, Vec<Root<Noted>>, Counter) {
    let mut heap = Heap::new();
    let traced = Counter::default();
    let all = (0..len)
        .map(|_| heap.alloc_root(Noted { lock: GcRwLock::new(Text { gc: None, traced: traced.clone() }) }))
        .collect();
    heap.collect();
    heap.collect_minor();
    traced.store(0, Ordering::Relaxed);
    (heap, all, traced)
}

fn store(heap: &Heap, noted: &Root<Noted>, gc: Gc<String>) {
    heap[noted].lock.write().unwrap().gc = Some(gc);
}

#[test]
fn a_minor_collection_traces_the_locks_that_were_written_and_no_other() {
    let (mut heap, all, traced) = world(1000);
    let mut work = 0;
    for round in 0..5 {
        heap.collect_minor();
        assert_eq!(traced.load(Ordering::Relaxed), work, "nothing was written before round {round}");
        let young: Vec<_> = (0..3).map(|number| heap.alloc(number.to_string())).collect();
        for (place, gc) in young.iter().enumerate() {
            // More than once is noted once.
            (0..4).for_each(|_| store(&heap, &all[place * 300 + round], *gc));
        }
        assert!(heap[&all[999]].lock.read().unwrap().gc.is_none());
        heap.collect_minor();
        work += 3;
        assert_eq!(traced.load(Ordering::Relaxed), work, "three were");
        assert!(young.iter().all(|gc| heap.is_alive(gc)));
    }
}

#[test]
fn the_end_of_a_cycle_traces_the_locks_that_were_written_while_it_marked_and_no_other() {
    let (mut heap, all, traced) = world(1000);
    while heap.stats().phase != Phase::Mark || traced.load(Ordering::Relaxed) < 900 {
        heap.step(Budget::Objects(10));
    }
    let kept = heap.alloc("kept".to_string());
    let places = [0, 300, 600, 999];
    places.iter().for_each(|place| store(&heap, &all[*place], kept));
    while heap.step(Budget::Objects(10)).finished.is_none() {}
    assert!(heap.is_alive(kept));
    let again = traced.load(Ordering::Relaxed) - 1000;
    assert!((1..=places.len()).contains(&again), "{again} were traced again");
}

#[test]
fn whatever_is_written_at_any_step_nothing_reachable_is_lost() {
    for seed in 0..60 {
        let mut dice = Dice::new(seed);
        let (mut heap, all, _) = world(1 + dice.below(60));
        let mut held: Vec<Option<Gc<String>>> = vec![None; all.len()];
        for round in 0..300 {
            match dice.below(8) {
                0 => _ = heap.collect_minor(),
                1 => _ = heap.collect(),
                2..5 => _ = heap.step(Budget::Objects(1 + dice.below(20))),
                _ => {
                    let (to, from) = (dice.below(all.len()), dice.below(all.len()));
                    // New, or moved from another lock, where the only handle was.
                    let gc = match held[from] {
                        Some(gc) if dice.one_in(2) => {
                            held[from] = None;
                            heap[&all[from]].lock.try_write().unwrap().gc = None;
                            gc
                        }
                        _ => heap.alloc(round.to_string()),
                    };
                    held[to] = Some(gc);
                    store(&heap, &all[to], gc);
                }
            }
            for (place, gc) in held.iter().enumerate() {
                assert!(gc.is_none_or(|gc| heap.is_alive(gc)), "seed {seed}, round {round}, lock {place}");
            }
        }
        heap.verify();
    }
}

#[test]
fn a_lock_that_moves_to_another_object_or_heap_tells_the_right_one() {
    let (mut heap, all, _) = world(2);
    let moved = std::mem::take(&mut heap[&all[0]]);
    heap[&all[1]] = moved;
    heap.collect();
    let mut other = Heap::new();
    for round in 0..3 {
        let young = heap.alloc("young".to_string());
        store(&heap, &all[1], young);
        heap.collect_minor();
        assert!(heap.is_alive(young), "round {round}");
    }
    let abroad = other.alloc_root(std::mem::take(&mut heap[&all[1]]));
    other.collect();
    drop(heap);
    let young = other.alloc("young".to_string());
    store(&other, &abroad, young);
    other.collect_minor();
    assert!(other.is_alive(young));
}

#[test]
fn what_a_leaked_guard_or_a_panicking_writer_leaves_is_seen() {
    let (mut heap, all, _) = world(2);
    let young = heap.alloc("young".to_string());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = heap[&all[0]].lock.write().unwrap();
        guard.gc = Some(young);
        panic!("a writer");
    }));
    assert!(panicked.is_err() && heap[&all[0]].lock.is_poisoned());
    heap.collect_minor();
    assert!(heap.is_alive(young));
    heap.collect();
    assert!(heap.is_alive(young));
    assert!(heap[&all[0]].lock.try_write().is_err());
    heap[&all[0]].lock.clear_poison();
    assert!(heap[&all[0]].lock.try_write().is_ok());

    // Nobody can see the value.
    let lock = Arc::new(AtomicUsize::new(0));
    let hidden = heap.alloc_root(Noted::default());
    heap[&hidden].lock.write().unwrap().traced = lock.clone();
    heap.collect();
    let before = lock.load(Ordering::Relaxed);
    std::mem::forget(heap[&hidden].lock.write().unwrap());
    heap.collect();
    heap.collect_minor();
    assert_eq!(lock.load(Ordering::Relaxed), before);
}

#[test]
fn after_a_rollback_a_lock_tells_as_before() {
    let schema = Schema::new().with::<Noted>("noted").with::<String>("string");
    for written_before in [false, true] {
        for collected in [false, true] {
            let (mut heap, all, _) = world(3);
            let early = heap.alloc_root("early".to_string());
            if written_before {
                store(&heap, &all[0], early.gc());
            }
            let checkpoint = heap.checkpoint(&schema).unwrap();
            let undone = heap.alloc("undone".to_string());
            store(&heap, &all[0], undone);
            store(&heap, &all[1], undone);
            if collected {
                heap.collect_minor();
            }
            heap.roll_back(&checkpoint);
            heap.verify();
            let weak = early.downgrade();
            drop(early);
            heap.collect_minor();
            assert_eq!(heap.is_alive(weak), written_before);
            for noted in &all {
                let young = heap.alloc("young".to_string());
                store(&heap, noted, young);
                heap.collect_minor();
                assert!(heap.is_alive(young), "written before: {written_before}, collected: {collected}");
            }
        }
    }
}

#[test]
fn writers_on_other_threads_are_heard() {
    let (mut heap, all, _) = world(200);
    for round in 0..20 {
        let young: Vec<_> = (0..200).map(|number| heap.alloc(number.to_string())).collect();
        let shared = &heap;
        std::thread::scope(|scope| {
            for (all, young) in all.chunks(50).zip(young.chunks(50)) {
                scope.spawn(move || all.iter().zip(young).for_each(|(noted, gc)| store(shared, noted, *gc)));
            }
        });
        if round % 2 == 0 {
            heap.collect_minor()
        } else {
            heap.collect()
        };
        assert!(young.iter().all(|gc| heap.is_alive(gc)), "round {round}");
    }
    heap.collect();
    assert_eq!(heap.len_of::<String>(), 200);
}

#[test]
fn several_markers_leave_locks_to_the_heap_which_is_told_afterwards() {
    let mut heap = Heap::with_config(HeapConfig::default().mark_threads(2));
    let all: Vec<_> = (0..500).map(|_| heap.alloc_root(Noted::default())).collect();
    for round in 0..4 {
        heap.collect();
        heap.step(Budget::Objects(1));
        heap.step_shared(Budget::Unlimited);
        let young = heap.alloc("young".to_string());
        store(&heap, &all[round * 100], young);
        while heap.stats().phase != Phase::Idle {
            heap.step(Budget::Objects(50));
        }
        assert!(heap.is_alive(young));
        let young = heap.alloc("young".to_string());
        store(&heap, &all[round * 100 + 1], young);
        heap.collect_minor();
        assert!(heap.is_alive(young), "round {round}");
    }
}

#[test]
fn it_is_shown_and_copied_like_a_lock_of_std() {
    let lock = GcRwLock::from(7);
    assert_eq!(format!("{lock:?} {:?}", lock.clone()), "GcRwLock(7) GcRwLock(7)");
    let guard = lock.write().unwrap();
    assert_eq!(format!("{lock:?}"), "GcRwLock(<locked>)");
    assert!(lock.try_read().is_err() && lock.try_write().is_err());
    drop(guard);
    let mut lock = lock;
    *lock.get_mut().unwrap() += 1;
    assert_eq!(lock.into_inner().unwrap(), 8);
}
