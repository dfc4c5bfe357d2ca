//! Many objects at once: `alloc_many`, `Extend`, `retain`, `clear`.

use slotgc::{Budget, DeathQueue, Gc, Graveyard, Heap, HeapConfig, Phase, Root, Trace, Weak, WeakSet};

use crate::objects::{Link, Log, Node, Noisy, slot_bytes};

#[test]
fn alloc_many_returns_the_handles_of_repeated_allocs() {
    let (mut heap, mut other) = (Heap::new(), Heap::new());
    for round in 0..4_u64 {
        let values = || (0..3000).map(|n| n * round);
        let many = heap.alloc_many(values());
        let each: Vec<_> = values().map(|value| other.alloc(value)).collect();
        assert_eq!(many, each);
        assert!(many.iter().zip(values()).all(|(gc, value)| heap[gc] == value));
        many.iter().step_by(3).for_each(|gc| {
            let _ = (heap.destroy(gc), other.destroy(gc));
        });
        if round % 2 == 1 {
            assert_eq!(heap.collect().freed, other.collect().freed);
        }
        heap.verify();
    }
    assert!(heap.alloc_many(Vec::<Node>::new()).is_empty());
    assert_eq!(heap.stats().allocated, 12_000);
}

/// Promises more items than it has, or fewer.
struct Liar {
    promised: usize,
    left: u32,
}

impl Iterator for Liar {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        Some(self.left)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.promised, None)
    }
}

#[test]
fn an_iterator_with_a_false_size_hint_allocates_what_it_has() {
    let mut heap = Heap::with_config(HeapConfig::default().max_bytes(1 << 20));
    for promised in [0, 1, 100_000, usize::MAX] {
        assert_eq!(heap.alloc_many(Liar { promised, left: 1000 }).len(), 1000);
    }
    assert_eq!(heap.len(), 4000);
    heap.verify();
}

#[test]
fn at_a_limit_nothing_is_lost_and_nothing_is_allocated_twice() {
    let log = Log::default();
    let bytes = 200 * slot_bytes::<Noisy>();
    for config in [HeapConfig::default().max_objects(150), HeapConfig::default().max_bytes(bytes)] {
        let mut heap = Heap::with_config(config);
        let noisy = |number| Noisy::new(number, &log);
        let refused = heap.try_alloc_many((0..400).map(noisy)).unwrap_err();
        let room = heap.len();
        assert!((100..250).contains(&room) && heap.try_alloc(noisy(999)).is_err());
        assert_eq!(log.take(), [999]);
        let (made, next, rest) = refused.into_parts();
        let numbers = made.iter().map(|gc| heap[gc].number);
        assert!(numbers.eq(0..room as u32));
        assert_eq!(next.into_inner().number as usize, room);
        assert_eq!(log.take(), [room as u32]);
        assert_eq!(rest.map(|noisy| noisy.number as usize).next(), Some(room + 1));
        assert_eq!(log.take(), [room as u32 + 1]);
        heap.collect();
        assert_eq!(log.take().len(), room);
        assert_eq!(heap.try_alloc_many((0..3).map(noisy)).unwrap().len(), 3);
        drop(heap);
        log.take();
    }
}

#[test]
fn what_extend_allocates_is_found_by_type() {
    let mut heap = Heap::new();
    heap.extend(["a", "b"].map(String::from));
    heap.extend((0..100).map(Node::leaf));
    assert_eq!((heap.len_of::<String>(), heap.iter::<Node>().len()), (2, 100));
    heap.verify();
}

#[test]
#[should_panic = "max_objects of 2 objects reached"]
fn extend_panics_at_a_limit_as_alloc_does() {
    Heap::with_config(HeapConfig::default().max_objects(2)).extend(0..3);
}

#[cfg(feature = "std")]
#[test]
fn a_panic_in_the_iterator_keeps_what_was_allocated() {
    let mut heap = Heap::new();
    let values = (0..200).map(|n| if n == 170 { panic!("no more") } else { n });
    assert_eq!(crate::objects::panic_text(|| heap.alloc_many(values)), "no more");
    assert_eq!(heap.len(), 170);
    heap.verify();
    assert_eq!(heap.collect().freed, 170);
}

#[test]
fn what_is_made_while_a_cycle_marks_outlives_it() {
    let mut heap = Heap::new();
    let root = heap.alloc_root(Node::leaf(1));
    heap.step(Budget::Objects(1));
    assert_eq!(heap.stats().phase, Phase::Mark);
    let many = heap.alloc_many((0..1000).map(Node::leaf));
    while heap.step(Budget::Objects(64)).finished.is_none() {}
    assert!(many.iter().all(|gc| heap.is_alive(gc)));
    heap.verify();
    heap.collect();
    assert_eq!(heap.len(), 1);
    drop(root);
}

#[test]
fn retain_keeps_what_it_is_told_and_destroys_only_the_rest_of_that_type() {
    let mut heap = Heap::new();
    let nodes = heap.alloc_many((0..5000).map(Node::leaf));
    let links = heap.alloc_many((0..10).map(|value| Link { value, next: None }));
    let root = heap.root(nodes[1]).unwrap();
    let mut seen = Vec::new();
    heap.retain::<Node>(|gc, node| {
        seen.push(gc);
        node.value % 2 == 0
    });
    assert_eq!(seen, nodes, "each is visited once, in slot order");
    assert!(nodes.iter().enumerate().all(|(n, gc)| heap.is_alive(gc) == (n % 2 == 0)));
    assert!(heap.get(&root).is_none(), "a root does not protect it");
    assert!(links.iter().all(|gc| heap.is_alive(gc)));
    assert_eq!((heap.len(), heap.len_of::<Node>()), (2510, 2500));
    heap.verify();
    let again = heap.alloc_many((0..5000).map(Node::leaf));
    assert!(nodes.iter().skip(1).step_by(2).all(|gc| heap.get(gc).is_none() && !again.contains(gc)));
    heap.verify();
    let kept: Vec<_> = nodes.iter().step_by(2).copied().collect();
    heap.collect_with(&kept);
    assert_eq!(heap.len(), 2500);
    heap.verify();
}

#[test]
fn what_retain_changes_is_seen_by_a_minor_collection() {
    let mut heap = Heap::new();
    let old = heap.alloc_root(Link::default());
    heap.collect();
    let young = heap.alloc(Link::default());
    heap.retain::<Link>(|gc, link| {
        link.next = (gc == old.gc()).then_some(young);
        true
    });
    heap.collect_minor();
    assert!(heap.is_alive(young));
}

#[test]
fn retain_notifies_as_a_collection_does() {
    let log = Log::default();
    let mut heap = Heap::new();
    let all = heap.alloc_many((0..6).map(|number| Noisy::new(number, &log)));
    let (queue, graves) = (DeathQueue::new(), Graveyard::new());
    for (number, gc) in all.iter().enumerate() {
        let (log, all) = (log.clone(), all.clone());
        heap.on_death(gc, move |heap, weak| {
            // All are dead, and all destructors have run, before anybody is notified.
            assert!(!heap.is_alive(weak) && all[..5].iter().all(|gc| !heap.is_alive(gc)));
            log.write(100 + number as u32);
        })
        .unwrap();
        queue.watch(&mut heap, gc, number).unwrap();
    }
    graves.bury(&mut heap, all[2]).unwrap();
    heap.retain::<Noisy>(|_, noisy| noisy.number == 5);
    assert_eq!(log.take(), [0, 1, 3, 4, 104, 103, 102, 101, 100]);
    assert_eq!(queue.drain().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    assert_eq!(graves.exhume().unwrap().1.number, 2);
    assert_eq!((heap.len(), heap.watch_count(all[5])), (1, 2));
    heap.verify();
}

#[cfg(feature = "std")]
#[test]
fn when_the_closure_of_retain_panics_nothing_has_died() {
    let log = Log::default();
    let mut heap = Heap::new();
    let all = heap.alloc_many((0..100).map(|number| Noisy::new(number, &log)));
    let judge = |_, noisy: &mut Noisy| if noisy.number == 50 { panic!("cannot decide") } else { false };
    assert_eq!(crate::objects::panic_text(|| heap.retain::<Noisy>(judge)), "cannot decide");
    assert!(all.iter().all(|gc| heap.is_alive(gc)) && log.take().is_empty());
    heap.verify();
}

#[cfg(feature = "std")]
#[test]
fn destructors_that_panic_stop_neither_the_others_nor_the_callbacks() {
    use crate::objects::Bomb;
    let log = Log::default();
    for end in [|heap: &mut Heap| heap.retain::<Bomb>(|_, _| false), Heap::clear] {
        let mut heap = Heap::new();
        let bombs = heap.alloc_many((0..3).map(|number| Bomb(Noisy::new(number, &log))));
        let told = log.clone();
        heap.on_death(bombs[0], move |_, _| told.write(100)).unwrap();
        assert_eq!(crate::objects::panic_text(|| end(&mut heap)), "bomb 0");
        assert_eq!((log.take(), heap.len()), (vec![0, 1, 2, 100], 0));
        heap.verify();
    }
}

#[test]
fn a_callback_of_retain_may_use_the_heap_as_it_likes() {
    let mut heap = Heap::new();
    let all = heap.alloc_many(0..2000_u64);
    for gc in &all {
        heap.on_death(gc, |heap, _| {
            let again = heap.alloc(1_000_000_u64);
            heap.retain::<u64>(|gc, value| gc != again && *value < 1_000_000);
            heap.collect();
        })
        .unwrap();
    }
    let roots: Vec<Root<u64>> = all[1990..].iter().map(|gc| heap.root(gc).unwrap()).collect();
    heap.retain::<u64>(|_, value| *value >= 1990);
    assert_eq!(heap.len(), 10);
    assert!(roots.iter().all(|root| heap.is_alive(root)));
    heap.verify();
}

/// A heap at every point of an incremental cycle.
fn in_each_phase(check: impl Fn(Heap, Vec<Gc<Node>>)) {
    for steps in 0..60 {
        let mut heap = Heap::new();
        let nodes = heap.alloc_many((0..300).map(Node::leaf));
        for gc in &nodes[..50] {
            heap.on_death(gc, |_, _| {}).unwrap();
        }
        heap.set_owned_bytes(nodes[60], 100);
        for _ in 0..steps {
            heap.step(Budget::Objects(16));
        }
        check(heap, nodes);
    }
}

#[test]
fn retain_and_clear_work_at_any_moment_of_a_cycle() {
    in_each_phase(|mut heap, _| {
        let mut left = 0;
        heap.retain::<Node>(|_, node| {
            left += usize::from(node.value % 3 == 0);
            node.value % 3 == 0
        });
        assert_eq!(heap.len(), left);
        heap.verify();
        while heap.step(Budget::Objects(16)).finished.is_none() {}
        heap.verify();
        assert_eq!(heap.collect().kept, 0);
    });
    in_each_phase(|mut heap, nodes| {
        heap.clear();
        assert!(heap.is_empty() && nodes.iter().all(|gc| heap.get(gc).is_none()));
        assert_eq!((heap.stats().phase, heap.stats().owned_bytes), (Phase::Idle, 0));
        heap.verify();
    });
}

/// The index of the slot.
fn slot_of<T: Trace>(gc: Gc<T>) -> u32 {
    slotmap::Key::data(&gc).as_ffi() as u32
}

#[test]
fn after_clear_no_handle_resolves_and_none_is_handed_out_again() {
    let log = Log::default();
    let mut heap = Heap::new();
    let old = heap.alloc_many((0..3000).map(|number| Noisy::new(number, &log)));
    let links = heap.alloc_many((0..3000).map(|value| Link { value, next: None }));
    let roots: Vec<_> = old.iter().step_by(7).map(|gc| heap.root(gc).unwrap()).collect();
    heap.clear();
    assert_eq!((log.take().len(), heap.len()), (3000, 0));
    assert!(roots.iter().all(|root| heap.get(root).is_none() && heap.root(root).is_none()));
    heap.verify();
    for _ in 0..3 {
        let new = heap.alloc_many((0..5000).map(|number| Noisy::new(number, &log)));
        heap.alloc_many((0..5000).map(|value| Link { value, next: None }));
        assert!(old.iter().all(|gc| heap.get(gc).is_none() && !new.contains(gc)));
        assert!(links.iter().all(|gc| heap.get(gc).is_none()));
        assert!(roots.iter().all(|root| heap.get(root).is_none()));
        // Rooted slots get no new tenant, which the old root would otherwise keep alive for a while.
        assert!(roots.iter().all(|root| new.iter().all(|gc| slot_of(root.gc()) != slot_of(*gc))));
        assert_eq!((heap.collect().kept, heap.len()), (0, 0));
        heap.verify();
        log.take();
    }
    drop(roots);
    heap.collect();
    heap.alloc_many((0..3000).map(|number| Noisy::new(number, &log)));
    heap.clear();
    assert!(heap.is_empty());
    heap.verify();
}

#[test]
fn clear_notifies_as_a_collection_does_and_keeps_what_callbacks_allocate() {
    let log = Log::default();
    let mut heap = Heap::new();
    let bears = heap.alloc_many((0..4).map(|number| Noisy::new(number, &log)));
    let rooted = heap.root(bears[3]).unwrap();
    let graves = Graveyard::new();
    graves.bury(&mut heap, bears[3]).unwrap();
    let queue = DeathQueue::new();
    queue.watch(&mut heap, bears[0], "tag").unwrap();
    let told = log.clone();
    heap.on_death(bears[1], move |heap, _| {
        assert!(heap.is_empty() && !heap.is_ending());
        heap.alloc(Node::leaf(1));
        told.write(101);
    })
    .unwrap();
    let told = log.clone();
    let finalizer = heap.finalizer(bears[2], move |_| told.write(102)).unwrap();
    finalizer.set_at_exit(&mut heap, false);
    heap.clear();
    assert_eq!(log.take(), [0, 1, 2, 102, 101], "destructors first, then callbacks, latest first");
    assert_eq!((queue.poll(), graves.exhume().unwrap().1.number), (Some("tag"), 3));
    assert!(heap.get(&rooted).is_none());
    assert_eq!((heap.len(), heap.len_of::<Node>()), (1, 1));
    assert_eq!(heap.stats().collections, 1);
    heap.verify();
}

#[test]
fn clear_inside_a_callback_empties_the_heap_at_once() {
    let mut heap = Heap::new();
    let first = heap.alloc(Node::leaf(1));
    let others: Vec<Root<u64>> = (0..3000).map(|n| heap.alloc_root(n)).collect();
    let told = heap.alloc_many(0..10_u8);
    let queue = DeathQueue::new();
    for gc in &told {
        queue.watch(&mut heap, gc, 0).unwrap();
    }
    let roots: Vec<Root<u8>> = told.iter().map(|gc| heap.root(gc).unwrap()).collect();
    let after = queue.clone();
    heap.on_death(first, move |heap, _| {
        heap.clear();
        assert!(heap.is_empty());
        assert_eq!(after.len(), 10);
        heap.verify();
        heap.alloc(Node::leaf(2));
    })
    .unwrap();
    heap.collect();
    assert_eq!((heap.len(), heap.len_of::<Node>()), (1, 1));
    assert!(others.iter().all(|root| heap.get(root).is_none()));
    heap.verify();
    drop(roots);
    assert_eq!(heap.collect().freed, 1);
}

#[test]
fn what_alloc_cyclic_is_making_survives_a_clear_inside() {
    let mut heap = Heap::new();
    let kept = heap.alloc_cyclic(|heap, own: Gc<Link>| {
        heap.alloc(Link::default());
        heap.clear();
        assert!(heap.is_empty());
        heap.verify();
        Link { value: 5, next: Some(own) }
    });
    assert_eq!((heap[kept].next, heap.len()), (Some(kept), 1));
    heap.verify();
}

#[test]
fn a_weak_set_outside_prunes_what_clear_destroyed() {
    let mut heap = Heap::new();
    let mut set: WeakSet<u32> = heap.alloc_many(0..10_u32).into_iter().collect();
    heap.clear();
    set.prune_dead(&heap);
    assert!(set.is_empty());
}

#[test]
fn a_heap_can_be_rolled_back_to_before_a_clear() {
    let mut heap = Heap::new();
    let kept = heap.alloc_root(Lonely(7));
    let weak: Weak<Lonely> = kept.downgrade();
    let checkpoint = heap.checkpoint(&slotgc::Schema::new().with::<Lonely>("lonely")).unwrap();
    heap.clear();
    heap.alloc_many((0..10).map(Lonely));
    heap.roll_back(&checkpoint);
    heap.collect();
    assert_eq!((heap.get(&kept), heap.len()), (Some(&Lonely(7)), 1));
    heap.verify();
    drop(kept);
    heap.collect();
    assert!(!heap.is_alive(weak));
}

#[derive(Clone, PartialEq, Debug)]
struct Lonely(u32);

impl Trace for Lonely {
    const NEEDS_TRACE: bool = false;
    const HOLDS_HANDLES: bool = false;

    fn trace(&self, _: &mut slotgc::Tracer<'_>) {}
}
