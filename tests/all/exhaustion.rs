//! When something runs out: generations, room. Also heaps that are forgotten or enormous.
//!
//! Generations that full collections use up are in `heap/generations.rs`, refusals in `heap/limits.rs`; here
//! both happen in the middle of an incremental cycle, and once for real. A failing allocator is in
//! `tests/alloc_fails.rs`.

use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::time::Duration;

use slotgc::{Budget, DeathQueue, Gc, Graveyard, Heap, HeapConfig, Phase, Trace, Tracer, Weak, WeakSet};

use crate::objects::{Dice, Link, Log, Node, Noisy, forget};

const LAST: u32 = HeapConfig::MAX_GENERATION;

/// So large that a page has one slot, and cheap to allocate.
struct Alone(#[expect(dead_code, reason = "only takes up space")] MaybeUninit<[u8; 60_000]>);

impl Trace for Alone {
    const NEEDS_TRACE: bool = false;

    fn trace(&self, _: &mut Tracer<'_>) {}
}

/// Uses the first slot until another one is handed out, and returns how often it was used.
fn use_up_the_first_slot(heap: &mut Heap) -> u64 {
    let first = heap.alloc(Alone(MaybeUninit::uninit()));
    let (mut count, mut last) = (1, first);
    loop {
        if count % 4 == 0 {
            heap.collect()
        } else {
            heap.collect_minor()
        };
        let next = heap.alloc(Alone(MaybeUninit::uninit()));
        if count % (1 << 16) == 0 || count < 100 {
            assert!(!heap.is_alive(first) && !heap.is_alive(last) && heap.is_alive(next));
        }
        if next.to_bits() >> 32 != first.to_bits() >> 32 {
            assert_eq!(last.to_bits() as u32, LAST, "the slot had every generation");
            assert!(!heap.is_alive(first) && !heap.is_alive(last) && heap.is_alive(next));
            return count;
        }
        assert_eq!(next.to_bits(), last.to_bits() + 2, "the generation advances by one");
        (count, last) = (count + 1, next);
    }
}

#[test]
#[ignore = "twenty minutes in release"]
fn a_slot_is_used_two_to_the_31_times_and_never_again() {
    let mut heap = Heap::with_config(HeapConfig::default().clock(|| Duration::ZERO));
    assert_eq!(use_up_the_first_slot(&mut heap), 1 << 31);
}

#[test]
fn a_slot_is_used_for_the_generations_left_and_never_again() {
    for left in [1, 2, 3, 100] {
        let first = LAST - 2 * (left - 1);
        let mut heap = Heap::with_config(HeapConfig::default().first_generation(first));
        assert_eq!(use_up_the_first_slot(&mut heap), u64::from(left));
    }
}

#[test]
fn generations_may_run_out_during_a_cycle_whatever_watches() {
    for seed in 0..6 {
        let mut dice = Dice::new(seed);
        let mut heap = Heap::with_config(HeapConfig::default().first_generation(LAST - 4));
        let (queue, graveyard) = (DeathQueue::new(), Graveyard::new());
        let log = Log::default();
        let set = heap.alloc_root(WeakSet::new());
        let (mut made, mut kept) = (HashSet::new(), Vec::new());
        let (mut watched, mut told, mut buried) = (0, 0, 0);
        for number in 0..6000 {
            let gc = heap.alloc(Noisy::new(number, &log));
            assert!(made.insert(gc), "{gc} was handed out twice");
            heap[&set].insert(gc);
            match dice.below(6) {
                0 => kept.push((number, heap.root(gc).unwrap())),
                1 => {
                    queue.watch(&mut heap, gc, gc).unwrap();
                    watched += 1;
                }
                2 => {
                    graveyard.bury(&mut heap, gc).unwrap();
                    watched += 1;
                }
                3 => drop(heap.destroy(gc)),
                _ => {}
            }
            match dice.below(300) {
                0 => _ = heap.collect(),
                1 => heap.shrink_to_fit(),
                2 => kept.clear(),
                3..20 => _ = heap.collect_minor(),
                20..250 => _ = heap.step(Budget::Objects(1 + dice.below(20))),
                _ => {}
            }
            assert!(kept.iter().all(|(number, root)| heap[root].number == *number));
            for gc in queue.drain() {
                assert!(made.contains(&gc) && !heap.is_alive(gc));
                told += 1;
            }
            for (weak, value) in graveyard.drain() {
                assert!(!heap.is_alive(weak) && value.number <= number);
                buried += 1;
            }
        }
        kept.clear();
        assert!(heap.collect().kept <= 1 && heap.collect().freed == 0);
        assert_eq!((heap.len(), heap[&set].len()), (1, 0), "seed {seed}");
        told += queue.drain().count();
        buried += graveyard.drain().count();
        assert_eq!((told + buried, log.take().len()), (watched, 6000), "each exactly once");
        assert!(made.iter().all(|gc| !heap.is_alive(gc)));
    }
}

#[test]
fn at_the_limit_steps_make_room_and_what_is_rooted_stays() {
    let mut one = Heap::new();
    one.alloc(Node::leaf(0));
    let max_bytes = 200 * one.stats().bytes;
    for config in [HeapConfig::default().max_objects(200), HeapConfig::default().max_bytes(max_bytes)] {
        let mut heap = Heap::with_config(config);
        let root = heap.alloc_root(Node::leaf(0));
        let (mut refused, mut value) = (0, 0);
        while value < 5000 {
            match heap.try_alloc(Node::leaf(value)) {
                Ok(gc) if value % 50 == 0 => heap[&root].edges = vec![gc],
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.into_inner().value, value);
                    refused += 1;
                    assert!(refused < 500_000, "an incremental cycle makes no room");
                    heap.step(Budget::Objects(1));
                    continue;
                }
            }
            value += 1;
            assert!(heap.len() <= 200 && heap.stats().bytes <= max_bytes);
            let kid = heap[&root].edges[0];
            assert_eq!(heap[kid].value, (value - 1) / 50 * 50);
        }
        assert!(refused > 0);
    }
}

#[test]
fn a_forgotten_root_and_a_leaked_heap_do_no_harm() {
    let log = Log::default();
    let mut leaked = Heap::new();
    let queue = DeathQueue::new();
    let inside = leaked.alloc_root(Noisy::new(1, &log));
    queue.watch(&mut leaked, &inside, "never").unwrap();
    let mut heap = Heap::new();
    let forgotten = heap.alloc_root(Noisy::new(2, &log));
    let (in_leaked, in_heap) = (inside.gc(), forgotten.gc());
    forget(forgotten);
    while leaked.step(Budget::Objects(1)).phase == Phase::Idle {}
    // The log as well: a leak checker does not look into the pages of a heap.
    forget((leaked, inside, log.clone()));

    heap.collect();
    assert!(heap.is_alive(in_heap) && queue.is_empty() && log.take().is_empty());
    // A dropped heap ends even if its objects are rooted; the leaked one does not.
    drop(heap);
    assert_eq!((log.take(), queue.poll()), (vec![2], None));
    let heap = Heap::new();
    assert!(!heap.is_alive(in_leaked) && !heap.is_alive(in_heap));
}

#[test]
fn a_heap_may_be_dropped_at_any_step_while_roots_guards_queues_and_graveyards_live_on() {
    for steps in 0..300 {
        let log = Log::default();
        let (queue, graveyard) = (DeathQueue::new(), Graveyard::new());
        let mut heap = Heap::new();
        let made: Vec<Gc<Noisy>> = (0..60).map(|number| heap.alloc(Noisy::new(number, &log))).collect();
        let roots: Vec<_> = made.iter().step_by(3).map(|gc| heap.root(gc).unwrap()).collect();
        let weak: Vec<Weak<Noisy>> = made.iter().map(|gc| gc.downgrade()).collect();
        for (number, gc) in made.iter().enumerate() {
            if number % 2 == 0 {
                queue.watch(&mut heap, gc, number).unwrap();
            }
            if number % 4 == 0 {
                graveyard.bury(&mut heap, gc).unwrap();
            }
        }
        let guard = slotgc::WatchGuard::from(queue.watch(&mut heap, made[0], 1000).unwrap());
        for _ in 0..steps {
            heap.step(Budget::Objects(1));
        }
        drop(heap);
        assert!(roots.iter().step_by(2).all(|root| root.clone() == *root));
        let told: HashSet<_> = queue.drain().collect();
        assert_eq!((told.len(), queue.len()), (31, 0));
        drop((guard, roots));
        let mut numbers: HashSet<_> = log.take().into_iter().collect();
        assert_eq!(numbers.len(), 45);
        numbers.extend(graveyard.drain().map(|(_, value)| value.number));
        assert_eq!((numbers.len(), log.take().len()), (60, 15));
        assert!(weak.iter().all(|weak| !Heap::new().is_alive(weak)));
    }
}

/// Ten million objects of three kinds, one with a destructor, in lists.
#[test]
#[cfg_attr(debug_assertions, ignore = "half a minute without optimisation")]
fn a_heap_of_ten_million_objects_is_dropped_whole() {
    const EACH: u64 = 10_000_000 / 3;
    let log = Log::default();
    let mut heap = Heap::new();
    let (mut link, mut node) = (None, None::<Gc<Node>>);
    for value in 0..EACH {
        link = Some(heap.alloc(Link { value, next: link }));
        node = Some(heap.alloc(Node { value, edges: node.into_iter().collect() }));
        heap.alloc(Noisy::new(value as u32, &log));
    }
    let root = heap.root(link.unwrap()).unwrap();
    assert_eq!(heap.len() as u64, 3 * EACH);
    heap.step(Budget::Objects(1_000_000));
    drop(heap);
    assert_eq!(log.take().len() as u64, EACH, "each destructor runs once");
    drop(root);
}
