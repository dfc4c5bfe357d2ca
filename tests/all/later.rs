//! Objects allocated through `&Heap`, from many threads.

mod frames;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::thread;

use slotgc::{AnyGc, Budget, Gc, Heap, HeapConfig, Phase, Root, Schema, Trace, Tracer};

use crate::objects::{APART, Dice, Link, Log, Node, Noisy};

#[test]
fn a_handle_is_final_at_once_and_resolves_after_the_flush() {
    let mut heap = Heap::new();
    let gcs: Vec<Gc<u64>> = (0..1000).map(|value| heap.alloc_later(value)).collect();
    assert!(gcs.iter().all(|gc| !heap.is_alive(gc) && heap.get(gc).is_none()) && heap.is_empty());
    assert_eq!((heap.flush(), heap.flush()), (1000, 0));
    assert!(gcs.iter().enumerate().all(|(value, gc)| heap[gc] == value as u64));
    assert!(heap.iter::<u64>().map(|(_, value)| *value).eq(0..1000), "in the order of one thread");
    assert_eq!((heap.len(), heap.allocated()), (1000, 1000));
    heap.verify();
}

#[test]
fn collections_steps_and_shrinking_flush_first() {
    let calls: [fn(&mut Heap); 5] = [
        |heap| _ = heap.collect(),
        |heap| _ = heap.collect_minor(),
        |heap| _ = heap.step(Budget::Objects(1)),
        |heap| _ = heap.pace(Budget::Objects(1)),
        |heap| heap.shrink_to_fit(),
    ];
    for (number, call) in calls.into_iter().enumerate() {
        let mut heap = Heap::new();
        let inner = heap.alloc_later(Node::leaf(3));
        let root = heap.alloc_root_later(Node::with([inner]));
        call(&mut heap);
        assert_eq!(heap[heap[&root].edges[0]].value, 3, "call {number}");
        heap.verify();
    }
}

#[test]
fn many_threads_allocate_objects_and_none_is_lost_or_duplicated() {
    let mut heap = Heap::new();
    let mut alive: Vec<Root<Link>> = Vec::new();
    for round in 0..30 {
        let made: Vec<Vec<Root<Link>>> = thread::scope(|scope| {
            let heap = &heap;
            let threads: Vec<_> = (0..4_u64)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut dice = Dice::new(round * 4 + thread);
                        (0..dice.below(300))
                            .map(|number| {
                                let value = thread << 32 | number as u64;
                                let next = heap.alloc_later(Link { value, next: None });
                                heap.alloc_later(number as u8);
                                heap.alloc_root_later(Link { value, next: Some(next) })
                            })
                            .collect()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut handles = HashSet::new();
        let before = heap.len();
        let flushed = heap.flush();
        assert_eq!(heap.len(), before + flushed);
        for (thread, roots) in made.iter().enumerate() {
            for (number, root) in roots.iter().enumerate() {
                let value = (thread as u64) << 32 | number as u64;
                let next = heap[root].next.unwrap();
                assert_eq!((heap[root].value, heap[next].value), (value, value));
                assert!(handles.insert(AnyGc::from(root.gc())) && handles.insert(next.erase()));
            }
        }
        alive.extend(made.into_iter().flatten());
        let mut dice = Dice::new(round);
        alive.retain(|_| dice.one_in(2));
        match round % 3 {
            0 => _ = heap.collect(),
            1 => _ = heap.step(Budget::Objects(100)),
            _ => _ = heap.collect_minor(),
        }
        heap.verify();
        assert!(alive.iter().all(|root| heap[heap[root].next.unwrap()].value == heap[root].value));
    }
    heap.collect();
    assert_eq!(heap.len(), 2 * alive.len());
}

#[test]
fn objects_made_at_once_and_later_never_share_a_slot() {
    let mut heap = Heap::new();
    let mut expected: Vec<(Gc<Link>, u64)> = Vec::new();
    let mut dice = Dice::new(3);
    for round in 0..200_u64 {
        let mut pending = Vec::new();
        for number in 0..dice.below(150) as u64 {
            let value = round << 32 | number;
            if dice.one_in(2) {
                pending.push((heap.alloc_later(Link { value, next: None }), value));
            } else {
                expected.push((heap.alloc(Link { value, next: None }), value));
            }
            if dice.one_in(8) {
                heap.alloc_later([value; 9]);
                heap.alloc([value; 11]);
            }
        }
        assert!(pending.iter().all(|(gc, _)| !heap.is_alive(gc)));
        heap.flush();
        expected.append(&mut pending);
        assert!(expected.iter().all(|(gc, value)| heap[gc].value == *value), "round {round}");
        for _ in 0..dice.below(expected.len()) {
            let (gone, _) = expected.swap_remove(dice.below(expected.len()));
            heap.destroy(gone);
            assert!(!heap.is_alive(gone));
        }
        if dice.one_in(10) {
            let roots: Vec<Gc<Link>> = expected.iter().map(|(gc, _)| *gc).collect();
            heap.collect_with(&roots);
        }
        heap.verify();
    }
}

#[test]
fn objects_made_later_in_any_phase_outlive_only_the_current_cycle() {
    let mut heap = Heap::new();
    let kept: Vec<_> = (0..200).map(|value| heap.alloc_root(Node::leaf(value))).collect();
    let mut dice = Dice::new(4);
    for _ in 0..5 {
        // They die in several pages.
        (0..600).for_each(|n| _ = heap.alloc(Node::leaf(n)));
        let mut made: Vec<(Root<Node>, Gc<Node>)> = Vec::new();
        let mut seen = HashSet::new();
        while {
            let inner = heap.alloc_later(Node::leaf(1));
            let root = heap.alloc_root_later(Node::with([inner]));
            made.push((root, inner));
            let stale = heap.alloc_later(Node::leaf(2));
            let report = heap.step(Budget::Objects(5 + dice.below(20)));
            seen.insert(heap.stats().phase as u8);
            let child = heap.alloc_later(Node::with([stale]));
            heap[&made[0].0].edges.push(child);
            report.finished.is_none()
        } {}
        assert!(seen.len() > 2, "phases {seen:?}");
        assert!(made.iter().all(|(root, inner)| heap[root].edges[0] == *inner && heap.is_alive(inner)));
        heap.collect_minor();
        assert!(made.iter().all(|(root, inner)| heap.is_alive(root) && heap.is_alive(inner)));
        heap.verify();
    }
    drop(kept);
    heap.collect();
    assert_eq!((heap.collect().kept, heap.stats().phase), (0, Phase::Idle));
}

#[test]
fn limits_count_pending_objects_and_return_the_value() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(100));
    (0..40).for_each(|n| _ = heap.alloc(n));
    (0..50).for_each(|n| _ = heap.alloc_later(n));
    (0..10).for_each(|n| _ = heap.alloc(n));
    let refused = heap.try_alloc_later("too many").unwrap_err();
    assert!(refused.to_string().contains("max_objects of 100 objects"), "{refused}");
    assert_eq!(refused.into_inner(), "too many");
    assert!(heap.try_alloc(1).is_err(), "what waits counts");
    assert_eq!((heap.flush(), heap.len()), (50, 100));
    assert!(heap.try_alloc_later(1).is_err());
    heap.collect();
    assert!(heap.try_alloc_later(1).is_ok());

    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(160));
    (0..10_u64).for_each(|n| _ = heap.alloc_later(n));
    assert!(heap.try_alloc_later(1_u64).is_err() && heap.try_alloc(1_u64).is_err());
    assert_eq!(heap.flush(), 10);
}

#[test]
fn of_many_threads_exactly_as_many_succeed_as_the_limit_allows() {
    let mut heap = Heap::with_config(HeapConfig::default().max_objects(1000));
    let made: usize = thread::scope(|scope| {
        let heap = &heap;
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(move || (0..400).filter(|n| heap.try_alloc_later(*n).is_ok()).count()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((made, heap.flush()), (1000, 1000));
}

#[test]
fn values_that_wait_are_dropped_once_with_the_heap() {
    let log = Log::default();
    let heap = Heap::new();
    (0..100).for_each(|n| _ = heap.alloc_later(Noisy::new(n, &log)));
    drop(heap);
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert!(dropped.into_iter().eq(0..100));
}

/// Its `owned_bytes` panics for every seventh number.
struct Unlucky(u32, Noisy);

impl Trace for Unlucky {
    const NEEDS_TRACE: bool = false;
    const OWNS: bool = true;
    fn trace(&self, _: &mut Tracer<'_>) {}
    fn owned_bytes(&self) -> usize {
        assert!(self.0 % 7 != 3, "owned_bytes panics");
        1
    }
}

#[test]
fn a_panic_of_owned_bytes_in_a_flush_loses_only_that_object() {
    let (log, mut heap) = (Log::default(), Heap::new());
    let gcs: Vec<Gc<Unlucky>> = (0..100).map(|n| heap.alloc_later(Unlucky(n, Noisy::new(n, &log)))).collect();
    let payload = catch_unwind(AssertUnwindSafe(|| heap.flush())).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"owned_bytes panics"));
    let lucky = |n: usize| n % 7 != 3;
    assert!(
        gcs.iter()
            .enumerate()
            .all(|(n, gc)| heap.get(gc).map(|value| value.1.number) == lucky(n).then_some(n as u32))
    );
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert!(dropped.into_iter().eq((0..100).filter(|n| !lucky(*n as usize))));
    // Their handles are never handed out again.
    for n in 0..2000 {
        let gc = heap.alloc(Unlucky(7 * n, Noisy::new(n, &log)));
        assert!(!gcs.contains(&gc));
    }
    heap.verify();
}

/// Larger than a page.
struct Large([u64; 10_000]);

impl Trace for Large {
    const NEEDS_TRACE: bool = false;
    fn trace(&self, _: &mut Tracer<'_>) {}
}

#[test]
fn types_new_to_the_heap_and_large_ones_find_a_place_too() {
    let mut heap = Heap::new();
    let large: Vec<Gc<Large>> = (0..5).map(|n| heap.alloc_later(Large([n; 10_000]))).collect();
    let small = heap.alloc_later(7_u8);
    let text = heap.alloc_later("text".to_string());
    let at_once = heap.alloc(Large([9; 10_000]));
    let more: Vec<Gc<u32>> = (0..50_000).map(|n| heap.alloc_later(n)).collect();
    assert_eq!(heap.flush(), 50_007);
    assert!(large.iter().enumerate().all(|(n, gc)| heap[gc].0[9_999] == n as u64));
    assert_eq!((heap[small], &heap[text][..], heap[at_once].0[1]), (7, "text", 9));
    assert!(more.iter().enumerate().all(|(n, gc)| heap[gc] == n as u32));
    heap.verify();
}

#[test]
fn the_same_pages_serve_frame_after_frame() {
    let mut heap = Heap::new();
    let mut pages = Vec::new();
    for frame in 0..400 {
        (0..500).for_each(|n| _ = heap.alloc_later([n; 8]));
        if frame % 10 == 9 {
            heap.collect();
        } else {
            heap.flush();
        }
        pages.push(heap.stats().pages);
    }
    // Between two collections their number grows, and empty pages are released now and then.
    let most = |frames: std::ops::Range<usize>| pages[frames].iter().copied().max();
    assert!(most(350..400) <= most(50..100), "{:?} pages at first, then {:?}", most(50..100), most(350..400));
    heap.verify();
}

#[test]
fn callbacks_may_make_objects_later() {
    let mut heap = Heap::new();
    let kept = Arc::new(Mutex::new(None));
    let keeper = Arc::clone(&kept);
    let watched = heap.alloc(1_u8);
    heap.on_death(watched, move |heap, _| {
        let inner = heap.alloc_later(Node::leaf(5));
        let root = heap.alloc_root_later(Node::with([inner]));
        // Opens the promised page.
        (0..10_000).for_each(|n| _ = heap.alloc(Node::leaf(n)));
        *keeper.lock().unwrap() = Some(root);
        heap.collect();
    })
    .unwrap();
    heap.collect();
    heap.collect();
    assert_eq!(heap.len(), 2);
    heap.verify();
    *kept.lock().unwrap() = None;
    heap.collect();
    assert_eq!(heap.len(), 0);
}

#[test]
fn a_checkpoint_excludes_pending_objects_and_a_rollback_undoes_them() {
    let mut heap = Heap::new();
    let schema = slotgc::Schema::new().with::<Node>("node");
    let kept = heap.alloc_root(Node::leaf(1));
    (0..300).for_each(|n| _ = heap.alloc_later(Node::leaf(n)));
    heap.flush();
    (0..30).for_each(|n| _ = heap.alloc_later(Node::leaf(n)));
    let checkpoint = heap.checkpoint(&schema).unwrap();
    for _ in 0..3 {
        let waiting = heap.alloc_later(Node::leaf(77));
        heap.flush();
        assert!(heap.is_alive(waiting));
        (0..100).for_each(|n| _ = heap.alloc_later(Node::leaf(n)));
        heap.roll_back(&checkpoint);
        assert_eq!((heap.len(), heap[&kept].value), (301, 1));
        heap.verify();
        (0..500).for_each(|n| _ = heap.alloc(Node::leaf(n)));
        heap.verify();
        heap.roll_back(&checkpoint);
    }
    heap.collect();
    assert_eq!(heap.len(), 1);
}

#[test]
fn pages_with_pending_objects_are_reused_after_a_rollback() {
    let mut heap = Heap::new();
    let schema = slotgc::Schema::new().with::<Node>("node").with::<[u64; 8]>("eight");
    let waiting = heap.alloc_later(Node::leaf(3));
    let kept = heap.alloc_root([1_u64; 8]);
    let checkpoint = heap.checkpoint(&schema).unwrap();
    for round in 0..50 {
        assert_eq!(heap.flush(), usize::from(round == 0));
        assert_eq!(heap.is_alive(waiting), round == 0);
        heap.roll_back(&checkpoint);
        heap.verify();
        // Other types get the pages that were being filled when the checkpoint was taken.
        let made: Vec<_> = (0..3000).map(|n| heap.alloc([n; 8])).collect();
        assert!(made.iter().enumerate().all(|(n, gc)| heap[*gc] == [n as u64; 8]));
        assert!(!heap.is_alive(waiting) && heap[&kept] == [1; 8]);
        heap.verify();
        heap.roll_back(&checkpoint);
        assert!(heap.stats().pages <= 2, "{} pages", heap.stats().pages);
    }
}

#[test]
fn what_callbacks_make_later_at_the_end_of_a_heap_is_dropped_once() {
    let (log, heap) = (Log::default(), &mut Heap::new());
    for name in 0..3_u32 {
        let watched = heap.alloc(name);
        let log = log.clone();
        let finalizer = heap.finalizer(watched, move |heap| {
            (0..200).for_each(|n| _ = heap.alloc_later(Noisy::new(1000 * name + n, &log)));
        });
        assert!(finalizer.is_ok());
    }
    drop(std::mem::take(heap));
    let mut names = log.take();
    names.sort_unstable();
    assert!(names.into_iter().eq((0..3).flat_map(|name| (0..200).map(move |n| 1000 * name + n))));
}

#[test]
fn threads_that_come_and_go_leave_nothing_behind_and_lose_nothing() {
    let mut heap = Heap::new();
    for frame in 0..200_u64 {
        thread::scope(|scope| {
            let heap = &heap;
            for thread in 0..3 {
                scope.spawn(move || {
                    (0..40).for_each(|n| _ = heap.alloc_later(frame * 1000 + thread * 100 + n));
                    heap.alloc_later(format!("{frame} {thread}"));
                });
            }
        });
        assert_eq!(heap.flush(), 3 * 41);
        let mut found: Vec<_> = heap.iter::<u64>().map(|(_, number)| *number).collect();
        found.sort_unstable();
        let made = (0..3).flat_map(|thread| (0..40).map(move |n| frame * 1000 + thread * 100 + n));
        assert!(found.into_iter().eq(made), "frame {frame}");
        heap.collect();
    }
    assert!(heap.stats().pages <= 16, "{} pages", heap.stats().pages);
}

#[test]
fn what_is_made_in_every_frame_takes_no_new_page_in_every_frame() {
    // The range of so small a heap has room for 512 pages.
    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(4 << 20));
    let mut dice = Dice::new(1);
    let mut kept = Vec::new();
    for frame in 0..5000_u64 {
        for _ in 0..dice.below(12) {
            kept.push(heap.alloc_later([frame; 2]));
        }
        if dice.below(3) == 0 {
            heap.alloc_later([0_u8; 100]);
        }
        if dice.below(40) == 0 {
            // A large burst, rarely.
            (0..500).for_each(|number| _ = heap.alloc_later([number; 2]));
        }
        kept.drain(..kept.len().saturating_sub(100));
        match frame % 5 {
            0 => drop(heap.collect_minor_with(&kept)),
            _ => drop(heap.pace_with(Budget::Objects(400), &kept)),
        }
        assert!(kept.iter().all(|gc| heap.is_alive(gc)), "in frame {frame}");
    }
    assert!(heap.stats().pages < 100, "{} pages", heap.stats().pages);
    heap.verify();
}

#[test]
fn a_released_page_is_filled_again_and_no_handle_repeats() {
    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(4 << 20));
    let mut seen = HashSet::new();
    for round in 0..1000_u64 {
        let mut made: Vec<AnyGc> = (0..5).map(|_| heap.alloc_later([round; 2]).erase()).collect();
        match round % 3 {
            0 => made.extend([heap.alloc_later([round; 9000]).erase()]),
            1 => made.extend([heap.alloc_later([1_u8; 40]).erase()]),
            _ => made.extend([heap.alloc([2_u8; 40]).erase()]),
        }
        assert_eq!(heap.flush() + usize::from(round % 3 == 2), 6);
        assert!(made.into_iter().all(|any| heap.is_alive_any(any) && seen.insert(any)), "round {round}");
        heap.clear();
        heap.shrink_to_fit();
        assert_eq!(heap.stats().pages, 0);
    }
    heap.verify();
}

#[test]
fn a_checkpoint_beside_a_page_that_is_being_filled_again_has_that_page_empty() {
    let schema = Schema::new().with::<u64>("number");
    let mut heap = Heap::new();
    let garbage: Vec<_> = (0..10_000).map(|number| heap.alloc(number as u8)).collect();
    heap.clear();
    heap.shrink_to_fit();
    // On pages that were released.
    let pending: Vec<_> = (0..3000_u64).map(|number| heap.alloc_later(number)).collect();
    let checkpoint = heap.checkpoint(&schema).unwrap();
    for _ in 0..2 {
        heap.flush();
        heap.roll_back(&checkpoint);
        heap.verify();
        assert!(heap.is_empty() && !pending.iter().any(|gc| heap.is_alive(gc)));
        assert!(!garbage.iter().any(|gc| heap.is_alive(gc)));
        let again: Vec<_> = (0..3000_u64).map(|number| heap.alloc_later(number)).collect();
        heap.flush();
        assert!(again.iter().zip(0..).all(|(gc, number)| heap[gc] == number));
    }
}

#[test]
fn a_collection_by_a_callback_of_destroy_during_a_cycle_finds_nothing_set_aside() {
    for steps in (0..300).step_by(APART) {
        let mut heap = Heap::with_config(HeapConfig::default().release_after(0));
        // Several pages; the last one has the object that stays.
        (0..10_000_u64).for_each(|number| _ = heap.alloc(number));
        let kept = heap.alloc_root(1_u64);
        (0..10).for_each(|number| _ = heap.alloc_later(number as u64));
        (0..steps).for_each(|_| _ = heap.step(Budget::Objects(50)));
        let later = heap.alloc_root_later(2_u64);
        let dying = heap.alloc("destroyed");
        heap.on_death(dying, |heap, _| _ = heap.collect()).unwrap();
        heap.destroy(dying);
        heap.verify();
        heap.flush();
        heap.verify();
        assert_eq!((heap[&kept], heap[&later]), (1, 2), "after {steps} steps");
    }
}
