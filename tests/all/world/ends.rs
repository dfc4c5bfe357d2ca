//! What an incremental cycle does last, so that the next minor collection has little to do.
#![cfg(feature = "std")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use slotgc::{Budget, Gc, Heap, Phase, Trace, Tracer, WeakKeyMap};

#[derive(Trace)]
struct Node {
    next: Option<Gc<Node>>,
}

fn node(heap: &mut Heap, next: Option<Gc<Node>>) -> Gc<Node> {
    heap.alloc(Node { next })
}

/// Counts how often it is traced.
struct Counted(Arc<AtomicUsize>);

impl Trace for Counted {
    fn trace(&self, _: &mut Tracer<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_minor_collection_after_an_incremental_cycle_does_not_trace_all_that_was_allocated_in_it() {
    let mut heap = Heap::new();
    let objects: Vec<_> = (0..20_000).map(|_| node(&mut heap, None)).collect();
    let _level = heap.alloc_root(objects);
    // Each has a destructor, which is one unit of work.
    (0..20_000).for_each(|number| _ = heap.alloc(number.to_string()));
    while heap.step(Budget::Objects(500)).phase <= Phase::Mark {}
    let traced = Arc::new(AtomicUsize::new(0));
    let (mut made, mut shared, mut frames) = (vec![], None, 0);
    while heap.step(Budget::Objects(2000)).finished.is_none() {
        made.extend((0..500).map(|_| heap.alloc_root(Counted(traced.clone()))));
        // One that changes past the write barrier.
        shared = shared.or_else(|| Some(heap.alloc_root(Mutex::new(None::<Gc<Node>>))));
        frames += 1;
    }
    assert!(frames >= 10 && made.len() >= 5000, "{frames} frames");
    let young = node(&mut heap, None);
    *heap[&shared.unwrap()].lock().unwrap() = Some(young);
    traced.store(0, Ordering::Relaxed);
    let stats = heap.collect_minor();
    let traced = traced.load(Ordering::Relaxed);
    assert!(traced < 3000, "{traced} of {} objects allocated during the cycle were traced", made.len());
    assert!(heap.is_alive(young) && stats.freed == 0 && heap.len() == 20_003 + made.len());
    heap.verify();
}

#[test]
fn a_panic_in_trace_at_the_end_of_a_cycle_is_raised_and_the_object_stays() {
    struct Touchy(Arc<AtomicBool>, Gc<Node>);
    impl Trace for Touchy {
        fn trace(&self, tracer: &mut Tracer<'_>) {
            assert!(!self.0.load(Ordering::Relaxed), "touched");
            tracer.edge(self.1);
        }
    }
    let mut heap = Heap::new();
    (0..5000).for_each(|number| _ = heap.alloc(number.to_string()));
    while heap.step(Budget::Objects(500)).phase <= Phase::Mark {}
    let is_touchy = Arc::new(AtomicBool::new(true));
    let kept = node(&mut heap, None);
    // More than the cycle leaves to the next minor collection.
    let touchy: Vec<_> = (0..3000).map(|_| heap.alloc_root(Touchy(is_touchy.clone(), kept))).collect();
    assert!(heap.stats().phase >= Phase::Sweep);
    let mut panics = 0;
    loop {
        (0..100).for_each(|_| _ = node(&mut heap, None));
        match catch_unwind(AssertUnwindSafe(|| heap.step(Budget::Objects(500)).finished)) {
            Ok(Some(_)) => break,
            Ok(None) => {}
            Err(_) => panics += 1,
        }
        if heap.stats().phase == Phase::Idle {
            break;
        }
    }
    assert!(panics > 0);
    is_touchy.store(false, Ordering::Relaxed);
    heap.collect_minor();
    heap.collect();
    assert!(touchy.iter().all(|touchy| heap.is_alive(touchy)) && heap.is_alive(kept));
    assert_eq!(heap.len(), 3001);
    heap.verify();
}

#[test]
fn a_large_weak_map_that_changes_at_the_end_of_a_cycle_is_not_traced_in_one_piece() {
    let mut heap = Heap::new();
    let traced = Arc::new(AtomicUsize::new(0));
    let keys: Vec<_> = (0..20_000).map(|_| node(&mut heap, None)).collect();
    let map = heap.alloc_root(WeakKeyMap::<Node, Counted>::new());
    keys.iter().for_each(|key| _ = heap[&map].insert(*key, Counted(traced.clone())));
    let _keys = heap.alloc_root(keys.clone());
    (0..20_000).for_each(|number| _ = heap.alloc(number.to_string()));
    while heap.step(Budget::Objects(500)).phase <= Phase::Mark {}
    let mut steps = 0;
    loop {
        (0..300).for_each(|_| _ = node(&mut heap, None));
        heap[&map].insert(keys[steps], Counted(traced.clone()));
        traced.store(0, Ordering::Relaxed);
        let report = heap.step(Budget::Objects(2000));
        let traced = traced.load(Ordering::Relaxed);
        assert!(traced < 4000, "{traced} values were traced in a step that reached {:?}", report.phase);
        steps += 1;
        if report.finished.is_some() {
            break;
        }
    }
    assert!(steps > 10 && heap[&map].len() == 20_000);
    heap.verify();
}
