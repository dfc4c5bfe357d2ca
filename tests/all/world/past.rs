//! Nothing has a cost that depends on the past.

use slotgc::{Budget, Gc, Heap, HeapConfig};

#[test]
fn dropped_roots_cost_no_steps() {
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
    // A new table in the same heap.
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
fn memory_of_a_dropped_level_is_released_while_the_game_runs() {
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
fn a_sawtooth_keeps_the_pages_that_every_tooth_uses() {
    let mut heap = Heap::new();
    let mut pages = 0;
    for round in 0..8 {
        (0..50_000_u64).for_each(|number| drop(heap.alloc_root(number)));
        pages = heap.stats().pages.max(pages);
        heap.collect();
        assert_eq!(heap.stats().pages, pages, "round {round}");
    }
    (0..8).for_each(|_| _ = heap.collect());
    assert!(heap.stats().pages < pages / 2, "pages that are no longer used are released");
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
fn finished_watches_leave_no_tables_behind() {
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

/// A page's index in the heap: handles count granules of 8 bytes, pages are 64 KiB.
fn page(bits: u64) -> u64 {
    bits >> (32 + 13)
}

/// Allocates a level of one type, checks that no handle of an earlier level resolves, and drops it.
fn play_level<T: slotgc::Trace + PartialEq>(heap: &mut Heap, make: fn(u64) -> T, old: &mut Vec<u64>) -> u64 {
    let things: Vec<_> = (0..20_000).map(|number| heap.alloc_root(make(number))).collect();
    for (number, thing) in things.iter().enumerate() {
        assert!(heap[thing] == make(number as u64), "no other object has the slot");
    }
    assert!(old.iter().all(|bits| heap.get(Gc::<T>::from_bits(*bits)).is_none()), "an old handle resolves");
    assert!(
        heap.iter::<T>().map(|(gc, _)| gc.to_bits()).is_sorted_by_key(|bits| bits >> 32),
        "iteration is in slot order"
    );
    heap.verify();
    let handles = things.iter().map(|thing| thing.gc().to_bits());
    let last = handles.clone().map(page).max().expect("there are some");
    old.extend(handles.step_by(100));
    drop(things);
    for _ in 0..4 {
        heap.collect();
        heap.verify();
    }
    last
}

#[test]
fn levels_of_five_types_in_turn_live_in_the_same_pages() {
    let mut heap = Heap::new();
    let (mut old, mut most) = (Vec::new(), 0);
    for round in 0..6 {
        let last = [
            play_level(&mut heap, |number| number, &mut old),
            play_level(&mut heap, |number| [number; 3], &mut old),
            play_level(&mut heap, |number| [number; 8], &mut old),
            play_level(&mut heap, |number| number.to_string(), &mut old),
            play_level(&mut heap, |number| [number as u8; 100], &mut old),
        ];
        match round {
            0 => most = last.into_iter().max().expect("five levels"),
            _ => assert!(last.iter().all(|page| *page <= most), "{last:?} lie beyond {most}"),
        }
    }
    // The largest type needs about 40 pages.
    assert!(most < 60, "{most} pages for the largest level alone");
}

#[test]
fn released_pages_make_room_for_objects_of_several_pages_and_the_other_way_around() {
    let mut heap = Heap::with_config(HeapConfig::default().release_after(0));
    let mut old = Vec::new();
    let small = play_level(&mut heap, |number| [number; 8], &mut old);
    let large = heap.alloc_root([7_u8; 200_000]);
    assert!(page(large.gc().to_bits()) < small, "a run of four pages fits where the small objects were");
    let again = play_level(&mut heap, |number| [number; 8], &mut old);
    assert!(again <= small + 4, "page {again}, where {small} were enough beside the large one");
    assert_eq!(heap[&large], [7; 200_000]);
    drop(large);
    heap.collect();
    let again = play_level(&mut heap, |number| [number; 8], &mut old);
    assert!(again <= small + 4, "the pages of the large one are in use again");
}

#[test]
fn memory_released_during_a_cycle_serves_other_types_once_it_ends() {
    for steps in 0..40 {
        let mut heap = Heap::new();
        let level: Vec<_> = (0..20_000_u64).map(|number| heap.alloc_root([number; 8])).collect();
        let most = level.iter().map(|thing| page(thing.gc().to_bits())).max().expect("there are some");
        let kept = level[5000].clone();
        drop(level);
        heap.collect();
        (0..steps).for_each(|_| _ = heap.step(Budget::Objects(1)));
        heap.shrink_to_fit();
        heap.verify();
        (0..100_u64).for_each(|number| drop(heap.alloc_root([number; 8])));
        heap.collect();
        heap.verify();
        let others: Vec<_> = (0..5000_u64).map(|number| heap.alloc_root([number; 20])).collect();
        let last = others.iter().map(|thing| page(thing.gc().to_bits())).max().expect("there are some");
        assert!(last <= most, "page {last} beyond {most}");
        assert_eq!(heap[&kept], [5000; 8]);
        heap.verify();
    }
}
