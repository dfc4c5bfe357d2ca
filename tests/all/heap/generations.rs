//! Generations: how often a slot is used, and that no handle is ever handed out twice.

use std::collections::HashSet;

use slotgc::{Gc, Heap, HeapConfig, Trace};

use crate::objects::{Link, Log, Noisy, panic_text};

const LAST: u32 = HeapConfig::MAX_GENERATION;

fn starting_at(generation: u32) -> Heap {
    Heap::with_config(HeapConfig::default().first_generation(generation))
}

fn generation_of<T>(gc: Gc<T>) -> u32 {
    gc.to_bits() as u32
}

fn slot_of<T>(gc: Gc<T>) -> u64 {
    gc.to_bits() >> 32
}

#[test]
fn a_fresh_slot_starts_at_the_first_generation() {
    for (asked, expected) in [(0, 1), (1, 1), (2, 3), (7, 7), (1000, 1001), (LAST - 1, LAST), (LAST, LAST)] {
        let mut heap = starting_at(asked);
        let gc = heap.alloc(Link::default());
        assert_eq!(generation_of(gc), expected, "requested {asked}");
        let gc = heap.alloc_cyclic(|_, gc: Gc<Link>| {
            assert_eq!(generation_of(gc), expected);
            Link { value: 1, next: Some(gc) }
        });
        assert_eq!(heap[gc].next, Some(gc));
    }
    assert_eq!(HeapConfig::MAX_GENERATION, u32::MAX);
}

#[test]
fn generations_of_the_living_are_odd_and_grow_with_each_tenant() {
    let mut heap = Heap::new();
    let mut last = 0;
    for _ in 0..50 {
        let gc = heap.alloc(1_u64);
        assert_eq!(slot_of(gc), 0, "the only slot in use");
        assert!(generation_of(gc) % 2 == 1 && generation_of(gc) > last);
        last = generation_of(gc);
        heap.collect();
    }
}

#[test]
fn heaps_that_start_apart_notice_each_others_handles() {
    let (mut a, mut b) = (starting_at(1), starting_at(1001));
    let in_a: Vec<_> = (0..100_u64).map(|value| a.alloc(value)).collect();
    let in_b: Vec<_> = (0..100_u64).map(|value| b.alloc(value)).collect();
    assert!(in_a.iter().all(|gc| a.is_alive(gc) && !b.is_alive(gc)));
    assert!(in_b.iter().all(|gc| b.is_alive(gc) && !a.is_alive(gc)));
}

/// Uses slots up in every way in which an object can die, and checks that no handle repeats.
fn use_up<T: Trace>(first: u32, make: impl Fn(usize) -> T, die: impl Fn(&mut Heap, &[Gc<T>])) {
    let mut heap = starting_at(first);
    let per_slot = ((LAST - (first | 1)) / 2 + 1) as usize;
    let mut past: Vec<Gc<T>> = Vec::new();
    for _ in 0..8 * per_slot {
        let made: Vec<_> = (0..1500).map(|number| heap.alloc(make(number))).collect();
        assert!(past.iter().all(|gc| !heap.is_alive(gc)));
        die(&mut heap, &made);
        assert!(heap.is_empty());
        past.extend(made);
    }
    assert_eq!(past.iter().map(|gc| gc.to_bits()).collect::<HashSet<_>>().len(), past.len());
    let mut tenants = std::collections::HashMap::new();
    past.iter().for_each(|gc| *tenants.entry(slot_of(*gc)).or_insert(0) += 1);
    assert!(tenants.values().all(|count| *count <= per_slot), "a slot outlived its generations");
    assert!(tenants.values().any(|count| *count == per_slot), "no slot was used up");
    heap.collect();
    heap.shrink_to_fit();
    heap.collect();
    let fresh = heap.alloc(make(0));
    assert!(heap.is_alive(fresh) && !past.contains(&fresh));
}

/// The ways in which the objects of a round die.
fn collect<T: Trace>(heap: &mut Heap, _: &[Gc<T>]) {
    heap.collect();
}

fn destroy<T: Trace>(heap: &mut Heap, made: &[Gc<T>]) {
    for gc in made {
        heap.destroy(gc);
    }
}

fn destroy_any<T: Trace>(heap: &mut Heap, made: &[Gc<T>]) {
    for gc in made {
        heap.destroy_any(gc.erase());
    }
}

fn shrink<T: Trace>(heap: &mut Heap, _: &[Gc<T>]) {
    heap.collect();
    heap.shrink_to_fit();
}

fn destroy_half_and_shrink<T: Trace>(heap: &mut Heap, made: &[Gc<T>]) {
    for gc in made.iter().step_by(2) {
        heap.destroy(gc);
    }
    shrink(heap, made);
}

#[test]
fn a_slot_whose_generations_are_used_up_is_never_used_again() {
    // weak-cases: mistakes
    let log = Log::default();
    for first in [LAST, LAST - 1, LAST - 2, LAST - 6] {
        // Pages that die as a whole are closed; pages of a type with a destructor are swept slot by slot.
        for die in [collect, destroy, destroy_any, shrink, destroy_half_and_shrink] {
            use_up(first, |number| number as u64, die);
        }
        for die in [collect, destroy, destroy_any, shrink, destroy_half_and_shrink] {
            use_up(first, |number| Noisy::new(number as u32, &log), die);
        }
        for die in [collect, destroy_half_and_shrink] {
            use_up(first, |_| [0_u8; 3000], die);
        }
    }
}

#[test]
fn a_slot_abandoned_by_a_panicking_make_is_retired_too() {
    let mut heap = starting_at(LAST);
    let mut given_out = HashSet::new();
    for _ in 0..3 {
        for _ in 0..1500 {
            let mut handle = Gc::<u64>::default();
            panic_text(|| {
                heap.alloc_cyclic(|_, gc: Gc<u64>| {
                    handle = gc;
                    panic!()
                })
            });
            assert!(given_out.insert(handle), "{handle} was handed out twice");
        }
        heap.collect();
        heap.shrink_to_fit();
    }
    assert!(given_out.iter().all(|gc| !heap.is_alive(gc)));
}

#[test]
fn an_object_of_the_last_generation_lives_as_any_other() {
    let mut heap = starting_at(LAST);
    let kept: Vec<_> = (0..1000).map(|value| heap.alloc_root(Link { value, next: None })).collect();
    for value in 0..1000 {
        heap.alloc(Link { value, next: None });
    }
    for _ in 0..3 {
        heap.collect();
        heap.shrink_to_fit();
        assert!(kept.iter().enumerate().all(|(value, root)| heap[root].value == value as u64));
    }
    assert_eq!(heap.iter::<Link>().count(), 1000);
}

#[test]
fn released_memory_is_reused_without_repeating_a_handle() {
    // weak-cases: mistakes
    let mut heap = Heap::new();
    let log = Log::default();
    let mut given_out = HashSet::new();
    for round in 0..6_u64 {
        let numbers: Vec<_> = (0..20_000).map(|value| heap.alloc(value + round)).collect();
        let noisy: Vec<_> = (0..5000).map(|number| heap.alloc(Noisy::new(number, &log))).collect();
        let large: Vec<_> = (0..5).map(|_| heap.alloc([round; 10_000])).collect();
        let all = numbers.iter().map(|gc| gc.erase()).chain(noisy.iter().map(|gc| gc.erase()));
        for any in all.chain(large.iter().map(|gc| gc.erase())) {
            assert!(heap.is_alive_any(any));
            assert!(given_out.insert(any), "{any} was handed out twice");
        }
        assert!(numbers.iter().enumerate().all(|(value, gc)| heap[gc] == value as u64 + round));
        assert!(large.iter().all(|gc| heap[gc][9999] == round));
        if round % 2 == 1 {
            for gc in noisy.iter().step_by(2) {
                heap.destroy(gc);
            }
        }
        assert!(heap.stats().pages > 5);
        heap.collect();
        heap.shrink_to_fit();
        assert_eq!(heap.stats().pages, 0);
        assert!(given_out.iter().all(|any| !heap.is_alive_any(*any)));
        if round == 3 {
            heap.shrink_to_fit();
            heap.collect();
        }
    }
}

#[test]
fn shrinking_keeps_pages_that_are_in_use_and_what_is_in_them() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..100_000_u64).map(|value| heap.alloc(value)).collect();
    let full = heap.stats().pages;
    let kept: Vec<_> = all[40_000..40_010].iter().map(|gc| heap.root(gc).unwrap()).collect();
    heap.collect();
    assert_eq!(heap.stats().pages, full, "swept memory is kept for reuse");
    heap.shrink_to_fit();
    assert!(heap.stats().pages <= 2);
    assert!(kept.iter().zip(40_000..).all(|(root, value)| heap[root] == value));
    assert_eq!(heap.iter::<u64>().count(), 10);
    let again: Vec<_> = (0..100_000_u64).map(|value| heap.alloc(value)).collect();
    assert_eq!(heap.stats().pages, full);
    assert!(all.iter().filter(|gc| heap.is_alive(**gc)).count() == 10);
    assert!(again.iter().zip(0..).all(|(gc, value)| heap[gc] == value));
}

#[test]
fn slots_of_destroyed_objects_are_released_after_a_collection() {
    let mut heap = Heap::new();
    let all: Vec<_> = (0..10_000_u64).map(|value| heap.alloc(value)).collect();
    for gc in &all {
        heap.destroy(gc);
    }
    heap.collect();
    heap.shrink_to_fit();
    assert_eq!(heap.stats().pages, 0);
    assert!(all.iter().all(|gc| !heap.is_alive(gc)));
}

#[test]
fn shrinking_an_empty_heap_does_nothing() {
    let mut heap = Heap::new();
    heap.shrink_to_fit();
    let gc = heap.alloc(1);
    heap.shrink_to_fit();
    assert_eq!(heap[gc], 1);
    let next = heap.alloc(2);
    assert_eq!((heap[gc], heap[next]), (1, 2));
}
