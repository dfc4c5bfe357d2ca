//! Weak handles over the life of their object. Case 8 of the list, a store during marking, is tested in
//! `steps.rs`.

use slotgc::{Gc, Heap, Root, Weak};

use crate::objects::{Log, Node, Noisy, traced};

#[test]
fn upgrading_returns_the_handle_of_the_root() {
    // weak-cases 1
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let weak = root.downgrade();
    assert_eq!(heap.upgrade(weak), Some(root.gc()));
    assert_eq!(heap.root(weak), Some(root.clone()));
    heap.collect();
    assert_eq!(heap.upgrade(weak), Some(root.gc()));
}

#[test]
fn a_cycle_held_only_by_weak_handles_is_freed_by_a_collection() {
    // weak-cases 2
    struct Friend {
        other: Option<Gc<Friend>>,
        watcher: Weak<Friend>,
    }
    traced!(Friend { other, watcher });
    let mut heap = Heap::new();
    let a = heap.alloc(Friend { other: None, watcher: Weak::dangling() });
    let b = heap.alloc(Friend { other: Some(a), watcher: a.downgrade() });
    heap[a].other = Some(b);
    heap[a].watcher = b.downgrade();
    let weak = [a.downgrade(), b.downgrade()];
    assert!(weak.iter().all(|weak| heap.is_alive(weak) && heap.is_alive(heap[weak].watcher)));
    heap.collect();
    assert_eq!(weak.map(|weak| heap.upgrade(weak)), [None, None]);
}

#[test]
fn the_handle_of_a_rooted_object_stays_the_same_over_ten_collections() {
    // weak-cases 3
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(7));
    let before = root.downgrade();
    for value in 0..10 {
        heap.alloc(Node::leaf(value));
        heap.collect();
        let (gc, node) = heap.iter::<Node>().next().unwrap();
        assert_eq!((heap.upgrade(before), node.value), (Some(gc), 7));
        assert_eq!((root.downgrade(), gc.downgrade(), heap[before].value), (before, before, 7));
    }
}

#[test]
fn a_dangling_handle_resolves_in_no_heap() {
    // weak-cases 4
    let mut heap = Heap::new();
    let made: Vec<_> = (0..5000_u64).map(|value| heap.alloc(value).downgrade()).collect();
    let dangling = Weak::<u64>::dangling();
    assert_eq!(dangling, Weak::dangling());
    assert!(made.iter().all(|weak| *weak != dangling));
    assert!(heap.upgrade(dangling).is_none() && Heap::new().upgrade(dangling).is_none());
}

struct Holder {
    target: Weak<Node>,
    strong: Option<Gc<Node>>,
}

traced!(Holder { target, strong });

#[test]
fn a_weak_field_keeps_nothing_alive() {
    // weak-cases 6
    let mut heap = Heap::new();
    let target = heap.alloc_root(Node::leaf(1));
    let holder = heap.alloc_root(Holder { target: target.downgrade(), strong: None });
    heap.collect();
    assert_eq!(heap.get(heap[&holder].target).unwrap().value, 1);
    drop(target);
    assert_eq!(heap.collect().freed, 1);
    assert!(heap.get(heap[&holder].target).is_none() && heap.is_alive(&holder));
}

#[test]
fn a_weak_field_beside_a_strong_one_resolves_as_long_as_the_strong_one_exists() {
    let mut heap = Heap::new();
    let target = heap.alloc(Node::leaf(1));
    let holder = heap.alloc_root(Holder { target: target.downgrade(), strong: Some(target) });
    assert_eq!((heap.collect().freed, heap[heap[&holder].target].value), (0, 1));
    heap[&holder].strong = None;
    assert_eq!((heap.collect().freed, heap.get(heap[&holder].target).is_none()), (1, true));
}

#[test]
fn an_unreachable_object_that_still_resolves_may_be_stored_again() {
    let mut heap = Heap::new();
    let leaf = heap.alloc(Node::leaf(1));
    let lost = heap.alloc(Node::with([leaf])).downgrade();
    let holder = heap.alloc_root(Holder { target: lost, strong: None });
    // It is unreachable, but no collection has run yet.
    let found = heap.upgrade(heap[&holder].target).unwrap();
    heap[&holder].strong = Some(found);
    heap.collect();
    assert!(heap.is_alive(lost) && heap.is_alive(leaf));
}

#[test]
fn an_object_reached_twice_dies_when_both_paths_are_gone() {
    let mut heap = Heap::new();
    let shared = heap.alloc(Node::leaf(1));
    let owners: Vec<Root<Node>> = (0..2).map(|_| heap.alloc_root(Node::with([shared]))).collect();
    let weak = shared.downgrade();
    for owner in owners {
        heap.collect();
        assert!(heap.is_alive(weak));
        drop(owner);
    }
    heap.collect();
    assert!(!heap.is_alive(weak));
}

#[test]
fn what_dies_together_stops_resolving_together() {
    let log = Log::default();
    struct Nested {
        #[expect(dead_code, reason = "dropped with the object")]
        noisy: Noisy,
        inner: Option<Gc<Nested>>,
    }
    traced!(Nested { inner });
    let mut heap = Heap::new();
    let mut weak = Vec::new();
    let mut inner = None;
    for number in 0..1000 {
        let gc = heap.alloc(Nested { noisy: Noisy::new(number, &log), inner });
        weak.push(gc.downgrade());
        inner = Some(gc);
    }
    // However deep it is nested, one collection is enough.
    assert_eq!(heap.collect().freed, 1000);
    assert!(weak.iter().all(|weak| heap.get(weak).is_none()));
    assert_eq!(log.take().len(), 1000);
}

#[test]
fn weak_handles_cost_nothing_to_make_and_nothing_to_forget() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    let before = heap.stats();
    let many: Vec<Weak<Node>> = (0..100_000).map(|_| root.downgrade()).collect();
    assert_eq!(heap.stats(), before);
    assert_eq!(heap.collect().kept, 1);
    assert!(many.iter().all(|weak| *weak == root));
}
