//! `destroy` and `destroy_any`: explicit destruction.

use slotgc::{AnyGc, Gc, Heap};

use crate::objects::{Bomb, Link, Log, Node, Noisy, panic_text};

#[test]
fn destroy_returns_the_value_and_kills_every_handle_at_once() {
    // weak-cases 10
    let log = Log::default();
    let mut heap = Heap::new();
    let root = heap.alloc_root(Noisy::new(1, &log));
    let (gc, weak) = (root.gc(), root.downgrade());
    let clone = root.clone();
    let value = heap.destroy(&root).unwrap();
    assert!(log.take().is_empty(), "the value is the caller's");
    assert_eq!(value.number, 1);
    assert!(heap.get(gc).is_none() && heap.get(weak).is_none() && heap.get(&clone).is_none());
    assert!(!heap.is_alive(&root) && !heap.is_alive_any(gc.erase()));
    assert!(heap.upgrade(weak).is_none() && heap.root(weak).is_none() && heap.root(&root).is_none());
    assert!(heap.destroy(gc).is_none() && heap.destroy(&root).is_none() && !heap.destroy_any(gc.erase()));
    drop(value);
    assert_eq!(log.take(), [1]);

    for _ in 0..3 {
        heap.collect();
        let other = heap.alloc_root(Noisy::new(2, &log));
        assert!(heap.get(&root).is_none(), "a root never resolves to another object");
        drop(other);
    }
    drop((root, clone));
    heap.collect();
    assert_eq!(log.take(), [2, 2, 2], "no second destructor");
    drop(heap);
    assert!(log.take().is_empty());
}

#[test]
fn destroy_any_drops_the_value_once_and_says_whether_it_lived() {
    let log = Log::default();
    let mut heap = Heap::new();
    let any = heap.alloc(Noisy::new(1, &log)).erase();
    assert!(heap.destroy_any(any));
    assert_eq!(log.take(), [1]);
    assert!(!heap.destroy_any(any));
    assert!(!heap.destroy_any(AnyGc::default()));
    assert_eq!((heap.len(), heap.allocated()), (0, 1));
    heap.collect();
    drop(heap);
    assert!(log.take().is_empty());
}

#[test]
fn a_panic_in_the_destructor_of_a_destroyed_value_leaves_the_heap_whole() {
    let log = Log::default();
    let mut heap = Heap::new();
    let kept = heap.alloc_root(Node::leaf(5));
    let bombs = [1, 2].map(|number| heap.alloc(Bomb(Noisy::new(number, &log))));
    assert_eq!(panic_text(|| heap.destroy_any(bombs[0].erase())), "bomb 1");
    assert!(!heap.is_alive(bombs[0]) && heap.is_alive(bombs[1]));
    assert_eq!(heap.len(), 2);
    assert!(!heap.destroy_any(bombs[0].erase()));
    assert_eq!(panic_text(|| heap.collect()), "bomb 2");
    assert_eq!(log.take(), [1, 2]);
    assert_eq!((heap.len(), heap[&kept].value), (1, 5));
}

#[test]
fn strong_fields_hold_dead_handles_after_a_destroy() {
    let mut heap = Heap::new();
    let leaf = heap.alloc(Node::leaf(1));
    let parent = heap.alloc_root(Node::with([leaf]));
    assert_eq!(heap.destroy(leaf).unwrap().value, 1);
    assert!(heap.get(heap[&parent].edges[0]).is_none());
    let stats = heap.collect();
    assert_eq!((stats.marked, stats.kept, stats.freed), (1, 1, 0));
    assert!(heap.get(heap[&parent].edges[0]).is_none());
}

/// Destroys so many objects that slots leave limbo before a collection has checked which live objects still
/// name them.
#[test]
fn stale_handle_never_sees_the_next_tenant() {
    // weak-cases 13
    let mut heap = Heap::new();
    let mut past: Vec<Gc<Link>> = Vec::new();
    let mut reused = 0;
    for round in 0..20_u64 {
        let made: Vec<_> = (0..3000).map(|value| heap.alloc(Link { value, next: None })).collect();
        let slots: std::collections::HashSet<u64> = past.iter().map(|gc| gc.to_bits() >> 32).collect();
        reused += made.iter().filter(|gc| slots.contains(&(gc.to_bits() >> 32))).count();
        assert!(made.iter().enumerate().all(|(value, gc)| heap[gc].value == value as u64));
        assert!(past.iter().all(|gc| heap.get(gc).is_none() && heap.root(gc).is_none()));
        if round % 3 == 2 {
            heap.collect();
        } else {
            made.iter().for_each(|gc| assert!(heap.destroy(gc).is_some()));
        }
        past.extend(made);
    }
    assert!(reused > 3000, "only {reused} slots were reused");
    let different: std::collections::HashSet<_> = past.iter().collect();
    assert_eq!(different.len(), past.len(), "a handle was handed out twice");
}

#[test]
fn destroying_everything_leaves_a_heap_that_works() {
    let log = Log::default();
    let mut heap = Heap::new();
    let made: Vec<_> = (0..5000).map(|number| heap.alloc(Noisy::new(number, &log))).collect();
    for gc in made.iter().rev() {
        heap.destroy_any(gc.erase());
    }
    assert!(log.take().into_iter().eq((0..5000).rev()));
    assert!(heap.is_empty() && heap.iter::<Noisy>().next().is_none());
    assert_eq!(heap.collect().freed, 0);
    let again = heap.alloc_root(Noisy::new(7, &log));
    assert!(made.iter().all(|gc| !heap.is_alive(gc)));
    assert_eq!(heap[&again].number, 7);
}

#[test]
fn a_panic_in_a_destructor_leaves_the_counts_right() {
    let log = Log::default();
    let mut heap = Heap::new();
    heap.alloc(Bomb(Noisy::new(1, &log)));
    assert_eq!(panic_text(|| heap.collect()), "bomb 1");
    assert_eq!((heap.len(), heap.stats().freed), (0, 1));
    drop(heap);
}
