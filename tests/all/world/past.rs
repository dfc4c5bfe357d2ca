//! Nothing costs by what once was.

use slotgc::{Budget, Heap, HeapConfig};

#[test]
fn roots_that_are_gone_cost_no_steps() {
    let mut heap = Heap::new();
    let roots: Vec<_> = (0..300_000_u64).map(|number| heap.alloc_root(number)).collect();
    drop(roots);
    heap.collect();
    let kept = heap.alloc_root(1_u64);
    assert_eq!(heap.stats().roots, 1);
    let mut steps = 1;
    while heap.step(Budget::Objects(1000)).finished.is_none() {
        steps += 1;
    }
    assert!(steps <= 4, "{steps} steps for a heap with one object");
    assert!(heap.is_alive(&kept));
    drop(kept);
    heap.shrink_to_fit();
    assert_eq!(heap.stats().roots, 0);
    // A new table, the same heap.
    let again = heap.alloc_root(2_u64);
    heap.collect();
    assert!(heap.is_alive(&again) && heap.stats().roots == 1);
}

#[test]
fn clones_are_counted_and_rooted() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(1_u64);
    let clones: Vec<_> = (0..100).map(|_| root.clone()).collect();
    assert_eq!(heap.stats().roots, 101);
    drop(root);
    heap.collect();
    assert_eq!((heap.stats().roots, heap.len()), (100, 1));
    drop(clones);
    heap.collect();
    assert_eq!((heap.stats().roots, heap.len()), (0, 0));
}

#[test]
fn memory_of_a_level_that_is_gone_goes_back_while_the_game_goes_on() {
    let mut heap = Heap::new();
    let level: Vec<_> = (0..100_000_u64).map(|number| heap.alloc_root([number; 8])).collect();
    let menu = heap.alloc_root([0_u64; 8]);
    heap.collect();
    let pages = heap.stats().pages;
    drop(level);
    for _ in 0..2000 {
        (0..20).for_each(|_| drop(heap.alloc_root([1_u64; 8])));
        heap.pace(Budget::Objects(2000));
    }
    assert!(heap.stats().pages < pages / 2, "{} of {pages} pages are left", heap.stats().pages);
    assert!(heap.is_alive(&menu));
    heap.verify();
}

#[test]
fn a_sawtooth_keeps_its_memory_when_told_to() {
    let mut heap = Heap::with_config(HeapConfig::default().release_after(u32::MAX));
    let mut pages = 0;
    for round in 0..6 {
        (0..50_000_u64).for_each(|number| drop(heap.alloc_root(number)));
        pages = heap.stats().pages.max(pages);
        heap.collect();
        heap.collect();
        assert_eq!(heap.stats().pages, pages, "round {round}");
    }
}

#[test]
fn a_released_page_never_repeats_a_handle() {
    let mut heap = Heap::with_config(HeapConfig::default().release_after(0));
    let mut seen = std::collections::HashSet::new();
    for _ in 0..8 {
        for number in 0..5000_u64 {
            assert!(seen.insert(heap.alloc(number)));
        }
        heap.collect();
        heap.verify();
    }
}

#[test]
fn watches_that_are_gone_leave_no_tables_behind() {
    let mut heap = Heap::new();
    let queue = slotgc::DeathQueue::new();
    for number in 0..50_000_u64 {
        let object = heap.alloc(number);
        queue.watch(&mut heap, object, number).unwrap();
    }
    heap.collect();
    assert_eq!(queue.drain().count(), 50_000);
    heap.shrink_to_fit();
    let object = heap.alloc(1_u64);
    let watch = queue.watch(&mut heap, object, 7).unwrap();
    assert!(heap.cancel(watch) && !heap.cancel(watch));
    heap.collect();
    assert!(queue.is_empty());
}
